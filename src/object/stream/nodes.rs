//! The nodes of a stream by their first ids, and what they cost.
//!
//! Nodes are shared by reference with whoever walks over a stream while it changes: a change of a
//! shared node copies it first. Two sums are kept in step with every change, so that nobody has to
//! walk over all nodes for them: the memory they take, and the number of nodes that Redis's radix
//! tree would have for the same ids, which XINFO STREAM tells.

use super::id::StreamId;
use super::node::Node;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;
use std::sync::Arc;

/// What a node costs besides its listpack, in bytes: its entry in the map, and two headers.
const NODE_BYTES: usize = 80;

/// Nodes by their first ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    map: BTreeMap<StreamId, Arc<Node>>,
    /// Bytes of the listpacks.
    room: usize,
    radix_nodes: usize,
}

/// Nodes in order, from either end.
pub(super) type Range<'a> = btree_map::Range<'a, StreamId, Arc<Node>>;

impl PartialEq for Nodes {
    fn eq(&self, other: &Nodes) -> bool {
        self.map == other.map
    }
}

impl Eq for Nodes {}

impl Nodes {
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes it asks of the allocator.
    pub fn bytes(&self) -> usize {
        self.room + self.map.len() * NODE_BYTES
    }

    /// How many nodes Redis's tree would have.
    pub fn radix_nodes(&self) -> usize {
        self.radix_nodes.max(1)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (StreamId, &Arc<Node>)> {
        self.map.iter().map(|(first, node)| (*first, node))
    }

    /// The first node behind one with this first id; the first of all without.
    pub fn behind(&self, first: Option<StreamId>) -> Option<(StreamId, &Arc<Node>)> {
        let from = first.map_or(Bound::Unbounded, Bound::Excluded);
        let (first, node) = self.map.range((from, Bound::Unbounded)).next()?;
        Some((*first, node))
    }

    pub fn first(&self) -> Option<(StreamId, &Node)> {
        let (first, node) = self.map.first_key_value()?;
        Some((*first, node))
    }

    pub fn last(&self) -> Option<(StreamId, &Node)> {
        let (first, node) = self.map.last_key_value()?;
        Some((*first, node))
    }

    /// The node that an id lies in, if any does.
    pub fn holding(&self, id: StreamId) -> Option<(StreamId, &Node)> {
        let (first, node) = self.map.range(..=id).next_back()?;
        Some((*first, node))
    }

    /// The nodes that ids between two lie in.
    pub fn between(&self, start: StreamId, end: StreamId) -> Range<'_> {
        let from = self.holding(start).map_or(start, |(first, _)| first);
        // A reversed range is empty; the map would not have it.
        self.map.range(from..=end.max(from))
    }

    /// Changes the last node.
    pub fn edit_last<T>(&mut self, change: impl FnOnce(StreamId, &mut Node) -> T) -> Option<T> {
        let mut last = self.map.last_entry()?;
        let first = *last.key();
        Some(edit(&mut self.room, last.get_mut(), |node| {
            change(first, node)
        }))
    }

    /// Changes the node with this first id.
    pub fn edit<T>(&mut self, first: StreamId, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let node = self.map.get_mut(&first)?;
        Some(edit(&mut self.room, node, change))
    }

    /// Adds a node; not if there is one with this first id.
    pub fn insert(&mut self, first: StreamId, node: Node) -> bool {
        if self.map.contains_key(&first) {
            return false;
        }
        self.radix_nodes += radix_share(&self.map, first);
        self.room += node.room();
        self.map.insert(first, Arc::new(node));
        true
    }

    pub fn remove(&mut self, first: StreamId) {
        if let Some(node) = self.map.remove(&first) {
            self.room -= node.room();
            self.radix_nodes -= radix_share(&self.map, first);
        }
    }

    /// Frees about so many nodes; says whether there are more.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some((_, node)) = self.map.pop_first() else {
                return false;
            };
            self.room -= node.room();
        }
        !self.map.is_empty()
    }
}

fn edit<T>(room: &mut usize, node: &mut Arc<Node>, change: impl FnOnce(&mut Node) -> T) -> T {
    *room -= node.room();
    let node = Arc::make_mut(node);
    let result = change(node);
    *room += node.room();
    result
}

