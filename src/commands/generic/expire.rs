//! EXPIRE and its siblings, TTL and its siblings, PERSIST: when a key goes by itself.
//!
//! Whatever unit a client uses, a moment is kept in milliseconds, and that is what replays.

use crate::base::planted::{Bug, is_planted};
use crate::command::Args;
use crate::keyspace::{Cause, Lookup};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// How a moment is given.
#[derive(Clone, Copy)]
struct Unit {
    millis: i64,
    is_absolute: bool,
}

/// EXPIRE: so many seconds from now.
pub fn expire(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, unit(1000, false))
}

/// PEXPIRE: so many milliseconds from now.
pub fn pexpire(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, unit(1, false))
}

/// EXPIREAT: at this second of Unix time.
pub fn expireat(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, unit(1000, true))
}

/// PEXPIREAT: at this millisecond of Unix time.
pub fn pexpireat(ctx: &mut ShardCtx<'_>) -> Outcome {
    set(ctx, unit(1, true))
}

const fn unit(millis: i64, is_absolute: bool) -> Unit {
    Unit {
        millis,
        is_absolute,
    }
}

/// NX, XX, GT, LT: when an expiry is set.
#[derive(Clone, Copy, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(args: Args<'_>) -> Result<Condition, ErrorReply> {
        let mut condition = Condition::default();
        for at in 3..args.len() {
            match args.get(at).to_ascii_lowercase().as_slice() {
                b"nx" => condition.nx = true,
                b"xx" => condition.xx = true,
                b"gt" => condition.gt = true,
                b"lt" => condition.lt = true,
                _ => return Err(unsupported(args.get(at))),
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            const TEXT: &str =
                "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(TEXT.into());
        }
        if gt && lt {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(condition)
    }

    /// A key without expiry lives for ever: nothing is later.
    fn allows(self, current: Option<i64>, at: i64) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(now) => !self.nx && (!self.gt || at > now) && (!self.lt || at < now),
        }
    }
}

fn unsupported(option: &[u8]) -> ErrorReply {
    // Redis prints it as a C string.
    let shown = option.split(|byte| *byte == 0).next().unwrap_or_default();
    [b"ERR Unsupported option ", shown].concat().into()
}

/// The moment a client means. It may be past, but must be one.
fn moment(ctx: &ShardCtx<'_>, unit: Unit) -> Result<i64, ErrorReply> {
    let value = ctx.args.integer(2)?;
    let base = if unit.is_absolute { 0 } else { ctx.clock_ms() };
    let millis = value.checked_mul(unit.millis);
    let at = millis.and_then(|millis| millis.checked_add(base));
    at.ok_or_else(|| errors::invalid_expire(ctx.spec.name))
}

fn set(ctx: &mut ShardCtx<'_>, unit: Unit) -> Outcome {
    let condition = Condition::parse(ctx.args)?;
    let at = moment(ctx, unit)?;
    let key = ctx.key(1);
    let current = match ctx.space.door(ctx.db).find(&key, Lookup::Write) {
        Some(entry) => entry.expires_at_ms(),
        None => return Ok(ctx.reply.flag(false)),
    };
    if !condition.allows(current, at) {
        return Ok(ctx.reply.flag(false));
    }
    if at <= ctx.now_ms() {
        ctx.door().remove_for(&key, Cause::Expiry);
        ctx.effects.instead(ctx.db, [&b"DEL"[..], key.bytes]);
        ctx.changed(Event::DEL, key.bytes);
        return Ok(ctx.reply.flag(true));
    }
    ctx.door().set_expiry(&key, Some(at));
    let mut buffer = itoa::Buffer::new();
    let (name, time) = match is_planted(Bug::RelativeExpiry) {
        true => (&b"PEXPIRE"[..], at - ctx.now_ms()),
        false => (&b"PEXPIREAT"[..], at),
    };
    let words = [name, key.bytes, buffer.format(time).as_bytes()];
    ctx.effects.instead(ctx.db, words);
    ctx.changed(Event::EXPIRE, key.bytes);
    Ok(ctx.reply.flag(true))
}

/// TTL: seconds left; -1 for ever, -2 no key.
pub fn ttl(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, unit(1000, false))
}

/// PTTL: milliseconds left.
pub fn pttl(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, unit(1, false))
}

/// EXPIRETIME: the second of Unix time at which the key goes.
pub fn expiretime(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, unit(1000, true))
}

/// PEXPIRETIME: the millisecond of Unix time at which the key goes.
pub fn pexpiretime(ctx: &mut ShardCtx<'_>) -> Outcome {
    show(ctx, unit(1, true))
}

fn show(ctx: &mut ShardCtx<'_>, unit: Unit) -> Outcome {
    const FOREVER: i64 = -1;
    const MISSING: i64 = -2;
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let Some(entry) = ctx.door().find(&key, Lookup::Peek) else {
        return Ok(ctx.reply.integer(MISSING));
    };
    let Some(at) = entry.expires_at_ms() else {
        return Ok(ctx.reply.integer(FOREVER));
    };
    let base = if unit.is_absolute { 0 } else { now_ms };
    let millis = at.saturating_sub(base).max(0);
    // Seconds are rounded to the nearest.
    Ok(ctx.reply.integer(match unit.millis {
        1 => millis,
        // Half a second is added without overflow: any moment fits a TTL.
        _ => millis / 1000 + i64::from(millis % 1000 >= 500),
    }))
}

/// PERSIST: take the expiry away.
pub fn persist(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let entry = ctx.door().find(&key, Lookup::Write);
    let is_volatile = entry.is_some_and(|entry| entry.expires_at_ms().is_some());
    if is_volatile {
        ctx.door().set_expiry(&key, None);
        ctx.changed(Event::PERSIST, key.bytes);
    }
    Ok(ctx.reply.flag(is_volatile))
}
