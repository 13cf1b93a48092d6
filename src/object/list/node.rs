//! Nodes of a quicklist: a listpack with room to grow at both ends, or one large element.
//!
//! ```text
//!   buffer   | gap | header | element | element | ... | 0xFF | room |
//!                  ^ start                                   ^ end: between them is a listpack
//! ```
//!
//! A push at the front moves the header, not the elements. The gap and the room behind fill up
//! what the allocator hands out anyway; a node that nobody is going to grow gives
//! them back ([`Node::settle`]). A node is never empty.
//!
//! In its list a node is a [`Link`], which shares the buffer with copies of the list. Where a
//! listpack ends its header says; only while a node is changed does it take a field.

use super::counted::{Content, ContentRef, Counted};
use super::limit::NodeLimit;
use super::view::{NewItem, Side};
use crate::object::Room;
use crate::object::listpack::{self, Listpack};
use bytes::Bytes;

/// A node in its list.
#[derive(Clone, Debug)]
pub(super) struct Link {
    node: Counted,
    /// Where the listpack begins in its buffer.
    start: u32,
    /// Number of elements.
    pub(super) len: u32,
}

/// A node that is being made or changed.
#[derive(Debug)]
pub(super) enum Node {
    Packed(Pack),
    /// An element too large to share a node.
    Large(Bytes),
}

/// A node to read.
#[derive(Clone, Copy, Debug)]
pub enum NodeRef<'a> {
    Packed(Listpack<'a>),
    /// An element too large to share a node.
    Large(&'a Bytes),
}

/// A listpack with room at both ends.
#[derive(Debug)]
pub(super) struct Pack {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
}

impl From<Vec<u8>> for Pack {
    fn from(bytes: Vec<u8>) -> Pack {
        let end = position(bytes.len());
        let buffer = bytes.into_boxed_slice();
        Pack {
            buffer,
            start: 0,
            end,
        }
    }
}

/// A place in a buffer.
fn position(at: usize) -> u32 {
    at.try_into()
        .expect("a listpack counts its bytes in 32 bits")
}

/// What the allocator hands out for so many bytes: four sizes to each power of two.
fn size_class(bytes: usize) -> usize {
    const LEAST: usize = 64;
    bytes.next_multiple_of((bytes.next_power_of_two() / 8).max(LEAST))
}

impl Pack {
    /// Moves the content to a buffer with this much room before and behind.
    #[cold]
    fn remake(&mut self, front: usize, back: usize) {
        let content = self.bytes();
        let end = front + content.len();
        let mut buffer = vec![0; end + back];
        buffer[front..end].copy_from_slice(content);
        *self = Pack {
            buffer: buffer.into_boxed_slice(),
            start: position(front),
            end: position(end),
        };
    }

    /// Room that is worth making when some is needed.
    fn more(&self, needed: usize) -> usize {
        let len = self.bytes().len();
        size_class(len + needed) - len
    }

    /// Moves the bytes before `at` so that they end `grow` bytes earlier, or later.
    fn move_head(&mut self, at: usize, remove: usize, insert: usize) {
        if insert > remove && (self.start as usize) < insert - remove {
            self.remake(self.more(insert - remove), 0);
        }
        let old = self.start as usize;
        let start = old + remove - insert;
        self.buffer.copy_within(old..old + at, start);
        self.start = position(start);
    }

    fn move_tail(&mut self, at: usize, remove: usize, insert: usize) {
        let grow = insert.saturating_sub(remove);
        if self.buffer.len() - (self.end as usize) < grow {
            self.remake(0, self.more(grow));
        }
        let (tail, end) = (self.start as usize + at + remove, self.end as usize);
        self.buffer.copy_within(tail..end, tail + insert - remove);
        self.end = position(end + insert - remove);
    }
}

impl Room for Pack {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start as usize..self.end as usize]
    }

    #[inline]
    fn rewrite(&mut self, at: usize, remove: usize, insert: &[u8]) {
        if remove != insert.len() {
            let tail = self.bytes().len() - at - remove;
            if at <= tail {
                self.move_head(at, remove, insert.len());
            } else {
                self.move_tail(at, remove, insert.len());
            }
        }
        self.buffer[self.start as usize + at..][..insert.len()].copy_from_slice(insert);
    }
}

impl Node {
    /// A node of one element.
    pub(super) fn new(item: NewItem<'_>, limit: NodeLimit) -> Node {
        if limit.is_large(item.bytes.len()) {
            return Node::Large(item.to_shared());
        }
        let mut pack = Pack::from(listpack::EMPTY.to_vec());
        listpack::push_back(&mut pack, item.bytes);
        Node::Packed(pack)
    }

    /// Adds an element that is admitted.
    #[inline]
    pub(super) fn push(&mut self, side: Side, value: &[u8]) {
        let pack = self.pack();
        match side {
            Side::Left => listpack::push_front(pack, value),
            Side::Right => listpack::push_back(pack, value),
        }
    }

