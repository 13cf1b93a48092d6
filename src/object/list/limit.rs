//! Up to where elements share a node, and a list is packed: what list-max-listpack-size means.
//!
//! A positive number limits the elements, and then 8 KiB the bytes; a negative one stands for a
//! class of bytes and nothing limits the elements. The same limit decides about a packed list and
//! about each node of a quicklist.

use crate::object::Packing;

/// Bytes that no node of a limited number of elements exceeds.
const SAFE_BYTES: usize = 8192;
/// Bytes by class, from -1 on.
const CLASSES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// The largest number of elements that may be asked for.
const ELEMENTS_MAX: i32 = (1 << 15) - 1;
/// What an element's encoding may add to its bytes, as Redis estimates it.
const OVERHEAD: usize = 8;

/// The limit of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimit {
    bytes: usize,
    elements: usize,
}

impl NodeLimit {
    /// What a value of list-max-listpack-size means.
    pub fn new(size: i32) -> NodeLimit {
        if size >= 0 {
            return NodeLimit {
                bytes: SAFE_BYTES,
                elements: size.clamp(1, ELEMENTS_MAX) as usize,
            };
        }
        let class = size.unsigned_abs() as usize - 1;
        NodeLimit {
            bytes: CLASSES[class.min(CLASSES.len() - 1)],
            elements: usize::MAX,
        }
    }

    /// Whether a node of this size is too large.
    #[inline]
    pub fn is_exceeded(self, bytes: usize, elements: usize) -> bool {
        bytes > self.bytes || elements > self.elements
    }

    /// Whether an element of this length may join a node of this size.
    #[inline]
    pub(super) fn admits(self, len: usize, bytes: usize, elements: usize) -> bool {
        !self.is_large(len) && !self.is_exceeded(bytes + len + OVERHEAD, elements + 1)
    }

    /// Whether an element of this length has a node of its own.
    #[inline]
    pub fn is_large(self, len: usize) -> bool {
        len > self.bytes
    }

    /// The limit below which a list that shrinks is packed again: half, so that it does not change
    /// its form to and fro.
    pub(super) fn half(self) -> NodeLimit {
        NodeLimit {
            bytes: self.bytes / 2,
            elements: self.elements / 2,
        }
    }
}

impl From<&Packing> for NodeLimit {
    fn from(packing: &Packing) -> NodeLimit {
        NodeLimit::new(packing.list_node_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_numbers() {
        let limit = |size| (NodeLimit::new(size).bytes, NodeLimit::new(size).elements);
        assert_eq!(limit(-1), (4096, usize::MAX));
        assert_eq!(limit(-2), (8192, usize::MAX));
        assert_eq!(limit(-5), (65_536, usize::MAX));
        assert_eq!(limit(i32::MIN), (65_536, usize::MAX));
        assert_eq!(limit(0), (8192, 1));
        assert_eq!(limit(128), (8192, 128));
        assert_eq!(limit(i32::MAX), (8192, 32_767));
    }

    #[test]
    fn the_estimate_is_part_of_what_is_admitted() {
        let limit = NodeLimit::new(-2);
        assert!(limit.admits(92, 8092, 5) && !limit.admits(93, 8092, 5));
        assert!(!limit.is_large(8192) && limit.is_large(8193));
        assert!(NodeLimit::new(3).admits(1, 100, 2) && !NodeLimit::new(3).admits(1, 100, 3));
    }
}
