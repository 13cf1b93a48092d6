//! Giving entries of a stream to a consumer of a group: new ones, and those it has not confirmed.
//!
//! New entries become pending, and the group gets further; what a consumer has not confirmed it is
//! given once more, counted. Every step replays as the state it leaves.

use super::read::begin;
use super::tell::Named;
use super::{look, reply};
use crate::keyspace::Lookup;
use crate::object::stream::{ConsumerId, Entry, Group, Log, Pending, Stream, StreamId};
use crate::resp::{ErrorReply, Writer};
use crate::shard::{Effects, ShardCtx};

/// Who reads, and how.
pub(super) struct Reader<'a> {
    pub named: Named<'a>,
    pub consumer: &'a [u8],
    /// 0 is no limit.
    pub count: u64,
    /// What is given counts as confirmed.
    pub is_unconfirmed: bool,
}

/// Replies with the entries of the stream at a position: new ones, or of the consumer's history
/// behind an id. Says whether there was a reply.
pub(super) fn serve(
    ctx: &mut ShardCtx<'_>,
    at: usize,
    reader: &Reader<'_>,
    history: Option<StreamId>,
) -> Result<bool, ErrorReply> {
    let (key, now_ms) = (ctx.key(at), ctx.now_ms());
    if look::read(ctx.space, ctx.db, &key, Lookup::Read)?.is_none() {
        return Ok(false);
    }
    let held = look::open(ctx.space, ctx.db, &key)?;
    let mut held = held.expect("it was just there");
    let stream = held.change();
    let group = stream.group_mut(reader.named.group);
    let group = group.expect("all groups were looked up before");
    let consumer = join(group, reader.named, reader.consumer, now_ms, ctx.effects);
    let mut giving = Giving {
        reader,
        consumer,
        now_ms,
        reply: &mut ctx.reply,
        effects: ctx.effects,
    };
    Ok(match history {
        Some(start) => giving.history(stream, start),
        None => giving.news(stream),
    })
}

/// The consumer of this name, which has just been seen; a new one if need be.
pub(super) fn join(
    group: &mut Group,
    named: Named<'_>,
    name: &[u8],
    now_ms: i64,
    effects: &mut Effects,
) -> ConsumerId {
    let consumer = group.find_consumer(name).unwrap_or_else(|| {
        named.tell_consumer(effects, name);
        let consumer = group.add_consumer(name, now_ms);
        consumer.expect("there was none of this name")
    });
    group.consumer_mut(consumer).seen_at_ms = now_ms;
    consumer
}

/// A reply on its way to a consumer.
struct Giving<'g, 'a> {
    reader: &'g Reader<'g>,
    consumer: ConsumerId,
    now_ms: i64,
    reply: &'g mut Writer<'a>,
    effects: &'g mut Effects,
}

impl Giving<'_, '_> {
    fn begin(&mut self) {
        begin(self.reply.protocol(), self.reply, self.reader.named.key);
    }

    /// Gives entries that nobody of the group was given; says whether there are any.
    fn news(&mut self, stream: &mut Stream) -> bool {
        let parts = stream.log_and_group(self.reader.named.group);
        let (log, group) = parts.expect("all groups were looked up before");
        let last = log.last_live().filter(|last| *last > group.last_id);
        let Some(from) = last.and(group.last_id.next()) else {
            return false;
        };
        self.begin();
        let mark = self.reply.output().mark();
        let mut given = 0;
        for entry in log.entries(from, StreamId::MAX) {
            self.give(log, group, entry);
            given += 1;
            if given == self.reader.count {
                break;
            }
        }
        self.reader.named.tell_progress(self.effects, group);
        self.reply.array_since(mark, given as usize);
        true
    }

    fn give(&mut self, log: &Log, group: &mut Group, entry: Entry<'_>) {
        let id = entry.id;
        group.entries_read = log.entries_read_after(id, group.entries_read);
        group.last_id = id;
        reply::entry(self.reply, entry);
        if self.reader.is_unconfirmed {
            return;
        }
        let pending = Pending {
            consumer: self.consumer,
            delivered_at_ms: self.now_ms,
            deliveries: 1,
        };
        group.give(id, pending);
        group.consumer_mut(self.consumer).active_at_ms = self.now_ms;
        let named = self.reader.named;
        named.tell_given(self.effects, group, id, pending);
    }

    /// Gives entries behind an id once more, which were given to the consumer and not confirmed.
    fn history(&mut self, stream: &mut Stream, start: StreamId) -> bool {
        let parts = stream.log_and_group(self.reader.named.group);
        let (log, group) = parts.expect("all groups were looked up before");
        self.begin();
        let mark = self.reply.output().mark();
        let (mut given, mut next) = (0, start.next());
        while let Some(from) = next
            && (self.reader.count == 0 || given < self.reader.count)
            && let Some((id, ())) = group.consumer(self.consumer).pending().from(from)
        {
            self.give_again(log, group, id);
            given += 1;
            next = id.next();
        }
        self.reply.array_since(mark, given as usize);
        true
    }

    fn give_again(&mut self, log: &Log, group: &mut Group, id: StreamId) {
        let Some(entry) = log.find(id) else {
            // Deleted meanwhile, but not confirmed.
            self.reply.array(2);
            reply::id(self.reply, id);
            self.reply.null_array();
            return;
        };
        reply::entry(self.reply, entry);
        let pending = group.give_again(id, self.now_ms);
        let pending = pending.expect("what a consumer was given its group knows");
        // Redis: this is not told to replicas, which then count less.
        let named = self.reader.named;
        named.tell_given(self.effects, group, id, pending);
    }
}
