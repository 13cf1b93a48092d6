//! A quicklist: a list that is too large to be packed, as a sequence of nodes.
//!
//! ```text
//!   nodes   | 128 elements | 130 elements | 1 large one | 77 elements |       a ring buffer
//!                  |               |             |             |
//!               listpack        listpack      its bytes     listpack          counted references
//! ```
//!
//! Both ends cost O(1). An element is found by its index by adding up the nodes' lengths from the
//! nearer end, without looking into them. Nodes are shared by reference and copied when one of the
//! holders writes: a copy of a list, or a walker that must not see later changes, costs a
//! reference per node. What happens in the middle is in the file beside this one.

use super::limit::NodeLimit;
use super::node::{Link, Node, NodeRef};
use super::view::{Iter, ListItem, NewItem, Side};
use crate::object::listpack::Listpack;
use bytes::Bytes;
use std::collections::VecDeque;

/// A list that is too large to be packed.
#[derive(Clone, Debug, Default)]
pub struct Quicklist {
    pub(super) nodes: VecDeque<Link>,
    pub(super) len: usize,
    /// What the nodes hold apart from themselves.
    pub(super) held: usize,
}

impl Quicklist {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        let spare = self.nodes.capacity() - self.nodes.len();
        self.held + self.nodes.len() * Link::BYTES + spare * size_of::<Link>()
    }

    /// The nodes from left to right.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeRef<'_>> {
        self.nodes.iter().map(|link| link.view())
    }

    /// Takes the first node out after showing it.
    pub fn take_first<T>(&mut self, show: impl FnOnce(NodeRef<'_>) -> T) -> Option<T> {
        let link = self.nodes.pop_front()?;
        self.held -= link.held();
        self.len -= link.len as usize;
        Some(show(link.view()))
    }

    /// Adds a node behind the others, for whoever loads a list node by node; the bytes are a
    /// listpack. Empty ones are left out.
    pub fn append_listpack(&mut self, listpack: Vec<u8>) {
        if !Listpack::new(&listpack).is_empty() {
            self.add(self.nodes.len(), Node::Packed(listpack.into()));
        }
    }

    /// Adds an element as a node of its own behind the others.
    pub fn append_large(&mut self, element: Bytes) {
        self.add(self.nodes.len(), Node::Large(element));
    }

    /// The number of the node at an end.
    #[inline]
    fn end(&self, side: Side) -> Option<usize> {
        match side {
            Side::Left => (!self.nodes.is_empty()).then_some(0),
            Side::Right => self.nodes.len().checked_sub(1),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, side: Side, item: NewItem<'_>, limit: NodeLimit) {
        let end = self.end(side);
        if let Some(end) = end
            && self.admits(end, item.bytes.len(), limit)
        {
            return self.edit(end, |node| node.push(side, item.bytes));
        }
        if let Some(end) = end {
            self.settle(end);
        }
        let at = if side == Side::Left {
            0
        } else {
            self.nodes.len()
        };
        self.add(at, Node::new(item, limit));
    }

    /// Removes the element at an end, if there is one.
    #[inline]
    pub fn pop(&mut self, side: Side) {
        let Some(end) = self.end(side) else { return };
        if self.nodes[end].len > 1 {
            self.edit(end, |node| node.pop(side));
        } else {
            self.drop_nodes(end..end + 1);
        }
    }

    /// The element at an end.
    #[inline]
    pub fn peek(&self, side: Side) -> Option<ListItem<'_>> {
        match side {
            Side::Left => self.iter().next(),
            Side::Right => self.iter_back_from(self.len.checked_sub(1)?).next(),
        }
    }

    /// All elements from left to right.
    pub fn iter(&self) -> Iter<'_> {
        Iter::over_nodes(self.nodes.iter(), 0, Side::Right)
    }

    /// The elements from an index on.
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        let (node, offset) = self.seek(index);
        Iter::over_nodes(self.nodes.range(node..), offset, Side::Right)
    }

    /// The elements from an index on backwards; the index exists.
    pub fn iter_back_from(&self, index: usize) -> Iter<'_> {
        let (node, offset) = self.seek(index);
        Iter::over_nodes(self.nodes.range(..=node), offset, Side::Left)
    }

    /// The node that an index falls into, and the index within; behind the last node at the end.
    pub(super) fn seek(&self, index: usize) -> (usize, usize) {
        if index >= self.len {
            return (self.nodes.len(), 0);
        }
        if index <= self.len / 2 {
            let mut offset = index;
            for (node, link) in self.nodes.iter().enumerate() {
                if offset < link.len as usize {
                    return (node, offset);
                }
                offset -= link.len as usize;
            }
        }
        let mut first = self.len;
        for (node, link) in self.nodes.iter().enumerate().rev() {
            first -= link.len as usize;
            if first <= index {
                return (node, index - first);
            }
        }
        unreachable!("a list is as long as its nodes")
    }

    pub(super) fn admits(&self, node: usize, len: usize, limit: NodeLimit) -> bool {
        self.nodes[node].admits(len, limit)
    }

    /// Changes a node, which keeps an element at least.
    #[inline]
    pub(super) fn edit<T>(&mut self, node: usize, change: impl FnOnce(&mut Node) -> T) -> T {
        let link = &mut self.nodes[node];
        let (held, len) = (link.held(), link.len as usize);
        let result = link.edit(change);
        self.held = self.held + link.held() - held;
        self.len = self.len + link.len as usize - len;
        result
    }

    /// Lets a node give back its spare room, unless somebody else sees it too.
    fn settle(&mut self, node: usize) {
        if self.nodes[node].is_only() {
            self.edit(node, Node::settle);
        }
    }

    /// Adds a node at this place.
    pub(super) fn add(&mut self, at: usize, node: Node) {
        if self.nodes.len() == self.nodes.capacity() {
            // Doubling would leave up to half of it empty.
            self.nodes.reserve_exact((self.nodes.len() / 8).max(4));
        }
        let link = Link::new(node);
        self.held += link.held();
        self.len += link.len as usize;
        if at == 0 {
            self.nodes.push_front(link);
        } else {
            self.nodes.insert(at, link);
        }
    }

    /// Drops whole nodes.
    pub(super) fn drop_nodes(&mut self, nodes: std::ops::Range<usize>) {
        for link in self.nodes.drain(nodes) {
            self.held -= link.held();
            self.len -= link.len as usize;
        }
        /// Fewer are not worth a reallocation.
        const KEPT: usize = 64;
        if self.nodes.capacity() / 4 > self.nodes.len().max(KEPT) {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
    }

    /// Frees about so many elements from the right; says whether some are left.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        let mut freed = 0;
        while freed < budget
            && let Some(link) = self.nodes.pop_back()
        {
            freed += link.len as usize;
            self.held -= link.held();
            self.len -= link.len as usize;
        }
        !self.nodes.is_empty()
    }
}

impl PartialEq for Quicklist {
    /// Whether they have the same elements, however they are cut into nodes.
    fn eq(&self, other: &Quicklist) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Quicklist {}
