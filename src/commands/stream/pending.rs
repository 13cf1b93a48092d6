//! XPENDING: what a group was given and has not confirmed, in sum or entry by entry.
//!
//! It only looks: neither the entries nor the consumer that is asked for count as used. Entries are
//! replied to as they are found, whatever number a client announces.

use super::{look, reply};
use crate::command::Args;
use crate::keyspace::Lookup;
use crate::object::stream::{Group, Pending, StreamId};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};

/// The entries that are asked for.
struct Wanted<'a> {
    start: StreamId,
    end: StreamId,
    count: u64,
    min_idle_ms: i64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    /// `None` asks for the sum.
    fn parse(args: Args<'a>) -> Result<Option<Wanted<'a>>, ErrorReply> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(errors::SYNTAX.into());
        }
        let (mut min_idle_ms, mut at) = (0, 3);
        if args.is(3, "idle") {
            min_idle_ms = args.integer(4)?;
            if args.len() < 8 {
                return Err(errors::SYNTAX.into());
            }
            at = 5;
        }
        let count = args.integer(at + 2)?;
        Ok(Some(Wanted {
            start: reply::interval_start(args.get(at))?,
            end: reply::interval_end(args.get(at + 1))?,
            count: u64::try_from(count).unwrap_or(0),
            min_idle_ms,
            consumer: args.try_get(at + 3),
        }))
    }
}

/// XPENDING: reply with what was given and not confirmed.
pub fn xpending(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, name, now_ms) = (ctx.key(1), ctx.args.get(2), ctx.now_ms());
    let wanted = Wanted::parse(ctx.args)?;
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Err(reply::no_key_or_group(key.bytes, name, ""));
    };
    Ok(match wanted {
        None => sum(&mut ctx.reply, group),
        Some(wanted) => entries(&mut ctx.reply, group, &wanted, now_ms),
    })
}

/// How many there are, the first, the last, and how many each consumer has.
fn sum(reply: &mut Writer<'_>, group: &Group) -> Written {
    reply.array(4);
    let pending = group.pending();
    reply.integer(pending.len() as i64);
    let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply::id(reply, first);
    reply::id(reply, last);
    let owners = group.consumers();
    let owners = owners.filter(|consumer| !consumer.pending().is_empty());
    let mut written = reply.array(owners.clone().count());
    for owner in owners {
        reply.array(2);
        reply.bulk(owner.name());
        written = reply.bulk_integer(owner.pending().len() as i64);
    }
    written
}

fn entries(reply: &mut Writer<'_>, group: &Group, wanted: &Wanted<'_>, now_ms: i64) -> Written {
    let only = match wanted.consumer.map(|name| group.find_consumer(name)) {
        Some(None) => return reply.array(0),
        Some(Some(number)) => Some(group.consumer(number).pending()),
        None => None,
    };
    let following = |id: StreamId| match only {
        Some(only) => only.from(id).map(|(id, ())| id),
        None => group.pending().from(id).map(|(id, _)| id),
    };
    let mark = reply.output().mark();
    let (mut count, mut next) = (0, Some(wanted.start));
    while count < wanted.count
        && let Some(id) = next.and_then(following)
        && id <= wanted.end
    {
        next = id.next();
        let pending = group.pending().find(id);
        let pending = pending.expect("what a consumer was given its group knows");
        let idle_ms = now_ms.wrapping_sub(pending.delivered_at_ms);
        if wanted.min_idle_ms != 0 && idle_ms < wanted.min_idle_ms {
            continue;
        }
        count += 1;
        one(reply, group, (id, pending), idle_ms);
    }
    reply.array_since(mark, count as usize)
}

fn one(reply: &mut Writer<'_>, group: &Group, given: (StreamId, &Pending), idle_ms: i64) {
    let (id, pending) = given;
    reply.array(4);
    reply::id(reply, id);
    reply.bulk(group.consumer(pending.consumer).name());
    reply.integer(idle_ms.max(0));
    reply.integer(pending.deliveries as i64);
}
