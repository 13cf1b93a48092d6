//! SETBIT and GETBIT: one bit.
//!
//! Ranges of bits are counted and searched in `count`, fields of several in `bitfield`.

use crate::keyspace::{Lookup, WrongKind};
use crate::object::{Encoding, bits};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// The bit offset at a position of the arguments.
fn offset(ctx: &ShardCtx<'_>, at: usize) -> Result<u64, ErrorReply> {
    let bytes_max = ctx.space.common.string_bytes_max;
    bits::parse_offset(ctx.args.get(at), None, bytes_max).ok_or_else(|| errors::BIT_OFFSET.into())
}

/// GETBIT: reply with a bit.
pub fn getbit(ctx: &mut ShardCtx<'_>) -> Outcome {
    let offset = offset(ctx, 2)?;
    let key = ctx.key(1);
    let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
    let is_set = value.is_some_and(|value| value.with_bytes(|bytes| bits::bit(bytes, offset)));
    Ok(ctx.reply.flag(is_set))
}

/// SETBIT: set or clear a bit and reply with what it was.
///
/// A bit that is what it shall be already is no change, as long as the string reaches so far.
pub fn setbit(ctx: &mut ShardCtx<'_>) -> Outcome {
    const NOT_A_BIT: &str = "ERR bit is not an integer or out of range";
    let offset = offset(ctx, 2)?;
    let on = match ctx.args.integer(3) {
        Ok(bit @ 0..=1) => bit == 1,
        _ => return Err(NOT_A_BIT.into()),
    };
    let key = ctx.key(1);
    let (mut is_same, mut is_raw) = (false, false);
    let needed = bits::bytes_for_bit(offset);
    if let Some(entry) = ctx.space.door(ctx.db).find(&key, Lookup::Write) {
        let value = entry.string().ok_or(WrongKind)?;
        is_same = value.with_bytes(|bytes| bytes.len() >= needed && bits::bit(bytes, offset) == on);
        is_raw = entry.encoding() == Encoding::Raw;
    }
    if is_same && is_raw {
        return Ok(ctx.reply.flag(on));
    }
    // Only the encoding may change, which is nobody's business.
    ctx.space.common.watches.hush(is_same);
    let was = ctx
        .door()
        .edit_padded(&key, needed, |bytes| bits::set_bit(bytes, offset, on));
    ctx.space.common.watches.hush(false);
    if !is_same {
        ctx.changed(Event::SETBIT, key.bytes);
    }
    Ok(ctx.reply.flag(was))
}
