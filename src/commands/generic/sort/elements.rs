//! The elements to be sorted, copied out of their collection: all bytes in one piece.
//!
//! One allocation instead of one for each element; a sort moves numbers, not strings.

use super::options::Options;
use crate::object::list::{ListRef, Side};
use crate::object::set::SetRef;
use crate::object::zset::ZsetRef;
use crate::object::{Form, Kind};

/// Strings by number.
#[derive(Debug, Default)]
pub struct Elements {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    /// The elements of a collection in its own order; none when it is of another type.
    ///
    /// Where that order is the result, descending turns that of lists and sorted sets round.
    pub fn of(form: Form<'_>, options: &Options<'_>) -> Option<Elements> {
        let mut elements = Elements::default();
        let is_turned = options.is_unsorted && options.is_descending;
        match form.kind() {
            Kind::List => {
                let end = if is_turned { Side::Right } else { Side::Left };
                for item in ListRef::of(form).walk_from(end) {
                    item.with_bytes(|bytes| elements.push(bytes));
                }
            }
            Kind::Zset => {
                for (member, _) in ZsetRef::new(form).iter(0..usize::MAX, is_turned) {
                    member.with_bytes(|bytes| elements.push(bytes));
                }
            }
            Kind::Set => {
                for member in SetRef::new(form).iter() {
                    member.with_bytes(|bytes| elements.push(bytes));
                }
            }
            Kind::String | Kind::Hash | Kind::Stream => return None,
        }
        Some(elements)
    }

    pub fn push(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(element);
        self.ends.push(self.bytes.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The element of a number.
    pub fn at(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|number| self.at(number))
    }
}
