//! Loading a file into all cores of a node: one thread reads, the cores decode and insert.
//!
//! The reader is never more than a few batches ahead of the slowest core, so memory stays near
//! what the keys take. It runs on whatever thread calls it and waits there.

use super::core::Core;
use super::flows::FlowId;
use super::node::Node;
use super::order::Order;
use super::outflow::Framed;
use super::replay::Replayed;
use super::replication::HUB_CORE;
use super::resync::Parcelled;
use crate::base::alloc;
use crate::config::choice::ShutdownFlags;
use crate::keyspace::{DbIndex, ShardId};
use crate::object::Packing;
use crate::persistence::snapshot::Outcome;
use crate::persistence::{
    Batch, Bookmark, Fault, Fed, Installed, LoadError, Loader, Rules, Summary,
};
use crate::replication::Place;
use crate::router::ReplyTo;
use crate::runtime::file::Incoming;
use crate::runtime::peer::Peer;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What comes to a core from threads beside the cores.
#[derive(Debug)]
pub enum Letter {
    /// Keys to be inserted; what came of it is told there.
    Load(Batch, Sender<Report>),
    /// All keys are to go; the sender is let go of when they have.
    Empty(Sender<()>),
    /// A piece of a log to be run; what came of it is told there.
    Replay(Vec<u8>, Sender<Replayed>),
    /// Effects are to be kept from now on, or no more, on all cores; the sender is let go of when
    /// they are. For the core that runs what is replayed.
    Record(bool, Sender<()>),
    /// That core has said so.
    Keep(bool, Sender<()>),
    /// A snapshot for replicas is there, or is not.
    Snapshot(Result<Arc<Parcelled>, String>),
    /// A replica has got its snapshot, or has not.
    Sent(u64, bool),
    /// A frame for the connection of a shard.
    Frame(u64, Framed),
    /// A snapshot that went shard by shard has ended; who has got all of it, and who has not.
    FlowsEnded(Vec<(Place, bool)>),
    /// A connection to the master for one of its shards.
    Flow(FlowId, Peer),
    /// A snapshot that this core began has ended.
    Saved(Outcome),
    /// The dataset is at this place of a history; the sender is let go of when that is heeded.
    Resume(Bookmark, Sender<()>),
    /// DEBUG RELOAD or LOADAOF of a client here has ended.
    Reloaded(ReplyTo, Result<(), &'static str>),
    /// A signal asks for the end.
    Shutdown(ShutdownFlags),
}

/// What became of a batch.
pub type Report = Result<Installed, LoadError>;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Batches on their way to each core.
const AHEAD_MAX: usize = 4;
/// How often progress is logged, in milliseconds.
const PROGRESS_MS: i64 = 2_000;

/// Batches on their way to the cores.
pub struct Dispatch<'n> {
    node: &'n Node,
    sender: Sender<Report>,
    reports: Receiver<Report>,
    on_the_way: usize,
}

