//! Scans of a dictionary: cursors that return every element that stays, while parts split and
//! merge.
//!
//! A scan walks the orders: part after part, and inside a part in the order of tags.
//!
//! ```text
//!   cursor    bits 0..19  tag    19..43  start of the part    43..48  its size
//! ```
//!
//! Where the part has split meanwhile, its lower half goes on from the tag and the upper half is
//! walked whole. Where it has merged, the bigger part is walked from its start: what it got from
//! the other half may stand before the tag. So some elements come twice and none is missed.

use super::directory::ORDER_BITS;
use super::element::Element;
use super::store::{Dict, Spot};
use crate::base::table::{TAG_BITS, Tag};

/// What one call visits at most, whatever it is asked for: about a millisecond.
const ELEMENTS_MAX: usize = 10_000;

#[derive(Clone, Copy)]
struct Cursor {
    start: u32,
    size_bits: u32,
    tag: u32,
}

impl Cursor {
    /// Reads what a client sent, which may be anything.
    fn parse(number: u64) -> Cursor {
        Cursor {
            start: (number >> TAG_BITS) as u32 & ((1 << ORDER_BITS) - 1),
            size_bits: (number >> (TAG_BITS + ORDER_BITS)) as u32 & 31,
            tag: number as u32 & ((1 << TAG_BITS) - 1),
        }
    }

    fn number(self) -> u64 {
        let part = u64::from(self.size_bits) << ORDER_BITS | u64::from(self.start);
        part << TAG_BITS | u64::from(self.tag)
    }
}

impl Dict {
    /// Visits at least `count` elements from a cursor on (a few more to end a line, far fewer where
    /// tables are empty), and says where to go on: 0 is the start and, returned, the end.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'_>)) -> u64 {
        self.scan_spots(cursor, count, |_, element| visit(element))
    }

    /// The same, with the spots of the elements.
    pub(super) fn scan_spots(
        &self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Spot, Element<'_>),
    ) -> u64 {
        let (mut at, mut seen) = (Cursor::parse(cursor), 0);
        let count = count.clamp(1, ELEMENTS_MAX);
        for _ in 0..count * 10 {
            let number = self.directory.part(at.start);
            let part = &self.parts[number];
            if part.size_bits > at.size_bits {
                at.tag = 0;
            }
            let next = part
                .table
                .scan_places(Tag::from_index(at.tag), |place, record| {
                    seen += 1;
                    visit(Dict::spot(number, place), Element { record });
                });
            at = match next {
                Some(tag) => Cursor {
                    start: part.start,
                    size_bits: part.size_bits,
                    tag,
                },
                None if part.end() >= 1 << ORDER_BITS => return 0,
                None => Cursor {
                    start: part.end(),
                    size_bits: self.parts[self.directory.part(part.end())].size_bits,
                    tag: 0,
                },
            };
            if seen >= count {
                break;
            }
        }
        at.number()
    }
}
