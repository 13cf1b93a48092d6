//! LSET, LINSERT, LREM, LTRIM: changes anywhere in a list.
//!
//! A list may take its large form although nothing comes of the command then: that is seen in
//! OBJECT ENCODING of Redis 7.2 too. Its elements are the same, so no watch breaks.

use super::options::{item, range, signed};
use crate::keyspace::Key;
use crate::object::element::Wanted;
use crate::object::list::{ListRef, NodeLimit, Side, edit};
use crate::object::{Holder, Kind};
use crate::resp::errors;
use crate::shard::{Event, Outcome, ShardCtx};

/// LSET: replace the element at an index.
pub fn lset(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(&key, Kind::List)? else {
        return Err(errors::NO_SUCH_KEY.into());
    };
    let index = args.integer(2)?;
    let item = item(args, 3);
    edit::grow_for(&mut list, std::iter::once(item), limit);
    let index = ListRef::of(list.form()).index(index);
    edit::set(
        &mut list,
        index.ok_or(errors::INDEX_OUT_OF_RANGE)?,
        item,
        limit,
    );
    drop(list);
    ctx.changed(Event::LSET, key.bytes);
    Ok(ctx.reply.ok())
}

/// LINSERT: add an element beside another one.
pub fn linsert(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let behind = match () {
        () if args.is(2, "after") => 1,
        () if args.is(2, "before") => 0,
        () => return Err(errors::SYNTAX.into()),
    };
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(&key, Kind::List)? else {
        return Ok(ctx.reply.integer(0));
    };
    let item = item(args, 4);
    edit::grow_for(&mut list, std::iter::once(item), limit);
    let pivot = ListRef::of(list.form()).position(&Wanted::new(args.get(3)));
    let Some(pivot) = pivot else {
        return Ok(ctx.reply.integer(-1));
    };
    edit::insert(&mut list, pivot + behind, item, limit);
    let len = ListRef::of(list.form()).len();
    drop(list);
    ctx.changed(Event::LINSERT, key.bytes);
    Ok(ctx.reply.integer(len as i64))
}

/// LREM: remove elements by their value.
pub fn lrem(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, count) = (ctx.key(1), signed(ctx.args, 2)?);
    let wanted = Wanted::new(ctx.args.get(3));
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(&key, Kind::List)? else {
        return Ok(ctx.reply.integer(0));
    };
    let which = match count {
        0 => (usize::MAX, Side::Left),
        1.. => (count as usize, Side::Left),
        _ => (count.unsigned_abs() as usize, Side::Right),
    };
    let removed = edit::remove_matching(&mut list, &wanted, which, limit);
    let is_gone = list.is_gone();
    drop(list);
    if removed > 0 {
        changed(ctx, Event::LREM, &key, is_gone);
    }
    Ok(ctx.reply.integer(removed as i64))
}

/// LTRIM: keep the elements of a range only.
pub fn ltrim(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (start, stop) = (ctx.args.integer(2)?, ctx.args.integer(3)?);
    let key = ctx.key(1);
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let Some(mut list) = ctx.space.door(ctx.db).open(&key, Kind::List)? else {
        return Ok(ctx.reply.ok());
    };
    let len = ListRef::of(list.form()).len();
    let (first, count) = range(len, start, stop);
    let behind = first + count;
    edit::remove_range(&mut list, behind, len - behind, limit);
    edit::remove_range(&mut list, 0, first, limit);
    edit::shrink(&mut list, limit);
    let is_gone = list.is_gone();
    drop(list);
    // Redis: a watch breaks even if all elements stay.
    ctx.space.common.watches.touch(ctx.db, key.bytes);
    changed(ctx, Event::LTRIM, &key, is_gone);
    Ok(ctx.reply.ok())
}

fn changed(ctx: &mut ShardCtx<'_>, event: Event, key: &Key<'_>, is_gone: bool) {
    ctx.changed(event, key.bytes);
    if is_gone {
        ctx.changed(Event::DEL, key.bytes);
    }
}