impl<'n> Dispatch<'n> {
    pub fn new(node: &'n Node) -> Dispatch<'n> {
        let (sender, reports) = channel();
        Dispatch {
            node,
            sender,
            reports,
            on_the_way: 0,
        }
    }

    /// Sends a batch, and waits while too many are on their way.
    pub fn send(&mut self, shard: crate::keyspace::ShardId, batch: Batch) -> Result<(), LoadError> {
        let letter = Letter::Load(batch, self.sender.clone());
        self.node.letters[usize::from(shard.0)].post(letter);
        self.on_the_way += 1;
        while self.on_the_way > AHEAD_MAX * self.node.shards() {
            self.hear()?;
        }
        Ok(())
    }

    /// Waits until all have arrived.
    pub fn finish(&mut self) -> Result<(), LoadError> {
        while self.on_the_way > 0 {
            self.hear()?;
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<(), LoadError> {
        let report = self.reports.recv().expect("a sender is held here");
        self.on_the_way -= 1;
        report.map(drop)
    }
}

impl Node {
    /// How a dataset is to be read here.
    pub fn load_rules(&self) -> Rules {
        let config = self.config.value();
        Rules {
            map: self.map,
            databases: config.databases,
            verifies: config.rdbchecksum,
            // A replica's keys go when its master says so.
            expired_by_ms: (!self.replication.is_replica()).then(|| self.clock.millis().0),
            merges: false,
            packing: Packing::from(&*config),
        }
    }

    /// Takes all keys away, on all cores; they have done so when this returns.
    pub(super) fn empty_all(&self) {
        let (sender, done) = channel();
        for letters in &self.letters {
            letters.post(Letter::Empty(sender.clone()));
        }
        drop(sender);
        // Ends when every core has done so and let go of its sender.
        while done.recv().is_ok() {}
    }

    /// Loads a file into all cores; `None` when there is no such file.
    pub fn load_file(&self, path: &Path) -> Result<Option<Summary>, LoadError> {
        self.load_by(self.load_rules(), path)
    }

    /// The same by rules of the caller's.
    pub(super) fn load_by(&self, rules: Rules, path: &Path) -> Result<Option<Summary>, LoadError> {
        let before = alloc::thread_allocated_bytes().live();
        let loaded = self.load_incoming(rules, path);
        self.note_helper(alloc::thread_allocated_bytes().live() - before);
        loaded
    }

    fn load_incoming(&self, rules: Rules, path: &Path) -> Result<Option<Summary>, LoadError> {
        let mut loader = Loader::new(rules);
        let unreadable = |loader: &Loader, error: std::io::Error| {
            loader.error(Fault::Read(format!("{}: {error}", path.display())))
        };
        let opened = Incoming::open(path).map_err(|error| unreadable(&loader, error))?;
        let Some(mut file) = opened else {
            return Ok(None);
        };
        self.state.loading.begin(self.clock.millis().0, file.len());
        let (mut dispatch, mut chunk) = (Dispatch::new(self), Vec::with_capacity(CHUNK_BYTES));
        let mut logged_ms = self.clock.millis().0;
        loop {
            chunk.clear();
            let read = file.read(&mut chunk, CHUNK_BYTES);
            if read.map_err(|error| unreadable(&loader, error))? == 0 {
                return Err(loader.cut_off());
            }
            let fed = loader.feed(&chunk, &mut |shard, batch| dispatch.send(shard, batch))?;
            self.state.loading.reached(loader.summary().bytes);
            self.log_progress(&mut logged_ms);
            if !self.state.loading.is_on() {
                return Err(loader.error(Fault::GivenUp));
            }
            if let Fed::Ended(_) = fed {
                break;
            }
        }
        dispatch.finish()?;
        Ok(Some(loader.summary().clone()))
    }

    /// Goes on with the history where the dataset is that was loaded at the start; returns when
    /// clients may write.
    pub fn resume_history(&self, place: Bookmark) {
        let (sender, done) = channel();
        self.letters[usize::from(HUB_CORE.0)].post(Letter::Resume(place, sender));
        // Ends when the core has let go of its sender.
        while done.recv().is_ok() {}
    }

    fn log_progress(&self, logged_ms: &mut i64) {
        let now_ms = self.clock.millis().0;
        if now_ms < *logged_ms + PROGRESS_MS {
            return;
        }
        *logged_ms = now_ms;
        let progress = self.state.loading.progress(now_ms);
        let seconds = (now_ms / 1000 - progress.started_at).max(1) as u64;
        tracing::info!(
            "Loading: {:.2}% of {} MB, {} MB/s, {} seconds left",
            progress.percent,
            progress.total_bytes >> 20,
            (progress.loaded_bytes / seconds) >> 20,
            progress.eta_seconds
        );
    }
}

impl Core {
    /// Has effects kept on all cores, or no more. Every core hears of it behind all that this one
    /// has sent it of commands over shards: one that kept the last part of such a command, while
    /// others had done with theirs, would let the log wait for those forever.
    fn tell_to_record(&mut self, is_recording: bool, done: &Sender<()>) {
        for core in (0..self.node.shards()).map(|core| ShardId(core as u16)) {
            let order = Order::Record(is_recording, done.clone());
            self.orders_for(core).push(order);
        }
    }

    /// Keeps effects from the next turn on, or no more: what has come before runs in this one.
    pub fn record_soon(&mut self, is_recording: bool, done: Sender<()>) {
        let letters = &self.node.letters[usize::from(self.id.0)];
        letters.post(Letter::Keep(is_recording, done));
    }

    /// Takes all keys away; their memory comes back in steps.
    fn empty(&mut self) {
        for db in 0..self.shard.space.databases() {
            self.shard.space.flush(DbIndex(db));
        }
    }

    /// Does what threads beside the cores have asked for.
    #[cold]
    pub(super) fn take_letters(&mut self) {
        let node = self.node.clone();
        for letter in node.letters[usize::from(self.id.0)].take() {
            match letter {
                Letter::Empty(done) => {
                    self.empty();
                    drop(done);
                }
                Letter::Snapshot(snapshot) => self.snapshot_ready(snapshot),
                Letter::Sent(session, is_whole) => self.snapshot_sent(session, is_whole),
                Letter::Frame(session, frame) => self.send_frame(session, frame),
                Letter::FlowsEnded(outcome) => self.flows_ended(outcome),
                Letter::Flow(id, peer) => self.take_flow(id, peer),
                Letter::Load(batch, reports) => {
                    // Whoever has given up loading does not want to know.
                    let _ = reports.send(batch.install(&mut self.shard.space));
                    // Nobody waits for a single batch. Whoever is ready on this CPU would wait for
                    // the scheduler's next tick, milliseconds away.
                    std::thread::yield_now();
                }
                Letter::Replay(piece, done) => self.replays.push_back((piece, done)),
                Letter::Record(is_recording, done) => self.tell_to_record(is_recording, &done),
                Letter::Keep(is_recording, done) => {
                    self.shard.record(is_recording);
                    drop(done);
                }
                Letter::Resume(place, done) => self.resume_history(place, done),
                Letter::Saved(outcome) => self.saved(&outcome),
                Letter::Reloaded(to, done) => self.reloaded(to, done),
                Letter::Shutdown(flags) => self.shut_down(flags, None),
            }
        }
    }
}
