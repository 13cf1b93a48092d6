//! What each core counts about its own work, and how the counts become one number.
//!
//! Every core owns one `Counters` and is its only writer: adding is a plain load and store, no
//! locked instruction, no cache line that two cores fight over. Anyone may read at any time; the
//! readers (INFO, a metrics scrape) pay for the summing, because they are rare. CONFIG RESETSTAT
//! cannot zero what other cores own, so the `Board` keeps the totals of that moment and subtracts
//! them from then on.
//!
//! Not here: per-command figures (command_stats), error kinds (error_stats), facts that one part
//! alone knows (last save, replication offsets). Those parts render their own INFO lines.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::rates::{RATES, Rates};

/// Only grows, except that CONFIG RESETSTAT starts it again; cores are summed.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

/// Goes up and down and survives CONFIG RESETSTAT; cores are summed.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// The highest of all cores is the answer.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

/// How the values of all cores become one.
trait Merge {
    fn merge(&self, total: &mut u64);
    fn rebase(total: u64, base: u64) -> u64;
}

impl Count {
    pub fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Gauge {
    pub fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    pub fn sub(&self, less: u64) {
        let before = self.0.load(Relaxed);
        debug_assert!(before >= less, "a gauge fell below zero");
        self.0.store(before.saturating_sub(less), Relaxed);
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Peak {
    pub fn raise(&self, value: u64) {
        if value > self.0.load(Relaxed) {
            self.0.store(value, Relaxed);
        }
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Merge for Count {
    fn merge(&self, total: &mut u64) {
        *total = total.wrapping_add(self.value());
    }

    fn rebase(total: u64, base: u64) -> u64 {
        // A core may have been read a moment earlier than the base was taken.
        total.saturating_sub(base)
    }
}

impl Merge for Gauge {
    fn merge(&self, total: &mut u64) {
        *total = total.saturating_add(self.value());
    }

    fn rebase(total: u64, _base: u64) -> u64 {
        total
    }
}

impl Merge for Peak {
    fn merge(&self, total: &mut u64) {
        *total = (*total).max(self.value());
    }

    fn rebase(total: u64, _base: u64) -> u64 {
        total
    }
}

/// One list gives the struct that cores write and the struct that readers get.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// One core's counters. 128 bytes of alignment: the prefetcher pulls lines in pairs.
        #[repr(align(128))]
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: $kind,)*
            /// Published sizes of each database.
            pub dbs: Box<[DbCounters]>,
            /// Samples for the figures called instantaneous.
            pub rates: Rates,
        }

        /// The same fields, merged over all cores.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
            pub dbs: Vec<DbTotals>,
        }

        impl Totals {
            fn merge_fields(&mut self, core: &Counters) {
                $(core.$name.merge(&mut self.$name);)*
            }

            fn rebase_fields(&mut self, base: &Totals) {
                $(self.$name = <$kind as Merge>::rebase(self.$name, base.$name);)*
            }
        }
    };
}

