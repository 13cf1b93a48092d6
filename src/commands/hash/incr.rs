//! HINCRBY and HINCRBYFLOAT: fields that are numbers.
//!
//! The field keeps its expiry. HINCRBYFLOAT calculates in 80 bits as Redis does, and what replays
//! is its result, with the expiry that setting it takes away.

use crate::base::long_double::LongDouble;
use crate::object::Packed;
use crate::object::element::Item;
use crate::object::hash::HashEdit;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// HINCRBY: so many more.
pub fn hincrby(ctx: &mut ShardCtx<'_>) -> Outcome {
    let by = ctx.args.integer(3)?;
    let (key, field, packing) = (ctx.key(1), ctx.args.get(2), ctx.space.common.packing);
    let mut open = ctx.door().open_or_new(&key, Packed::Hash)?;
    open.expire_named([field].into_iter());
    let mut edit = HashEdit::new(&mut open, &packing);
    let old = match edit.view().find(field) {
        Some(pair) => pair
            .value
            .integer()
            .ok_or("ERR hash value is not an integer")?,
        None => 0,
    };
    let sum = old.checked_add(by).ok_or(errors::OVERFLOW)?;
    edit.set_value(field, itoa::Buffer::new().format(sum).as_bytes());
    drop(open);
    ctx.changed(Event::HINCRBY, key.bytes);
    Ok(ctx.reply.integer(sum))
}

/// HINCRBYFLOAT: so much more, with decimals.
pub fn hincrbyfloat(ctx: &mut ShardCtx<'_>) -> Outcome {
    let by = LongDouble::parse(ctx.args.get(3)).ok_or(errors::NOT_A_FLOAT)?;
    if by.is_infinite() {
        return Err("ERR value is NaN or Infinity".into());
    }
    let (key, field, packing) = (ctx.key(1), ctx.args.get(2), ctx.space.common.packing);
    let mut open = ctx.door().open_or_new(&key, Packed::Hash)?;
    open.expire_named([field].into_iter());
    let mut edit = HashEdit::new(&mut open, &packing);
    let (old, expires_at_ms) = match edit.view().find(field) {
        Some(pair) => (number(pair.value)?, pair.expires_at_ms),
        None => (LongDouble::ZERO, None),
    };
    let sum = old.checked_add(by).ok_or(errors::NAN_OR_INFINITY)?;
    let text = sum.to_text();
    edit.set_value(field, &text);
    drop(open);
    let (db, effects) = (ctx.db, &mut ctx.effects);
    effects.instead(db, [&b"HSET"[..], key.bytes, field, &text]);
    if let Some(at) = expires_at_ms {
        let mut buffer = itoa::Buffer::new();
        let at = buffer.format(at).as_bytes();
        let words = [&b"HPEXPIREAT"[..], key.bytes, at, b"FIELDS", b"1", field];
        effects.instead(db, words);
    }
    ctx.changed(Event::HINCRBYFLOAT, key.bytes);
    Ok(ctx.reply.bulk(&text))
}

fn number(value: Item<'_>) -> Result<LongDouble, ErrorReply> {
    let number = match value {
        Item::Int(number) => Some(LongDouble::from(number)),
        Item::Bytes(bytes) => LongDouble::parse(bytes),
    };
    number.ok_or_else(|| "ERR hash value is not a float".into())
}
