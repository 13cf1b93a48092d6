//! XLEN, XRANGE and XREVRANGE: counting and reading entries by their ids.
//!
//! Nothing is held ready for the number a client announces: entries are written as they are found.

use super::{look, reply};
use crate::command::Args;
use crate::keyspace::Lookup;
use crate::object::stream::StreamId;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// XLEN: reply with the number of entries.
pub fn xlen(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let len = stream.map_or(0, |stream| stream.log.len());
    Ok(ctx.reply.integer(len as i64))
}

/// XRANGE: reply with entries between two ids.
pub fn xrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    range(ctx, 2, 3, false)
}

/// XREVRANGE: reply with entries between two ids, the last one first.
pub fn xrevrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    range(ctx, 3, 2, true)
}

fn range(ctx: &mut ShardCtx<'_>, start_at: usize, end_at: usize, is_reverse: bool) -> Outcome {
    let key = ctx.key(1);
    let start = reply::interval_start(ctx.args.get(start_at))?;
    let end = reply::interval_end(ctx.args.get(end_at))?;
    let count = count(ctx.args)?;
    let Some(stream) = look::read(ctx.space, ctx.db, &key, Lookup::Read)? else {
        return Ok(ctx.reply.array(0));
    };
    if count == Some(0) {
        return Ok(ctx.reply.null_array());
    }
    let (log, count) = (&stream.log, count.unwrap_or(0));
    Ok(match is_reverse {
        true => reply::entries(&mut ctx.reply, log.entries_back(start, end), count),
        false => reply::entries(&mut ctx.reply, log.entries(start, end), count),
    })
}

/// The option COUNT; below 0 it is 0, which is nothing.
fn count(args: Args<'_>) -> Result<Option<u64>, ErrorReply> {
    let mut count = None;
    for at in (4..args.len()).step_by(2) {
        if !args.is(at, "count") || at + 1 >= args.len() {
            return Err(errors::SYNTAX.into());
        }
        count = Some(u64::try_from(args.integer(at + 1)?).unwrap_or(0));
    }
    Ok(count)
}

/// All ids.
pub(super) const ALL: (StreamId, StreamId) = (StreamId::MIN, StreamId::MAX);
