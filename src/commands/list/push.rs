//! LPUSH, RPUSH, LPUSHX, RPUSHX: elements at the ends.
//!
//! Several elements are pushed one after the other, so that those of LPUSH end up turned round.

use super::options::{item, push_event};
use crate::object::list::{NodeLimit, Side, edit};
use crate::object::{Kind, Packed};
use crate::shard::{Outcome, ShardCtx};

/// LPUSH: add at the left end, of a new list if there is none.
pub fn lpush(ctx: &mut ShardCtx<'_>) -> Outcome {
    push(ctx, Side::Left)
}

/// RPUSH: add at the right end, of a new list if there is none.
pub fn rpush(ctx: &mut ShardCtx<'_>) -> Outcome {
    push(ctx, Side::Right)
}

/// LPUSHX: add at the left end of a list that exists.
pub fn lpushx(ctx: &mut ShardCtx<'_>) -> Outcome {
    push_existing(ctx, Side::Left)
}

/// RPUSHX: add at the right end of a list that exists.
pub fn rpushx(ctx: &mut ShardCtx<'_>) -> Outcome {
    push_existing(ctx, Side::Right)
}

fn push(ctx: &mut ShardCtx<'_>, side: Side) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let mut list = ctx.space.door(ctx.db).open_or_new(&key, Packed::List)?;
    let items = (2..args.len()).map(|at| item(args, at));
    let len = edit::push(&mut list, side, items, limit);
    drop(list);
    ctx.changed(push_event(side), key.bytes);
    Ok(ctx.reply.integer(len as i64))
}

fn push_existing(ctx: &mut ShardCtx<'_>, side: Side) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(&key, Kind::List)? else {
        return Ok(ctx.reply.integer(0));
    };
    let items = (2..args.len()).map(|at| item(args, at));
    let len = edit::push(&mut list, side, items, limit);
    drop(list);
    ctx.changed(push_event(side), key.bytes);
    Ok(ctx.reply.integer(len as i64))
}
