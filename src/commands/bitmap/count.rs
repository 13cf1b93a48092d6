//! BITCOUNT and BITPOS: looking through a bitmap.
//!
//! Bad arguments are errors also where there is no key, as in Redis since 7.2.

use crate::command::Args;
use crate::keyspace::{Lookup, StringRef};
use crate::object::bits::{self, PositionRange, Unit};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// BIT or BYTE at a position; bytes when it is left out.
fn unit(args: Args<'_>, at: usize) -> Result<Unit, ErrorReply> {
    if at >= args.len() || args.is(at, "byte") {
        return Ok(Unit::Byte);
    }
    if args.is(at, "bit") {
        return Ok(Unit::Bit);
    }
    Err(errors::SYNTAX.into())
}

/// BITCOUNT: reply with the number of bits that are set.
pub fn bitcount(ctx: &mut ShardCtx<'_>) -> Outcome {
    let args = ctx.args;
    let range = match args.len() {
        2 => None,
        4 | 5 => Some((args.integer(2)?, args.integer(3)?, unit(args, 4)?)),
        _ => return Err(errors::SYNTAX.into()),
    };
    let key = ctx.key(1);
    let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
    let count = |value: StringRef<'_>| {
        value.with_bytes(|bytes| match range {
            None => bits::count(bytes),
            Some((start, end, unit)) => bits::count_range(bytes, start, end, unit),
        })
    };
    Ok(ctx.reply.integer(value.map_or(0, count) as i64))
}

/// BITPOS: reply with the position of the first bit that is set, or clear.
pub fn bitpos(ctx: &mut ShardCtx<'_>) -> Outcome {
    let args = ctx.args;
    let wanted = match args.integer(2)? {
        bit @ 0..=1 => bit == 1,
        _ => return Err("ERR The bit argument must be 1 or 0.".into()),
    };
    let range = position_range(args)?;
    let key = ctx.key(1);
    let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
    let position = match value {
        Some(value) => value.with_bytes(|bytes| bits::position(bytes, wanted, range)),
        // A missing key is clear bits without end.
        None => -i64::from(wanted),
    };
    Ok(ctx.reply.integer(position))
}

fn position_range(args: Args<'_>) -> Result<PositionRange, ErrorReply> {
    if args.len() == 3 {
        return Ok(PositionRange::ALL);
    }
    if args.len() > 6 {
        return Err(errors::SYNTAX.into());
    }
    let start = args.integer(3)?;
    let unit = unit(args, 5)?;
    let end = match args.len() {
        4 => None,
        _ => Some(args.integer(4)?),
    };
    Ok(PositionRange { start, end, unit })
}
