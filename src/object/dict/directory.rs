//! Which part of a dictionary holds an order: cells over the range of orders, doubled on demand.
//!
//! As in extendible hashing a cell stands for 2^n orders, and several cells may name the same part.
//! It knows nothing of what parts hold.

/// Bits of a hash that say in which part an element lies. Tables order by the topmost bits of the
/// hash, so these are taken from below.
pub(super) const ORDER_BITS: u32 = 24;

/// Where the element with this hash lies in the order of all.
#[inline]
pub(super) fn order_of(hash: u64) -> u32 {
    hash as u32 & ((1 << ORDER_BITS) - 1)
}

/// The cells.
#[derive(Clone)]
pub(super) struct Directory {
    depth: u32,
    cells: Vec<u32>,
}

impl Directory {
    /// One cell for all orders.
    pub fn new() -> Directory {
        Directory {
            depth: 0,
            cells: vec![0],
        }
    }

    /// The number of the part at an order.
    #[inline]
    pub fn part(&self, order: u32) -> usize {
        self.cells[self.index(order)] as usize
    }

    #[inline]
    fn index(&self, order: u32) -> usize {
        (order >> (ORDER_BITS - self.depth)) as usize
    }

    /// Lets an aligned range of 2^size_bits orders name a part.
    pub fn assign(&mut self, start: u32, size_bits: u32, part: usize) {
        while ORDER_BITS - self.depth > size_bits {
            self.cells = self.cells.iter().flat_map(|&cell| [cell, cell]).collect();
            self.depth += 1;
        }
        let (first, last) = (
            self.index(start),
            self.index(start + ((1 << size_bits) - 1)),
        );
        self.cells[first..=last].fill(part as u32);
    }

    /// Whether so many parts could do with far fewer cells.
    pub fn is_roomy(&self, parts: usize) -> bool {
        self.cells.len() > parts * 8
    }

    /// Halves the cells as often as parts of at least 2^size_bits orders allow.
    pub fn fold(&mut self, size_bits: u32) {
        while ORDER_BITS - self.depth < size_bits {
            self.cells = self.cells.iter().copied().step_by(2).collect();
            self.depth -= 1;
        }
    }

    /// Bytes of the cells.
    pub fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<u32>()
    }
}
