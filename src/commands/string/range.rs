//! APPEND, SETRANGE, GETRANGE, STRLEN: parts of strings.
//!
//! What grows or changes in the middle is edited where it lies; a large part of a large string is
//! sent by reference.

use super::multi::store_argument;
use crate::keyspace::{Expiry, Lookup, StringRef};
use crate::object::SHARED_STRING_MIN;
use crate::resp::{Writer, Written, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use std::ops::Range;

/// STRLEN: reply with the length.
pub fn strlen(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
    Ok(ctx.reply.integer(value.map_or(0, StringRef::len) as i64))
}

/// APPEND: add to the end.
pub fn append(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, more) = (ctx.key(1), ctx.args.get(2));
    let old = ctx.space.door(ctx.db).string(&key, Lookup::Write)?;
    let len = match old.map(StringRef::len) {
        None => {
            store_argument(ctx, &key, 2, Expiry::Clear);
            more.len()
        }
        Some(len) => {
            ctx.check_string_len(len, more.len())?;
            ctx.door().edit_string(&key, |bytes| {
                bytes.extend_from_slice(more);
                bytes.len()
            })
        }
    };
    ctx.changed(Event::APPEND, key.bytes);
    Ok(ctx.reply.integer(len as i64))
}

/// SETRANGE: overwrite from an offset on.
pub fn setrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    let offset = ctx.args.integer(2)?;
    let offset = usize::try_from(offset).map_err(|_| errors::OFFSET_OUT_OF_RANGE)?;
    let (key, part) = (ctx.key(1), ctx.args.get(3));
    let old = ctx.space.door(ctx.db).string(&key, Lookup::Write)?;
    if part.is_empty() {
        return Ok(ctx.reply.integer(old.map_or(0, StringRef::len) as i64));
    }
    ctx.check_string_len(offset, part.len())?;
    let inside = offset..offset + part.len();
    let len = ctx.door().edit_padded(&key, inside.end, |bytes| {
        bytes[inside].copy_from_slice(part);
        bytes.len()
    });
    ctx.changed(Event::SETRANGE, key.bytes);
    Ok(ctx.reply.integer(len as i64))
}

/// GETRANGE and SUBSTR: reply with a part.
pub fn getrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (start, end) = (ctx.args.integer(2)?, ctx.args.integer(3)?);
    let key = ctx.key(1);
    let Some(value) = ctx.space.door(ctx.db).string(&key, Lookup::Read)? else {
        return Ok(ctx.reply.bulk(b""));
    };
    let range = resolve(value.len(), start, end);
    Ok(reply_part(&mut ctx.reply, value, range))
}

/// The bytes a client means by start and end, both included, from the end when negative.
fn resolve(len: usize, start: i64, end: i64) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let from_end = |index: i64| match index {
        0.. => index,
        _ => index.saturating_add(len as i64).max(0),
    };
    let (start, end) = (from_end(start), from_end(end).min(len as i64 - 1));
    if start > end {
        return 0..0;
    }
    start as usize..end as usize + 1
}

fn reply_part(reply: &mut Writer<'_>, value: StringRef<'_>, range: Range<usize>) -> Written {
    /// While a reply holds a part, changing the string copies all of it: only a part of this
    /// share is worth that.
    const SHARE_MIN: usize = 8;
    match value {
        StringRef::Shared(bytes)
            if range.len() >= SHARED_STRING_MIN.max(bytes.len() / SHARE_MIN) =>
        {
            reply.shared(&bytes.slice(range))
        }
        value => value.with_bytes(|bytes| reply.bulk(&bytes[range])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_resolved_as_a_list_of_positions_would_be() {
        for len in 0..6usize {
            for start in -8i64..8 {
                for end in -8i64..8 {
                    let at = |index: i64| if index < 0 { index + len as i64 } else { index };
                    let naive: Vec<usize> = (0..len)
                        .filter(|position| {
                            let position = *position as i64;
                            // Redis: an end before the start of the string means its first byte.
                            position >= at(start) && position <= at(end).max(0)
                        })
                        .collect();
                    let is_reversed = start < 0 && end < 0 && start > end;
                    let naive = if is_reversed { Vec::new() } else { naive };
                    let range: Vec<usize> = resolve(len, start, end).collect();
                    assert_eq!(range, naive, "{len} bytes, {start} to {end}");
                }
            }
        }
        assert_eq!(resolve(3, i64::MIN, i64::MAX), 0..3);
        assert_eq!(resolve(3, i64::MAX, i64::MIN), 0..0);
    }
}
