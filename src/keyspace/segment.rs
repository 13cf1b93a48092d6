//! A segment: one small table and the part of the key space it covers.
//!
//! The key space of a database is ordered by slot, then by hash. A segment covers an aligned,
//! contiguous part of it and splits into two halves when it is full, so nothing ever grows in one
//! piece: the longest step moves 3 584 words.

use super::slot::{Key, Slot};
use crate::base::record::Record;
use crate::base::table::{Place, Table, Tag};
use crate::object::Object;

/// Bits of the hash that order keys inside one slot.
pub(super) const HASH_ORDER_BITS: u32 = 20;

/// A point of the ordered key space: slot, then the first bits of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub u64);

impl Position {
    /// Where a key stands. The table uses the top bits of the hash, so the order uses the low ones.
    #[inline]
    pub fn of(key: &Key<'_>) -> Position {
        Position::at(key.slot, key.hash as u32 & ((1 << HASH_ORDER_BITS) - 1))
    }

    pub fn at(slot: Slot, order: u32) -> Position {
        Position(u64::from(slot.0) << HASH_ORDER_BITS | u64::from(order))
    }

    pub fn slot(self) -> u32 {
        (self.0 >> HASH_ORDER_BITS) as u32
    }
}

/// A table and the part it covers: `size_bits` says that it is 2^size_bits positions long.
pub(super) struct Segment {
    pub table: Table<Object>,
    pub start: Position,
    pub size_bits: u32,
    /// How many of its entries have an expiry.
    pub volatile: u32,
    /// No entry expires before this time, in milliseconds; a bound, not exact.
    pub earliest_ms: i64,
    /// The earliest expiry added since the sweeper entered the segment.
    pub noted_ms: i64,
    /// No field of a hash in it expires before this; a bound, not exact.
    pub earliest_field_ms: i64,
}

impl Segment {
    pub fn new(start: Position, size_bits: u32) -> Segment {
        let never = i64::MAX;
        let table = Table::default();
        Segment {
            table,
            start,
            size_bits,
            volatile: 0,
            earliest_ms: never,
            noted_ms: never,
            earliest_field_ms: never,
        }
    }

    /// The first position behind it.
    pub fn end(&self) -> Position {
        Position(self.start.0 + (1 << self.size_bits))
    }

    /// Notes that an entry with this expiry was added or got it.
    pub fn note_expiry(&mut self, expires_at_ms: i64) {
        self.volatile += 1;
        self.earliest_ms = self.earliest_ms.min(expires_at_ms);
        self.noted_ms = self.noted_ms.min(expires_at_ms);
    }

    /// Takes a record out; what moves within the table meanwhile is noted for the sweeper.
    pub fn remove(&mut self, place: Place) -> Record<Object> {
        let Segment {
            table,
            noted_ms,
            volatile,
            ..
        } = self;
        let has_volatile = *volatile > 0;
        let record = table.remove_noting(place, |moved| {
            if let Some(at) = moved.extra().filter(|_| has_volatile) {
                *noted_ms = at.min(*noted_ms);
            }
        });
        *volatile -= u32::from(record.as_ref().extra().is_some());
        record
    }

    /// Gives its upper half to a new segment.
    ///
    /// Returns `None` when it covers a single position: more keys than a table holds then share
    /// slot and hash order bits, and the table has to be searched by more than one segment.
    pub fn split(&mut self) -> Option<Segment> {
        let size_bits = self.size_bits.checked_sub(1)?;
        let middle = Position(self.start.0 + (1 << size_bits));
        let mut upper = Segment::new(middle, size_bits);
        upper.volatile = self.volatile;
        upper.earliest_field_ms = self.earliest_field_ms;
        upper.table = if size_bits >= HASH_ORDER_BITS {
            let slot = middle.slot();
            self.table
                .split_off(|record| u32::from(super::EntryRef { record }.slot().0) >= slot)
        } else {
            self.table
                .split_off(|record| Position::of(&Key::new(record.key())) >= middle)
        };
        self.size_bits = size_bits;
        self.recount();
        upper.recount();
        Some(upper)
    }

    /// Counts its volatile entries again after a split; both halves keep the bound.
    fn recount(&mut self) {
        if self.volatile == 0 {
            return;
        }
        let expiries = || self.table.iter().filter_map(|(_, record)| record.extra());
        let (volatile, earliest) = (expiries().count(), expiries().min());
        self.volatile = volatile as u32;
        self.earliest_ms = earliest.unwrap_or(i64::MAX);
    }

    /// The tag of a key in this table.
    #[inline]
    pub fn tag(key: &Key<'_>) -> Tag {
        Tag::of(key.hash)
    }
}
