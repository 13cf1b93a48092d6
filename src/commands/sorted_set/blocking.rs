//! BZPOPMIN, BZPOPMAX, BZMPOP: take members from an end, or wait for some.
//!
//! Each does what its sibling without the B does, and where that finds nothing the client waits.
//! What has happened is then recorded as the sibling's command, which waits for nobody.

use super::pop::{PopOptions, pop, pop_as_zmpop};
use crate::object::Kind;
use crate::object::zset::End;
use crate::resp::Written;
use crate::shard::{Outcome, ShardCtx};

/// BZPOPMIN: take the member with the lowest score of the first set that exists, or wait for one.
pub fn bzpopmin(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_or_wait(ctx, End::Min)
}

/// BZPOPMAX: take the member with the highest score of the first set that exists, or wait for one.
pub fn bzpopmax(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_or_wait(ctx, End::Max)
}

fn pop_or_wait(ctx: &mut ShardCtx<'_>, end: End) -> Outcome {
    let last = ctx.args.len() - 1;
    let timeout_ms = ctx.args.timeout(last, ctx.now_ms())?;
    for at in 1..last {
        let key = ctx.key(at);
        let popped = pop(ctx, &key, (end, 1), false, |reply, _| {
            reply.array(3);
            reply.bulk(key.bytes);
        })?;
        if popped.is_some() {
            let name: &[u8] = match end {
                End::Min => b"ZPOPMIN",
                End::Max => b"ZPOPMAX",
            };
            ctx.effects.instead(ctx.db, [name, key.bytes]);
            return Ok(Written);
        }
    }
    ctx.wait_for(Kind::Zset, 1..last, timeout_ms)
}

/// BZMPOP: take members from the first of several sets that exists, or wait for one.
pub fn bzmpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    let timeout_ms = ctx.args.timeout(1, ctx.now_ms())?;
    let options = PopOptions::parse(ctx.args, 2)?;
    let keys = 3..3 + options.keys;
    for at in keys.clone() {
        if pop_as_zmpop(ctx, at, options)? {
            return Ok(Written);
        }
    }
    ctx.wait_for(Kind::Zset, keys, timeout_ms)
}
