//! What the log tells the cores: up to where everything is durable, and how it is.
//!
//! Cores hand over deliveries with growing numbers; replies that tell of one wait until the log has
//! got past it. Numbers that one writes and all read; nothing here decides anything.

use crate::runtime::ring::Doorbell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64};

/// The log as all cores see it.
#[derive(Debug)]
pub struct Status {
    is_on: AtomicBool,
    /// Whether one is being replayed.
    is_loading: AtomicBool,
    /// Whether every reply waits (appendfsync always), or only those to writes.
    holds_all: AtomicBool,
    /// The number of the last delivery that was handed over.
    handed: AtomicU64,
    /// All up to this one are as durable as they have to be.
    durable: AtomicU64,
    /// All up to this one are on disk for sure.
    synced: AtomicU64,
    /// Bytes handed over and not written yet.
    queued_bytes: AtomicU64,
    /// Why the last write failed, as the system names it; 0 if it did not.
    failure: AtomicI32,
    cores: Box<[Bell]>,
    pub figures: Figures,
}

/// Figures for INFO.
#[derive(Debug, Default)]
pub struct Figures {
    pub current_bytes: AtomicU64,
    pub base_bytes: AtomicU64,
    pub delayed_fsyncs: AtomicU64,
    pub pending_fsyncs: AtomicU64,
    pub is_rewriting: AtomicBool,
    /// An fsync has failed: only a new base can be trusted.
    pub needs_rewrite: AtomicBool,
    pub is_rewrite_scheduled: AtomicBool,
    pub rewrites: AtomicU64,
    pub has_rewrite_failed: AtomicBool,
    pub rewrite_started_ms: AtomicI64,
    pub rewrite_seconds: AtomicI64,
}

/// A core that may be waiting.
#[derive(Debug, Default)]
struct Bell {
    waits: AtomicBool,
    bell: OnceLock<Doorbell>,
}

/// Cores hand over no more writes when so many bytes wait.
const QUEUED_BYTES_MAX: u64 = 64 << 20;

impl Status {
    /// Of a log that is off, for so many cores.
    pub fn new(cores: usize) -> Status {
        let figures = Figures::default();
        figures.rewrite_seconds.store(-1, Relaxed);
        Status {
            is_on: AtomicBool::new(false),
            is_loading: AtomicBool::new(false),
            holds_all: AtomicBool::new(false),
            handed: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            queued_bytes: AtomicU64::new(0),
            failure: AtomicI32::new(0),
            cores: (0..cores).map(|_| Bell::default()).collect(),
            figures,
        }
    }

    /// Whether there is a log.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Whether one is being replayed.
    pub fn is_loading(&self) -> bool {
        self.is_loading.load(Relaxed)
    }

    /// A log is being replayed, or no more.
    pub fn set_loading(&self, is_loading: bool) {
        self.is_loading.store(is_loading, Relaxed);
    }

    /// Turns it on or off. What is handed over while it is off counts as durable.
    pub fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Relaxed);
        if !is_on {
            self.failure.store(0, Relaxed);
            self.publish(u64::MAX >> 1);
        }
    }

    /// A log is on from here: all that was handed over so far is not its business.
    pub(super) fn begin(&self, heard: u64) {
        self.durable.store(heard.max(self.handed()), SeqCst);
        self.set_on(true);
    }

    /// Whether every reply waits, or only those to writes.
    pub fn holds_all(&self) -> bool {
        self.holds_all.load(Relaxed)
    }

    pub(super) fn set_holds_all(&self, holds_all: bool) {
        self.holds_all.store(holds_all, Relaxed);
    }

    /// Draws the number of a delivery of so many bytes.
    pub fn hand_over(&self, bytes: u64) -> u64 {
        self.queued_bytes.fetch_add(bytes, Relaxed);
        self.handed.fetch_add(1, Relaxed) + 1
    }

    /// So many bytes are written, or dropped.
    pub(super) fn took(&self, bytes: u64) {
        self.queued_bytes.fetch_sub(bytes, Relaxed);
    }

    /// The number of the last delivery.
    pub fn handed(&self) -> u64 {
        self.handed.load(Relaxed)
    }

    /// Whether too much waits for more writes to be run.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.queued_bytes.load(Relaxed) > QUEUED_BYTES_MAX
    }

    /// Bytes handed over and not written yet.
    pub fn queued_bytes(&self) -> u64 {
        self.queued_bytes.load(Relaxed)
    }

    /// All up to this delivery are as durable as they have to be.
    #[inline]
    pub fn durable(&self) -> u64 {
        self.durable.load(SeqCst)
    }

    /// All up to this delivery are; wakes who waits.
    pub(super) fn publish(&self, durable: u64) {
        self.durable.store(durable, SeqCst);
        self.wake();
    }

    /// All up to this delivery are on disk for sure.
    #[inline]
    pub fn synced(&self) -> u64 {
        self.synced.load(SeqCst)
    }

    pub(super) fn publish_synced(&self, synced: u64) {
        self.synced.store(synced, SeqCst);
        self.wake();
    }

    /// Wakes the first core, whether it waits for the log or not: it looks after it.
    pub(super) fn alarm(&self) {
        if let Some(bell) = self.cores.first().and_then(|core| core.bell.get()) {
            bell.ring();
        }
    }

    fn wake(&self) {
        for core in &self.cores {
            if core.waits.swap(false, SeqCst)
                && let Some(bell) = core.bell.get()
            {
                bell.ring();
            }
        }
    }

    /// A core is going to wait; it has to look once more after this.
    pub fn wait(&self, core: usize) {
        self.cores[core].waits.store(true, SeqCst);
    }

    /// Lets a core be woken.
    pub fn attach(&self, core: usize, bell: Doorbell) {
        // A core has one ring for its life.
        let _ = self.cores[core].bell.set(bell);
    }

    /// Why the last write failed, as the system names it.
    #[inline]
    pub fn failure(&self) -> Option<i32> {
        let errno = self.failure.load(Relaxed);
        (errno != 0).then_some(errno)
    }

    /// Notes a failure, or that all is well again; says whether that is news.
    pub(super) fn set_failure(&self, errno: Option<i32>) -> bool {
        let errno = errno.unwrap_or(0);
        self.failure.swap(errno, AcqRel) != errno
    }
}
