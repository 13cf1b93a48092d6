//! Clients that wait in a blocking command, where they are connected.
//!
//! Where the keys live is remembered who waits for what; here only that a client does, and which
//! core decides what becomes of it. A client counts as blocked as soon as that core has said that
//! there was nothing for it, so that whoever sees it blocked and then writes finds it waiting.

use super::core::Core;
use super::registry::SessionId;
use super::session::Closing;
use crate::keyspace::ShardId;
use crate::router::{Asker, ReplyTo, Why};

/// A blocking command that has not been answered yet.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// The core that decides.
    pub at: ShardId,
    pub to: ReplyTo,
    /// There was nothing for it: it waits.
    pub is_blocked: bool,
    /// It has been asked to stop because the client leaves.
    pub is_leaving: bool,
}

impl Core {
    /// A client has sent a command that may wait.
    pub fn may_wait(&mut self, id: SessionId, at: ShardId, to: ReplyTo) {
        if let Some(session) = self.sessions.find_mut(id) {
            session.waiting = Some(Waiting {
                at,
                to,
                is_blocked: false,
                is_leaving: false,
            });
        }
    }

    /// There was nothing for it.
    pub fn has_begun_to_wait(&mut self, to: ReplyTo) {
        let id = SessionId::from_bits(to.session);
        let session = self.sessions.find_mut(id);
        let waiting = session.and_then(|session| session.waiting.as_mut());
        if let Some(waiting) = waiting.filter(|it| it.to == to && !it.is_blocked) {
            waiting.is_blocked = true;
            self.counters().blocked_clients.add(1);
        }
    }

    /// It has been answered.
    #[cold]
    pub(super) fn has_waited(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let awaited = std::mem::take(&mut session.awaits_replicas);
        let waiting = session.waiting.take();
        if awaited || waiting.is_some_and(|waiting| waiting.is_blocked) {
            self.counters().blocked_clients.sub(1);
        }
    }

    /// Lets a client stop waiting; says whether it waits. Whether it still did is told to the
    /// asker.
    pub fn stop_waiting(&mut self, id: SessionId, why: Why, asker: Option<Asker>) -> bool {
        let session = self.sessions.find(id);
        let waiting = session.and_then(|session| session.waiting);
        let Some(waiting) = waiting.filter(|waiting| waiting.is_blocked || why == Why::Gone) else {
            return false;
        };
        self.router.stop_waiting(waiting.at, waiting.to, why, asker);
        true
    }

    /// Lets a client that may wait leave: it gives its place up, and what it was given meanwhile
    /// is sent to it before the end. Says whether it may wait.
    pub fn give_up_waiting(&mut self, id: SessionId) -> bool {
        let Some(session) = self.sessions.find_mut(id) else {
            return false;
        };
        let Some(waiting) = &mut session.waiting else {
            return false;
        };
        if !std::mem::replace(&mut waiting.is_leaving, true) {
            session.pending = Default::default();
            session.assembly = None;
            self.close(id, Closing::AfterReplies);
            self.stop_waiting(id, Why::Gone, None);
            self.router.settle(&mut self.shard);
        }
        true
    }

    /// Serves those who wait for what has been touched outside of commands.
    #[inline]
    pub fn serve_waiters(&mut self) {
        if self.shard.has_touched() {
            self.router.serve(&mut self.shard);
        }
    }
}
