//! DUMP and RESTORE: a value as bytes that any server of Redis's kind understands, and back.
//!
//! What the bytes mean is `rdb`'s business; here are the options, the expiry and the access word.

use crate::command::Args;
use crate::keyspace::{AccessRule, Entry, EntryRef, Lookup};
use crate::rdb::{self, PayloadError};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// DUMP: the value as a payload.
pub fn dump(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, compresses) = (ctx.key(1), ctx.space.common.compresses_dumps);
    match ctx.space.door(ctx.db).find(&key, Lookup::Read) {
        Some(entry) => Ok(ctx.reply.bulk(&payload(entry, compresses))),
        None => Ok(ctx.reply.null()),
    }
}

/// What MIGRATE takes along of a key: when it expires, as eight bytes (0: never), and the payload.
pub fn dump_with_expiry(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, compresses) = (ctx.key(1), ctx.space.common.compresses_dumps);
    let Some(entry) = ctx.space.door(ctx.db).find(&key, Lookup::Read) else {
        return Ok(ctx.reply.null());
    };
    let mut packed = entry.expires_at_ms().unwrap_or(0).to_le_bytes().to_vec();
    packed.extend_from_slice(&payload(entry, compresses));
    Ok(ctx.reply.bulk(&packed))
}

/// The payload of an entry's value.
pub(super) fn payload(entry: EntryRef<'_>, compresses: bool) -> Vec<u8> {
    rdb::dump(entry.into(), compresses)
}

/// RESTORE's options.
#[derive(Default)]
struct Options {
    may_replace: bool,
    is_absolute: bool,
    idle_seconds: Option<i64>,
    frequency: Option<i64>,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, ErrorReply> {
        let mut options = Options::default();
        let mut at = 4;
        while at < args.len() {
            let has_number = at + 1 < args.len();
            if args.is(at, "replace") {
                options.may_replace = true;
            } else if args.is(at, "absttl") {
                options.is_absolute = true;
            } else if args.is(at, "idletime") && has_number && options.frequency.is_none() {
                at += 1;
                options.idle_seconds = Some(args.integer(at)?);
                if args.integer(at)? < 0 {
                    return Err("ERR Invalid IDLETIME value, must be >= 0".into());
                }
            } else if args.is(at, "freq") && has_number && options.idle_seconds.is_none() {
                at += 1;
                options.frequency = Some(args.integer(at)?);
                if !(0..=255).contains(&args.integer(at)?) {
                    return Err("ERR Invalid FREQ value, must be >= 0 and <= 255".into());
                }
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        Ok(options)
    }

    /// The access word, as far as the options say it in the terms of the policy.
    fn access(&self, rule: AccessRule, now_ms: i64) -> u32 {
        match (rule, self.frequency, self.idle_seconds) {
            (AccessRule::Frequency { .. }, Some(frequency), _) => {
                rule.with_frequency(frequency as u8, now_ms)
            }
            (AccessRule::Recency, _, Some(idle)) => rule.with_idle(idle, now_ms),
            _ => rule.fresh(now_ms),
        }
    }
}

/// RESTORE: a key from a payload.
pub fn restore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let options = Options::parse(ctx.args)?;
    let key = ctx.key(1);
    if !options.may_replace && ctx.door().contains(&key) {
        return Err(errors::BUSY_KEY.into());
    }
    let ttl = ctx.args.integer(2)?;
    if ttl < 0 {
        return Err("ERR Invalid TTL value, must be >= 0".into());
    }
    let packing = ctx.space.common.packing;
    let value = rdb::restore(ctx.args.get(3), &packing).map_err(|error| match error {
        PayloadError::Seal => "ERR DUMP payload version or checksum are wrong",
        PayloadError::Data(_) => "ERR Bad data format",
    })?;
    let now_ms = ctx.now_ms();
    let expires_at_ms = match (ttl, options.is_absolute) {
        (0, _) => None,
        (_, true) => Some(ttl),
        (_, false) => Some(ttl.saturating_add(ctx.clock_ms())),
    };
    if expires_at_ms.is_some_and(|at| at <= now_ms) {
        return stillborn(ctx, &options);
    }
    let entry = Entry {
        value: value.into(),
        expires_at_ms,
        access: options.access(ctx.space.common.access, ctx.clock_ms()),
    };
    ctx.door().put_afresh(&key, entry);
    if let Some(at) = expires_at_ms.filter(|_| !options.is_absolute) {
        replay_at(ctx, at);
    }
    ctx.changed(Event::RESTORE, key.bytes);
    Ok(ctx.reply.ok())
}

/// A value whose time has passed already only removes what was there.
fn stillborn(ctx: &mut ShardCtx<'_>, options: &Options) -> Outcome {
    let key = ctx.key(1);
    if options.may_replace && ctx.door().remove(&key) {
        ctx.effects.instead(ctx.db, [&b"DEL"[..], key.bytes]);
        ctx.changed(Event::DEL, key.bytes);
    }
    Ok(ctx.reply.ok())
}

/// Whoever replays this must come to the same moment.
fn replay_at(ctx: &mut ShardCtx<'_>, at_ms: i64) {
    let (args, mut number) = (ctx.args, itoa::Buffer::new());
    let at_ms = number.format(at_ms).as_bytes();
    let words = [args.get(0), args.get(1), at_ms]
        .into_iter()
        .chain(args.from(3))
        .chain([&b"ABSTTL"[..]]);
    ctx.effects.instead(ctx.db, words);
}
