//! What a process tells of its loading and saving: INFO persistence, LASTSAVE, the gates.
//!
//! Numbers that one writes and all read. Whoever loads or saves keeps them up to date; nothing
//! here decides anything.

use super::load::Summary;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// Loading and saving of one process.
#[derive(Debug)]
pub struct State {
    pub loading: Loading,
    pub saving: Saving,
}

/// The dataset that is being loaded, or was loaded last.
#[derive(Debug, Default)]
pub struct Loading {
    is_on: AtomicBool,
    started_ms: AtomicI64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    keys_loaded: AtomicU64,
    keys_expired: AtomicU64,
}

/// How far loading has got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadProgress {
    pub started_at: i64,
    pub total_bytes: u64,
    pub loaded_bytes: u64,
    pub percent: f64,
    pub eta_seconds: i64,
}

impl Loading {
    /// A dataset of so many bytes is being loaded from now on.
    pub fn begin(&self, now_ms: i64, total_bytes: u64) {
        self.started_ms.store(now_ms, Relaxed);
        self.total_bytes.store(total_bytes, Relaxed);
        self.loaded_bytes.store(0, Relaxed);
        self.is_on.store(true, Relaxed);
    }

    /// So many bytes of it are read.
    pub fn reached(&self, bytes: u64) {
        self.loaded_bytes.store(bytes, Relaxed);
    }

    /// It is there.
    pub fn end(&self, summary: &Summary) {
        self.keys_loaded.store(summary.keys, Relaxed);
        self.keys_expired.store(summary.expired, Relaxed);
        self.is_on.store(false, Relaxed);
    }

    /// It will not come.
    pub fn give_up(&self) {
        self.is_on.store(false, Relaxed);
    }

    /// Whether one is being loaded.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Keys that were loaded and left out the last time.
    pub fn keys(&self) -> (u64, u64) {
        (
            self.keys_loaded.load(Relaxed),
            self.keys_expired.load(Relaxed),
        )
    }

    /// How far it is at this moment.
    pub fn progress(&self, now_ms: i64) -> LoadProgress {
        let (total, loaded) = (
            self.total_bytes.load(Relaxed),
            self.loaded_bytes.load(Relaxed),
        );
        let started_ms = self.started_ms.load(Relaxed);
        let elapsed = ((now_ms - started_ms) / 1000).max(0);
        // Redis: one second, and one byte, at least.
        let eta = match loaded {
            0 => 1,
            _ => elapsed * (total.saturating_sub(loaded) as i64) / loaded as i64,
        };
        LoadProgress {
            started_at: started_ms / 1000,
            total_bytes: total,
            loaded_bytes: loaded,
            // How much a master will send nobody knows.
            percent: match total {
                0 => 0.0,
                _ => loaded as f64 / total as f64 * 100.0,
            },
            eta_seconds: eta,
        }
    }
}

/// Snapshots: the running one, and how the last one ended.
#[derive(Debug)]
pub struct Saving {
    is_on: AtomicBool,
    is_scheduled: AtomicBool,
    started_ms: AtomicI64,
    keys_total: AtomicU64,
    keys_written: AtomicU64,
    /// When the last one that succeeded ended, and when the last one began, Unix milliseconds.
    saved_ms: AtomicI64,
    tried_ms: AtomicI64,
    has_failed: AtomicBool,
    last_seconds: AtomicI64,
    count: AtomicU64,
    /// Changes since the start that are in the running one, and in the last one.
    changes_cut: AtomicU64,
    changes_saved: AtomicU64,
}

impl Saving {
    fn new(now_ms: i64) -> Saving {
        Saving {
            is_on: AtomicBool::new(false),
            is_scheduled: AtomicBool::new(false),
            started_ms: AtomicI64::new(0),
            keys_total: AtomicU64::new(0),
            keys_written: AtomicU64::new(0),
            saved_ms: AtomicI64::new(now_ms),
            tried_ms: AtomicI64::new(0),
            has_failed: AtomicBool::new(false),
            last_seconds: AtomicI64::new(-1),
            count: AtomicU64::new(0),
            changes_cut: AtomicU64::new(0),
            changes_saved: AtomicU64::new(0),
        }
    }

    /// Whether one is running.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// One is beginning.
    pub fn begin(&self, now_ms: i64) {
        if !self.is_on.swap(true, Relaxed) {
            self.is_scheduled.store(false, Relaxed);
            self.started_ms.store(now_ms, Relaxed);
            self.tried_ms.store(now_ms, Relaxed);
            self.keys_total.store(0, Relaxed);
            self.keys_written.store(0, Relaxed);
            self.changes_cut.store(0, Relaxed);
        }
    }

    /// One is to run as soon as it may.
    pub fn schedule(&self) {
        self.is_scheduled.store(true, Relaxed);
    }

    /// Whether one is to run.
    pub fn is_scheduled(&self) -> bool {
        self.is_scheduled.load(Relaxed)
    }

    /// A shard has so many keys at the cut, and has seen so many changes.
    pub fn expect(&self, keys: u64, changes: u64) {
        self.keys_total.fetch_add(keys, Relaxed);
        self.changes_cut.fetch_add(changes, Relaxed);
    }

    /// A shard has written so many more.
    pub fn advance(&self, keys: u64) {
        self.keys_written.fetch_add(keys, Relaxed);
    }

    /// Keys written so far, and keys in all, of the running one.
    pub fn keys(&self) -> (u64, u64) {
        match self.is_on() {
            true => (
                self.keys_written.load(Relaxed),
                self.keys_total.load(Relaxed),
            ),
            false => (0, 0),
        }
    }

    /// It is on disk.
    pub fn succeed(&self, now_ms: i64) {
        self.changes_saved
            .store(self.changes_cut.load(Relaxed), Relaxed);
        self.saved_ms.store(now_ms, Relaxed);
        self.count.fetch_add(1, Relaxed);
        self.has_failed.store(false, Relaxed);
        self.end(now_ms);
    }

    /// It did not get there.
    pub fn fail(&self, now_ms: i64) {
        self.has_failed.store(true, Relaxed);
        self.end(now_ms);
    }

    fn end(&self, now_ms: i64) {
        let seconds = (now_ms - self.started_ms.load(Relaxed)) / 1000;
        self.last_seconds.store(seconds, Relaxed);
        self.is_on.store(false, Relaxed);
    }

    /// Whether the last one failed.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    /// When the last one that succeeded ended, and when the last one began, Unix milliseconds.
    pub fn times_ms(&self) -> (i64, i64) {
        (self.saved_ms.load(Relaxed), self.tried_ms.load(Relaxed))
    }

    /// How many have succeeded.
    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// How long the last one took, and how long the running one has; -1 for none, in seconds.
    pub fn seconds(&self, now_ms: i64) -> (i64, i64) {
        let running = match self.is_on() {
            true => (now_ms - self.started_ms.load(Relaxed)) / 1000,
            false => -1,
        };
        (self.last_seconds.load(Relaxed), running)
    }

    /// How many of the changes since the start are in no snapshot, of so many.
    pub fn changes_since(&self, changes: u64) -> u64 {
        changes.saturating_sub(self.changes_saved.load(Relaxed))
    }
}

impl State {
    /// Of a process that starts now.
    pub fn new(now_ms: i64) -> State {
        State {
            loading: Loading::default(),
            saving: Saving::new(now_ms),
        }
    }
}
