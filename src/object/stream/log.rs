//! The entries of a stream in the order of their ids, and what is remembered of those that went.
//!
//! | append                  | O(fields)                                          |
//! | find, delete            | O(log nodes), and a walk over one node             |
//! | trim                    | O(nodes that go), and a walk over one node         |
//! | clone                   | a reference per node                               |
//!
//! Entries lie in nodes of Redis's format (see [`super::node`]), which are shared by reference and
//! copied when somebody else still reads them. Groups are not known here.

use super::id::{NewId, StreamId};
use super::node::Node;
use super::nodes::Nodes;
use super::pack::Entry;
use super::range::Entries;
use crate::object::Packing;
use crate::object::listpack;
use std::sync::Arc;

/// The entries of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub(super) nodes: Nodes,
    pub(super) len: u64,
    /// The last id that was given to an entry, also if that is gone.
    pub last_id: StreamId,
    /// The id of the first entry; the least id when there is none.
    pub first_id: StreamId,
    /// The greatest id of an entry that was deleted, trimmed ones apart.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
}

/// An entry is larger than any node may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Log {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        self.nodes.bytes()
    }

    /// The id a new entry gets; `None` when it would not be behind all others.
    pub fn new_id(&self, wished: NewId, now_ms: u64) -> Option<StreamId> {
        let id = match wished {
            NewId::Whole(id) => id,
            NewId::At(ms) if ms == self.last_id.ms => {
                let seq = self.last_id.seq.checked_add(1)?;
                StreamId { ms, seq }
            }
            NewId::At(ms) => StreamId { ms, seq: 0 },
            NewId::Auto if now_ms > self.last_id.ms => StreamId { ms: now_ms, seq: 0 },
            NewId::Auto => self.last_id.next()?,
        };
        (id > self.last_id).then_some(id)
    }

    /// Appends an entry of names and values in turn; its id is behind all others.
    pub fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = &'f [u8]> + Clone,
        packing: &Packing,
    ) -> Result<(), TooLarge> {
        debug_assert!(id > self.last_id, "ids ascend");
        let bytes: usize = fields.clone().map(<[u8]>::len).sum();
        if bytes > listpack::BYTES_MAX {
            return Err(TooLarge);
        }
        let has_room = |node: &Node| has_room(node, bytes, packing);
        let is_new = !self.nodes.last().is_some_and(|(_, last)| has_room(last));
        if is_new {
            self.nodes.edit_last(|_, last| last.close());
            self.nodes.insert(id, Node::new(fields));
        } else {
            let append = |first, node: &mut Node| node.append(first, id, fields);
            self.nodes.edit_last(append);
        }
        self.len += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
        Ok(())
    }

    /// Deletes an entry; says whether it was there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((first, live, at)) = self.locate(id) else {
            return false;
        };
        if live == 1 {
            self.nodes.remove(first);
        } else {
            self.nodes.edit(first, |node| node.delete(first, at));
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if self.len == 0 {
            self.first_id = StreamId::MIN;
        } else if id == self.first_id {
            self.first_id = self.first_live().unwrap_or_default();
        }
        true
    }

    /// First id and number of live entries of an entry's node, and its place.
    fn locate(&self, id: StreamId) -> Option<(StreamId, u64, usize)> {
        let (first, node) = self.nodes.holding(id)?;
        let entry = self.entries(id, id).next()?;
        Some((first, node.live(), entry.at))
    }

    /// Whether there is an entry with this id.
    pub fn contains(&self, id: StreamId) -> bool {
        self.find(id).is_some()
    }

    /// The entry with this id.
    pub fn find(&self, id: StreamId) -> Option<Entry<'_>> {
        self.entries(id, id).next()
    }

    /// Entries between two ids, both included.
    pub fn entries(&self, start: StreamId, end: StreamId) -> Entries<'_> {
        Entries::new(&self.nodes, start, end, false)
    }

    /// The same from the end.
    pub fn entries_back(&self, start: StreamId, end: StreamId) -> Entries<'_> {
        Entries::new(&self.nodes, start, end, true)
    }

    /// The id of the first entry there is.
    pub fn first_live(&self) -> Option<StreamId> {
        let mut all = self.entries(StreamId::MIN, StreamId::MAX);
        all.next().map(|entry| entry.id)
    }

    /// The id of the last entry there is.
    pub fn last_live(&self) -> Option<StreamId> {
        let mut all = self.entries_back(StreamId::MIN, StreamId::MAX);
        all.next().map(|entry| entry.id)
    }

    /// The nodes by their first ids.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (StreamId, &Arc<Node>)> {
        self.nodes.iter()
    }

    /// The first node behind one with this first id; the first of all without.
    pub fn node_behind(&self, first: Option<StreamId>) -> Option<(StreamId, &Arc<Node>)> {
        self.nodes.behind(first)
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes Redis's radix tree of these entries would have.
    pub fn radix_nodes(&self) -> usize {
        self.nodes.radix_nodes()
    }

    /// Adds a whole node, as it comes out of a snapshot; says whether it fits among the others.
    ///
    /// Ids and counters are set by whoever reads them beside it.
    pub fn add_node(&mut self, first: StreamId, node: Node) -> bool {
        let live = node.live();
        let is_new = self.nodes.insert(first, node);
        self.len += if is_new { live } else { 0 };
        is_new
    }

    /// Frees about so many nodes; says whether there are more.
    pub(super) fn drop_some(&mut self, budget: usize) -> bool {
        self.nodes.drop_some(budget)
    }
}

/// Whether one more entry of so many bytes goes into a node.
fn has_room(node: &Node, bytes: usize, packing: &Packing) -> bool {
    /// Half of what a listpack may take, so that the headers of elements never make it too large.
    const BYTES_MAX: usize = listpack::BYTES_MAX / 2;
    let bytes_max = match packing.stream_node_bytes_max {
        0 => BYTES_MAX,
        max => max.min(BYTES_MAX),
    };
    let entries_max = packing.stream_node_entries_max;
    node.bytes().len() + bytes < bytes_max && (entries_max == 0 || node.total() < entries_max)
}
