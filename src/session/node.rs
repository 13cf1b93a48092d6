//! What all cores of a process share: configuration, counters, and a few numbers.
//!
//! Everything here is read by all and written either by one core for itself (counters) or rarely
//! (configuration, slow log). No keys, no clients.

use super::ending::LastPlace;
use super::load::Letter;
use crate::base::alloc;
use crate::base::clock::Clock;
use crate::base::prng::Prng;
use crate::config::Config;
use crate::keyspace::SlotMap;
use crate::observe::command_stats::CommandBoard;
use crate::observe::counters;
use crate::observe::error_stats::ErrorStats;
use crate::observe::latency::LatencyMonitor;
use crate::observe::log::Log;
use crate::observe::slowlog::SlowLog;
use crate::persistence::State;
use crate::persistence::aof::{Aof, Message};
use crate::persistence::snapshot::Desk;
use crate::pubsub::Interest;
use crate::replication::{Board, fresh_id};
use crate::router::Numbers;
use crate::runtime::Shelf;
use crate::runtime::errands::{Errands, Mailbox};
use crate::runtime::purger;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// The version of Redis whose behaviour clients may expect: they choose theirs by it.
pub const REDIS_VERSION: &str = "7.2.4";

/// How the process is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SHUTDOWN, or a signal.
    Shutdown,
}

/// One server process, as its cores see it.
pub struct Node {
    pub config: Arc<Shelf<Config>>,
    /// The configuration file, if one was given.
    pub config_file: Option<PathBuf>,
    pub map: SlotMap,
    pub clock: Clock,
    /// When the process started, Unix milliseconds.
    pub started_ms: i64,
    /// 40 hexadecimal digits, new in each start.
    pub run_id: String,
    /// What all cores know of replication.
    pub replication: Arc<Board>,
    /// Bytes that the starting thread had allocated when the node was complete.
    pub(super) boot_bytes: u64,
    /// The most memory that was ever in use, in bytes.
    memory_peak: AtomicU64,
    pub board: counters::Board,
    pub commands: CommandBoard,
    pub errors: ErrorStats,
    pub slowlog: SlowLog,
    pub latency: LatencyMonitor,
    pub log: Arc<Log>,
    next_client: AtomicU64,
    /// The counters of operations that span shards.
    pub numbers: Numbers,
    /// How many clients watch all commands.
    pub monitors: AtomicU64,
    /// Which cores may have listeners for a channel.
    pub interest: Arc<Interest>,
    /// Commands wait until then (CLIENT PAUSE), Unix milliseconds; negative: only writes.
    pub paused_until_ms: AtomicI64,
    /// Loading and saving.
    pub state: State,
    /// Where snapshots begin.
    pub desk: Desk,
    /// What threads beside the cores send to each core.
    pub letters: Vec<Mailbox<Letter>>,
    /// One snapshot of a master at a time takes the place of what is here.
    pub(super) is_taking_in: AtomicBool,
    /// The append-only file.
    pub aof: Aof,
    is_ending: AtomicBool,
    /// Where the dataset is at the end.
    last_place: Arc<Shelf<LastPlace>>,
    /// Threads for what cores must not wait for.
    pub errands: Arc<Errands>,
    /// Asks the main thread to end the process.
    pub stop: Box<dyn Fn(Stop) + Send + Sync>,
}

