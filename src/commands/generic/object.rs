//! OBJECT: what is known of a value besides its content.
//!
//! Looking leaves no trace: neither the idle time nor the counter changes by being asked for.

use crate::keyspace::{AccessRule, EntryRef, Lookup, StringRef};
use crate::resp::{ErrorReply, Writer, Written};
use crate::shard::{Outcome, ShardCtx};

/// Replies about a key's entry, null when there is none.
fn about(
    ctx: &mut ShardCtx<'_>,
    tell: impl FnOnce(EntryRef<'_>, &mut Writer<'_>) -> Result<Written, ErrorReply>,
) -> Outcome {
    let key = ctx.key(2);
    match ctx.space.door(ctx.db).find(&key, Lookup::Inspect) {
        Some(entry) => tell(entry, &mut ctx.reply),
        None => Ok(ctx.reply.null()),
    }
}

/// OBJECT ENCODING: the name of the encoding.
pub fn encoding(ctx: &mut ShardCtx<'_>) -> Outcome {
    about(ctx, |entry, reply| {
        Ok(reply.bulk(entry.encoding().name().as_bytes()))
    })
}

/// OBJECT REFCOUNT: how many refer to the value.
///
/// Values are not shared here; the small numbers that Redis shares report what they do there,
/// because clients tell by this that a number is one of them.
pub fn refcount(ctx: &mut ShardCtx<'_>) -> Outcome {
    const SHARED: i64 = i32::MAX as i64;
    about(ctx, |entry, reply| {
        let is_shared = matches!(entry.string(), Some(StringRef::Int(0..10_000)));
        Ok(reply.integer(if is_shared { SHARED } else { 1 }))
    })
}

/// OBJECT IDLETIME: seconds since the last access.
pub fn idletime(ctx: &mut ShardCtx<'_>) -> Outcome {
    const TEXT: &str = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please \
        note that when switching between policies at runtime LRU and LFU data will take some time \
        to adjust.";
    let (rule, now_ms) = (ctx.space.common.access, ctx.now_ms());
    about(ctx, |entry, reply| match rule {
        AccessRule::Frequency { .. } => Err(TEXT.into()),
        AccessRule::Recency => {
            let seconds = rule.idle_seconds(entry.access(), now_ms);
            Ok(reply.integer(i64::from(seconds)))
        }
    })
}

/// OBJECT FREQ: the logarithmic counter of accesses.
pub fn freq(ctx: &mut ShardCtx<'_>) -> Outcome {
    const TEXT: &str = "ERR An LFU maxmemory policy is not selected, access frequency not \
        tracked. Please note that when switching between policies at runtime LRU and LFU data will \
        take some time to adjust.";
    let (rule, now_ms) = (ctx.space.common.access, ctx.now_ms());
    about(ctx, |entry, reply| match rule {
        AccessRule::Recency => Err(TEXT.into()),
        AccessRule::Frequency { .. } => {
            let counter = rule.frequency(entry.access(), now_ms);
            Ok(reply.integer(i64::from(counter)))
        }
    })
}

/// OBJECT HELP: what the subcommands do.
pub fn help(ctx: &mut ShardCtx<'_>) -> Outcome {
    Ok(ctx.reply.help(HELP))
}

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];