counters! {
    connections_received: Count,
    connections_rejected: Count,
    connected_clients: Gauge,
    blocked_clients: Gauge,
    tracking_clients: Gauge,
    pubsub_clients: Gauge,
    watching_clients: Gauge,
    /// Blocked clients that also wait for a moment in time.
    clients_in_timeout_table: Gauge,
    /// Connections of the cluster bus.
    cluster_connections: Gauge,
    total_watched_keys: Gauge,
    total_blocking_keys: Gauge,
    total_blocking_keys_on_nokey: Gauge,
    client_recent_max_input_buffer: Peak,
    client_recent_max_output_buffer: Peak,
    client_query_buffer_limit_disconnections: Count,
    client_output_buffer_limit_disconnections: Count,

    commands_processed: Count,
    error_replies: Count,
    /// Error replies that a master or an AOF got, which should get none.
    unexpected_error_replies: Count,
    acl_access_denied_auth: Count,
    acl_access_denied_cmd: Count,
    acl_access_denied_key: Count,
    acl_access_denied_channel: Count,

    net_input_bytes: Count,
    net_output_bytes: Count,
    repl_input_bytes: Count,
    repl_output_bytes: Count,
    reads_processed: Count,
    writes_processed: Count,
    reply_buffer_shrinks: Count,
    reply_buffer_expands: Count,

    keyspace_hits: Count,
    keyspace_misses: Count,
    expired_keys: Count,
    expired_subkeys: Count,
    /// Hundredths of a percent of keys thought to be dead but still held, on the worst core.
    expired_stale_basis_points: Peak,
    expired_time_cap_reached: Count,
    expire_cycle_ns: Count,
    evicted_keys: Count,
    evicted_clients: Count,
    evicted_scripts: Count,
    eviction_exceeded_us: Count,
    /// How long the core has been above maxmemory by now, zero if it is not.
    eviction_exceeded_now_us: Peak,
    /// Writes since the last snapshot.
    changes_since_save: Gauge,
    lazyfree_pending_objects: Gauge,
    lazyfreed_objects: Count,
    dump_payload_sanitizations: Count,
    slave_expires_tracked_keys: Gauge,
    migrate_cached_sockets: Gauge,
    active_defrag_hits: Count,
    active_defrag_misses: Count,
    active_defrag_key_hits: Count,
    active_defrag_key_misses: Count,

    pubsub_channels: Gauge,
    pubsub_patterns: Gauge,
    pubsubshard_channels: Gauge,
    tracking_total_keys: Gauge,
    tracking_total_items: Gauge,
    tracking_total_prefixes: Gauge,

    sync_full: Count,
    sync_partial_ok: Count,
    sync_partial_err: Count,

    /// Bytes this core's thread has allocated and not freed, as a signed number: a thread may free
    /// what another one allocated, so only the sum over all cores is exact.
    held_bytes: Gauge,
    /// Bytes allocated before the first key.
    startup_bytes: Gauge,
    /// Bytes of the entries this core holds, estimated, where there are several cores.
    dataset_bytes: Gauge,
    /// 1 when this core had nothing to evict the last time it tried.
    eviction_exhausted: Gauge,
    /// Bytes of tables and indexes around them.
    table_bytes: Gauge,
    clients_normal_bytes: Gauge,
    /// Of those that this core has ever sent, and of those it is done with.
    parcels_sent_bytes: Gauge,
    parcels_done_bytes: Gauge,
    /// No client that may be closed for it takes more; only where clients are limited.
    heaviest_client_bytes: Peak,
    clients_slaves_bytes: Gauge,
    cluster_links_bytes: Gauge,
    aof_buffer_bytes: Gauge,
    replication_backlog_bytes: Gauge,
    scripts_eval_bytes: Gauge,
    functions_bytes: Gauge,
    lua_vm_eval_bytes: Gauge,
    lua_vm_functions_bytes: Gauge,
    cached_scripts: Gauge,

    /// Turns of this core's loop, the time they took, and the part of it spent in commands.
    eventloop_cycles: Count,
    eventloop_ns: Count,
    eventloop_commands_ns: Count,
    /// Time not spent asleep: the numerator of the busy share.
    busy_ns: Count,
    messages_sent: Count,
    messages_received: Count,
    /// Commands that needed at least one other core.
    commands_hopped: Count,
    /// Commands over several cores that drew a ticket, and those that had to wait for another.
    transactions_scheduled: Count,
    transactions_delayed: Count,
}

/// What a core publishes about one of its databases.
#[derive(Debug, Default)]
pub struct DbCounters {
    pub keys: Gauge,
    pub volatile_keys: Gauge,
    /// Mean time to live in milliseconds of the keys that have one.
    pub avg_ttl_ms: Gauge,
    /// Bytes of tables and directories, entries apart.
    pub table_bytes: Gauge,
}

/// One database over all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbTotals {
    pub keys: u64,
    pub volatile_keys: u64,
    pub avg_ttl_ms: u64,
    pub table_bytes: u64,
}

impl DbTotals {
    fn merge(&mut self, core: &DbCounters) {
        self.keys += core.keys.value();
        self.table_bytes += core.table_bytes.value();
        let (mine, theirs) = (self.volatile_keys, core.volatile_keys.value());
        let weighed = u128::from(self.avg_ttl_ms) * u128::from(mine)
            + u128::from(core.avg_ttl_ms.value()) * u128::from(theirs);
        self.volatile_keys = mine + theirs;
        let mean = weighed
            .checked_div(u128::from(self.volatile_keys))
            .unwrap_or(0);
        self.avg_ttl_ms = u64::try_from(mean).unwrap_or(u64::MAX);
    }
}

impl Totals {
    fn merge(&mut self, core: &Counters) {
        self.merge_fields(core);
        self.dbs
            .resize(self.dbs.len().max(core.dbs.len()), DbTotals::default());
        for (total, db) in self.dbs.iter_mut().zip(&core.dbs) {
            total.merge(db);
        }
    }
}

/// What the figures called instantaneous are, merged over all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Instantaneous {
    pub ops_per_sec: u64,
    pub input_kbps: f64,
    pub output_kbps: f64,
    pub input_repl_kbps: f64,
    pub output_repl_kbps: f64,
    pub eventloop_cycles_per_sec: u64,
    pub eventloop_duration_usec: u64,
}

