//! What all cores of a process share: configuration, counters, and a few numbers.
//!
//! Everything here is read by all and written either by one core for itself (counters) or rarely
//! (configuration, slow log). No keys, no clients.

use crate::base::clock::Clock;
use crate::base::prng::Prng;
use crate::config::Config;
use crate::keyspace::SlotMap;
use crate::observe::command_stats::CommandBoard;
use crate::observe::counters::Board;
use crate::observe::error_stats::ErrorStats;
use crate::observe::latency::LatencyMonitor;
use crate::observe::log::Log;
use crate::observe::slowlog::SlowLog;
use crate::runtime::Shelf;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

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
    pub board: Board,
    pub commands: CommandBoard,
    pub errors: ErrorStats,
    pub slowlog: SlowLog,
    pub latency: LatencyMonitor,
    pub log: Arc<Log>,
    next_client: AtomicU64,
    pub tickets: Arc<AtomicU64>,
    /// How many clients watch all commands.
    pub monitors: AtomicU64,
    /// Commands wait until then (CLIENT PAUSE), Unix milliseconds; negative: only writes.
    pub paused_until_ms: AtomicI64,
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
        Node {
            board: Board::new(shards, config.databases as usize),
            config: Shelf::new(config),
            config_file,
            map: SlotMap::new(shards),
            started_ms: clock.millis().0,
            clock,
            run_id: hex_id(&mut Prng::from_os()),
            commands: CommandBoard::new(shards, rows),
            errors: ErrorStats::new(shards),
            slowlog,
            latency,
            log,
            next_client: AtomicU64::new(1),
            tickets: Arc::new(AtomicU64::new(1)),
            monitors: AtomicU64::new(0),
            paused_until_ms: AtomicI64::new(0),
            stop: Box::new(|_| {}),
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.map.shards()
    }

    /// The number of the next client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }
}

/// 40 random hexadecimal digits.
fn hex_id(random: &mut Prng) -> String {
    (0..40)
        .map(|_| char::from_digit(random.below(16) as u32, 16).unwrap_or('0'))
        .collect()
}
