//! BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP: take an element, or wait for one.
//!
//! Each does what its sibling without the B does, and where that finds nothing the client waits.
//! What has happened is then recorded as the sibling's command, which waits for nobody.

use super::options::side;
use super::pop::{mpop_options, pop_from_first, pop_one};
use super::transfer::move_one;
use crate::object::Kind;
use crate::object::list::Side;
use crate::resp::Writer;
use crate::shard::{Outcome, ShardCtx};

/// BLPOP: take from the left end of the first list that exists, or wait for one.
pub fn blpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_or_wait(ctx, Side::Left)
}

/// BRPOP: take from the right end of the first list that exists, or wait for one.
pub fn brpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop_or_wait(ctx, Side::Right)
}

fn pop_or_wait(ctx: &mut ShardCtx<'_>, side: Side) -> Outcome {
    let last = ctx.args.len() - 1;
    let timeout_ms = ctx.args.timeout(last, ctx.now_ms())?;
    for at in 1..last {
        let key = ctx.key(at);
        let head = |reply: &mut Writer<'_>| {
            reply.array(2);
            reply.bulk(key.bytes);
        };
        if let Some(written) = pop_one(ctx, &key, side, head)? {
            let name: &[u8] = match side {
                Side::Left => b"LPOP",
                Side::Right => b"RPOP",
            };
            ctx.effects.instead(ctx.db, [name, key.bytes]);
            return Ok(written);
        }
    }
    ctx.wait_for(Kind::List, 1..last, timeout_ms)
}

/// BLMPOP: take from the first of several lists that exists, or wait for one.
pub fn blmpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    let timeout_ms = ctx.args.timeout(1, ctx.now_ms())?;
    let (keys, side, count) = mpop_options(ctx.args, 2)?;
    match pop_from_first(ctx, keys.clone(), (side, count))? {
        Some(written) => Ok(written),
        None => ctx.wait_for(Kind::List, keys, timeout_ms),
    }
}

/// BLMOVE: take from an end of one list and add at an end of another, or wait for an element.
pub fn blmove(ctx: &mut ShardCtx<'_>) -> Outcome {
    let sides = (side(ctx.args, 3)?, side(ctx.args, 4)?);
    let args = ctx.args;
    let words = (1..5).map(|at| args.get(at));
    move_or_wait(ctx, 5, sides, [&b"LMOVE"[..]].into_iter().chain(words))
}

/// BRPOPLPUSH: take from the right end of one list and add at the left end of another, or wait.
pub fn brpoplpush(ctx: &mut ShardCtx<'_>) -> Outcome {
    let sides = (Side::Right, Side::Left);
    let args = ctx.args;
    let words = (1..3).map(|at| args.get(at));
    move_or_wait(ctx, 3, sides, [&b"RPOPLPUSH"[..]].into_iter().chain(words))
}

fn move_or_wait<'w>(
    ctx: &mut ShardCtx<'_>,
    timeout_at: usize,
    sides: (Side, Side),
    effect: impl Iterator<Item = &'w [u8]>,
) -> Outcome {
    let timeout_ms = ctx.args.timeout(timeout_at, ctx.now_ms())?;
    let (from, to) = (ctx.key(1), ctx.key(2));
    match move_one(ctx, &from, &to, sides)? {
        Some(written) => {
            ctx.effects.instead(ctx.db, effect);
            Ok(written)
        }
        None if ctx.is_in_exec => Ok(ctx.reply.null()),
        None => ctx.wait_for(Kind::List, 1..2, timeout_ms),
    }
}
