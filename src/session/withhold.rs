//! Replies that wait until what they tell is on disk.
//!
//! ```text
//!   turn ends     the shard's journal becomes delivery 17; this core needs 17
//!   parcel        from a core that needs 19: now this one needs 19
//!   flush         the log has got to 16: outputs are put aside, for 19
//!   bell          the log has got to 20: they leave
//! ```
//!
//! What a core tells may depend on everything it has said itself and on everything that others have
//! told it, so one number is enough: the highest of all these. With `appendfsync always` every
//! reply waits for it, reads too, because they may show what a power failure would take back. With
//! the other policies only clients wait that have written: what was written is in the hands of the
//! system when they hear of it, and a read is not held up by a disk that is slow or full.

use super::core::Core;
use super::registry::SessionId;
use crate::base::planted::{Bug, is_planted};
use crate::resp::Output;
use crate::shard::Journal;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a core holds back.
#[derive(Debug, Default)]
pub struct Withheld {
    /// What has been told to this core, or by it, is durable when the log has got here.
    needs: u64,
    turns: VecDeque<(u64, Vec<(SessionId, Output)>)>,
}

impl Withheld {
    /// The delivery that has to be durable before anybody outside may know what this core knows.
    pub fn needs(&self) -> u64 {
        self.needs
    }
}

impl Core {
    /// Sees whether there is a log and how it is, and whether a snapshot is being taken.
    #[inline]
    pub(super) fn look_at_disk(&mut self) {
        self.is_saving = self.node.desk.is_claimed();
        let is_on = self.node.aof.status.is_on();
        if is_on || self.is_logging {
            self.log_failure = self.node.aof.status.failure();
            if !is_on {
                self.shard.record(self.is_streaming);
            }
            self.is_logging = is_on;
        }
    }

    /// Another core knows what is durable at this delivery, and has told this one.
    #[inline]
    pub fn heard_of(&mut self, needs: u64) {
        self.withheld.needs = self.withheld.needs.max(needs);
    }

    /// Hands what this shard has said in this turn to the log and to the stream for replicas.
    #[inline]
    pub fn tell_log(&mut self) {
        if self.shard.effects.has_journal() {
            let journal = self.shard.effects.take_journal();
            self.tell_journal(journal);
        }
    }

    #[cold]
    fn tell_journal(&mut self, journal: Journal) {
        let journal = Arc::new(journal);
        if self.node.aof.status.is_on() {
            let delivery = self.node.aof.deliver(self.id, journal.clone());
            self.heard_of(delivery);
        }
        if self.is_streaming {
            self.tell_stream(journal);
        }
    }

    /// Puts the outputs aside that may not leave yet.
    #[inline]
    pub fn withhold(&mut self) {
        if self.withheld.needs > self.node.aof.status.durable() {
            self.put_aside();
        }
    }

    #[cold]
    fn put_aside(&mut self) {
        if is_planted(Bug::AcksBeforeWrite) {
            return;
        }
        let status = self.node.aof.status.clone();
        let holds_all = status.holds_all();
        let (mut outputs, mut free) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut self.dirty) {
            let Some(session) = self.sessions.find_mut(id) else {
                continue;
            };
            let has_to_wait = holds_all || session.has_written || session.withheld_bytes > 0;
            if !has_to_wait || session.output.is_empty() {
                free.push(id);
                continue;
            }
            session.is_dirty = false;
            session.has_written &= !session.late.is_empty();
            let output = std::mem::take(&mut session.output);
            session.withheld_bytes += output.len();
            outputs.push((id, output));
        }
        self.dirty = free;
        if !outputs.is_empty() {
            let needs = self.withheld.needs;
            self.withheld.turns.push_back((needs, outputs));
        }
        if !self.withheld.turns.is_empty() {
            status.wait(usize::from(self.id.0));
            // It may have got there before it could know that somebody waits.
            self.release();
        }
    }

    /// Lets those outputs leave that may; whether there are any.
    #[inline]
    pub fn release(&mut self) -> bool {
        !self.withheld.turns.is_empty() && self.release_turns()
    }

    #[cold]
    fn release_turns(&mut self) -> bool {
        let durable = self.node.aof.status.durable();
        let mut has_any = false;
        while let Some((needs, _)) = self.withheld.turns.front()
            && *needs <= durable
        {
            let Some((_, outputs)) = self.withheld.turns.pop_front() else {
                break;
            };
            for (id, mut output) in outputs {
                let Some(session) = self.sessions.find_mut(id) else {
                    continue;
                };
                session.withheld_bytes -= output.len();
                session.output.append(&mut output);
                self.mark_dirty(id);
                has_any = true;
            }
        }
        if !self.withheld.turns.is_empty() {
            self.node.aof.status.wait(usize::from(self.id.0));
        }
        has_any
    }
}
