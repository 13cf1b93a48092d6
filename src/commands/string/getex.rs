//! GETEX and GETDEL: reading a string and changing how long it stays, or that it stays at all.
//!
//! Neither replays as it came: what replays is DEL, PERSIST or PEXPIREAT, when there was a change.

use super::options::Wish;
use crate::keyspace::{Key, Lookup};
use crate::shard::{Event, Outcome, ReplyString, ShardCtx};

/// GETDEL: reply with the string and remove the key.
pub fn getdel(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let Some(value) = ctx.space.door(ctx.db).string(&key, Lookup::Read)? else {
        return Ok(ctx.reply.null());
    };
    let written = ctx.reply.string(value);
    remove(ctx, &key);
    Ok(written)
}

/// GETEX: reply with the string and set, or take away, its expiry.
pub fn getex(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, now_ms, clock_ms) = (ctx.key(1), ctx.now_ms(), ctx.clock_ms());
    let wish = Wish::of_getex(ctx.args)?;
    let Some(entry) = ctx.space.door(ctx.db).find(&key, Lookup::Read) else {
        return Ok(ctx.reply.null());
    };
    let value = entry.string().ok_or(crate::keyspace::WrongKind)?;
    let is_volatile = entry.expires_at_ms().is_some();
    let deadline = match wish {
        Wish::At(unit, text) => Some((unit, unit.deadline(text, clock_ms, ctx.spec.name)?)),
        _ => None,
    };
    let written = ctx.reply.string(value);
    match deadline {
        Some((unit, at)) if unit.is_absolute && at <= now_ms => remove(ctx, &key),
        Some((_, at)) => expire(ctx, &key, at),
        None if wish == Wish::Persist && is_volatile => persist(ctx, &key),
        None => {}
    }
    Ok(written)
}

fn remove(ctx: &mut ShardCtx<'_>, key: &Key<'_>) {
    ctx.door().remove(key);
    ctx.changed(Event::DEL, key.bytes);
    ctx.effects.instead(ctx.db, [&b"DEL"[..], key.bytes]);
}

fn expire(ctx: &mut ShardCtx<'_>, key: &Key<'_>, at: i64) {
    ctx.door().set_expiry(key, Some(at));
    ctx.changed(Event::EXPIRE, key.bytes);
    let mut buffer = itoa::Buffer::new();
    let at = buffer.format(at).as_bytes();
    ctx.effects
        .instead(ctx.db, [&b"PEXPIREAT"[..], key.bytes, at]);
}

fn persist(ctx: &mut ShardCtx<'_>, key: &Key<'_>) {
    ctx.door().set_expiry(key, None);
    ctx.changed(Event::PERSIST, key.bytes);
    ctx.effects.instead(ctx.db, [&b"PERSIST"[..], key.bytes]);
}
