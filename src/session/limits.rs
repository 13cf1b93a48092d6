//! When a client has to go: it does not read its replies, or it has not said anything for long.
//!
//! Looked at when replies are sent and, since both rules have time in them, for some clients on
//! every tick, so that each has its turn about once a second. Queries that grow too long are the
//! parser's business, too many clients the listener's.

use super::class::Class;
use super::core::Core;
use super::registry::SessionId;
use super::session::{Closing, Session};
use crate::config::Config;

/// How often in a second clients are looked after: a tick lasts a tenth of a second.
const TICKS: usize = 10;
/// Longer than it takes until each client has had its turn: who is above its soft limit then
/// keeps the ticks going.
const LOOK_AGAIN_MS: i64 = 3000;
/// How long a client that is killed may take for what it is owed, in milliseconds.
const LAST_REPLIES_MS: i64 = 1000;

impl Session {
    /// Whether more replies are waiting than its class may have, now or for too long. Remembers
    /// since when the soft limit is exceeded.
    pub fn exceeds_output_limit(&mut self, config: &Config, now_ms: i64) -> bool {
        let limit = config.client_output_buffer_limit[self.class().limit()];
        // The limit is a replica's, not that of each of its connections.
        let bytes = (self.output_bytes() * self.flows().max(1)) as u64;
        if limit.soft == 0 || bytes < limit.soft {
            self.over_soft_limit_since_ms = None;
        }
        if bytes == 0 {
            return false;
        }
        if limit.hard != 0 && bytes >= limit.hard {
            return true;
        }
        if limit.soft == 0 || bytes < limit.soft {
            return false;
        }
        let since_ms = *self.over_soft_limit_since_ms.get_or_insert(now_ms);
        // Redis: whole seconds, and more of them than the limit.
        (now_ms.div_euclid(1000) - since_ms.div_euclid(1000)) > i64::from(limit.soft_seconds)
    }

    /// Whether it has been silent for longer than `timeout` allows.
    pub fn is_too_idle(&self, config: &Config, now_ms: i64) -> bool {
        let is_exempt = self.is_monitor
            || self.is_master
            || self.is_replica()
            || self.is_paused
            || !self.late.is_empty()
            || !self.subscriptions.is_empty();
        config.timeout != 0 && !is_exempt && self.idle_s(now_ms) as u64 > config.timeout
    }
}

impl Core {
    /// Closes a client that has too many replies waiting; returns whether it did. To be called
    /// before replies are handed to the socket.
    pub fn limit_output(&mut self, id: SessionId) -> bool {
        self.weigh(id);
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.find_mut(id) else {
            return false;
        };
        if session.closing == Closing::Now {
            return false;
        }
        if !session.exceeds_output_limit(&self.config, now_ms) {
            if session.over_soft_limit_since_ms.is_some() {
                self.look_until_ms = now_ms + LOOK_AGAIN_MS;
            }
            return false;
        }
        let line = session.describe(now_ms);
        let line = String::from_utf8_lossy(&line);
        tracing::warn!(
            "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
        );
        self.counters()
            .client_output_buffer_limit_disconnections
            .add(1);
        self.close(id, Closing::Now);
        true
    }

    /// Whether ticks have to go on though nothing happens, for the rules that have time in them.
    pub fn needs_ticks(&self) -> bool {
        let may_time_out = self.config.timeout != 0 && !self.sessions.is_empty();
        let has_something = self.router.has_spares() || self.log_failure.is_some();
        may_time_out || self.now_ms < self.look_until_ms || has_something
    }

    /// Looks after some clients: closes idle ones and those that do not read. To be called on
    /// every tick.
    pub fn look_after_clients(&mut self) {
        for id in self.sessions.some(&mut self.looked_after, TICKS) {
            if !self.limit_output(id) {
                self.close_if_idle(id);
            }
        }
    }

    /// Ends the connection of a client whom somebody kills. What it was answered already, and what
    /// is being answered, is sent before: an element that it has taken off a list would be lost.
    /// Who does not read is not waited for.
    pub fn kill(&mut self, id: SessionId) {
        let until_ms = self.now_ms + LAST_REPLIES_MS;
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let is_client = session.class() == Class::Normal && !session.is_flow();
        let is_quiet = session.is_drained() && session.waiting.is_none();
        let is_awaited = session.executing.is_some() || !is_quiet;
        if !is_client || session.is_monitor || session.closing != Closing::No || !is_awaited {
            return self.close(id, Closing::Now);
        }
        session.doomed_ms = Some(until_ms);
        self.look_until_ms = self.look_until_ms.max(self.now_ms + LOOK_AGAIN_MS);
        if !self.give_up_waiting(id) {
            self.close(id, Closing::AfterReplies);
        }
    }

    fn close_if_idle(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find(id) else {
            return;
        };
        if session.doomed_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            return self.close(id, Closing::Now);
        }
        if session.closing == Closing::No && session.is_too_idle(&self.config, self.now_ms) {
            tracing::debug!("Closing idle client");
            self.close(id, Closing::Now);
        }
    }
}
