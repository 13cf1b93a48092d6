//! One element of a dictionary, to read: its key, its value, its expiry.
//!
//! The owner's bits of its record hold the mark of a running snapshot and the element's order, so
//! that a part is split without hashing keys again:
//!
//! ```text
//!   bit 0  mark    bits 1..25  order    the rest is free
//! ```

use super::directory::{ORDER_BITS, order_of};
use crate::base::record::{Content, Record, RecordRef};

const MARK: u64 = 1;
const ORDER_SHIFT: u32 = 1;

/// The values of elements lie inside their records; there is nothing to box.
#[derive(Clone, Copy, Debug)]
pub enum Boxless {}

/// An element that was taken out, still with its key and value.
pub type Taken = Record<Boxless>;

/// An element where it lies.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub(super) record: RecordRef<'a, Boxless>,
}

impl<'a> Element<'a> {
    /// The field or member.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        self.record.key()
    }

    /// The value: a hash's value, a sorted set's score, nothing for a set.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        self.record.inline()
    }

    /// When it expires, if it does.
    #[inline]
    pub fn expires_at_ms(self) -> Option<i64> {
        self.record.extra()
    }

    /// Whether the running snapshot has seen it.
    #[inline]
    pub fn is_marked(self) -> bool {
        self.record.owner() & MARK != 0
    }

    /// Bytes its record asks of the allocator.
    pub fn bytes(self) -> usize {
        self.record.bytes()
    }

    #[inline]
    pub(super) fn order(self) -> u32 {
        (self.record.owner() >> ORDER_SHIFT) as u32 & ((1 << ORDER_BITS) - 1)
    }

    /// The same content in a record of its own, unmarked.
    pub(super) fn copy(self) -> Taken {
        let owner = self.record.owner() & !MARK;
        Record::new(
            owner,
            self.record.extra(),
            self.key(),
            Content::Inline(self.value()),
        )
    }
}

/// Makes the record of an element.
#[inline]
pub(super) fn record(hash: u64, key: &[u8], value: &[u8], is_marked: bool) -> Taken {
    let owner = u64::from(order_of(hash)) << ORDER_SHIFT | u64::from(is_marked);
    Record::new(owner, None, key, Content::Inline(value))
}

/// Marks a record or takes the mark away.
pub(super) fn set_mark(record: &mut Taken, is_marked: bool) {
    let owner = record.as_ref().owner();
    record.set_owner(owner & !MARK | u64::from(is_marked));
}
