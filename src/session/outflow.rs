//! A snapshot for replicas of our own kind: each shard's part goes from its walk onto the
//! connection that the replica has made for it, without a file and without a thread.
//!
//! ```text
//!   walk of shard 2 --> frames --> letters --> output of the connection for shard 2, on any core
//!    rests while             <---- gauge <---- counts down when the socket has taken a frame
//! ```
//!
//! A walk rests while one of its receivers has enough to send. What clients change meanwhile is
//! written first, whether it rests or not, and counts against the replica's output limit. Who takes
//! nothing at all for `repl-timeout` is dropped, so that nobody holds up a snapshot for ever.

use super::core::Core;
use super::load::Letter;
use super::node::Node;
use super::order::Order;
use super::registry::SessionId;
use super::replication::HUB_CORE;
use super::save::style;
use crate::config::Config;
use crate::keyspace::{ShardId, Size};
use crate::persistence::snapshot::{Chunk, Lane, Request, Sink, Style};
use crate::rdb::Output;
use crate::replication::frame::{BODY_MAX, Header, Kind};
use crate::replication::{Place, Receiver};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, SyncSender, sync_channel};

/// Bytes that may wait for one connection before the walk rests.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Buffers kept for reuse, by each shard: about as many as may wait.
const EMPTIED_MAX: usize = 8;

/// A frame on its way to the core of its connection.
#[derive(Debug)]
pub struct Framed {
    head: Vec<u8>,
    body: Bytes,
    tail: Vec<u8>,
    gauge: Arc<Gauge>,
}

/// How much waits for one connection.
#[derive(Debug)]
struct Gauge {
    place: Place,
    waiting: AtomicUsize,
    /// Frames that the socket has taken.
    taken: AtomicU64,
    /// The connection is not there any more.
    is_gone: AtomicBool,
}

impl Gauge {
    fn new(place: Place) -> Arc<Gauge> {
        Arc::new(Gauge {
            place,
            waiting: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
        })
    }
}

/// Gives back the buffer of a body that nobody else holds, if it is still wanted.
fn give_back(mut body: Bytes, emptied: &SyncSender<Vec<u8>>) {
    if body.is_unique() {
        body.clear();
        // Who has enough, or has gone, lets it go.
        let _ = emptied.try_send(Vec::from(body));
    }
}

/// A body that counts as waiting until it is let go of.
struct Counted {
    body: Bytes,
    gauge: Arc<Gauge>,
    /// Where its buffer is wanted again.
    emptied: Option<SyncSender<Vec<u8>>>,
}

impl Counted {
    fn bytes(body: Bytes, gauge: &Arc<Gauge>, emptied: Option<SyncSender<Vec<u8>>>) -> Bytes {
        gauge.waiting.fetch_add(body.len(), Relaxed);
        let gauge = gauge.clone();
        Bytes::from_owner(Counted {
            body,
            gauge,
            emptied,
        })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.waiting.fetch_sub(self.body.len(), Relaxed);
        self.gauge.taken.fetch_add(1, Relaxed);
        if let Some(emptied) = self.emptied.take() {
            give_back(std::mem::take(&mut self.body), &emptied);
        }
    }
}

/// The end of it all, told when the last of those who hold this has gone.
struct Ending {
    node: Arc<Node>,
    receivers: Vec<Receiver>,
    gauges: Vec<Arc<Gauge>>,
    /// Shards whose parts have not ended.
    left: AtomicUsize,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.node.desk.release();
        let is_whole = *self.left.get_mut() == 0;
        match is_whole {
            true => tracing::info!("Background RDB transfer terminated with success"),
            false => tracing::warn!("Background transfer error"),
        }
        let gauges = self.gauges.chunks(self.node.shards());
        let outcome = self.receivers.iter().zip(gauges).map(|(receiver, gauges)| {
            let is_there = !gauges.iter().any(|gauge| gauge.is_gone.load(Relaxed));
            (receiver.main, is_whole && is_there)
        });
        let letter = Letter::FlowsEnded(outcome.collect());
        self.node.letters[usize::from(HUB_CORE.0)].post(letter);
    }
}

/// Where the part of a shard goes: to one connection of each receiver.
struct FlowSink {
    ending: Arc<Ending>,
    gauges: Vec<Arc<Gauge>>,
    /// Bytes of bodies so far.
    offset: u64,
    /// Buffers whose bytes have gone, for those that follow: the pages of new ones would all be
    /// touched for the first time in the middle of a walk.
    emptied: (SyncSender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
}

impl FlowSink {
    fn new(ending: Arc<Ending>, shard: ShardId) -> FlowSink {
        let own = usize::from(shard.0);
        let shards = ending.node.shards();
        let gauges = ending.gauges.iter().skip(own).step_by(shards);
        FlowSink {
            gauges: gauges.cloned().collect(),
            ending,
            offset: 0,
            emptied: sync_channel(EMPTIED_MAX),
        }
    }

    fn send(&mut self, kind: Kind, mut body: Bytes) {
        while body.len() > BODY_MAX {
            let first = body.split_to(BODY_MAX);
            self.send_one(kind, first, None);
        }
        self.send_one(kind, body, None);
    }

