//! What happens between the ends of a quicklist: inserting, replacing, cutting, removing.
//!
//! A node that has no room for an element is split where the element goes. Nodes that have become
//! small by removing are left as they are: their buffers shrink with them.

use super::limit::NodeLimit;
use super::node::{Node, NodeRef};
use super::value::Quicklist;
use super::view::{NewItem, Side};
use crate::object::Room;
use crate::object::element::{Element, Item, Wanted};
use crate::object::listpack::{self, Listpack};

impl Quicklist {
    /// Inserts an element before the one at an index, or at the end.
    pub fn insert(&mut self, index: usize, item: NewItem<'_>, limit: NodeLimit) {
        if index >= self.len {
            return self.push(Side::Right, item, limit);
        }
        let (node, offset) = self.seek(index);
        if !self.admits(node, item.bytes.len(), limit) {
            let at = self.split(node, offset);
            return self.insert_between(at, item, limit);
        }
        self.edit(node, |node| {
            let pack = node.pack();
            let place = place(pack, offset);
            listpack::insert(pack, place, item.bytes);
        });
    }

    /// Replaces the element at an index, which exists.
    pub fn set(&mut self, index: usize, item: NewItem<'_>, limit: NodeLimit) {
        let (node, offset) = self.seek(index);
        if let Some(place) = self.place_of_equal(node, offset, item.bytes.len(), limit) {
            return self.edit(node, |node| {
                listpack::replace(node.pack(), place, item.bytes);
            });
        }
        let at = self.split(node, offset);
        if self.nodes[at].len == 1 {
            self.drop_nodes(at..at + 1);
        } else {
            self.edit(at, |node| node.pop(Side::Left));
        }
        self.insert_between(at, item, limit);
    }

    /// The place of an element that another one of this length may replace where it lies.
    fn place_of_equal(
        &self,
        node: usize,
        offset: usize,
        len: usize,
        limit: NodeLimit,
    ) -> Option<usize> {
        let NodeRef::Packed(list) = self.nodes[node].view() else {
            return None;
        };
        let place = list.seek(offset as i64)?;
        let old = list.at(place)?.next - place;
        let others = self.nodes[node].len as usize - 1;
        limit
            .admits(len, list.bytes().len() - old, others)
            .then_some(place)
    }

    /// Makes the element at an offset the first of its node; returns the number of that node.
    fn split(&mut self, node: usize, offset: usize) -> usize {
        if offset == 0 {
            return node;
        }
        let behind = self.edit(node, |node| {
            let pack = node.pack();
            let place = place(pack, offset);
            let list = Listpack::new(pack.bytes());
            let moved = (&list.bytes()[place..list.end()], list.len() - offset);
            let mut behind = listpack::EMPTY.to_vec();
            let start = Listpack::new(&behind).start();
            listpack::splice(&mut behind, start, (0, 0), moved);
            listpack::remove(pack, place, usize::MAX);
            node.settle();
            behind
        });
        self.add(node + 1, Node::Packed(behind.into()));
        node + 1
    }

    /// Inserts an element before a node, into a neighbour if that has room.
    fn insert_between(&mut self, at: usize, item: NewItem<'_>, limit: NodeLimit) {
        let len = item.bytes.len();
        if at > 0 && self.admits(at - 1, len, limit) {
            self.edit(at - 1, |node| node.push(Side::Right, item.bytes));
        } else if at < self.nodes.len() && self.admits(at, len, limit) {
            self.edit(at, |node| node.push(Side::Left, item.bytes));
        } else {
            self.add(at, Node::new(item, limit));
        }
    }

    /// Removes up to so many elements from an index on.
    pub fn remove_range(&mut self, start: usize, count: usize) {
        let (mut node, mut offset) = self.seek(start);
        let mut left = count.min(self.len.saturating_sub(start));
        let mut whole = node..node;
        while left > 0 {
            let len = self.nodes[node].len as usize;
            let here = left.min(len - offset);
            if here < len {
                self.edit(node, |node| {
                    let pack = node.pack();
                    let place = place(pack, offset);
                    listpack::remove(pack, place, here);
                    node.settle();
                });
                whole.start += usize::from(offset > 0);
            }
            whole.end = if here == len { node + 1 } else { whole.end };
            left -= here;
            offset = 0;
            node += 1;
        }
        whole.end = whole.end.max(whole.start);
        self.drop_nodes(whole);
    }

    /// Removes up to so many elements of this value, beginning at an end; says how many.
    pub fn remove_matching(&mut self, wanted: &Wanted<'_>, max: usize, from: Side) -> usize {
        let before = self.len;
        for number in 0..self.nodes.len() {
            let removed = before - self.len;
            if removed >= max {
                break;
            }
            let node = match from {
                Side::Left => number,
                Side::Right => self.nodes.len() - 1 - number,
            };
            self.remove_in_node(node, wanted, max - removed, from);
        }
        if self.len < before {
            self.nodes.retain(|link| link.len > 0);
        }
        before - self.len
    }

    /// The same within a node, which is left with the length 0 when all of it went.
    fn remove_in_node(&mut self, node: usize, wanted: &Wanted<'_>, max: usize, from: Side) {
        let link = &mut self.nodes[node];
        let is_whole = match link.view() {
            NodeRef::Large(bytes) => wanted.is(Item::Bytes(bytes)),
            NodeRef::Packed(list) => match without(list, wanted, max, from) {
                None => false,
                Some((_, removed)) if removed == list.len() => true,
                Some((kept, _)) => {
                    return self.edit(node, |node| *node = Node::Packed(kept.into()));
                }
            },
        };
        if is_whole {
            self.held -= link.held();
            self.len -= std::mem::take(&mut link.len) as usize;
        }
    }
}

fn place(pack: &dyn Room, offset: usize) -> usize {
    let place = Listpack::new(pack.bytes()).seek(offset as i64);
    place.expect("an offset within the node")
}

/// A listpack without up to so many elements of this value, and how many there were; `None` when
/// there were none.
pub(super) fn without(
    list: Listpack<'_>,
    wanted: &Wanted<'_>,
    max: usize,
    from: Side,
) -> Option<(Vec<u8>, usize)> {
    let is_wanted = |element: &Element<'_>| wanted.is(element.item);
    let mut found: Vec<_> = match from {
        Side::Left => list.iter().filter(is_wanted).take(max).collect(),
        Side::Right => {
            let back = list.iter_back(list.end());
            back.filter(is_wanted).take(max).collect()
        }
    };
    if found.is_empty() {
        return None;
    }
    found.sort_unstable_by_key(|element| element.at);
    let gone: usize = found.iter().map(|element| element.next - element.at).sum();
    let mut kept = Vec::with_capacity(list.bytes().len() - gone);
    let mut at = list.start();
    for element in &found {
        kept.extend_from_slice(&list.bytes()[at..element.at]);
        at = element.next;
    }
    kept.extend_from_slice(&list.bytes()[at..list.end()]);
    let mut bytes = listpack::EMPTY.to_vec();
    let left = list.len() - found.len();
    listpack::splice(&mut bytes, list.start(), (0, 0), (&kept, left));
    Some((bytes, found.len()))
}
