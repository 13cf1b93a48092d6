//! GET and SET: reading and writing a whole string.
//!
//! SET's options are parsed before anything is looked at, so that a refused command changes
//! nothing; what replays is the value with its absolute expiry.

use crate::command::Args;
use crate::keyspace::{Expiry, Lookup};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ReplyString, ShardCtx};

/// GET: reply with the string.
pub fn get(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    match ctx.space.door(ctx.db).string(&key, Lookup::Read)? {
        Some(value) => Ok(ctx.reply.string(value)),
        None => Ok(ctx.reply.null()),
    }
}

/// When SET writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Condition {
    #[default]
    Always,
    IfMissing,
    IfPresent,
}

/// SET's options.
#[derive(Clone, Copy, Debug)]
struct SetOptions {
    condition: Condition,
    replies_old: bool,
    expiry: Expiry,
}

impl SetOptions {
    fn parse(args: Args<'_>, now_ms: i64) -> Result<SetOptions, ErrorReply> {
        let mut options = SetOptions {
            condition: Condition::Always,
            replies_old: false,
            expiry: Expiry::Clear,
        };
        let mut at = 3;
        while at < args.len() {
            match () {
                () if args.is(at, "nx") => options.only(Condition::IfMissing)?,
                () if args.is(at, "xx") => options.only(Condition::IfPresent)?,
                () if args.is(at, "get") => options.replies_old = true,
                () if args.is(at, "keepttl") => options.expires(Expiry::Keep)?,
                () => {
                    let unit = TimeUnit::named(args.get(at)).ok_or(errors::SYNTAX)?;
                    // A placeholder, so that a second expiry is a syntax error before its value
                    // is looked at.
                    options.expires(Expiry::At(0))?;
                    at += 1;
                    let value = args.try_get(at).ok_or(errors::SYNTAX)?;
                    options.expiry = Expiry::At(unit.deadline(value, now_ms, "set")?);
                }
            }
            at += 1;
        }
        Ok(options)
    }

    fn only(&mut self, condition: Condition) -> Result<(), ErrorReply> {
        if self.condition != Condition::Always && self.condition != condition {
            return Err(errors::SYNTAX.into());
        }
        self.condition = condition;
        Ok(())
    }

    fn expires(&mut self, expiry: Expiry) -> Result<(), ErrorReply> {
        if self.expiry != Expiry::Clear {
            return Err(errors::SYNTAX.into());
        }
        self.expiry = expiry;
        Ok(())
    }
}

/// How an expiry is given: EX, PX, EXAT, PXAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeUnit {
    millis: i64,
    is_absolute: bool,
}

impl TimeUnit {
    /// The unit an option names, in any case.
    pub fn named(option: &[u8]) -> Option<TimeUnit> {
        let units = [
            ("ex", 1000, false),
            ("px", 1, false),
            ("exat", 1000, true),
            ("pxat", 1, true),
        ];
        let is_named = |unit: &&(&str, i64, bool)| option.eq_ignore_ascii_case(unit.0.as_bytes());
        let (_, millis, is_absolute) = *units.iter().find(is_named)?;
        Some(TimeUnit {
            millis,
            is_absolute,
        })
    }

    /// Relative seconds, as SETEX takes them.
    pub const SECONDS: TimeUnit = TimeUnit {
        millis: 1000,
        is_absolute: false,
    };
    /// Relative milliseconds, as PSETEX takes them.
    pub const MILLISECONDS: TimeUnit = TimeUnit {
        millis: 1,
        is_absolute: false,
    };

    /// The moment a client means, Unix milliseconds.
    pub fn deadline(self, text: &[u8], now_ms: i64, command: &str) -> Result<i64, ErrorReply> {
        let value = crate::base::number::parse_i64(text).ok_or(errors::NOT_AN_INTEGER)?;
        let invalid = || errors::invalid_expire(command);
        if value <= 0 {
            return Err(invalid());
        }
        let base = if self.is_absolute { 0 } else { now_ms };
        let millis = value.checked_mul(self.millis).ok_or_else(invalid)?;
        millis.checked_add(base).ok_or_else(invalid)
    }
}

/// SET: store a string, whatever was there.
pub fn set(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len() == 3 {
        store(ctx, Expiry::Clear);
        return Ok(ctx.reply.ok());
    }
    let options = SetOptions::parse(ctx.args, ctx.now_ms())?;
    let key = ctx.key(1);
    if options.replies_old {
        match ctx.space.door(ctx.db).string(&key, Lookup::Read)? {
            Some(old) => ctx.reply.string(old),
            None => ctx.reply.null(),
        };
    }
    let is_present = options.condition != Condition::Always && ctx.door().contains(&key);
    let is_refused = match options.condition {
        Condition::Always => false,
        Condition::IfMissing => is_present,
        Condition::IfPresent => !is_present,
    };
    if !is_refused {
        store(ctx, options.expiry);
        state_effect(ctx, options.expiry);
    }
    match (options.replies_old, is_refused) {
        (true, _) => Ok(crate::resp::Written),
        (false, true) => Ok(ctx.reply.null()),
        (false, false) => Ok(ctx.reply.ok()),
    }
}

/// What replays: the value with the moment it expires, and no conditions.
fn state_effect(ctx: &mut ShardCtx<'_>, expiry: Expiry) {
    let (key, value) = (ctx.args.get(1), ctx.args.get(2));
    match expiry {
        Expiry::Clear => ctx.effects.instead(ctx.db, [&b"SET"[..], key, value]),
        Expiry::Keep => ctx
            .effects
            .instead(ctx.db, [&b"SET"[..], key, value, b"KEEPTTL"]),
        Expiry::At(at) => {
            let mut buffer = itoa::Buffer::new();
            let at = buffer.format(at).as_bytes();
            ctx.effects
                .instead(ctx.db, [&b"SET"[..], key, value, b"PXAT", at]);
        }
    }
}

fn store(ctx: &mut ShardCtx<'_>, expiry: Expiry) {
    let key = ctx.key(1);
    super::multi::store_argument(ctx, &key, 2, expiry);
    ctx.changed(Event::SET, key.bytes);
    if let Expiry::At(_) = expiry {
        ctx.changed(Event::EXPIRE, key.bytes);
    }
}
