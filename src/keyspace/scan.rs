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

/// What one call visits at most, whatever it is asked for: about a millisecond.
const ENTRIES_MAX: usize = 10_000;

/// Where a scan goes on; 0 is the start and, returned, the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub u64);

impl Cursor {
    fn new(position: Position, tag: u32) -> Cursor {
        Cursor(position.0 << TAG_BITS | u64::from(tag))
    }

    /// Reads a cursor as Redis does: as C reads an unsigned number, with a sign and leading zeros.
    pub fn parse(text: &[u8]) -> Option<Cursor> {
        // Redis sees the text up to its first NUL.
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let (is_negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if digits.is_empty() {
            return text.is_empty().then_some(Cursor(0));
        }
        let number = digits.iter().try_fold(0u64, |number, byte| {
            let digit = u64::from(byte.wrapping_sub(b'0'));
            let shifted = number.checked_mul(10).filter(|_| digit < 10)?;
            shifted.checked_add(digit)
        })?;
        Some(Cursor(if is_negative {
            number.wrapping_neg()
        } else {
            number
        }))
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
    /// Visits at least `count` entries (live or not) from the cursor on, or all that are left, or
    /// as many as one call may.
    ///
    /// The cursor returned points behind this shard's slots when the shard is done. A cursor that
    /// points before them starts with them.
    pub fn scan(
        &self,
        index: DbIndex,
        cursor: Cursor,
        count: usize,
        mut visit: impl FnMut(EntryRef<'_>),
    ) -> Cursor {
        let (db, slots) = (self.db(index), self.slots());
        let (mut cursor, mut seen) = (cursor, 0);
        if u32::from(cursor.slot().0) < slots.start {
            cursor = Cursor::at_slot(slots.start);
        } else if u32::from(cursor.slot().0) >= slots.end {
            return Cursor::at_slot(slots.end);
        }
        let end = Position(u64::from(slots.end) << HASH_ORDER_BITS);
        let count = count.min(ENTRIES_MAX);
        // An empty stretch costs time too: a call looks at so many lines at most.
        for _ in 0..count.saturating_mul(10) {
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
                if entry.is_live(now_ms) {
                    visit(entry);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        let read = |text: &[u8]| Cursor::parse(text).map(|cursor| cursor.0);
        let good: [(&[u8], u64); 7] = [
            (b"", 0),
            (b"0", 0),
            (b"007", 7),
            (b"+5", 5),
            (b"-1", u64::MAX),
            (b"18446744073709551615", u64::MAX),
            (b"3\0x", 3),
        ];
        for (text, number) in good {
            assert_eq!(read(text), Some(number), "{text:?}");
        }
        for bad in [
            "-",
            "+",
            "1.5",
            " 1",
            "1 ",
            "0x10",
            "18446744073709551616",
            "a",
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
