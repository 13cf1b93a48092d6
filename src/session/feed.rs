//! The stream that this node makes: what all shards change, merged on the core with the hub.
//!
//! ```text
//!   shard's journal of a turn --> Order::Journal --> Merge --> Hub::feed
//! ```
//!
//! It begins, and each snapshot for a replica is cut, at a *mark*: one operation over all shards,
//! so that it is at one point of their order and at one offset of the stream. What shards have said
//! before the first mark is of no concern; from there on nothing is missing, and no operation is
//! there by halves.

use super::core::Core;
use super::order::{Order, Question};
use super::replication::HUB_CORE;
use super::save::everywhere;
use crate::base::room::take_leaving_room;
use crate::command::{ArgStore, Spec};
use crate::keyspace::{DbIndex, ShardId};
use crate::persistence::merge::{Merge, Run, Stream};
use crate::replication::order::Chunk;
use crate::resp::Protocol;
use crate::router::{Head, ReplyTo};
use crate::shard::{Journal, Outcome, Records, ShardCtx};
use bytes::Bytes;
use std::sync::Arc;

/// Numbers of marks have this bit, those of snapshots have not.
const MARK_BIT: u64 = 1 << 62;

/// Nobody waits for the reply of a mark: the stream tells when it is there.
const NOBODY: ReplyTo = ReplyTo {
    seq: 0,
    ..ReplyTo::OWN
};

/// The operation that makes a mark on all shards.
static MARK: Spec = everywhere("mark");

/// A shard's part of it: from here on it says what it changes.
fn mark(ctx: &mut ShardCtx<'_>) -> Outcome {
    let number = ctx.args.integer(1)?;
    ctx.effects.record(true);
    ctx.effects.want_notes(&mut ctx.space.common.notes);
    ctx.effects.cut(number as u64);
    Ok(ctx.reply.ok())
}

/// The streams of all shards on their way to becoming one.
pub struct Feed {
    merge: Merge,
    out: Stream,
    deliveries: u64,
    /// The mark at which it begins, and which shards have got there.
    first: u64,
    begun: Vec<bool>,
}

impl Feed {
    /// A stream that begins at this mark.
    fn new(shards: usize, first: u64) -> Feed {
        Feed {
            merge: Merge::new(shards),
            out: Stream::tracked(),
            deliveries: 0,
            first,
            begun: vec![false; shards],
        }
    }

    fn push(&mut self, shard: ShardId, journal: &Journal) {
        self.deliveries += 1;
        let begun = &mut self.begun[usize::from(shard.0)];
        if *begun {
            let number = self.deliveries;
            return self.merge.push(shard, number, journal, &mut self.out);
        }
        if let Some(rest) = since(journal, self.first) {
            *begun = true;
            self.merge
                .push(shard, self.deliveries, &rest, &mut self.out);
        }
    }

    /// What has become of it since the last time, cut into pieces at the marks.
    fn take(&mut self) -> Vec<(Chunk, Option<u64>)> {
        let mut rest = Bytes::from(take_leaving_room(&mut self.out.bytes));
        let mut runs = take_leaving_room(&mut self.out.runs).into_iter();
        let mut pieces = Vec::new();
        let mut before = 0;
        for (at, number) in std::mem::take(&mut self.out.cuts) {
            let chunk = piece(rest.split_to(at - before), &mut runs);
            pieces.push((chunk, Some(number)));
            before = at;
        }
        if !rest.is_empty() {
            pieces.push((piece(rest, &mut runs), None));
        }
        pieces
    }
}

/// The next bytes with the runs they consist of: a cut lies between two.
fn piece(bytes: Bytes, runs: &mut impl Iterator<Item = Run>) -> Chunk {
    let (mut left, mut own) = (bytes.len(), Vec::new());
    while left > 0 {
        let Some(run) = runs.next() else {
            break;
        };
        left = left.saturating_sub(run.bytes);
        own.push(run);
    }
    Chunk { bytes, runs: own }
}

/// A journal from the unit with this mark on.
fn since(journal: &Journal, mark: u64) -> Option<Journal> {
    let at = journal
        .units
        .iter()
        .position(|unit| unit.cut == Some(mark))?;
    let (skipped, units) = journal.units.split_at(at);
    let records = skipped.iter().map(|unit| unit.records).sum::<usize>();
    let bytes = skipped.iter().map(|unit| unit.bytes).sum::<usize>();
    Some(Journal {
        units: units.to_vec(),
        records: Records {
            list: journal.records.list[records..].to_vec(),
            bytes: journal.records.bytes[bytes..].to_vec(),
        },
    })
}

impl Core {
    /// Hands over what this shard has said in this turn.
    pub(super) fn tell_stream(&mut self, journal: Arc<Journal>) {
        if self.id == HUB_CORE {
            return self.hear_journal(self.id, &journal);
        }
        let order = Order::Journal(self.id, journal);
        self.orders_for(HUB_CORE).push(order);
        // Whoever hears of a write may ask at once whether the replicas have it.
        self.has_announced = true;
    }

    /// A shard has said this.
    pub fn hear_journal(&mut self, shard: ShardId, journal: &Journal) {
        let Some(feed) = &mut self.replication.feed else {
            return;
        };
        feed.push(shard, journal);
        for (chunk, mark) in feed.take() {
            let hub = self.replication.hub.as_mut();
            if let Some(hub) = hub.filter(|_| !chunk.bytes.is_empty()) {
                hub.feed(chunk);
            }
            if let Some(mark) = mark {
                self.reach_mark(mark);
            }
        }
        self.do_deeds();
    }

    fn reach_mark(&mut self, mark: u64) {
        let (now_ms, config) = (self.now_ms, self.config.share());
        let Some(hub) = &mut self.replication.hub else {
            return;
        };
        if mark & MARK_BIT != 0 {
            hub.marked((now_ms, &config));
            self.stream_begun();
            self.rest_marked(mark);
        } else if self.replication.snapshot == Some(mark) {
            // What follows begins with a SELECT.
            self.replication.receivers = hub.cut((now_ms, &config), DbIndex(0));
            self.do_deeds();
            self.end_outflow();
        }
        self.tell_place(mark);
        self.do_deeds();
    }

    /// From a mark on, this one if there is none yet, the shards' streams are merged.
    pub(super) fn begin_feed(&mut self, mark: u64) {
        if self.replication.feed.is_none() {
            let shards = self.node.shards();
            self.replication.feed = Some(Feed::new(shards, mark));
            self.tell_all(&Question::Stream(true));
            self.is_streaming = true;
        }
    }

    /// Makes a mark.
    pub(super) fn begin_mark(&mut self) {
        self.replication.marks += 1;
        let number = MARK_BIT | self.replication.marks;
        self.begin_feed(number);
        let number = number.to_string();
        let args = ArgStore::from_words([&b"mark"[..], number.as_bytes()]);
        let head = Head {
            spec: &MARK,
            run: mark,
            command: 0,
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            is_in_exec: false,
            may_wait: false,
            known: None,
        };
        self.router
            .begin(NOBODY, head, args.args(), &mut self.shard);
    }

    /// Makes the stream no more.
    pub(super) fn end_feed(&mut self) {
        self.replication.feed = None;
        self.forget_places();
        self.tell_all(&Question::Stream(false));
    }

    /// This shard's journal goes into the stream, or goes there no more.
    pub fn stream(&mut self, is_streaming: bool) {
        self.is_streaming = is_streaming;
        if !is_streaming {
            self.shard.record(self.is_logging);
        }
    }
}
