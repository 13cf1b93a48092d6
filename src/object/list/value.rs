//! A list that is too large to be packed.
//!
//! The value and its cost; the operations on it are in the files beside this one. It knows
//! nothing of keys.

/// A list that is too large to be packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quicklist {}

impl Quicklist {
    /// Number of elements.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        0
    }
}
