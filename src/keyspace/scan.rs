//! Scans: cursors that return every key that stays, while tables grow and split under them.
//!
//! A scan walks the ordered key space: segment after segment, and inside a segment in the order of
//! tags. A cursor is the start of a segment and the tag to go on from:
//!
//! ```text
//!   bits 0..19   tag     19..53   position: slot (14), hash order (20)
//! ```
//!
//! When the segment has split meanwhile, its lower half goes on from the tag and the upper half is
//! walked whole: some keys come twice, none is missed. Segments never merge. Cursors stay below
//! 2^53, so even clients that keep them as doubles hand them back unharmed.

use super::EntryRef;
use super::segment::{HASH_ORDER_BITS, Position};
use super::slot::{SLOTS, Slot};
use super::space::{DbIndex, Keyspace};
use crate::base::table::{TAG_BITS, Tag};

/// Where a scan goes on; 0 is the start and, returned, the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub u64);

impl Cursor {
    fn new(position: Position, tag: u32) -> Cursor {
        Cursor(position.0 << TAG_BITS | u64::from(tag))
    }

    /// The slot it points at; a cursor nobody handed out points at the last slot at most.
    pub fn slot(self) -> Slot {
        let slot = self.0 >> (TAG_BITS + HASH_ORDER_BITS);
        Slot(slot.min(u64::from(SLOTS) - 1) as u16)
    }

    fn position(self) -> Position {
        let order = (self.0 >> TAG_BITS) as u32 & ((1 << HASH_ORDER_BITS) - 1);
        Position::at(self.slot(), order)
    }

    fn tag(self) -> Tag {
        Tag::from_index(self.0 as u32 & ((1 << TAG_BITS) - 1))
    }

    /// The cursor at the first key of a slot; the end when there is no such slot.
    pub fn at_slot(slot: u32) -> Cursor {
        if slot >= SLOTS {
            return Cursor(0);
        }
        Cursor::new(Position::at(Slot(slot as u16), 0), 0)
    }
}

impl Keyspace {
    /// Visits at least `count` entries (live or not) from the cursor on, or all that are left.
    ///
    /// The cursor returned points behind this shard's slots when the shard is done.
    pub fn scan(
        &self,
        index: DbIndex,
        cursor: Cursor,
        count: usize,
        mut visit: impl FnMut(EntryRef<'_>),
    ) -> Cursor {
        let db = self.db(index);
        let (mut cursor, mut seen) = (cursor, 0);
        let end = Position(db.first_end(self));
        // An empty stretch costs time too: a call looks at so many lines at most.
        for _ in 0..count.saturating_mul(10).max(10) {
            let segment = &db.segments[db.segment_at(cursor.position())];
            let next = segment.table.scan(cursor.tag(), |record| {
                seen += 1;
                visit(EntryRef { record });
            });
            cursor = match next {
                Some(tag) => Cursor::new(segment.start, tag),
                None if segment.end() >= end => return Cursor::at_slot(end.slot()),
                None => Cursor::new(segment.end(), 0),
            };
            if seen >= count {
                break;
            }
        }
        cursor
    }

    /// Visits every live entry of a database.
    pub fn each(&self, index: DbIndex, mut visit: impl FnMut(EntryRef<'_>)) {
        let now_ms = self.common.now_ms;
        for segment in &self.db(index).segments {
            for (_, record) in segment.table.iter() {
                let entry = EntryRef { record };
                if entry.expires_at_ms().is_none_or(|at| at > now_ms) {
                    visit(entry);
                }
            }
        }
    }
}

impl super::Db {
    fn first_end(&self, space: &Keyspace) -> u64 {
        u64::from(space.slots_end()) << HASH_ORDER_BITS
    }
}
