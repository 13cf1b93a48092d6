//! LMOVE and RPOPLPUSH: an element goes from one list to another, or to the other end.
//!
//! The two lists may live on different shards; nothing here knows of that.

use super::options::{pop_event, push_event, side};
use super::reply::element;
use crate::keyspace::{Key, Lookup};
use crate::object::list::{ListRef, NewItem, NodeLimit, Side, edit};
use crate::object::{Holder, Kind, Packed};
use crate::resp::{ErrorReply, Written};
use crate::shard::{Event, Outcome, ShardCtx};

/// LMOVE: take from an end of one list and add at an end of another.
pub fn lmove(ctx: &mut ShardCtx<'_>) -> Outcome {
    let sides = (side(ctx.args, 3)?, side(ctx.args, 4)?);
    transfer(ctx, sides)
}

/// RPOPLPUSH: take from the right end of one list and add at the left end of another.
pub fn rpoplpush(ctx: &mut ShardCtx<'_>) -> Outcome {
    transfer(ctx, (Side::Right, Side::Left))
}

fn transfer(ctx: &mut ShardCtx<'_>, sides: (Side, Side)) -> Outcome {
    let (from, to) = (ctx.key(1), ctx.key(2));
    let moved = move_one(ctx, &from, &to, sides)?;
    Ok(moved.unwrap_or_else(|| ctx.reply.null()))
}

/// Moves an element between ends of two lists, or of one, and replies with it; does nothing when
/// there is none to move.
pub fn move_one(
    ctx: &mut ShardCtx<'_>,
    from: &Key<'_>,
    to: &Key<'_>,
    (taken, added): (Side, Side),
) -> Result<Option<Written>, ErrorReply> {
    let limit = NodeLimit::from(&ctx.space.common.packing);
    if from.bytes != to.bytes {
        let door = ctx.space.door(ctx.db);
        let source = door.collection(from, Kind::List, Lookup::Write)?;
        if source.is_none() {
            return Ok(None);
        }
        let door = ctx.space.door(ctx.db);
        door.collection(to, Kind::List, Lookup::Write)?;
    }
    let Some(mut list) = ctx.space.door(ctx.db).open(from, Kind::List)? else {
        return Ok(None);
    };
    let item = ListRef::of(list.form()).peek(taken);
    let item = item.expect("a list that has a key has elements");
    let (value, written) = (item.to_bytes(), element(&mut ctx.reply, item));
    edit::pop(&mut list, taken, limit);
    if from.bytes != to.bytes {
        list = {
            drop(list);
            ctx.space.door(ctx.db).open_or_new(to, Packed::List)?
        };
    }
    edit::push(
        &mut list,
        added,
        std::iter::once(NewItem::from(&value)),
        limit,
    );
    drop(list);
    ctx.changed(push_event(added), to.bytes);
    ctx.changed(pop_event(taken), from.bytes);
    if !ctx.door().contains(from) {
        ctx.changed(Event::DEL, from.bytes);
    }
    Ok(Some(written))
}
