//! A tap: how a snapshot walks over a large dictionary in slices while clients change it.
//!
//! The walk wants every element as it was when it began. Elements it has carry the dictionary's
//! mark, whose meaning flips with every walk; so do elements that are added meanwhile, which it
//! does not want. One that is changed or taken out before the walk has come to it is saved first:
//!
//! ```text
//!   change of an element without the mark --> copy into `saved`, mark --> change
//!   next slice of the walk                --> what was saved, then unmarked ones
//! ```
//!
//! Without a walk a change costs one comparison. A copy of the dictionary has no tap.

use super::element::{self, Element, Taken};
use super::store::{Dict, Spot};

/// A walk over a dictionary.
pub struct Tap {
    id: u64,
    saved: Vec<Taken>,
}

impl Dict {
    /// Begins a walk; all elements of this moment are wanted.
    pub fn begin_walk(&mut self, id: u64) {
        assert!(self.tap.is_none(), "one walk at a time");
        self.mark = !self.mark;
        let saved = Vec::new();
        self.tap = Some(Box::new(Tap { id, saved }));
    }

    /// The number of the walk that is going on.
    pub fn walk_id(&self) -> Option<u64> {
        self.tap.as_ref().map(|tap| tap.id)
    }

    /// Shows wanted elements: those that were saved, and about so many more from a cursor on; says
    /// where to go on. With 0 the walk has come to its end and is over.
    pub fn walk(&mut self, cursor: u64, count: usize, visit: &mut dyn FnMut(Element<'_>)) -> u64 {
        let Some(tap) = &mut self.tap else { return 0 };
        for taken in std::mem::take(&mut tap.saved) {
            visit(Element {
                record: taken.as_ref(),
            });
        }
        let (mark, mut wanted) = (self.mark, Vec::new());
        let next = self.scan_spots(cursor, count, |spot, element| {
            if element.is_marked() != mark {
                visit(element);
                wanted.push(spot);
            }
        });
        for spot in wanted {
            self.put_mark(spot);
        }
        if next == 0 {
            self.tap = None;
        }
        next
    }

    /// Saves an element for a walk that wants it and has not come to it, before it changes.
    #[inline]
    pub(super) fn spare(&mut self, spot: Spot) {
        if self.tap.is_some() {
            self.save(spot);
        }
    }

    #[cold]
    fn save(&mut self, spot: Spot) {
        let element = self.at(spot);
        if element.is_marked() == self.mark {
            return;
        }
        let copy = element.copy();
        if let Some(tap) = &mut self.tap {
            tap.saved.push(copy);
        }
        self.put_mark(spot);
    }

    fn put_mark(&mut self, spot: Spot) {
        let mark = self.mark;
        let (table, place) = self.table_of(spot);
        table.change_in_place(place, |record| element::set_mark(record, mark));
    }
}