/// The counters of all cores, shared by all cores.
#[derive(Clone, Debug)]
pub struct Board {
    cores: Arc<[Counters]>,
    base: Arc<Mutex<Base>>,
    pub over_limit: Arc<OverLimit>,
    /// Bytes that threads beside the cores have allocated and cores have got, less those that
    /// went the other way.
    pub helper_bytes: Arc<AtomicI64>,
}

/// Since when the node has been above maxmemory: whichever core sees it first or last says so.
#[derive(Debug, Default)]
pub struct OverLimit {
    /// A reading of the cycle counter; zero while it is not above.
    since: AtomicU64,
}

impl OverLimit {
    /// Notes that memory is above the limit at this reading.
    pub fn begin(&self, now: u64) {
        if self.since.load(Relaxed) == 0 {
            // Whoever was first is right.
            let _ = self.since.compare_exchange(0, now, Relaxed, Relaxed);
        }
    }

    /// Notes that it is not; since when it was, to whoever is the first to see that it is over.
    pub fn end(&self) -> Option<u64> {
        self.since()?;
        Some(self.since.swap(0, Relaxed)).filter(|since| *since != 0)
    }

    /// Since when memory is above the limit, if it is.
    pub fn since(&self) -> Option<u64> {
        Some(self.since.load(Relaxed)).filter(|since| *since != 0)
    }
}

/// The state of the counters when CONFIG RESETSTAT was last run.
#[derive(Debug, Default)]
struct Base {
    totals: Totals,
    reset_at_ms: u64,
}

impl Board {
    pub fn new(cores: usize, databases: usize) -> Board {
        let core = |_| Counters {
            dbs: (0..databases).map(|_| DbCounters::default()).collect(),
            ..Counters::default()
        };
        Board {
            cores: (0..cores).map(core).collect(),
            base: Arc::default(),
            over_limit: Arc::default(),
            helper_bytes: Arc::default(),
        }
    }

    /// The counters of one core; only that core may write to them.
    pub fn core(&self, core: usize) -> &Counters {
        &self.cores[core]
    }

    pub fn cores(&self) -> &[Counters] {
        &self.cores
    }

