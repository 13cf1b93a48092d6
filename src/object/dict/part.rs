//! A part of a dictionary: one small table and the orders it covers.
//!
//! It covers 2^size_bits orders from an aligned start, splits into two halves when it is full, and
//! takes its other half back when both are mostly empty. The longest step moves 3 584 words.

use super::directory::ORDER_BITS;
use super::element::{Boxless, Element};
use crate::base::table::Table;

pub(super) struct Part {
    pub table: Table<Boxless>,
    pub start: u32,
    pub size_bits: u32,
    /// How many of its elements have an expiry.
    pub volatile: u32,
    /// No element expires before this; a bound, not exact.
    pub earliest_ms: i64,
}

impl Part {
    /// The part that covers all orders.
    pub fn whole() -> Part {
        Part::new(0, ORDER_BITS)
    }

    pub fn new(start: u32, size_bits: u32) -> Part {
        Part {
            table: Table::default(),
            start,
            size_bits,
            volatile: 0,
            earliest_ms: i64::MAX,
        }
    }

    /// The first order behind it.
    pub fn end(&self) -> u32 {
        self.start + (1 << self.size_bits)
    }

    /// Notes that one of its elements got this expiry.
    #[inline]
    pub fn note_expiry(&mut self, expires_at_ms: i64) {
        self.volatile += 1;
        self.earliest_ms = self.earliest_ms.min(expires_at_ms);
    }

    /// Notes that an element with an expiry is gone, or its expiry is.
    #[inline]
    pub fn forget_expiry(&mut self) {
        self.volatile -= 1;
        if self.volatile == 0 {
            self.earliest_ms = i64::MAX;
        }
    }

    /// Gives its upper half away.
    pub fn split(&mut self) -> Part {
        let size_bits = self.size_bits.checked_sub(1);
        let size_bits = size_bits.expect("no seeded hash gives a full table one order");
        self.size_bits = size_bits;
        let mut upper = Part::new(self.end(), size_bits);
        upper.table = self
            .table
            .split_off(|record| Element { record }.order() >= upper.start);
        if self.volatile > 0 {
            self.recount();
            upper.recount();
        }
        upper
    }

    /// Takes the other half back.
    pub fn merge(&mut self, other: Part) {
        self.start = self.start.min(other.start);
        self.size_bits += 1;
        self.table.absorb(other.table);
        self.volatile += other.volatile;
        self.earliest_ms = self.earliest_ms.min(other.earliest_ms);
    }

    fn recount(&mut self) {
        let expiries = || self.table.iter().filter_map(|(_, record)| record.extra());
        let (volatile, earliest) = (expiries().count(), expiries().min());
        self.volatile = volatile as u32;
        self.earliest_ms = earliest.unwrap_or(i64::MAX);
    }

    /// The same content in an allocation of its own.
    pub fn copy(&self) -> Part {
        let mut copy = Part::new(self.start, self.size_bits);
        copy.volatile = self.volatile;
        copy.earliest_ms = self.earliest_ms;
        for (place, record) in self.table.iter() {
            let tag = self.table.tag(place);
            copy.table.insert(tag, Element { record }.copy());
        }
        copy
    }
}