    fn send_one(&mut self, kind: Kind, body: Bytes, emptied: Option<SyncSender<Vec<u8>>>) {
        let header = Header {
            kind,
            offset: self.offset,
            position: 0,
        };
        self.offset += body.len() as u64;
        let (head, tail) = header.around(&[&body]);
        for gauge in &self.gauges {
            let frame = Framed {
                head: head.clone(),
                body: Counted::bytes(body.clone(), gauge, emptied.clone()),
                tail: tail.clone(),
                gauge: gauge.clone(),
            };
            let letter = Letter::Frame(gauge.place.session, frame);
            self.ending.node.letters[usize::from(gauge.place.core.0)].post(letter);
        }
    }

    fn is_anyone(&self, is: impl Fn(&Gauge) -> bool) -> bool {
        let there = |gauge: &&Arc<Gauge>| !gauge.is_gone.load(Relaxed);
        self.gauges.iter().filter(there).any(|gauge| is(gauge))
    }
}

impl Sink for FlowSink {
    fn begin(&mut self, _: Size) {}

    fn buffer(&mut self, room: usize) -> Vec<u8> {
        let emptied = self.emptied.1.try_recv().ok();
        let large = emptied.filter(|buffer| buffer.capacity() >= room);
        large.unwrap_or_else(|| Vec::with_capacity(room))
    }

