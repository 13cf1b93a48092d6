//! maxmemory-clients: when the clients of all cores together take too much memory, those go that
//! take most of it.
//!
//! Each core keeps the sum of what its clients take, brought up to date for those that have said
//! or got something in a turn. Above the limit, the core with the heaviest client of all closes it;
//! any other core tells the rest to look. Who asked for it (CLIENT NO-EVICT) and replicas stay.

use super::class::Class;
use super::core::Core;
use super::order::Question;
use super::registry::SessionId;
use super::session::{Closing, Session};
use crate::config::MemoryLimit;

/// What the clients of a core take.
#[derive(Debug, Default)]
pub struct Weights {
    /// What those of all cores may take; 0: nobody counts.
    max_bytes: u64,
    bytes: u64,
    /// None takes more than this; a bound, not exact.
    heaviest: u64,
}

impl Session {
    /// Whether it may be closed for what it takes.
    fn may_be_evicted(&self) -> bool {
        let is_client = matches!(self.class(), Class::Normal | Class::PubSub);
        is_client && !self.is_no_evict && !self.is_monitor && self.closing != Closing::Now
    }
}

impl Core {
    /// Reads from the configuration what clients may take; whoever begins to count counts all.
    pub(super) fn rule_weights(&mut self) {
        let max_bytes = match self.config.maxmemory_clients {
            MemoryLimit::Bytes(bytes) => bytes,
            MemoryLimit::Percent(percent) => {
                (u128::from(self.config.maxmemory) * u128::from(percent) / 100) as u64
            }
        };
        if std::mem::replace(&mut self.weights.max_bytes, max_bytes) == 0 && max_bytes != 0 {
            let all: Vec<SessionId> = self.sessions.iter().map(|(id, _)| id).collect();
            for id in all {
                self.weigh_now(id);
            }
        }
    }

    /// Notes what a client takes now, if anybody counts.
    #[inline]
    pub fn weigh(&mut self, id: SessionId) {
        if self.weights.max_bytes != 0 {
            self.weigh_now(id);
        }
    }

    #[cold]
    fn weigh_now(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let bytes = session.memory_bytes() as u64;
        let weights = &mut self.weights;
        weights.bytes = weights.bytes + bytes - std::mem::replace(&mut session.weight, bytes);
        if session.may_be_evicted() {
            weights.heaviest = weights.heaviest.max(bytes);
        }
        // At once, and what is freed before it is no longer the client's: whoever asks in the
        // middle of a turn would take the difference for data.
        let (bytes, outbox) = (self.weights.bytes, self.router.outbox_bytes() as u64);
        let sent_bytes = self.sent_bytes + outbox;
        self.counters().parcels_sent_bytes.set(sent_bytes);
        if bytes < self.counters().clients_normal_bytes.value() {
            self.note_freed();
        }
        self.counters().clients_normal_bytes.set(bytes);
    }

    /// Tells the others what this core holds now, if they have to know it.
    pub fn note_freed(&mut self) {
        if self.shard.memory.is_scarce() {
            self.shard.memory.publish();
        }
    }

    /// Forgets what a client has taken that has left.
    pub(super) fn unweigh(&mut self, session: &Session) {
        self.weights.bytes -= session.weight;
    }

    /// Closes clients as long as all together take too much and the heaviest is here. To be called
    /// at the end of a turn.
    pub fn limit_clients(&mut self) {
        if self.weights.max_bytes == 0 {
            return;
        }
        loop {
            let counters = self.counters();
            counters.clients_normal_bytes.set(self.weights.bytes);
            counters.heaviest_client_bytes.set(self.weights.heaviest);
            let cores = self.node.board.cores();
            let all: u64 = cores
                .iter()
                .map(|core| core.clients_normal_bytes.value())
                .sum();
            if all < self.weights.max_bytes {
                return;
            }
            let heaviest = self.heaviest();
            self.weights.heaviest = heaviest.map_or(0, |(_, bytes)| bytes);
            self.counters()
                .heaviest_client_bytes
                .set(self.weights.heaviest);
            let elsewhere = self.heaviest_elsewhere();
            match heaviest {
                Some((id, bytes)) if bytes >= elsewhere => self.evict_client(id),
                _ if elsewhere > 0 => return self.tell_others(&Question::GiveBack),
                _ => return,
            }
        }
    }

    fn heaviest(&self) -> Option<(SessionId, u64)> {
        let sessions = self.sessions.iter();
        let evictable = sessions.filter(|(_, session)| session.may_be_evicted());
        let weighed = evictable.map(|(id, session)| (id, session.weight));
        weighed.max_by_key(|(_, bytes)| *bytes)
    }

    fn heaviest_elsewhere(&self) -> u64 {
        let cores = self.node.board.cores().iter().enumerate();
        let others = cores.filter(|(core, _)| *core != usize::from(self.id.0));
        let heaviest = others.map(|(_, core)| core.heaviest_client_bytes.value());
        heaviest.max().unwrap_or(0)
    }

    fn evict_client(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        self.weights.bytes -= std::mem::take(&mut session.weight);
        let line = session.describe(self.now_ms);
        tracing::info!("Evicting client: {}", String::from_utf8_lossy(&line));
        self.counters().evicted_clients.add(1);
        self.close(id, Closing::Now);
    }
}