impl Node {
    /// A node of so many shards, for a table of so many commands.
    pub fn new(
        config: Config,
        config_file: Option<PathBuf>,
        clock: Clock,
        sizes: (usize, usize),
        log: Arc<Log>,
    ) -> Node {
        let (shards, rows) = sizes;
        let (slowlog, latency) = (
            SlowLog::new(
                config.slowlog_log_slower_than,
                config.slowlog_max_len as u64,
            ),
            LatencyMonitor::new(config.latency_monitor_threshold),
        );
        let mut node = Node {
            board: counters::Board::new(shards, config.databases as usize),
            config: Shelf::new(config),
            config_file,
            map: SlotMap::new(shards),
            started_ms: clock.millis().0,
            desk: Desk::default(),
            state: State::new(clock.millis().0),
            clock,
            run_id: fresh_id(&mut Prng::from_os()),
            replication: Arc::default(),
            boot_bytes: 0,
            memory_peak: AtomicU64::new(0),
            commands: CommandBoard::new(shards, rows),
            errors: ErrorStats::new(shards),
            slowlog,
            latency,
            log,
            next_client: AtomicU64::new(1),
            numbers: Numbers::default(),
            monitors: AtomicU64::new(0),
            interest: Arc::new(Interest::new(shards)),
            paused_until_ms: AtomicI64::new(0),
            is_taking_in: AtomicBool::new(false),
            aof: Aof::new(shards),
            letters: (0..shards).map(|_| Mailbox::default()).collect(),
            is_ending: AtomicBool::new(false),
            last_place: Shelf::new(None),
            errands: Arc::default(),
            stop: Box::new(|_| {}),
        };
        // From the first moment: a replica that loads and then looks for its master is no master in
        // between, whose keys expire and whom clients may write to.
        let is_replica = node.config.value().replicaof.is_some();
        node.replication.set_standing(is_replica, false);
        node.boot_bytes = alloc::thread_allocated_bytes().live().max(0) as u64;
        node
    }

    /// Whether the process is about to end, with a last snapshot.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Begins or breaks off the end.
    pub(super) fn set_ending(&self, is_ending: bool) {
        self.is_ending.store(is_ending, Ordering::Relaxed);
    }

    /// Notes where the dataset is at the end.
    pub(super) fn set_last_place(&self, place: LastPlace) {
        let Ok(()) = self
            .last_place
            .replace(|_| Ok::<_, std::convert::Infallible>(place));
    }

    /// Writes and syncs the log at the end of the process; whether that was possible.
    pub fn finish_log(&self) -> bool {
        if let Some((cut, place)) = &*self.last_place.value() {
            self.aof.tell(Message::Bookmark(*cut, place.clone()));
        }
        self.aof.flush()
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.map.shards()
    }

    /// Bytes of memory in use, as the cores last published.
    pub fn used_memory_bytes(&self) -> u64 {
        self.boot_bytes
            .saturating_add_signed(self.board.held_bytes())
    }

    /// Notes that a thread beside the cores has allocated so many bytes more than it has freed.
    pub fn note_helper(&self, bytes: i64) {
        self.board.helper_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that were in use before the first key.
    pub fn startup_memory_bytes(&self) -> u64 {
        let cores = self.board.cores().iter();
        self.boot_bytes + cores.map(|core| core.startup_bytes.value()).sum::<u64>()
    }

    /// Notes how much memory is in use.
    pub(super) fn note_memory(&self) {
        self.memory_peak
            .fetch_max(self.used_memory_bytes(), Ordering::Relaxed);
    }

    /// The most memory that was ever in use, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak.load(Ordering::Relaxed)
    }

    /// From this duration on a command is one for the slow log or the latency monitor.
    pub fn slow_nanos(&self) -> u64 {
        let for_log = self.slowlog.slower_than_us();
        let for_log = for_log.map_or(u64::MAX, |us| us.saturating_mul(1000));
        match self.latency.threshold_ms() {
            0 => for_log,
            millis => for_log.min(millis.saturating_mul(1_000_000)),
        }
    }

    /// CONFIG RESETSTAT. Redis: the peak of memory stays.
    pub fn reset_statistics(&self) {
        self.board.reset(self.clock.millis().0 as u64);
        self.commands.reset();
        self.errors.reset();
    }

    /// Starts or ends the thread that purges, as the configuration says.
    pub fn mind_purger(self: &Arc<Node>) {
        let node = self.clone();
        let wanted = move || node.config.value().jemalloc_bg_thread;
        if let Err(error) = purger::follow(wanted) {
            tracing::warn!("No thread to mind jemalloc-bg-thread: {error}");
        }
    }

    /// The number of the next client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }
}
