//! MGET, MSET and MSETNX: many strings at once.
//!
//! On several shards each runs the command on its own keys; nothing here knows of that.

use crate::keyspace::{Expiry, Key, Lookup, NewValue};
use crate::resp::errors;
use crate::shard::{Event, Outcome, ReplyString, ShardCtx};

/// MGET: reply with the strings, null where there is none.
pub fn mget(ctx: &mut ShardCtx<'_>) -> Outcome {
    ctx.reply.array(ctx.args.len() - 1);
    let mut written = crate::resp::Written;
    ctx.each_key(1, |ctx, _, key| {
        written = match ctx.space.door(ctx.db).string(key, Lookup::Read) {
            Ok(Some(value)) => ctx.reply.string(value),
            Ok(None) | Err(_) => ctx.reply.null(),
        };
    });
    Ok(written)
}

/// MSET: store strings.
pub fn mset(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len().is_multiple_of(2) {
        return Err(errors::wrong_arity(ctx.spec.name));
    }
    store_pairs(ctx);
    Ok(ctx.reply.ok())
}

/// MSETNX: store strings, unless one of the keys exists.
pub fn msetnx(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len().is_multiple_of(2) {
        return Err(errors::wrong_arity(ctx.spec.name));
    }
    for at in (1..ctx.args.len()).step_by(2) {
        let key = ctx.key(at);
        if ctx.door().contains(&key) {
            return Ok(ctx.reply.flag(false));
        }
    }
    store_pairs(ctx);
    for at in (1..ctx.args.len()).step_by(2) {
        let (key, value) = (ctx.args.get(at), ctx.args.get(at + 1));
        ctx.effects.instead(ctx.db, [&b"SET"[..], key, value]);
    }
    Ok(ctx.reply.flag(true))
}

fn store_pairs(ctx: &mut ShardCtx<'_>) {
    ctx.each_key(2, |ctx, at, key| {
        store_argument(ctx, key, at + 1, Expiry::Clear);
        ctx.changed(Event::SET, key.bytes);
    });
}

/// Stores the argument at a position; a large one keeps the memory it has arrived in.
pub(super) fn store_argument(ctx: &mut ShardCtx<'_>, key: &Key<'_>, at: usize, expiry: Expiry) {
    match ctx.args.shared(at) {
        Some(large) => {
            let value = NewValue::from(large.clone());
            ctx.door().set(key, value, expiry);
        }
        None => ctx
            .space
            .door(ctx.db)
            .set_bytes(key, ctx.args.get(at), expiry),
    }
}
