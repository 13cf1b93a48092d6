//! DEL, UNLINK, EXISTS, TOUCH, TYPE: whether keys are there, and that they go.
//!
//! With keys on several shards each shard counts its own, and the counts are added up.

use crate::keyspace::{Cause, Lookup};
use crate::shard::{Event, Outcome, ShardCtx};

/// DEL: remove keys; reply with how many there were.
pub fn del(ctx: &mut ShardCtx<'_>) -> Outcome {
    remove(ctx, Cause::Deletion)
}

/// UNLINK: the same, and smaller values are freed in steps already.
pub fn unlink(ctx: &mut ShardCtx<'_>) -> Outcome {
    remove(ctx, Cause::Unlinking)
}

fn remove(ctx: &mut ShardCtx<'_>, cause: Cause) -> Outcome {
    let mut removed = 0;
    ctx.each_key(1, |ctx, _, key| {
        if ctx.door().remove_for(key, cause) {
            ctx.changed(Event::DEL, key.bytes);
            removed += 1;
        }
    });
    Ok(ctx.reply.integer(removed))
}

/// EXISTS: how many of the keys exist, each as often as it is named.
pub fn exists(ctx: &mut ShardCtx<'_>) -> Outcome {
    count(ctx, Lookup::Peek)
}

/// TOUCH: the same, and it counts as an access.
pub fn touch(ctx: &mut ShardCtx<'_>) -> Outcome {
    // Also for a client whose other commands leave no trace (CLIENT NO-TOUCH).
    ctx.space.common.touches = true;
    count(ctx, Lookup::Read)
}

fn count(ctx: &mut ShardCtx<'_>, lookup: Lookup) -> Outcome {
    let mut present = 0;
    ctx.each_key(1, |ctx, _, key| {
        present += i64::from(ctx.door().find(key, lookup).is_some());
    });
    Ok(ctx.reply.integer(present))
}

/// TYPE: the name of a value's type, `none` when there is no key.
pub fn type_name(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let entry = ctx.space.door(ctx.db).find(&key, Lookup::Peek);
    let name = entry.map_or("none", |entry| entry.kind().name());
    Ok(ctx.reply.status(name))
}
