//! HGET and its siblings: fields and values out of a hash.
//!
//! Fields whose time has come are passed over; one that was asked for by name is removed then, as
//! in Redis. A hash that is not there is an empty one.

use crate::keyspace::{DbIndex, Key, Keyspace, Lookup, WrongKind};
use crate::object::Kind;
use crate::object::element::Item;
use crate::object::hash::{HashRef, Pair};
use crate::resp::{Writer, Written};
use crate::shard::{Outcome, ShardCtx};

/// The hash at a key to read, `None` when there is none.
#[inline]
pub(super) fn lookup<'s>(
    space: &'s mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
) -> Result<Option<HashRef<'s>>, WrongKind> {
    let form = space.door(db).collection(key, Kind::Hash, Lookup::Read)?;
    Ok(form.map(HashRef::new))
}

/// Replies with a field or a value.
#[inline]
pub(super) fn item(reply: &mut Writer<'_>, item: Item<'_>) -> Written {
    match item {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// HGET: the value of a field.
pub fn hget(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let found = lookup(ctx.space, ctx.db, &key)?.and_then(|hash| hash.find(ctx.args.get(2)));
    match found {
        None => Ok(ctx.reply.null()),
        Some(pair) if pair.is_live(now_ms) => Ok(item(&mut ctx.reply, pair.value)),
        Some(_) => {
            remove_expired(ctx, &key)?;
            Ok(ctx.reply.null())
        }
    }
}

/// HMGET: the values of fields.
pub fn hmget(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let hash = lookup(ctx.space, ctx.db, &key)?;
    let (mut written, mut has_expired) = (ctx.reply.array(ctx.args.len() - 2), false);
    for field in ctx.args.from(2) {
        let found = hash.and_then(|hash| hash.find(field));
        let live = found.filter(|pair| pair.is_live(now_ms));
        has_expired |= found.is_some() && live.is_none();
        written = match live {
            Some(pair) => item(&mut ctx.reply, pair.value),
            None => ctx.reply.null(),
        };
    }
    if has_expired {
        remove_expired(ctx, &key)?;
    }
    Ok(written)
}

/// HEXISTS: whether there is a field.
pub fn hexists(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let found = lookup(ctx.space, ctx.db, &key)?.and_then(|hash| hash.find(ctx.args.get(2)));
    let is_live = found.map(|pair| pair.is_live(now_ms));
    if is_live == Some(false) {
        remove_expired(ctx, &key)?;
    }
    Ok(ctx.reply.flag(is_live == Some(true)))
}

/// HSTRLEN: the length of a value.
pub fn hstrlen(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let found = lookup(ctx.space, ctx.db, &key)?.and_then(|hash| hash.find(ctx.args.get(2)));
    let len = found.map(|pair| pair.is_live(now_ms).then(|| pair.value.len()));
    if len == Some(None) {
        remove_expired(ctx, &key)?;
    }
    Ok(ctx.reply.integer(len.flatten().unwrap_or(0) as i64))
}

/// HLEN: the number of fields, expired ones that nobody has met included, as in Redis.
pub fn hlen(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let len = lookup(ctx.space, ctx.db, &key)?.map_or(0, HashRef::len);
    Ok(ctx.reply.integer(len as i64))
}

/// Removes the fields a reader named whose time has come.
fn remove_expired(ctx: &mut ShardCtx<'_>, key: &Key<'_>) -> Result<(), crate::resp::ErrorReply> {
    if let Some(mut open) = ctx.space.door(ctx.db).open(key, Kind::Hash)? {
        open.expire_named(ctx.args.from(2));
    }
    Ok(())
}

/// HKEYS: all fields.
pub fn hkeys(ctx: &mut ShardCtx<'_>) -> Outcome {
    all(
        ctx,
        |reply, len| reply.array(len),
        |reply, pair| item(reply, pair.field),
    )
}

/// HVALS: all values.
pub fn hvals(ctx: &mut ShardCtx<'_>) -> Outcome {
    all(
        ctx,
        |reply, len| reply.array(len),
        |reply, pair| item(reply, pair.value),
    )
}

/// HGETALL: all fields with their values.
pub fn hgetall(ctx: &mut ShardCtx<'_>) -> Outcome {
    all(
        ctx,
        |reply, pairs| reply.map(pairs),
        |reply, pair| {
            item(reply, pair.field);
            item(reply, pair.value)
        },
    )
}

fn all(
    ctx: &mut ShardCtx<'_>,
    head: impl Fn(&mut Writer<'_>, usize) -> Written,
    show: impl Fn(&mut Writer<'_>, Pair<'_>) -> Written,
) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let Some(hash) = lookup(ctx.space, ctx.db, &key)? else {
        return Ok(head(&mut ctx.reply, 0));
    };
    let mut written = head(&mut ctx.reply, hash.live_len(now_ms));
    for pair in hash.iter().filter(|pair| pair.is_live(now_ms)) {
        written = show(&mut ctx.reply, pair);
    }
    Ok(written)
}
