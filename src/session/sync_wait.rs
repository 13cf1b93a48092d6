//! What is on disk for sure: for clients that wait for that (WAITAOF), and for the master of this
//! node, which is told (REPLCONF ACK .. FACK ..).
//!
//! Whatever a core has been told of, a client's writes or what has been applied of a master's
//! stream, the cores that ran it have handed to the log before they said so. So the last delivery
//! at that moment has it all; that of a log which has just begun stands for its base.

use super::core::Core;

/// What of a master's stream is on disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct SyncedStream {
    /// Up to this offset it is, as far as is known.
    offset: Option<u64>,
    /// As soon as the log is on disk up to this delivery, it is up to that offset.
    next: Option<(u64, u64)>,
}

impl SyncedStream {
    /// Takes in how far the log is on disk, and what has been handed to it.
    fn look(&mut self, synced: u64, handed: u64, applied: u64) {
        if let Some((delivery, offset)) = self.next
            && delivery <= synced
        {
            (self.offset, self.next) = (Some(offset), None);
        }
        if self.next.is_none() && Some(applied) > self.offset {
            match handed <= synced {
                true => self.offset = Some(applied),
                false => self.next = Some((handed, applied)),
            }
        }
    }
}

impl Core {
    /// The delivery that has all that was written so far, by anybody whom this core has heard of.
    pub fn last_delivery(&mut self) -> u64 {
        self.tell_log();
        self.node.aof.status.handed()
    }

    /// Up to which delivery the log is on disk; none: there is no log.
    fn synced_delivery(&self) -> Option<u64> {
        let status = &self.node.aof.status;
        status.is_on().then(|| status.synced())
    }

    /// Looks how far the log is on disk, if somebody waits for that.
    pub(super) fn look_at_disks(&mut self) {
        let hub = self.replication.hub.as_ref();
        let is_asked = hub.is_some_and(|hub| hub.awaits_disks());
        let stream = self.replication.stream.as_ref();
        let is_told = stream.is_some_and(|stream| stream.asked_synced.is_some());
        self.awaits_disks = is_asked || is_told;
        if !self.awaits_disks {
            return;
        }
        // First the bell, so that nothing is missed that happens after the look.
        self.node.aof.status.wait(usize::from(self.id.0));
        let (synced, now_ms) = (self.synced_delivery(), self.now_ms);
        if let Some(hub) = self.replication.hub.as_mut().filter(|_| is_asked) {
            hub.set_synced(synced, now_ms);
            self.do_deeds();
        }
        if is_told {
            self.tell_synced();
        }
    }

    /// Tells the master as soon as what it has asked for is on disk.
    fn tell_synced(&mut self) {
        let (synced, is_on) = (self.synced_of_stream(), self.node.aof.status.is_on());
        let Some(stream) = &mut self.replication.stream else {
            return;
        };
        let is_there = stream.asked_synced <= synced;
        if is_there || !is_on {
            stream.asked_synced = None;
        }
        if is_there {
            self.acknowledge();
        }
    }

    /// Up to which offset the master's stream is on this node's disk, as far as is known.
    pub(super) fn synced_of_stream(&mut self) -> Option<u64> {
        let synced = self.synced_delivery()?;
        let handed = self.last_delivery();
        let stream = self.replication.stream.as_mut()?;
        let applied = stream.applied;
        stream.synced.look(synced, handed, applied);
        stream.synced.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_on_disk_when_the_deliveries_of_its_moment_are() {
        let mut stream = SyncedStream::default();
        stream.look(0, 5, 100);
        assert_eq!(stream.offset, None);
        stream.look(4, 9, 200);
        assert_eq!(
            stream.offset, None,
            "what was handed over then is not there"
        );
        stream.look(5, 9, 200);
        assert_eq!(stream.offset, Some(100));
        stream.look(9, 9, 200);
        assert_eq!(stream.offset, Some(200));
        stream.look(9, 9, 300);
        assert_eq!(stream.offset, Some(300), "it has changed nothing");
    }
}
