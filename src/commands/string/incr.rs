//! INCR and its kin: strings that are numbers.
//!
//! An integer is changed where it lies. INCRBYFLOAT calculates in 80 bits as Redis does, and what
//! replays is its result: no second calculation can differ.

use crate::base::long_double::LongDouble;
use crate::base::number;
use crate::keyspace::{EntryRef, Expiry, Lookup, NewValue, StringRef, WrongKind};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// INCR: one more.
pub fn incr(ctx: &mut ShardCtx<'_>) -> Outcome {
    add(ctx, 1)
}

/// DECR: one less.
pub fn decr(ctx: &mut ShardCtx<'_>) -> Outcome {
    add(ctx, -1)
}

/// INCRBY: so many more.
pub fn incrby(ctx: &mut ShardCtx<'_>) -> Outcome {
    let by = ctx.args.integer(2)?;
    add(ctx, by)
}

/// DECRBY: so many less.
pub fn decrby(ctx: &mut ShardCtx<'_>) -> Outcome {
    let by = ctx.args.integer(2)?;
    match by.checked_neg() {
        Some(by) => add(ctx, by),
        None => Err("ERR decrement would overflow".into()),
    }
}

fn add(ctx: &mut ShardCtx<'_>, by: i64) -> Outcome {
    let key = ctx.key(1);
    let sum = ctx.door().change_int(&key, |entry| {
        let old = entry.map_or(Ok(0), integer)?;
        old.checked_add(by)
            .ok_or_else(|| ErrorReply::from(errors::OVERFLOW))
    })?;
    ctx.changed(Event::INCRBY, key.bytes);
    Ok(ctx.reply.integer(sum))
}

fn integer(entry: EntryRef<'_>) -> Result<i64, ErrorReply> {
    let number = match entry.string().ok_or(WrongKind)? {
        StringRef::Int(number) => Some(number),
        StringRef::Text(bytes) => number::parse_i64(bytes),
        StringRef::Shared(bytes) => number::parse_i64(bytes),
    };
    number.ok_or_else(|| errors::NOT_AN_INTEGER.into())
}

/// INCRBYFLOAT: so much more, with decimals.
pub fn incrbyfloat(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let old = match ctx.space.door(ctx.db).string(&key, Lookup::Write)? {
        None => Some(LongDouble::ZERO),
        Some(StringRef::Int(number)) => Some(LongDouble::from(number)),
        Some(StringRef::Text(bytes)) => LongDouble::parse(bytes),
        Some(StringRef::Shared(bytes)) => LongDouble::parse(bytes),
    };
    let old = old.ok_or(errors::NOT_A_FLOAT)?;
    let by = LongDouble::parse(ctx.args.get(2)).ok_or(errors::NOT_A_FLOAT)?;
    let sum = old.checked_add(by).ok_or(errors::NAN_OR_INFINITY)?;
    let text = sum.to_text();
    let written = ctx.reply.bulk(&text);
    ctx.effects
        .instead(ctx.db, [&b"SET"[..], key.bytes, &text, b"KEEPTTL"]);
    ctx.door().set(&key, NewValue::text(text), Expiry::Keep);
    ctx.changed(Event::INCRBYFLOAT, key.bytes);
    Ok(written)
}
