//! Clients of all cores: CLIENT LIST and CLIENT KILL.
//!
//! Both ask every core and make one reply of the answers. Lines come by ascending number, the
//! order in which the clients arrived.

use crate::base::number::parse_i64;
use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::resp::{ErrorReply, Writer, errors};
use crate::session::{Answer, Class, Filter, Question};
use std::sync::Arc;

/// CLIENT LIST: reply with a line for each client, or for those asked for.
pub fn list(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let args = ctx.args;
    let question = if args.len() == 2 {
        Question::List(None)
    } else if args.len() == 4 && args.is(2, "TYPE") {
        Question::List(Some(class(args, 3)?))
    } else if args.len() > 3 && args.is(2, "ID") {
        let numbers: Option<Vec<i64>> = args.from(3).map(parse_i64).collect();
        Question::ListNumbers(Arc::from(numbers.ok_or("ERR Invalid client ID")?))
    } else {
        return Err(errors::SYNTAX.into());
    };
    ctx.core.ask_all(ctx.session, &question, join_lines);
    Ok(Flow::Later)
}

fn class(args: Args<'_>, at: usize) -> Result<Class, ErrorReply> {
    Class::from_name(args.get(at))
        .ok_or_else(|| errors::repeating("ERR Unknown client type '", args.get(at), "'"))
}

fn join_lines(answers: Vec<Answer>, reply: &mut Writer<'_>) {
    let mut lines: Vec<(u64, Vec<u8>)> = answers
        .into_iter()
        .flat_map(|answer| match answer {
            Answer::Lines(lines) => lines,
            _ => Vec::new(),
        })
        .collect();
    lines.sort_unstable_by_key(|(order, _)| *order);
    let mut text = Vec::new();
    for (_, line) in lines {
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    reply.verbatim("txt", &text);
}

/// CLIENT KILL: close one client by its address, or all that a filter means.
pub fn kill(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let asker = ctx.session().map_or(0, |session| session.id);
    if ctx.args.len() == 3 {
        let filter = Filter {
            address: Some(ctx.args.get(2).to_vec()),
            asker,
            ..Filter::default()
        };
        let question = Question::Kill(Arc::new(filter));
        ctx.core.ask_all(ctx.session, &question, |answers, reply| {
            match total(&answers) {
                0 => reply.error(&"ERR No such client".into()),
                _ => reply.ok(),
            };
        });
        return Ok(Flow::Later);
    }
    let filter = parse_filter(ctx.args, asker)?;
    let question = Question::Kill(Arc::new(filter));
    ctx.core.ask_all(ctx.session, &question, |answers, reply| {
        reply.integer(total(&answers) as i64);
    });
    Ok(Flow::Later)
}

/// The sum of what all cores have counted.
pub fn total(answers: &[Answer]) -> u64 {
    let count = |answer: &Answer| match answer {
        Answer::Count(count) => *count,
        _ => 0,
    };
    answers.iter().map(count).sum()
}

fn parse_filter(args: Args<'_>, asker: u64) -> Result<Filter, ErrorReply> {
    let mut filter = Filter {
        asker,
        spares_asker: true,
        ..Filter::default()
    };
    let mut at = 2;
    while at < args.len() {
        if at + 1 == args.len() {
            return Err(errors::SYNTAX.into());
        }
        set_condition(&mut filter, args, at)?;
        at += 2;
    }
    Ok(filter)
}

type Set = fn(&mut Filter, Args<'_>, usize) -> Result<(), ErrorReply>;

/// The conditions of CLIENT KILL.
const CONDITIONS: [(&str, Set); 7] = [
    ("ID", |filter, args, at| {
        filter.number = Some(positive(
            args.get(at),
            "ERR client-id should be greater than 0",
            "ERR client-id should be greater than 0",
        )?);
        Ok(())
    }),
    ("TYPE", |filter, args, at| {
        filter.class = Some(class(args, at)?);
        Ok(())
    }),
    ("ADDR", |filter, args, at| {
        filter.address = Some(args.get(at).to_vec());
        Ok(())
    }),
    ("LADDR", |filter, args, at| {
        filter.local_address = Some(args.get(at).to_vec());
        Ok(())
    }),
    ("USER", |filter, args, at| {
        let user = args.get(at);
        if user != b"default" {
            return Err(errors::repeating("ERR No such user '", user, "'"));
        }
        filter.user = Some(user.to_vec());
        Ok(())
    }),
    ("MAXAGE", |filter, args, at| {
        filter.age_min_s = Some(positive(
            args.get(at),
            "ERR maxage is not an integer or out of range",
            "ERR maxage should be greater than 0",
        )?);
        Ok(())
    }),
    ("SKIPME", |filter, args, at| {
        filter.spares_asker = match (args.is(at, "YES"), args.is(at, "NO")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(errors::SYNTAX.into()),
        };
        Ok(())
    }),
];

fn set_condition(filter: &mut Filter, args: Args<'_>, at: usize) -> Result<(), ErrorReply> {
    let found = CONDITIONS.iter().find(|(name, _)| args.is(at, name));
    match found {
        Some((_, set)) => set(filter, args, at + 1),
        None => Err(errors::SYNTAX.into()),
    }
}

fn positive(
    text: &[u8],
    no_number: &'static str,
    too_small: &'static str,
) -> Result<i64, ErrorReply> {
    let number = parse_i64(text).ok_or(no_number)?;
    if number < 1 {
        return Err(too_small.into());
    }
    Ok(number)
}
