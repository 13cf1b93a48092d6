//! XINFO: what is known of a stream, its groups and their consumers.
//!
//! The numbers of nodes are those that Redis's tree would have for the same entries.

use super::range::ALL;
use super::tell::entries_read;
use super::{look, reply};
use crate::command::Args;
use crate::keyspace::Lookup;
use crate::object::stream::{Consumer, Group, Log, Stream};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};

/// The stream that is asked for.
fn find<'s>(ctx: &'s mut ShardCtx<'_>) -> Result<(&'s Stream, Writer<'s>), ErrorReply> {
    let key = ctx.key(2);
    let protocol = ctx.reply.protocol();
    let stream = look::read(ctx.space, ctx.db, &key, Lookup::Read)?;
    let stream = stream.ok_or(errors::NO_SUCH_KEY)?;
    Ok((stream, Writer::new(ctx.reply.output(), protocol)))
}

/// XINFO STREAM: the stream in short, or with its entries and groups.
pub fn stream(ctx: &mut ShardCtx<'_>) -> Outcome {
    let args = ctx.args;
    let (stream, mut reply) = find(ctx)?;
    let reply = &mut reply;
    Ok(match full_count(args)? {
        None => {
            reply.map(10);
            facts(reply, stream);
            in_short(reply, stream)
        }
        Some(count) => {
            reply.map(9);
            facts(reply, stream);
            in_full(reply, stream, count)
        }
    })
}

/// FULL, with how many entries at most; 0 is all of them.
fn full_count(args: Args<'_>) -> Result<Option<u64>, ErrorReply> {
    const USUAL: u64 = 10;
    let unknown = || errors::unknown_form("xinfo", args.get(1));
    match args.len() {
        3 => return Ok(None),
        4 | 6 if args.is(3, "full") => {}
        _ => return Err(unknown()),
    }
    if args.len() == 4 {
        return Ok(Some(USUAL));
    }
    if !args.is(4, "count") {
        return Err(unknown());
    }
    Ok(Some(u64::try_from(args.integer(5)?).unwrap_or(USUAL)))
}

fn number(reply: &mut Writer<'_>, name: &str, number: i64) -> Written {
    reply.bulk(name.as_bytes());
    reply.integer(number)
}

fn number_or_null(reply: &mut Writer<'_>, name: &str, number: Option<i64>) -> Written {
    reply.bulk(name.as_bytes());
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

fn facts(reply: &mut Writer<'_>, stream: &Stream) {
    let log = &stream.log;
    number(reply, "length", log.len() as i64);
    number(reply, "radix-tree-keys", log.node_count() as i64);
    number(reply, "radix-tree-nodes", log.radix_nodes() as i64);
    for (name, id) in [
        ("last-generated-id", log.last_id),
        ("max-deleted-entry-id", log.max_deleted_id),
    ] {
        reply.bulk(name.as_bytes());
        reply::id(reply, id);
    }
    number(reply, "entries-added", log.entries_added as i64);
    reply.bulk(b"recorded-first-entry-id");
    reply::id(reply, log.first_id);
}

fn in_short(reply: &mut Writer<'_>, stream: &Stream) -> Written {
    let log = &stream.log;
    number(reply, "groups", stream.groups().len() as i64);
    let first = log.entries(ALL.0, ALL.1).next();
    let last = log.entries_back(ALL.0, ALL.1).next();
    let mut written = Written;
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        reply.bulk(name.as_bytes());
        written = match entry {
            Some(entry) => reply::entry(reply, entry),
            None => reply.null(),
        };
    }
    written
}

fn in_full(reply: &mut Writer<'_>, stream: &Stream, count: u64) -> Written {
    reply.bulk(b"entries");
    reply::entries(reply, stream.log.entries(ALL.0, ALL.1), count);
    reply.bulk(b"groups");
    let mut written = reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        progress(reply, &stream.log, (name, group));
        number(reply, "pel-count", group.pending().len() as i64);
        given_in_group(reply, group, count);
        reply.bulk(b"consumers");
        written = reply.array(group.consumers().len());
        for consumer in group.consumers() {
            written = consumer_in_full(reply, group, consumer, count);
        }
    }
    written
}

/// How far a group is.
fn progress(reply: &mut Writer<'_>, log: &Log, named: (&[u8], &Group)) {
    let (name, group) = named;
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"last-delivered-id");
    reply::id(reply, group.last_id);
    behind(reply, log, group);
}

fn behind(reply: &mut Writer<'_>, log: &Log, group: &Group) -> Written {
    let read = group.entries_read.map(|_| entries_read(group.entries_read));
    number_or_null(reply, "entries-read", read);
    let lag = log.lag(group.last_id, group.entries_read);
    number_or_null(reply, "lag", lag)
}

/// How many of so many are shown; a count of 0 shows all.
fn shown(len: usize, count: u64) -> usize {
    match count {
        0 => len,
        count => len.min(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

fn given_in_group(reply: &mut Writer<'_>, group: &Group, count: u64) {
    reply.bulk(b"pending");
    let len = shown(group.pending().len(), count);
    reply.array(len);
    for (id, pending) in group.pending().iter().take(len) {
        reply.array(4);
        reply::id(reply, id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.integer(pending.delivered_at_ms);
        reply.integer(pending.deliveries as i64);
    }
}

fn consumer_in_full(
    reply: &mut Writer<'_>,
    group: &Group,
    consumer: &Consumer,
    count: u64,
) -> Written {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    number(reply, "seen-time", consumer.seen_at_ms);
    number(reply, "active-time", consumer.active_at_ms);
    number(reply, "pel-count", consumer.pending().len() as i64);
    reply.bulk(b"pending");
    let len = shown(consumer.pending().len(), count);
    let mut written = reply.array(len);
    for (id, ()) in consumer.pending().iter().take(len) {
        let pending = group.pending().find(id);
        let pending = pending.expect("what a consumer was given its group knows");
        reply.array(3);
        reply::id(reply, id);
        reply.integer(pending.delivered_at_ms);
        written = reply.integer(pending.deliveries as i64);
    }
    written
}

/// XINFO GROUPS: the groups of a stream.
pub fn groups(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (stream, mut reply) = find(ctx)?;
    let reply = &mut reply;
    let mut written = reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        number(reply, "consumers", group.consumers().len() as i64);
        number(reply, "pending", group.pending().len() as i64);
        reply.bulk(b"last-delivered-id");
        reply::id(reply, group.last_id);
        written = behind(reply, &stream.log, group);
    }
    Ok(written)
}

/// XINFO CONSUMERS: the consumers of a group.
pub fn consumers(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, now_ms) = (ctx.args, ctx.now_ms());
    let (stream, mut reply) = find(ctx)?;
    let group = stream.group(args.get(3));
    let group = group.ok_or_else(|| reply::no_group(args.get(2), args.get(3)))?;
    let mut written = reply.array(group.consumers().len());
    for consumer in group.consumers() {
        let inactive_ms = match consumer.active_at_ms {
            -1 => -1,
            active_at_ms => now_ms.wrapping_sub(active_at_ms),
        };
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        number(&mut reply, "pending", consumer.pending().len() as i64);
        let idle_ms = now_ms.wrapping_sub(consumer.seen_at_ms).max(0);
        number(&mut reply, "idle", idle_ms);
        written = number(&mut reply, "inactive", inactive_ms);
    }
    Ok(written)
}

/// XINFO HELP.
pub fn help(ctx: &mut ShardCtx<'_>) -> Outcome {
    Ok(ctx.reply.help(HELP))
}

const HELP: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Prints this help.",
];
