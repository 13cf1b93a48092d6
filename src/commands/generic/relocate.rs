//! RENAME, RENAMENX, COPY, MOVE: values that go to another key or another database.
//!
//! Source and target may live on different shards; nothing here knows of that.

use crate::command::Args;
use crate::keyspace::{DbIndex, Key, Lookup};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// RENAME: give a value another key, whatever was there.
pub fn rename(ctx: &mut ShardCtx<'_>) -> Outcome {
    give(ctx, true)?;
    Ok(ctx.reply.ok())
}

/// RENAMENX: give a value another key, if that one is free.
pub fn renamenx(ctx: &mut ShardCtx<'_>) -> Outcome {
    let is_done = give(ctx, false)?;
    Ok(ctx.reply.flag(is_done))
}

/// Says whether the value is under another key now.
fn give(ctx: &mut ShardCtx<'_>, may_replace: bool) -> Result<bool, ErrorReply> {
    let (from, to) = (ctx.key(1), ctx.key(2));
    if !ctx.door().contains(&from) {
        return Err(errors::NO_SUCH_KEY.into());
    }
    if from.bytes == to.bytes || !may_replace && ctx.door().contains(&to) {
        return Ok(false);
    }
    if let Some(entry) = ctx.door().take(&from) {
        ctx.door().put_afresh(&to, entry);
        ctx.changed(Event::RENAME_FROM, from.bytes);
        ctx.changed(Event::RENAME_TO, to.bytes);
    }
    Ok(true)
}

/// A database named by an argument.
fn database(ctx: &ShardCtx<'_>, at: usize) -> Result<DbIndex, ErrorReply> {
    let index = i32::try_from(ctx.args.integer(at)?).map_err(|_| {
        let (min, max) = (i32::MIN, i32::MAX);
        format!("ERR value is out of range, value must between {min} and {max}")
    })?;
    let index = u32::try_from(index).ok();
    let index = index.filter(|index| *index < ctx.space.databases());
    Ok(DbIndex(index.ok_or(errors::DB_OUT_OF_RANGE)?))
}

/// COPY's options: the database to copy to, and whether a key there is replaced.
fn copy_options(ctx: &ShardCtx<'_>) -> Result<(DbIndex, bool), ErrorReply> {
    let (mut target, mut may_replace) = (ctx.db, false);
    let args: Args<'_> = ctx.args;
    let mut at = 3;
    while at < args.len() {
        if args.is(at, "replace") {
            may_replace = true;
        } else if args.is(at, "db") && at + 1 < args.len() {
            at += 1;
            target = database(ctx, at)?;
        } else {
            return Err(errors::SYNTAX.into());
        }
        at += 1;
    }
    Ok((target, may_replace))
}

/// COPY: the same value under another key, or in another database.
pub fn copy(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (target, may_replace) = copy_options(ctx)?;
    let (from, to) = (ctx.key(1), ctx.key(2));
    if target == ctx.db && from.bytes == to.bytes {
        return Err(errors::SAME_OBJECT.into());
    }
    let entry = ctx.space.door(ctx.db).find(&from, Lookup::Read);
    let Some(mut entry) = entry.map(|entry| entry.to_entry()) else {
        return Ok(ctx.reply.flag(false));
    };
    let mut door = ctx.space.door(target);
    if !may_replace && door.contains(&to) {
        return Ok(ctx.reply.flag(false));
    }
    entry.access = door.fresh_access();
    door.put_afresh(&to, entry);
    ctx.changed_in(target, Event::COPY_TO, to.bytes);
    Ok(ctx.reply.flag(true))
}

/// MOVE: a key goes to another database, if it is free there.
pub fn move_key(ctx: &mut ShardCtx<'_>) -> Outcome {
    let target = database(ctx, 2)?;
    if target == ctx.db {
        return Err(errors::SAME_OBJECT.into());
    }
    let key: Key<'_> = ctx.key(1);
    let is_free = ctx.door().contains(&key) && !ctx.space.door(target).contains(&key);
    let Some(entry) = is_free.then(|| ctx.door().take(&key)).flatten() else {
        return Ok(ctx.reply.flag(false));
    };
    ctx.space.door(target).put_afresh(&key, entry);
    ctx.changed(Event::MOVE_FROM, key.bytes);
    ctx.changed_in(target, Event::MOVE_TO, key.bytes);
    Ok(ctx.reply.flag(true))
}