    /// All cores merged, since the start or since the last reset.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals_since_start();
        totals.rebase_fields(&self.base().totals);
        totals
    }

    /// Bytes that the threads of all cores hold, as they last published, and their helpers'.
    pub fn held_bytes(&self) -> i64 {
        let held = self.cores.iter().map(|core| core.held_bytes.value());
        held.fold(0, u64::wrapping_add) as i64 + self.helper_bytes.load(Relaxed)
    }

    /// Bytes in use that do not count towards maxmemory: giving up keys would not make them less.
    pub fn uncounted_bytes(&self) -> u64 {
        let of = |it: &Counters| it.aof_buffer_bytes.value() + it.clients_slaves_bytes.value();
        self.cores.iter().map(of).sum()
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self, now_ms: u64) {
        let totals = self.totals_since_start();
        *self.base() = Base {
            totals,
            reset_at_ms: now_ms,
        };
    }

    /// Rates over the last 1.6 seconds, as Redis averages them. `now_ms` is the clock of `tick`.
    pub fn instantaneous(&self, now_ms: u64) -> Instantaneous {
        let reset_at_ms = self.base().reset_at_ms;
        let mut sums = [0.0; RATES];
        for core in self.cores.iter() {
            let rates = core
                .rates
                .per_second(core.rate_sources(), now_ms, reset_at_ms);
            sums.iter_mut()
                .zip(rates)
                .for_each(|(sum, rate)| *sum += rate);
        }
        let [
            ops,
            input,
            output,
            repl_input,
            repl_output,
            cycles,
            loop_ns,
            _busy,
        ] = sums;
        let kilo = |bytes: f64| bytes / 1024.0;
        Instantaneous {
            ops_per_sec: ops as u64,
            input_kbps: kilo(input),
            output_kbps: kilo(output),
            input_repl_kbps: kilo(repl_input),
            output_repl_kbps: kilo(repl_output),
            eventloop_cycles_per_sec: cycles as u64,
            eventloop_duration_usec: if cycles > 0.0 {
                (loop_ns / cycles / 1000.0) as u64
            } else {
                0
            },
        }
    }

    fn totals_since_start(&self) -> Totals {
        let mut totals = Totals::default();
        self.cores.iter().for_each(|core| totals.merge(core));
        totals
    }

    fn base(&self) -> std::sync::MutexGuard<'_, Base> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    /// To be called once at the top of each turn of the core's loop, before it counts anything.
    pub fn tick(&self, now_ms: u64) {
        if self.rates.is_due(now_ms) {
            self.rates.record(self.rate_sources(), now_ms);
        }
    }

    /// Commands per second on this core.
    pub fn ops_per_sec(&self, now_ms: u64) -> u64 {
        self.rates.per_second(self.rate_sources(), now_ms, 0)[0] as u64
    }

    /// The share of the last 1.6 seconds that this core was awake: 0 to 1.
    pub fn busy_share(&self, now_ms: u64) -> f64 {
        let [.., busy_ns_per_s] = self.rates.per_second(self.rate_sources(), now_ms, 0);
        (busy_ns_per_s / 1e9).min(1.0)
    }

    fn rate_sources(&self) -> [u64; RATES] {
        [
            self.commands_processed.value(),
            self.net_input_bytes.value(),
            self.net_output_bytes.value(),
            self.repl_input_bytes.value(),
            self.repl_output_bytes.value(),
            self.eventloop_cycles.value(),
            self.eventloop_ns.value(),
            self.busy_ns.value(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_gauges_kept_and_peaks_compared() {
        let board = Board::new(2, 1);
        board.core(0).commands_processed.add(5);
        board.core(1).commands_processed.add(7);
        board.core(0).connected_clients.add(3);
        board.core(1).connected_clients.add(2);
        board.core(1).connected_clients.sub(1);
        board.core(0).client_recent_max_input_buffer.raise(10);
        board.core(1).client_recent_max_input_buffer.raise(30);
        board.core(1).client_recent_max_input_buffer.raise(20);
        let totals = board.totals();
        assert_eq!(totals.commands_processed, 12);
        assert_eq!(totals.connected_clients, 4);
        assert_eq!(totals.client_recent_max_input_buffer, 30);
    }

    #[test]
    fn a_reset_restarts_counts_and_leaves_gauges() {
        let board = Board::new(2, 1);
        board.core(0).keyspace_hits.add(5);
        board.core(1).connected_clients.add(2);
        board.reset(0);
        board.core(1).keyspace_hits.add(1);
        let totals = board.totals();
        assert_eq!((totals.keyspace_hits, totals.connected_clients), (1, 2));
    }

    #[test]
    fn databases_are_summed_and_their_ttl_is_weighed() {
        let board = Board::new(2, 16);
        for (core, keys, volatile, ttl) in [(0, 10, 1, 4000), (1, 5, 3, 8000)] {
            let db = &board.core(core).dbs[3];
            db.keys.set(keys);
            db.volatile_keys.set(volatile);
            db.avg_ttl_ms.set(ttl);
        }
        let totals = board.totals();
        assert_eq!(totals.dbs.len(), 16);
        assert_eq!(
            totals.dbs[3],
            DbTotals {
                keys: 15,
                volatile_keys: 4,
                avg_ttl_ms: 7000,
                table_bytes: 0,
            }
        );
        assert_eq!(totals.dbs[0], DbTotals::default());
    }

    #[test]
    fn rates_of_all_cores_are_added() {
        let board = Board::new(2, 1);
        for now_ms in (10_000..11_600).step_by(100) {
            for core in board.cores() {
                core.tick(now_ms);
                core.commands_processed.add(100);
                core.net_input_bytes.add(1024);
                core.eventloop_cycles.add(10);
                core.eventloop_ns.add(50_000);
                core.busy_ns.add(50_000_000);
            }
        }
        let now = board.instantaneous(11_600);
        assert_eq!(now.ops_per_sec, 2000);
        assert_eq!(now.input_kbps, 20.0);
        assert_eq!(now.eventloop_cycles_per_sec, 200);
        assert_eq!(now.eventloop_duration_usec, 5);
        assert_eq!(board.core(0).ops_per_sec(11_600), 1000);
        assert!((board.core(0).busy_share(11_600) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn neighbours_share_no_cache_line() {
        assert_eq!(std::mem::align_of::<Counters>(), 128);
        assert_eq!(std::mem::size_of::<Counters>() % 128, 0);
    }

    #[test]
    fn readers_see_growing_values_while_the_owner_writes() {
        let board = Board::new(1, 1);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (0..200_000).for_each(|_| board.core(0).commands_processed.add(1));
            });
            let mut last = 0;
            while !writer.is_finished() {
                let seen = board.totals().commands_processed;
                assert!(seen >= last);
                last = seen;
            }
        });
        assert_eq!(board.totals().commands_processed, 200_000);
    }
}