/// Bytes of an id in Redis's tree.
const KEY_BYTES: usize = 16;

/// How many bytes two ids have in common in front.
fn common(one: StreamId, other: StreamId) -> usize {
    let one = u128::from_be_bytes(one.to_be_bytes());
    let other = u128::from_be_bytes(other.to_be_bytes());
    (one ^ other).leading_zeros() as usize / 8
}

/// How many nodes of Redis's radix tree an id adds to those of the other ids.
///
/// A tree has a node where ids part, one for each run of bytes in which they do not, and one for
/// each end. All ids are of one length, so none ends inside another.
fn radix_share(others: &BTreeMap<StreamId, Arc<Node>>, id: StreamId) -> usize {
    let key = |entry: Option<(&StreamId, &Arc<Node>)>| entry.map(|(id, _)| *id);
    let run = |from: usize, to: usize| usize::from(to > from);
    let before = key(others.range(..id).next_back());
    let after = key(others.range(id..).next());
    let parting = [before, after].into_iter().flatten();
    let Some(at) = parting.map(|other| common(other, id)).max() else {
        // The only id: one run and its end.
        return 2;
    };
    let own = 1 + run(at + 1, KEY_BYTES);
    // The ids that have as much in common with the new one lie together around it.
    let mask = u128::MAX.checked_shr(8 * at as u32).unwrap_or(0);
    let number = u128::from_be_bytes(id.to_be_bytes());
    let at_edge = |number: u128| StreamId::from_be_bytes(number.to_be_bytes());
    let (low, high) = (at_edge(number & !mask), at_edge(number | mask));
    let mut cousins = others.range(low..=high);
    let first = key(cousins.next()).expect("the nearest id is one of them");
    let last = key(cousins.next_back()).unwrap_or(first);
    let below = if first == last {
        KEY_BYTES
    } else {
        common(first, last)
    };
    if below == at {
        // They part here already.
        return own;
    }
    let outer = [
        key(others.range(..low).next_back()).map(|other| common(other, first)),
        key(others.range(high..).find(|(other, _)| **other > high))
            .map(|other| common(other, last)),
    ];
    let start = outer.into_iter().flatten().max().map_or(0, |at| at + 1);
    own + 1 + run(start, at) + run(at + 1, below) - run(start, below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    /// Counts the nodes of the tree by walking over its ids.
    fn counted(ids: &[StreamId]) -> usize {
        fn below(keys: &[[u8; 16]], depth: usize) -> usize {
            if keys.len() == 1 {
                return 1 + usize::from(depth < 16);
            }
            let same = |at: usize| keys.iter().all(|key| key[at] == keys[0][at]);
            let parting = (depth..16).find(|at| !same(*at)).expect("ids differ");
            let parts = keys.chunk_by(|a, b| a[parting] == b[parting]);
            let parts = parts.map(|part| below(part, parting + 1));
            1 + usize::from(parting > depth) + parts.sum::<usize>()
        }
        let keys: Vec<_> = ids.iter().map(|id| id.to_be_bytes()).collect();
        if keys.is_empty() { 1 } else { below(&keys, 0) }
    }

    #[test]
    fn the_radix_tree_is_counted_along() {
        for seed in 0..40 {
            let mut random = Prng::from_seed(seed);
            let mut nodes = Nodes::default();
            for _ in 0..300 {
                let ms = match random.below(3) {
                    0 => random.below(4),
                    1 => 1_700_000_000_000 + random.below(100_000),
                    _ => random.next_u64() >> random.below(64),
                };
                let id = StreamId::new(ms, random.below(3) << (8 * random.below(8)));
                if random.below(3) > 0 {
                    nodes.insert(id, Node::new([&b"a"[..], b"b"].into_iter()));
                } else if let Some((first, _)) = nodes.holding(id) {
                    nodes.remove(first);
                }
                let ids: Vec<_> = nodes.iter().map(|(first, _)| first).collect();
                assert_eq!(nodes.radix_nodes(), counted(&ids), "seed {seed}: {ids:?}");
            }
            let room: usize = nodes.iter().map(|(_, node)| node.room()).sum();
            assert_eq!(nodes.room, room);
        }
    }
}
