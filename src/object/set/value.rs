//! A set that is too large to be packed.
//!
//! A dictionary of members without values. It knows nothing of keys.

use crate::object::dict::Dict;

/// A set that is too large to be packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetTable {
    pub(super) dict: Dict,
}

impl SetTable {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        self.dict.bytes()
    }

    /// The dictionary, for walkers.
    pub fn dict(&self) -> &Dict {
        &self.dict
    }

    /// The same for whoever walks over it while it changes.
    pub(in crate::object) fn dict_mut(&mut self) -> &mut Dict {
        &mut self.dict
    }

    /// Frees up to about so many members and says whether there are more; from the first call on
    /// nothing in it can be found any more.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        self.dict.drop_some(budget)
    }
}
