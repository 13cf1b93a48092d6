//! CLIENT PAUSE: commands wait, on all cores, until a moment or until CLIENT UNPAUSE.
//!
//! The moment is one number that all cores read before each command. A client whose command has
//! to wait goes to its core's list and keeps what it has sent; it tries again when the pause is
//! over, which the core has to look at in time: [`Core::next_unpause_ms`].

use super::core::Core;
use super::node::Node;
use super::registry::SessionId;
use super::session::Session;
use crate::command::Flags;
use std::sync::atomic::Ordering::Relaxed;

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Unix milliseconds.
    pub until_ms: i64,
    /// Whether commands that change nothing run on.
    pub is_writes_only: bool,
}

impl Pause {
    fn from_bits(bits: i64) -> Pause {
        Pause {
            until_ms: bits.saturating_abs(),
            is_writes_only: bits < 0,
        }
    }

    fn to_bits(self) -> i64 {
        if self.is_writes_only {
            -self.until_ms
        } else {
            self.until_ms
        }
    }

    fn is_over(self, now_ms: i64) -> bool {
        self.until_ms <= now_ms
    }
}

impl Node {
    /// The pause at this time, if there is one.
    pub fn pause(&self, now_ms: i64) -> Option<Pause> {
        let pause = Pause::from_bits(self.paused_until_ms.load(Relaxed));
        (!pause.is_over(now_ms)).then_some(pause)
    }

    /// Begins a pause. One that is on already becomes neither shorter nor milder.
    pub fn begin_pause(&self, pause: Pause, now_ms: i64) {
        let joined = |bits| {
            let old = Pause::from_bits(bits);
            if old.is_over(now_ms) {
                return Some(pause.to_bits());
            }
            let both = Pause {
                until_ms: pause.until_ms.max(old.until_ms),
                is_writes_only: pause.is_writes_only && old.is_writes_only,
            };
            Some(both.to_bits())
        };
        // The closure never refuses, so there is always a new value.
        let _ = self.paused_until_ms.fetch_update(Relaxed, Relaxed, joined);
    }

    /// Ends the pause.
    pub fn end_pause(&self) {
        self.paused_until_ms.store(0, Relaxed);
    }
}

impl Core {
    /// Whether a client's command has to wait.
    #[inline]
    pub fn must_pause(&self, session: &Session, flags: Flags) -> bool {
        self.node.paused_until_ms.load(Relaxed) != 0 && self.is_paused_for(session, flags)
    }

    #[cold]
    fn is_paused_for(&self, session: &Session, flags: Flags) -> bool {
        let may_change = flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE);
        let pause = self.node.pause(self.now_ms);
        let is_told = session.is_master || session.is_loader;
        let is_exempt = is_told || session.is_monitor || session.is_replica();
        !is_exempt && pause.is_some_and(|pause| may_change || !pause.is_writes_only)
    }

    /// Whether so much waits for the log or a snapshot that writes have to wait.
    pub fn disk_is_behind(&self) -> bool {
        let is_full = self.is_logging && self.node.aof.status.is_full();
        is_full || self.is_saving && self.node.desk.is_swamped()
    }

    /// Lets a client wait for the end of the pause.
    pub fn pause_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.find_mut(id) {
            session.is_paused = true;
            self.paused.push(id);
            self.counters().blocked_clients.add(1);
        }
    }

    /// When clients that wait here may go on, Unix milliseconds; to be called for then, however
    /// quiet it is: [`Core::begin_turn`] wakes them.
    pub fn next_unpause_ms(&self) -> Option<i64> {
        if self.paused.is_empty() {
            return None;
        }
        /// How soon to look again whether the disk has caught up, in milliseconds.
        const BEHIND_MS: i64 = 5;
        let is_behind = self.disk_is_behind();
        let soon_ms = self.now_ms + if is_behind { BEHIND_MS } else { 0 };
        let pause = self.node.pause(self.now_ms);
        Some(pause.map_or(soon_ms, |pause| pause.until_ms))
    }

    /// Wakes the clients that wait, if the pause is over.
    pub fn wake_paused(&mut self, now_ms: i64) {
        if self.node.pause(now_ms).is_none() {
            self.retry_paused();
        }
    }

    /// Lets all that wait try again; who still must wait comes back.
    pub fn retry_paused(&mut self) {
        for id in std::mem::take(&mut self.paused) {
            if let Some(session) = self.sessions.find_mut(id) {
                session.is_paused = false;
                self.ready.push(id);
                self.counters().blocked_clients.sub(1);
            }
        }
    }
}
