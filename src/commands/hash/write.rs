//! HSET, HSETNX, HDEL: fields into and out of a hash.
//!
//! Fields that are named and whose time has come are removed first, as if they had never been
//! there, so that the commands replay as they came.

use crate::keyspace::Key;
use crate::object::hash::HashEdit;
use crate::object::{Kind, Packed};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// HSET: set fields; how many are new.
pub fn hset(ctx: &mut ShardCtx<'_>) -> Outcome {
    let created = set_pairs(ctx)?;
    Ok(ctx.reply.integer(created))
}

/// HMSET: set fields.
pub fn hmset(ctx: &mut ShardCtx<'_>) -> Outcome {
    set_pairs(ctx)?;
    Ok(ctx.reply.ok())
}

fn set_pairs(ctx: &mut ShardCtx<'_>) -> Result<i64, ErrorReply> {
    let args = ctx.args;
    if args.len() % 2 == 1 {
        return Err(errors::wrong_arity(ctx.spec.name));
    }
    let (key, packing) = (ctx.key(1), ctx.space.common.packing);
    let mut open = ctx.door().open_or_new(&key, Packed::Hash)?;
    open.expire_named(args.from(2).step_by(2));
    let mut edit = HashEdit::new(&mut open, &packing);
    edit.expect((args.len() - 2) / 2);
    let mut created = 0;
    for at in (2..args.len()).step_by(2) {
        created += i64::from(edit.set(args.get(at), args.get(at + 1)));
    }
    drop(open);
    ctx.changed(Event::HSET, key.bytes);
    Ok(created)
}

/// HSETNX: set a field that is not there.
pub fn hsetnx(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, packing) = (ctx.args, ctx.key(1), ctx.space.common.packing);
    let (field, value) = (args.get(2), args.get(3));
    let mut open = ctx.door().open_or_new(&key, Packed::Hash)?;
    open.expire_named([field].into_iter());
    let mut edit = HashEdit::new(&mut open, &packing);
    let is_free = edit.view().find(field).is_none();
    if is_free {
        edit.set(field, value);
    }
    drop(open);
    if is_free {
        ctx.changed(Event::HSET, key.bytes);
    }
    Ok(ctx.reply.flag(is_free))
}

/// HDEL: remove fields; how many there were.
pub fn hdel(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, packing) = (ctx.args, ctx.key(1), ctx.space.common.packing);
    let Some(mut open) = ctx.door().open(&key, Kind::Hash)? else {
        return Ok(ctx.reply.integer(0));
    };
    open.expire_named(args.from(2));
    let mut removed = 0;
    for field in args.from(2) {
        removed += i64::from(HashEdit::new(&mut open, &packing).remove(field));
        if open.is_gone() {
            break;
        }
    }
    let is_gone = open.is_gone();
    drop(open);
    if removed > 0 {
        removed_fields(ctx, &key, is_gone);
    }
    Ok(ctx.reply.integer(removed))
}

/// Says that fields were removed, and whether the key went with them.
pub(super) fn removed_fields(ctx: &mut ShardCtx<'_>, key: &Key<'_>, is_gone: bool) {
    ctx.changed(Event::HDEL, key.bytes);
    if is_gone {
        ctx.changed(Event::DEL, key.bytes);
    }
}
