//! A node: up to some hundred entries in one listpack, byte for byte as Redis keeps them.
//!
//! ```text
//!  master  live | deleted | n | name 1 .. name n | 0
//!  entry   flags | ms - first | seq - first | value 1 .. value n            | parts   same names
//!          flags | ms - first | seq - first | n | name | value .. n times  | parts   other names
//! ```
//!
//! The first id of a node is kept outside, as its key; the names of its first entry stand in front
//! for all that have the same. `parts` counts an entry's elements before it, so that a node can be
//! read backwards. A deleted entry stays and is only marked, until all of a node are.

use super::id::StreamId;
use super::pack::{DELETED, Entry, Pack, SAME_NAMES};
use crate::object::listpack::{self, Listpack};

/// Entries whose ids follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    bytes: Vec<u8>,
}

impl Node {
    /// A node of one entry, whose id is the node's.
    pub(super) fn new<'f>(fields: impl Iterator<Item = &'f [u8]> + Clone) -> Node {
        let count = fields.clone().count() / 2;
        let mut bytes = listpack::EMPTY.to_vec();
        listpack::append(&mut bytes, 4 + count, |out| {
            for number in [1, 0, count as i64] {
                listpack::encode_integer(number, out);
            }
            fields
                .clone()
                .step_by(2)
                .for_each(|name| listpack::encode(name, out));
            listpack::encode_integer(0, out);
        });
        let mut node = Node { bytes };
        node.push(SAME_NAMES, (0, 0), count, fields);
        node
    }

    /// A node of foreign bytes; `None` when they are none.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Node> {
        let node = Node { bytes };
        (listpack::validate(&node.bytes) && node.is_sound().is_some()).then_some(node)
    }

    /// The listpack.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes it asks of the allocator for its listpack.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back what it holds ready for more entries.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Appends an entry.
    pub(super) fn append<'f>(
        &mut self,
        first: StreamId,
        id: StreamId,
        fields: impl Iterator<Item = &'f [u8]> + Clone,
    ) {
        let count = fields.clone().count() / 2;
        let pack = self.pack(first);
        let has_same = pack.names == count && pack.has_names(fields.clone().step_by(2));
        let (live_at, live) = (pack.list.start(), pack.live);
        listpack::replace_integer(&mut self.bytes, live_at, live + 1);
        let ms = id.ms.wrapping_sub(first.ms) as i64;
        let seq = id.seq.wrapping_sub(first.seq) as i64;
        let flags = if has_same { SAME_NAMES } else { 0 };
        self.push(flags, (ms, seq), count, fields);
    }

    fn push<'f>(
        &mut self,
        flags: i64,
        offset: (i64, i64),
        count: usize,
        fields: impl Iterator<Item = &'f [u8]>,
    ) {
        let has_same = flags & SAME_NAMES != 0;
        let parts = if has_same { 3 + count } else { 4 + 2 * count };
        listpack::append(&mut self.bytes, parts + 1, |out| {
            for number in [flags, offset.0, offset.1] {
                listpack::encode_integer(number, out);
            }
            if has_same {
                let mut fields = fields;
                while let Some(value) = fields.nth(1) {
                    listpack::encode(value, out);
                }
            } else {
                listpack::encode_integer(count as i64, out);
                fields.for_each(|field| listpack::encode(field, out));
            }
            listpack::encode_integer(parts as i64, out);
        });
    }

    /// Marks the entry at a place as deleted, and counts it as such.
    pub(super) fn delete(&mut self, first: StreamId, at: usize) {
        let pack = self.pack(first);
        let flags = pack.entry_at(at).expect("an entry was found there").flags;
        let (live, deleted) = (pack.live, pack.deleted);
        listpack::replace_integer(&mut self.bytes, at, flags | DELETED);
        self.count(live - 1, deleted + 1);
    }

    fn count(&mut self, live: i64, deleted: i64) {
        let start = Listpack::new(&self.bytes).start();
        let next = listpack::replace_integer(&mut self.bytes, start, live);
        listpack::replace_integer(&mut self.bytes, next, deleted);
    }

    /// Marks entries from the first on while `goes_on` says so of an id and of how many are marked
    /// already; returns how many were.
    pub(super) fn delete_front(
        &mut self,
        first: StreamId,
        goes_on: impl Fn(StreamId, u64) -> bool,
    ) -> u64 {
        let pack = self.pack(first);
        let (live, deleted, mut at) = (pack.live, pack.deleted, pack.start);
        let mut marked = 0;
        while let Some(entry) = self.pack(first).entry_at(at) {
            if !goes_on(entry.id, marked) {
                break;
            }
            let (flags, is_deleted, next) = (entry.flags, entry.is_deleted(), entry.end());
            if !is_deleted {
                // The new flags take as many bytes as the old.
                listpack::replace_integer(&mut self.bytes, at, flags | DELETED);
                marked += 1;
            }
            at = next;
        }
        self.count(live - marked as i64, deleted + marked as i64);
        marked
    }

    /// The node to read.
    pub(super) fn pack(&self, first: StreamId) -> Pack<'_> {
        let pack = Pack::read(Listpack::new(&self.bytes), first);
        pack.expect("a node begins with its master entry")
    }

    /// The entries of a node with this first id that are not deleted.
    pub fn entries(&self, first: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let pack = self.pack(first);
        let mut at = pack.start;
        let all = std::iter::from_fn(move || {
            let entry = pack.entry_at(at)?;
            at = entry.end();
            Some(entry)
        });
        all.filter(|entry| !entry.is_deleted())
    }

    /// Number of entries that are not deleted.
    pub fn live(&self) -> u64 {
        self.counts().0
    }

    /// Number of entries, those that are deleted included.
    pub(super) fn total(&self) -> u64 {
        let (live, deleted) = self.counts();
        live + deleted
    }

    fn counts(&self) -> (u64, u64) {
        let list = Listpack::new(&self.bytes);
        let mut numbers = list.iter().map(|element| element.item.integer());
        let mut number = || numbers.next().flatten().unwrap_or_default() as u64;
        (number(), number())
    }

    /// Whether every entry can be walked forwards and backwards and the counts are true.
    fn is_sound(&self) -> Option<()> {
        let pack = Pack::read(Listpack::new(&self.bytes), StreamId::MIN)?;
        let (mut at, mut live, mut deleted) = (pack.start, 0, 0);
        while at < pack.list.end() {
            let entry = pack.checked_entry_at(at)?;
            *(if entry.is_deleted() {
                &mut deleted
            } else {
                &mut live
            }) += 1;
            at = entry.end();
        }
        let has_entries = live + deleted > 0;
        (has_entries && (live, deleted) == (pack.live, pack.deleted)).then_some(())
    }
}
