//! One numbered database of a shard: segments, and the directory that finds them.
//!
//! ```text
//!   slot (14 bits) | hash order (20 bits)
//!        |
//!   directory, one cell for each 2^n slots     -->  segment 0   segment 1   segment 2 ...
//!        |  a slot with more keys than a table holds
//!   sub-directory, by hash order               -->  segment 7   segment 9
//! ```
//!
//! A directory doubles when a segment becomes smaller than a cell (at most 16 384 cells of four
//! bytes), as in extendible hashing; only one slot that is crowded by a hash tag needs the second
//! step. Segments never merge again, so that a scan's position always means the same keys.

use super::segment::{HASH_ORDER_BITS, Position, Segment};
use super::slot::Key;
use std::ops::Range;

/// Marks a directory cell that names a sub-directory.
const SUB: u32 = 1 << 31;

/// Cells over 2^bits positions, each standing for 2^(bits - depth) of them.
struct Directory {
    bits: u32,
    depth: u32,
    cells: Vec<u32>,
}

impl Directory {
    fn new(bits: u32, cell: u32) -> Directory {
        Directory {
            bits,
            depth: 0,
            cells: vec![cell],
        }
    }

    #[inline]
    fn index(&self, offset: u64) -> usize {
        (offset >> (self.bits - self.depth)) as usize
    }

    /// Lets all cells in a range of 2^size_bits positions name `cell`.
    fn assign(&mut self, offset: u64, size_bits: u32, cell: u32) {
        while self.bits - self.depth > size_bits {
            self.cells = self.cells.iter().flat_map(|&cell| [cell, cell]).collect();
            self.depth += 1;
        }
        let first = self.index(offset);
        let last = self.index(offset + (1 << size_bits) - 1);
        self.cells[first..=last].fill(cell);
    }
}

/// The keys of one numbered database on one shard.
pub struct Db {
    base: u64,
    directory: Directory,
    subs: Vec<Directory>,
    pub(super) segments: Vec<Segment>,
    pub(super) len: usize,
    pub(super) sweep: super::expire::Walk,
    /// Mean bytes of an entry, as far as samples tell.
    pub(super) mean_bytes: f64,
    /// How far the running snapshot has got in it.
    pub(super) cut: Option<super::snapshot::Cut>,
}

impl Db {
    /// An empty database over these slots.
    pub fn new(slots: Range<u32>) -> Db {
        let width = u32::BITS - (slots.end - slots.start - 1).leading_zeros();
        let bits = width + HASH_ORDER_BITS;
        let start = Position(u64::from(slots.start) << HASH_ORDER_BITS);
        Db {
            base: start.0,
            directory: Directory::new(bits, 0),
            subs: Vec::new(),
            segments: vec![Segment::new(start, bits)],
            len: 0,
            sweep: super::expire::Walk::default(),
            mean_bytes: 0.0,
            cut: None,
        }
    }

    /// Number of keys, expired ones that nobody met yet included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of keys with an expiry.
    pub fn volatile(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.volatile as usize)
            .sum()
    }

    /// Bytes of tables and directories, entries apart.
    pub fn table_bytes(&self) -> usize {
        let tables: usize = self
            .segments
            .iter()
            .map(|segment| segment.table.bytes())
            .sum();
        let cells: usize = self.subs.iter().map(|sub| sub.cells.len()).sum();
        tables
            + (cells + self.directory.cells.len()) * size_of::<u32>()
            + self.segments.len() * size_of::<Segment>()
    }

    /// Its first position.
    pub(super) fn start(&self) -> Position {
        Position(self.base)
    }

    /// The first position behind it.
    pub(super) fn end(&self) -> Position {
        Position(self.base + (1 << self.directory.bits))
    }

    /// The number of the segment at a position.
    #[inline]
    pub(super) fn segment_at(&self, position: Position) -> usize {
        let offset = position.0 - self.base;
        let cell = self.directory.cells[self.directory.index(offset)];
        if cell & SUB == 0 {
            return cell as usize;
        }
        let sub = &self.subs[(cell & !SUB) as usize];
        sub.cells[sub.index(offset & ((1 << HASH_ORDER_BITS) - 1))] as usize
    }

    #[inline]
    pub(super) fn segment_of(&self, key: &Key<'_>) -> usize {
        self.segment_at(Position::of(key))
    }

    /// Asks the processor for the table line of a key.
    #[inline]
    pub fn prefetch(&self, key: &Key<'_>) {
        let segment = &self.segments[self.segment_of(key)];
        segment.table.prefetch(Segment::tag(key));
    }

    /// Asks the processor for the entry of a key, whose line should be there by now.
    #[inline]
    pub fn prefetch_entry(&self, key: &Key<'_>) {
        let segment = &self.segments[self.segment_of(key)];
        segment.table.prefetch_record(Segment::tag(key));
    }

    /// Makes room for one more key: splits its segment as long as it is full.
    pub(super) fn make_room(&mut self, key: &Key<'_>) -> usize {
        loop {
            let number = self.segment_of(key);
            if !self.segments[number].table.is_full() {
                return number;
            }
            let upper = self.segments[number]
                .split()
                .expect("no seeded hash sends a full table of keys to one position");
            self.sweep.relaid(number);
            self.add(upper);
        }
    }

    fn add(&mut self, segment: Segment) {
        let number = self.segments.len() as u32;
        let (offset, size) = (segment.start.0 - self.base, segment.size_bits);
        self.segments.push(segment);
        if size >= HASH_ORDER_BITS {
            return self.directory.assign(offset, size, number);
        }
        let slot_offset = offset >> HASH_ORDER_BITS << HASH_ORDER_BITS;
        let mut cell = self.directory.cells[self.directory.index(offset)];
        if cell & SUB == 0 {
            self.subs.push(Directory::new(HASH_ORDER_BITS, cell));
            cell = SUB | (self.subs.len() - 1) as u32;
            self.directory.assign(slot_offset, HASH_ORDER_BITS, cell);
        }
        self.subs[(cell & !SUB) as usize].assign(offset - slot_offset, size, number);
    }

    /// Whether any entry may expire before `now_ms`.
    pub(super) fn earliest_ms(&self) -> i64 {
        self.segments
            .iter()
            .map(|segment| segment.earliest_ms)
            .min()
            .unwrap_or(i64::MAX)
    }
}
