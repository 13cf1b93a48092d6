//! GET and SET, and what SET was called before it had options: whole strings in and out.
//!
//! Nothing is changed before all options are understood; what replays is the value with its
//! absolute expiry.

use super::multi::store_argument;
use super::options::{Condition, SetOptions, TimeUnit};
use crate::command::{Args, KeyFlags};
use crate::keyspace::{Expiry, Lookup};
use crate::resp::{ErrorReply, Written};
use crate::shard::{Event, Outcome, ReplyString, ShardCtx};

/// GET: reply with the string.
pub fn get(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    match ctx.space.door(ctx.db).string(&key, Lookup::Read)? {
        Some(value) => Ok(ctx.reply.string(value)),
        None => Ok(ctx.reply.null()),
    }
}

/// SET: store a string, whatever was there.
pub fn set(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len() == 3 {
        store(ctx, 2, Expiry::Clear);
        return Ok(ctx.reply.ok());
    }
    let options = SetOptions::parse(ctx.args, ctx.clock_ms(), ctx.spec.name)?;
    if options.replies_old {
        get(ctx)?;
    }
    let key = ctx.key(1);
    let is_refused = match options.condition {
        Condition::Always => false,
        Condition::IfMissing => ctx.door().contains(&key),
        Condition::IfPresent => !ctx.door().contains(&key),
    };
    if !is_refused {
        store(ctx, 2, options.expiry);
        state_effect(ctx, 2, options.expiry);
    }
    match (options.replies_old, is_refused) {
        (true, _) => Ok(Written),
        (false, true) => Ok(ctx.reply.null()),
        (false, false) => Ok(ctx.reply.ok()),
    }
}

/// SETNX: store a string where there is nothing.
pub fn setnx(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let is_free = !ctx.door().contains(&key);
    if is_free {
        store(ctx, 2, Expiry::Clear);
        state_effect(ctx, 2, Expiry::Clear);
    }
    Ok(ctx.reply.flag(is_free))
}

/// SETEX: store a string for some seconds.
pub fn setex(ctx: &mut ShardCtx<'_>) -> Outcome {
    set_for(ctx, TimeUnit::SECONDS)
}

/// PSETEX: store a string for some milliseconds.
pub fn psetex(ctx: &mut ShardCtx<'_>) -> Outcome {
    set_for(ctx, TimeUnit::MILLISECONDS)
}

fn set_for(ctx: &mut ShardCtx<'_>, unit: TimeUnit) -> Outcome {
    let deadline: Result<i64, ErrorReply> =
        unit.deadline(ctx.args.get(2), ctx.clock_ms(), ctx.spec.name);
    let expiry = Expiry::At(deadline?);
    store(ctx, 3, expiry);
    state_effect(ctx, 3, expiry);
    Ok(ctx.reply.ok())
}

/// GETSET: store a string and reply with what was there.
pub fn getset(ctx: &mut ShardCtx<'_>) -> Outcome {
    let written = get(ctx)?;
    store(ctx, 2, Expiry::Clear);
    state_effect(ctx, 2, Expiry::Clear);
    Ok(written)
}

/// Stores the argument at a position under the key, and says so.
fn store(ctx: &mut ShardCtx<'_>, at: usize, expiry: Expiry) {
    let key = ctx.key(1);
    store_argument(ctx, &key, at, expiry);
    ctx.changed(Event::SET, key.bytes);
    if let Expiry::At(_) = expiry {
        ctx.changed(Event::EXPIRE, key.bytes);
    }
}

/// What replays: the value with the moment it expires, and no conditions.
fn state_effect(ctx: &mut ShardCtx<'_>, at: usize, expiry: Expiry) {
    let (db, key, value) = (ctx.db, ctx.args.get(1), ctx.args.get(at));
    let effects = &mut ctx.effects;
    match expiry {
        Expiry::Clear => effects.instead(db, [&b"SET"[..], key, value]),
        Expiry::Keep => effects.instead(db, [&b"SET"[..], key, value, b"KEEPTTL"]),
        Expiry::At(at) => {
            let mut buffer = itoa::Buffer::new();
            let at = buffer.format(at).as_bytes();
            effects.instead(db, [&b"SET"[..], key, value, b"PXAT", at]);
        }
    }
}
/// What SET does to its key: it reads it when GET asks for the old value.
pub fn set_use(args: Args<'_>) -> KeyFlags {
    if args.from(3).any(|arg| arg.eq_ignore_ascii_case(b"get")) {
        return KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE;
    }
    KeyFlags::OW | KeyFlags::UPDATE
}