    fn put(&mut self, lane: Lane, chunk: Chunk) {
        let kind = match lane {
            Lane::Entries => Kind::Entries,
            Lane::Longs => Kind::Longs,
        };
        match chunk {
            Chunk::Plain(bytes) if bytes.len() <= BODY_MAX => {
                self.send_one(kind, bytes.into(), Some(self.emptied.0.clone()));
            }
            Chunk::Plain(bytes) => self.send(kind, bytes.into()),
            Chunk::WithText(bytes, text) => {
                // As it is, without a copy: the network is faster than compressing.
                let mut out = Output::new(false);
                out.bytes = bytes;
                out.length(text.len() as u64);
                self.send(kind, out.bytes.into());
                self.send(kind, text);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.is_anyone(|gauge| gauge.waiting.load(Relaxed) > WAITING_BYTES_MAX)
    }

    fn is_awaited(&self) -> bool {
        true
    }

    fn is_broken(&self) -> bool {
        !self.is_anyone(|_| true)
    }

    fn advance(&mut self, _: u64) {}

    fn end(mut self: Box<Self>, is_whole: bool) {
        if is_whole {
            self.send_one(Kind::End, Bytes::new(), None);
            self.ending.left.fetch_sub(1, Relaxed);
        }
    }
}

/// The connections of a snapshot that is on its way, as the core with the hub watches them.
pub struct Outflow {
    watched: Vec<Watched>,
    /// It has ended like this.
    outcome: Option<Vec<(Place, bool)>>,
}

/// A connection, and since when it has taken nothing.
struct Watched {
    main: Place,
    gauge: Arc<Gauge>,
    taken: u64,
    since_ms: i64,
}

impl Outflow {
    /// Those replicas that have taken nothing for so long although there was something.
    fn stalled(&mut self, now_ms: i64, limit_ms: i64) -> Vec<Place> {
        let mut stalled = Vec::new();
        for watched in &mut self.watched {
            let gauge = &watched.gauge;
            let taken = gauge.taken.load(Relaxed);
            let waits = gauge.waiting.load(Relaxed) > 0 && !gauge.is_gone.load(Relaxed);
            if taken != watched.taken || !waits {
                (watched.taken, watched.since_ms) = (taken, now_ms);
            } else if now_ms - watched.since_ms > limit_ms && !stalled.contains(&watched.main) {
                stalled.push(watched.main);
            }
        }
        stalled
    }
}

impl Core {
    /// Puts a snapshot for these on the desk; returns its number.
    pub(super) fn begin_outflow(&mut self, receivers: &[Receiver]) -> u64 {
        tracing::info!("Starting BGSAVE for SYNC with target: replicas sockets");
        tracing::info!("Background saving started by pid {}", std::process::id());
        let all = receivers.iter().flat_map(|receiver| &receiver.flows);
        let gauges: Vec<Arc<Gauge>> = all.map(|place| Gauge::new(*place)).collect();
        let mains = receivers.iter().flat_map(|receiver| {
            let main = receiver.main;
            receiver.flows.iter().map(move |_| main)
        });
        let watched = mains.zip(&gauges).map(|(main, gauge)| Watched {
            main,
            gauge: gauge.clone(),
            taken: 0,
            since_ms: self.now_ms,
        });
        self.replication.outflow = Some(Outflow {
            watched: watched.collect(),
            outcome: None,
        });
        let ending = Arc::new(Ending {
            node: self.node.clone(),
            receivers: receivers.to_vec(),
            gauges,
            left: AtomicUsize::new(self.node.shards()),
        });
        let sink = move |shard: ShardId| -> Box<dyn Sink> {
            Box::new(FlowSink::new(ending.clone(), shard))
        };
        let style = Style {
            compresses: false,
            ..style(&self.config, self.now_ms)
        };
        let sink = Box::new(sink);
        self.node.desk.put(Request { style, sink })
    }

    /// A frame for a connection of this core.
    pub(super) fn send_frame(&mut self, session: u64, frame: Framed) {
        let id = SessionId::from_bits(session);
        let Some(session) = self.sessions.find_mut(id) else {
            return frame.gauge.is_gone.store(true, Relaxed);
        };
        let bytes = frame.head.len() + frame.body.len() + frame.tail.len();
        session.output.buffer().extend_from_slice(&frame.head);
        session.output.push_shared(frame.body);
        session.output.buffer().extend_from_slice(&frame.tail);
        self.counters().repl_output_bytes.add(bytes as u64);
        self.mark_dirty(id);
    }

    /// A snapshot that went shard by shard has ended.
    pub(super) fn flows_ended(&mut self, outcome: Vec<(Place, bool)>) {
        if let Some(outflow) = &mut self.replication.outflow {
            outflow.outcome = Some(outcome);
        }
        // A small one may be over before its cut has come through the stream.
        let awaits_cut = self
            .replication
            .hub
            .as_ref()
            .is_some_and(|it| it.awaits_cut());
        if !awaits_cut {
            self.end_outflow();
        }
    }

    /// What waits behind a snapshot that has ended follows.
    pub(super) fn end_outflow(&mut self) {
        let outflow = self.replication.outflow.as_mut();
        let Some(outcome) = outflow.and_then(|outflow| outflow.outcome.take()) else {
            return;
        };
        self.replication.snapshot = None;
        self.replication.outflow = None;
        self.replication.receivers.clear();
        for (main, is_whole) in outcome {
            let order = Order::Sent(main.session, is_whole);
            self.orders_for(main.core).push(order);
        }
    }

    /// Drops replicas that have stopped taking their snapshot.
    pub(super) fn drop_stalled(&mut self, config: &Config) {
        let limit_ms = i64::from(config.repl_timeout) * 1000;
        let now_ms = self.now_ms;
        let Some(outflow) = &mut self.replication.outflow else {
            return;
        };
        for place in outflow.stalled(now_ms, limit_ms) {
            tracing::warn!("Disconnecting timedout replica (full sync)");
            self.orders_for(place.core).push(Order::Part(place.session));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge() -> Arc<Gauge> {
        Gauge::new(Place {
            core: ShardId(0),
            session: 1,
        })
    }

    #[test]
    fn a_body_waits_until_it_is_let_go_of() {
        let gauge = gauge();
        let body = Counted::bytes(Bytes::from_static(b"body"), &gauge, None);
        let again = body.clone();
        assert_eq!(gauge.waiting.load(Relaxed), 4);
        drop(body);
        assert_eq!(gauge.waiting.load(Relaxed), 4);
        drop(again);
        assert_eq!(gauge.waiting.load(Relaxed), 0);
    }

    #[test]
    fn a_buffer_comes_back_from_the_last_of_its_receivers() {
        let (gauge, (giver, emptied)) = (gauge(), sync_channel(1));
        let mut buffer = Vec::with_capacity(1000);
        buffer.extend_from_slice(b"entries");
        let at = buffer.as_ptr();
        let body = Bytes::from(buffer);
        let counted = |body| Counted::bytes(body, &gauge, Some(giver.clone()));
        let (one, two) = (counted(body.clone()), counted(body));
        drop(one);
        assert!(emptied.try_recv().is_err());
        drop(two);
        let back = emptied.try_recv().unwrap();
        assert_eq!((back.as_ptr(), back.len(), back.capacity()), (at, 0, 1000));
        // More than are wanted, and those that nobody wants any more, are let go.
        let some = || counted(Bytes::from(Vec::from(b"entries")));
        drop(some());
        drop(some());
        assert!(emptied.try_recv().is_ok() && emptied.try_recv().is_err());
        drop(emptied);
        drop(some());
    }

    #[test]
    fn who_takes_nothing_is_found_and_who_takes_little_is_not() {
        let gauge = gauge();
        let main = gauge.place;
        let watched = Watched {
            main,
            gauge: gauge.clone(),
            taken: 0,
            since_ms: 0,
        };
        let mut outflow = Outflow {
            watched: vec![watched],
            outcome: None,
        };
        assert!(outflow.stalled(5000, 1000).is_empty(), "nothing waits");
        let one = Counted::bytes(Bytes::from_static(b"one"), &gauge, None);
        let two = Counted::bytes(Bytes::from_static(b"two"), &gauge, None);
        assert!(outflow.stalled(6000, 1000).is_empty());
        drop(one);
        assert!(outflow.stalled(6001, 1000).is_empty());
        assert!(outflow.stalled(7001, 1000).is_empty());
        assert_eq!(outflow.stalled(7002, 1000), [main]);
        drop(two);
        assert!(outflow.stalled(9000, 1000).is_empty());
    }
}
