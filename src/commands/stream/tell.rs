//! What replays of what groups do: reading with a group and claiming have results that depend on
//! the clock and on what was found, so they replay as the state they leave.
//!
//! The commands are those that Redis sends to its replicas. Nothing is written while nobody
//! listens.

use crate::keyspace::DbIndex;
use crate::object::stream::{Group, Pending, StreamId};
use crate::shard::{Effects, Event};

/// A group by its names.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub db: DbIndex,
    pub key: &'a [u8],
    pub group: &'a [u8],
}

impl Named<'_> {
    /// An entry was given to a consumer.
    pub fn tell_given(&self, effects: &mut Effects, group: &Group, id: StreamId, pending: Pending) {
        if !effects.are_kept() {
            return effects.instead(self.db, []);
        }
        let consumer = group.consumer(pending.consumer).name();
        let (time, count) = (
            pending.delivered_at_ms.to_string(),
            (pending.deliveries as i64).to_string(),
        );
        let (id, last_id) = (id.text(), group.last_id.text());
        effects.instead(
            self.db,
            [
                &b"XCLAIM"[..],
                self.key,
                self.group,
                consumer,
                b"0",
                id.as_bytes(),
                b"TIME",
                time.as_bytes(),
                b"RETRYCOUNT",
                count.as_bytes(),
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                last_id.as_bytes(),
            ],
        );
    }

    /// The group has got further.
    pub fn tell_progress(&self, effects: &mut Effects, group: &Group) {
        if !effects.are_kept() {
            return effects.instead(self.db, []);
        }
        let last_id = group.last_id.text();
        let read = entries_read(group.entries_read).to_string();
        effects.instead(
            self.db,
            [
                &b"XGROUP"[..],
                b"SETID",
                self.key,
                self.group,
                last_id.as_bytes(),
                b"ENTRIESREAD",
                read.as_bytes(),
            ],
        );
    }

    /// A consumer has joined the group.
    pub fn tell_consumer(&self, effects: &mut Effects, consumer: &[u8]) {
        effects.changed(self.db, Event::XGROUP_CREATECONSUMER, self.key);
        effects.instead(
            self.db,
            [
                &b"XGROUP"[..],
                b"CREATECONSUMER",
                self.key,
                self.group,
                consumer,
            ],
        );
    }
}

/// A number of entries read as Redis writes it: -1 where it is not known.
pub(super) fn entries_read(number: Option<u64>) -> i64 {
    number.map_or(-1, |number| number as i64)
}
