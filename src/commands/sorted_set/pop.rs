//! ZPOPMIN, ZPOPMAX, ZMPOP: members that are taken from an end.
//!
//! [`pop`] is the core of the blocking commands too.

use super::read;
use crate::base::number::parse_i64;
use crate::command::Args;
use crate::keyspace::{Key, WrongKind};
use crate::object::Kind;
use crate::object::zset::{End, ZsetEdit};
use crate::resp::{ErrorReply, Protocol, Writer, Written, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// Takes up to `count` members from the end of the set at a key and replies with each, in pairs of
/// their own when `is_nested`; before that `head` is told how many there will be. Returns that
/// number; none when there is no such key, and then nothing is replied.
pub fn pop(
    ctx: &mut ShardCtx<'_>,
    key: &Key<'_>,
    (end, count): (End, usize),
    is_nested: bool,
    head: impl FnOnce(&mut Writer<'_>, usize),
) -> Result<Option<usize>, WrongKind> {
    let packing = ctx.space.common.packing;
    let Some(mut open) = ctx.space.door(ctx.db).open(key, Kind::Zset)? else {
        return Ok(None);
    };
    let mut edit = ZsetEdit::new(&mut open, &packing);
    let taken = count.min(edit.view().len());
    let reply = &mut ctx.reply;
    head(reply, taken);
    for _ in 0..taken {
        edit.pop(end, |item, score| {
            if is_nested {
                reply.array(2);
            }
            read::member(reply, item);
            reply.double(score);
        });
    }
    let is_gone = open.is_gone();
    drop(open);
    if taken > 0 {
        let event = match end {
            End::Min => Event::ZPOPMIN,
            End::Max => Event::ZPOPMAX,
        };
        ctx.changed(event, key.bytes);
        if is_gone {
            ctx.changed(Event::DEL, key.bytes);
        }
    }
    Ok(Some(taken))
}

/// ZPOPMIN: takes out the members with the lowest scores.
pub fn zpopmin(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_one_key(ctx, End::Min)
}

/// ZPOPMAX: takes out the members with the highest scores.
pub fn zpopmax(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_one_key(ctx, End::Max)
}

fn pop_one_key(ctx: &mut ShardCtx<'_>, end: End) -> Outcome {
    let args = ctx.args;
    if args.len() > 3 {
        return Err(errors::SYNTAX.into());
    }
    let count = args.try_get(2).map(|text| {
        let count = parse_i64(text).and_then(|count| usize::try_from(count).ok());
        count.ok_or(errors::NOT_POSITIVE)
    });
    let count = count.transpose()?;
    let is_nested = count.is_some() && ctx.reply.protocol() == Protocol::Resp3;
    let key = ctx.key(1);
    let popped = pop(
        ctx,
        &key,
        (end, count.unwrap_or(1)),
        is_nested,
        |reply, taken| {
            reply.array(if is_nested { taken } else { taken * 2 });
        },
    )?;
    Ok(match popped {
        Some(_) => Written,
        None => ctx.reply.array(0),
    })
}

/// What ZMPOP and BZMPOP are asked for.
#[derive(Clone, Copy, Debug)]
pub struct PopOptions {
    /// Number of keys; they stand behind the argument that says so.
    pub keys: usize,
    pub end: End,
    pub count: usize,
}

impl PopOptions {
    /// Reads them from the number of keys on.
    pub fn parse(args: Args<'_>, at: usize) -> Result<PopOptions, ErrorReply> {
        let positive = |at: usize, error: &'static str| {
            let number = parse_i64(args.get(at)).filter(|number| *number > 0);
            number.map(|number| number as usize).ok_or(error)
        };
        let keys = positive(at, "ERR numkeys should be greater than 0")?;
        let word = at.saturating_add(keys).saturating_add(1);
        let end = match args.try_get(word) {
            Some(_) if args.is(word, "min") => End::Min,
            Some(_) if args.is(word, "max") => End::Max,
            _ => return Err(errors::SYNTAX.into()),
        };
        let mut count = None;
        let mut at = word + 1;
        while at < args.len() {
            if count.is_some() || !args.is(at, "count") || at + 1 == args.len() {
                return Err(errors::SYNTAX.into());
            }
            count = Some(positive(at + 1, "ERR count should be greater than 0")?);
            at += 2;
        }
        Ok(PopOptions {
            keys,
            end,
            count: count.unwrap_or(1),
        })
    }
}

/// ZMPOP: takes members from the first of several sets that is not empty.
pub fn zmpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    let options = PopOptions::parse(ctx.args, 1)?;
    for at in 2..2 + options.keys {
        if pop_as_zmpop(ctx, at, options)? {
            return Ok(Written);
        }
    }
    Ok(ctx.reply.null_array())
}

/// Pops from the set at one of the keys and replies as ZMPOP does; false when there is none.
pub fn pop_as_zmpop(
    ctx: &mut ShardCtx<'_>,
    at: usize,
    options: PopOptions,
) -> Result<bool, ErrorReply> {
    let key = ctx.key(at);
    let (end, count) = (options.end, options.count);
    let popped = pop(ctx, &key, (end, count), true, |reply, taken| {
        reply.array(2);
        reply.bulk(key.bytes);
        reply.array(taken);
    })?;
    let Some(taken) = popped else {
        return Ok(false);
    };
    let name: &[u8] = match end {
        End::Min => b"ZPOPMIN",
        End::Max => b"ZPOPMAX",
    };
    let taken = taken.to_string();
    ctx.effects
        .instead(ctx.db, [name, key.bytes, taken.as_bytes()]);
    Ok(true)
}
