//! PUBSUB: who listens to what, over all cores.
//!
//! Each name is counted by one core, its home, so that the answers of all cores only have to be
//! put behind each other.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::pubsub::Kind;
use crate::resp::{ErrorReply, Writer, errors};
use crate::session::{Answer, Question};
use bytes::Bytes;
use std::sync::Arc;

/// PUBSUB CHANNELS: reply with the channels that somebody listens to by name.
pub fn channels(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    list(ctx, Kind::Channel)
}

/// PUBSUB SHARDCHANNELS: the same of shard channels.
pub fn shardchannels(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    list(ctx, Kind::Shard)
}

fn list(ctx: &mut ControlCtx<'_>, kind: Kind) -> ControlOutcome {
    if ctx.args.len() > 3 {
        return Err(unknown(ctx));
    }
    let pattern = ctx.args.try_get(2).map(Bytes::copy_from_slice);
    let question = Question::Channels(kind, pattern);
    ctx.core.ask_all(ctx.session, &question, |answers, reply| {
        let names = |answer| match answer {
            Answer::Names(names) => names,
            _ => Vec::new(),
        };
        let names: Vec<Bytes> = answers.into_iter().flat_map(names).collect();
        reply.array(names.len());
        for name in names {
            reply.bulk(&name);
        }
    });
    Ok(Flow::Later)
}

/// Redis finds out the number of arguments of these only when it runs them.
fn unknown(ctx: &ControlCtx<'_>) -> ErrorReply {
    errors::unknown_form("pubsub", ctx.args.get(1))
}

/// PUBSUB NUMSUB: reply with how many listen to each of these channels by name.
pub fn numsub(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    count(ctx, Kind::Channel)
}

/// PUBSUB SHARDNUMSUB: the same of shard channels.
pub fn shardnumsub(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    count(ctx, Kind::Shard)
}

fn count(ctx: &mut ControlCtx<'_>, kind: Kind) -> ControlOutcome {
    let names: Arc<[Bytes]> = ctx.args.from(2).map(Bytes::copy_from_slice).collect();
    let question = Question::Listeners(kind, names.clone());
    ctx.core
        .ask_all(ctx.session, &question, move |answers, reply| {
            show_counts(&names, &answers, reply);
        });
    Ok(Flow::Later)
}

fn show_counts(names: &[Bytes], answers: &[Answer], reply: &mut Writer<'_>) {
    reply.array(2 * names.len());
    for (at, name) in names.iter().enumerate() {
        let count = |answer: &Answer| match answer {
            Answer::Counts(counts) => counts[at],
            _ => 0,
        };
        reply.bulk(name);
        reply.integer(answers.iter().map(count).sum::<u64>() as i64);
    }
}

/// PUBSUB NUMPAT: reply with how many patterns there are.
pub fn numpat(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let node = ctx.core.node.clone();
    // Whoever has answered has taken in what it was told before.
    let question = Question::Listeners(Kind::Pattern, Arc::from([]));
    ctx.core.ask_all(ctx.session, &question, move |_, reply| {
        reply.integer(node.board.totals().pubsub_patterns as i64);
    });
    Ok(Flow::Later)
}

/// PUBSUB HELP: reply with the list of subcommands.
pub fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Prints this help.",
];
