//! The options of SET and GETEX: conditions, and how an expiry is given.
//!
//! All options are read before any value is looked at: a syntax error comes first, then a number
//! that is none, then an expiry that is none.

use crate::command::Args;
use crate::keyspace::Expiry;
use crate::resp::{ErrorReply, errors};

/// When SET writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    IfMissing,
    IfPresent,
}

/// What the options say of the expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    Nothing,
    Keep,
    Persist,
    At(TimeUnit, &'a [u8]),
}

impl<'a> Wish<'a> {
    /// Takes in one more option; only another of the same kind goes with one that is there.
    fn replace(&mut self, next: Wish<'a>) -> Result<(), ErrorReply> {
        let goes_with = match (*self, next) {
            (Wish::Nothing, _) => true,
            (Wish::At(unit, _), Wish::At(next, _)) => unit == next,
            (old, next) => old == next,
        };
        if !goes_with {
            return Err(errors::SYNTAX.into());
        }
        *self = next;
        Ok(())
    }

    /// Takes in EX, PX, EXAT or PXAT at a position; returns the position of its value.
    fn replace_timed(&mut self, args: Args<'a>, at: usize) -> Result<usize, ErrorReply> {
        let unit = TimeUnit::named(args.get(at)).ok_or(errors::SYNTAX)?;
        let value = args.try_get(at + 1).ok_or(errors::SYNTAX)?;
        self.replace(Wish::At(unit, value))?;
        Ok(at + 1)
    }

    /// GETEX's options.
    pub fn of_getex(args: Args<'a>) -> Result<Wish<'a>, ErrorReply> {
        let mut wish = Wish::Nothing;
        let mut at = 2;
        while at < args.len() {
            if args.is(at, "persist") {
                wish.replace(Wish::Persist)?;
            } else {
                at = wish.replace_timed(args, at)?;
            }
            at += 1;
        }
        Ok(wish)
    }
}

/// SET's options.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetOptions {
    pub condition: Condition,
    pub replies_old: bool,
    pub expiry: Expiry,
}

impl SetOptions {
    pub fn parse(args: Args<'_>, now_ms: i64, command: &str) -> Result<SetOptions, ErrorReply> {
        let (mut condition, mut replies_old) = (Condition::Always, false);
        let (mut wish, mut at) = (Wish::Nothing, 3);
        while at < args.len() {
            if args.is(at, "nx") && condition != Condition::IfPresent {
                condition = Condition::IfMissing;
            } else if args.is(at, "xx") && condition != Condition::IfMissing {
                condition = Condition::IfPresent;
            } else if args.is(at, "get") {
                replies_old = true;
            } else if args.is(at, "keepttl") {
                wish.replace(Wish::Keep)?;
            } else {
                at = wish.replace_timed(args, at)?;
            }
            at += 1;
        }
        let expiry = match wish {
            Wish::Nothing | Wish::Persist => Expiry::Clear,
            Wish::Keep => Expiry::Keep,
            Wish::At(unit, value) => Expiry::At(unit.deadline(value, now_ms, command)?),
        };
        Ok(SetOptions {
            condition,
            replies_old,
            expiry,
        })
    }
}

/// How an expiry is given: EX, PX, EXAT, PXAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeUnit {
    millis: i64,
    pub is_absolute: bool,
}

impl TimeUnit {
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

    /// The unit an option names, in any case.
    fn named(option: &[u8]) -> Option<TimeUnit> {
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