    /// The listpack; only asked of nodes that are one.
    pub(super) fn pack(&mut self) -> &mut Pack {
        match self {
            Node::Packed(pack) => pack,
            Node::Large(_) => unreachable!("a large element is alone in its node"),
        }
    }

    /// Removes the first or last of several elements.
    #[inline]
    pub(super) fn pop(&mut self, side: Side) {
        let pack = self.pack();
        let list = Listpack::new(pack.bytes());
        let at = match side {
            Side::Left => list.start(),
            Side::Right => list.before(list.end()).expect("nodes are not empty"),
        };
        listpack::remove(pack, at, 1);
    }

    /// What it owns, where the listpack begins in that, and the number of elements.
    #[inline]
    fn into_parts(self) -> (Content, u32, u32) {
        match self {
            Node::Packed(pack) => {
                let len = Listpack::new(pack.bytes()).len();
                (Content::Buffer(pack.buffer), pack.start, position(len))
            }
            Node::Large(bytes) => (Content::Large(bytes), 0, 1),
        }
    }

    /// Gives back room that nobody is going to use.
    pub(super) fn settle(&mut self) {
        if let Node::Packed(pack) = self
            && pack.buffer.len() > size_class(pack.bytes().len())
        {
            pack.remake(0, 0);
        }
    }
}

impl Link {
    /// Bytes it takes besides what the node holds.
    pub(super) const BYTES: usize = size_of::<Link>() + Counted::BYTES;

    pub(super) fn new(node: Node) -> Link {
        let (content, start, len) = node.into_parts();
        let node = Counted::new(content);
        Link { node, start, len }
    }

    #[inline]
    pub(super) fn view(&self) -> NodeRef<'_> {
        match self.node.get() {
            ContentRef::Buffer(buffer) => {
                NodeRef::Packed(Listpack::starting(&buffer[self.start as usize..]))
            }
            ContentRef::Large(bytes) => NodeRef::Large(bytes),
        }
    }

    /// Bytes the node asks of the allocator, itself apart.
    #[inline]
    pub(super) fn held(&self) -> usize {
        match self.node.get() {
            ContentRef::Buffer(buffer) => buffer.len(),
            ContentRef::Large(bytes) => bytes.len() + size_of::<Bytes>(),
        }
    }

    /// Whether an element of this length may join.
    #[inline]
    pub(super) fn admits(&self, len: usize, limit: NodeLimit) -> bool {
        match self.view() {
            NodeRef::Packed(list) => limit.admits(len, list.bytes().len(), self.len as usize),
            NodeRef::Large(_) => false,
        }
    }

    /// Whether no copy of the list shares the node.
    pub(super) fn is_only(&self) -> bool {
        self.node.is_only()
    }

    /// Takes the node out to change it; it has to be closed again.
    #[inline]
    fn open(&mut self) -> Node {
        let start = self.start as usize;
        match self.node.take() {
            Content::Buffer(buffer) => {
                let end = start + Listpack::starting(&buffer[start..]).bytes().len();
                Node::Packed(Pack {
                    buffer,
                    start: self.start,
                    end: position(end),
                })
            }
            Content::Large(bytes) => Node::Large(bytes),
        }
    }

    #[inline]
    fn close(&mut self, node: Node) {
        let (content, start, len) = node.into_parts();
        self.node.set(content);
        (self.start, self.len) = (start, len);
    }

    /// Changes the node, which keeps an element at least.
    #[inline]
    pub(super) fn edit<T>(&mut self, change: impl FnOnce(&mut Node) -> T) -> T {
        let mut node = self.open();
        let result = change(&mut node);
        self.close(node);
        result
    }
}

impl<'a> NodeRef<'a> {
    /// Number of elements.
    pub fn len(self) -> usize {
        match self {
            NodeRef::Packed(list) => list.len(),
            NodeRef::Large(_) => 1,
        }
    }

    /// Whether there are none, which is never so in a list.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn a_pack_is_rewritten_as_a_vector_would_be() {
        for seed in 0..50 {
            let mut random = Prng::from_seed(seed);
            let mut model: Vec<u8> = b"0123456789".to_vec();
            let mut pack = Pack::from(model.clone());
            for _ in 0..300 {
                let at = random.below(model.len() as u64 + 1) as usize;
                let remove = random.below((model.len() - at).min(20) as u64 + 1) as usize;
                let insert: Vec<u8> = (0..random.below(25)).map(|n| n as u8).collect();
                pack.rewrite(at, remove, &insert);
                Room::rewrite(&mut model, at, remove, &insert);
                assert_eq!(pack.bytes(), model, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_node_is_small() {
        assert_eq!(Link::BYTES, 32);
    }

    #[test]
    fn a_queue_through_one_node_does_not_grow() {
        let limit = NodeLimit::new(-2);
        let mut link = Link::new(Node::new(NewItem::from(&b"first"[..]), limit));
        for number in 0..10_000 {
            link.edit(|node| node.push(Side::Right, format!("job-{number}").as_bytes()));
            if number >= 20 {
                link.edit(|node| node.pop(Side::Left));
            }
        }
        assert!(link.held() < 1024, "{} bytes", link.held());
    }
}
