//! WAITAOF: clients that wait until what they have written is on disk for sure.
//!
//! A client needs the delivery that its core needs at that moment: all it has been told of is in
//! there. Whoever waits is looked at whenever the log has got on, and on every tick. What it does
//! not do: know what is on the disks of replicas, of which none is counted.

use super::core::Core;
use crate::resp::Writer;
use crate::router::ReplyTo;

/// Who waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct SyncWait {
    pub to: ReplyTo,
    needs: u64,
    pub wanted: SyncWanted,
    until_ms: i64,
}

/// On how many disks it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncWanted {
    /// On this server's: 0 or 1.
    pub local: i64,
    pub replicas: i64,
}

impl Core {
    /// On how many disks all is that has been written so far: this server's, and replicas'.
    pub fn synced_copies(&mut self) -> SyncWanted {
        self.tell_log();
        let is_local = self.is_synced(self.withheld.needs());
        SyncWanted {
            local: i64::from(is_local),
            replicas: 0,
        }
    }

    fn is_synced(&self, needs: u64) -> bool {
        let status = &self.node.aof.status;
        status.is_on() && status.synced() >= needs
    }

    /// Lets a client wait, for ever if the time-out is zero.
    pub fn wait_for_sync(&mut self, to: ReplyTo, wanted: SyncWanted, timeout_ms: i64) {
        let until_ms = match timeout_ms {
            0 => i64::MAX,
            _ => self.now_ms.saturating_add(timeout_ms),
        };
        let needs = self.withheld.needs();
        self.sync_waits.push(SyncWait {
            to,
            needs,
            wanted,
            until_ms,
        });
        self.counters().blocked_clients.add(1);
        self.tend_sync_waits();
    }

    /// Answers those who need not wait any more.
    #[cold]
    pub(super) fn tend_sync_waits(&mut self) {
        let status = self.node.aof.status.clone();
        status.wait(usize::from(self.id.0));
        for wait in std::mem::take(&mut self.sync_waits) {
            let local = i64::from(self.is_synced(wait.needs));
            let is_there = local >= wait.wanted.local && wait.wanted.replicas <= 0;
            if !is_there && self.now_ms < wait.until_ms && status.is_on() {
                self.sync_waits.push(wait);
                continue;
            }
            self.counters().blocked_clients.sub(1);
            self.answer_late(wait.to, |reply| write_copies(reply, local));
        }
        if !self.sync_waits.is_empty() {
            self.look_until_ms = i64::MAX;
        } else if self.look_until_ms == i64::MAX {
            self.look_until_ms = self.now_ms;
        }
    }
}

fn write_copies(reply: &mut Writer<'_>, local: i64) {
    reply.array(2);
    reply.integer(local);
    reply.integer(0);
}
