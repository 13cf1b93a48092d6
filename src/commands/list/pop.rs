//! LPOP, RPOP, LMPOP: elements taken from the ends.
//!
//! The elements are written into the reply where they lie, then removed. What pops is shared with
//! the commands that wait for an element.

use super::options::{count, pop_event, side};
use super::reply::{element, elements};
use crate::command::Args;
use crate::keyspace::Key;
use crate::object::list::{ListRef, NodeLimit, Side, edit};
use crate::object::{Holder, Kind};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use std::ops::Range;

/// LPOP: take from the left end.
pub fn lpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop(ctx, Side::Left)
}

/// RPOP: take from the right end.
pub fn rpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    pop(ctx, Side::Right)
}

fn pop(ctx: &mut ShardCtx<'_>, side: Side) -> Outcome {
    let key = ctx.key(1);
    if ctx.args.len() == 2 {
        let popped = pop_one(ctx, &key, side, |_| ())?;
        return Ok(popped.unwrap_or_else(|| ctx.reply.null()));
    }
    if ctx.args.len() > 3 {
        return Err(errors::wrong_arity(ctx.spec.name));
    }
    let wanted = count(ctx.args, 2, 0, errors::NOT_POSITIVE)?;
    let popped = pop_some(ctx, &key, side, wanted, |_| ())?;
    if popped.is_none() {
        ctx.reply.null_array();
    }
    Ok(Written)
}

/// Takes an element from an end and replies with it, behind what `head` writes; does neither when
/// there is no list.
#[inline]
pub fn pop_one(
    ctx: &mut ShardCtx<'_>,
    key: &Key<'_>,
    side: Side,
    head: impl FnOnce(&mut Writer<'_>),
) -> Result<Option<Written>, ErrorReply> {
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(key, Kind::List)? else {
        return Ok(None);
    };
    head(&mut ctx.reply);
    let item = ListRef::of(list.form()).peek(side);
    let item = item.expect("a list that has a key has elements");
    let written = element(&mut ctx.reply, item);
    edit::pop(&mut list, side, limit);
    let is_gone = list.is_gone();
    drop(list);
    ctx.changed(pop_event(side), key.bytes);
    if is_gone {
        ctx.changed(Event::DEL, key.bytes);
    }
    Ok(Some(written))
}

/// Takes up to so many elements from an end and replies with an array of them, behind what `head`
/// writes. Says how many; `None`, with nothing written, when there is no list.
pub fn pop_some(
    ctx: &mut ShardCtx<'_>,
    key: &Key<'_>,
    side: Side,
    count: usize,
    head: impl FnOnce(&mut Writer<'_>),
) -> Result<Option<usize>, ErrorReply> {
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(key, Kind::List)? else {
        return Ok(None);
    };
    head(&mut ctx.reply);
    let view = ListRef::of(list.form());
    let count = count.min(view.len());
    elements(&mut ctx.reply, view.walk_from(side), count);
    if count == 0 {
        return Ok(Some(0));
    }
    let start = match side {
        Side::Left => 0,
        Side::Right => view.len() - count,
    };
    edit::remove_range(&mut list, start, count, limit);
    let is_gone = list.is_gone();
    drop(list);
    ctx.changed(pop_event(side), key.bytes);
    if is_gone {
        ctx.changed(Event::DEL, key.bytes);
    }
    Ok(Some(count))
}

/// LMPOP: take from the first of several lists that exists.
pub fn lmpop(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (keys, side, count) = mpop_options(ctx.args, 1)?;
    let popped = pop_from_first(ctx, keys, (side, count))?;
    Ok(popped.unwrap_or_else(|| ctx.reply.null_array()))
}

/// Takes up to so many elements from the first of these lists that exists, and replies with its
/// name and them.
pub fn pop_from_first(
    ctx: &mut ShardCtx<'_>,
    keys: Range<usize>,
    (side, wanted): (Side, usize),
) -> Result<Option<Written>, ErrorReply> {
    for at in keys {
        let key = ctx.key(at);
        let head = |reply: &mut Writer<'_>| {
            reply.array(2);
            reply.bulk(key.bytes);
        };
        if let Some(count) = pop_some(ctx, &key, side, wanted, head)? {
            let mut buffer = itoa::Buffer::new();
            let count = buffer.format(count).as_bytes();
            let name: &[u8] = match side {
                Side::Left => b"LPOP",
                Side::Right => b"RPOP",
            };
            ctx.effects.instead(ctx.db, [name, key.bytes, count]);
            return Ok(Some(Written));
        }
    }
    Ok(None)
}

/// The positions of the keys, whose number is at a position, and the end and the count behind them.
pub fn mpop_options(args: Args<'_>, at: usize) -> Result<(Range<usize>, Side, usize), ErrorReply> {
    let first = at + 1;
    let keys = count(args, at, 1, "ERR numkeys should be greater than 0")?;
    let at = keys.saturating_add(first);
    if at >= args.len() {
        return Err(errors::SYNTAX.into());
    }
    let side = side(args, at)?;
    match args.len() - at {
        1 => Ok((first..at, side, 1)),
        len if len >= 3 && args.is(at + 1, "count") => {
            let wanted = count(args, at + 2, 1, "ERR count should be greater than 0")?;
            if len > 3 {
                return Err(errors::SYNTAX.into());
            }
            Ok((first..at, side, wanted))
        }
        _ => Err(errors::SYNTAX.into()),
    }
}
