//! Lists to read, in either form, and the elements that come out of them or go in.
//!
//! A walk begins anywhere and goes to either side; a range of a long list costs what it returns
//! and one pass over the lengths of nodes.

use super::node::{Link, NodeRef};
use super::value::Quicklist;
use crate::object::element::{Item, Wanted};
use crate::object::listpack::Listpack;
use crate::object::{Form, Object};
use bytes::Bytes;
use std::collections::vec_deque;

/// An end of a list, or a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// An element where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ListItem<'a> {
    Packed(Item<'a>),
    /// One of a node of its own, to be shared with replies.
    Large(&'a Bytes),
}

impl ListItem<'_> {
    /// Lets `read` see the element as the bytes a client sees.
    #[inline]
    pub fn with_bytes<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            ListItem::Packed(item) => item.with_bytes(read),
            ListItem::Large(bytes) => read(bytes),
        }
    }

    /// The bytes a client sees, to be kept: a copy unless they are many.
    pub fn to_bytes(self) -> Bytes {
        match self {
            ListItem::Packed(item) => item.with_bytes(Bytes::copy_from_slice),
            ListItem::Large(bytes) => bytes.clone(),
        }
    }

    /// Whether it is the element that is looked for.
    #[inline]
    pub fn is(self, wanted: &Wanted<'_>) -> bool {
        match self {
            ListItem::Packed(item) => wanted.is(item),
            ListItem::Large(bytes) => wanted.is(Item::Bytes(bytes)),
        }
    }
}

impl PartialEq for ListItem<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.with_bytes(|own| other.with_bytes(|other| own == other))
    }
}

/// An element to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewItem<'a> {
    pub bytes: &'a [u8],
    /// The same bytes as memory that may be kept, if there is such.
    pub shared: Option<&'a Bytes>,
}

impl NewItem<'_> {
    pub(super) fn to_shared(self) -> Bytes {
        let copy = || Bytes::copy_from_slice(self.bytes);
        self.shared.cloned().unwrap_or_else(copy)
    }
}

impl<'a> From<&'a [u8]> for NewItem<'a> {
    fn from(bytes: &'a [u8]) -> NewItem<'a> {
        NewItem {
            bytes,
            shared: None,
        }
    }
}

impl<'a> From<&'a Bytes> for NewItem<'a> {
    fn from(shared: &'a Bytes) -> NewItem<'a> {
        NewItem {
            bytes: shared,
            shared: Some(shared),
        }
    }
}

/// A list in either form, to read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    Packed(Listpack<'a>),
    Quick(&'a Quicklist),
}

impl<'a> ListRef<'a> {
    /// The list that a form is.
    #[inline]
    pub fn of(form: Form<'a>) -> ListRef<'a> {
        match form {
            Form::Packed(_, bytes) => ListRef::Packed(Listpack::new(bytes)),
            Form::Object(Object::List(list)) => ListRef::Quick(list),
            Form::Object(_) => unreachable!("only lists are read as lists"),
        }
    }

    /// Number of elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(list) => list.len(),
            ListRef::Quick(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements from an index on, to the right or to the left; none when there is no such index.
    pub fn walk(self, index: usize, to: Side) -> Iter<'a> {
        if index >= self.len() {
            return Iter::empty();
        }
        match (self, to) {
            (ListRef::Packed(list), _) => Iter::over_packed(list, index, to),
            (ListRef::Quick(list), Side::Right) => list.iter_from(index),
            (ListRef::Quick(list), Side::Left) => list.iter_back_from(index),
        }
    }

    /// All elements, beginning at an end.
    pub fn walk_from(self, end: Side) -> Iter<'a> {
        match end {
            Side::Left => self.walk(0, Side::Right),
            Side::Right => self.walk(self.len().wrapping_sub(1), Side::Left),
        }
    }

    /// The element at an end.
    #[inline]
    pub fn peek(self, side: Side) -> Option<ListItem<'a>> {
        match self {
            ListRef::Packed(list) => {
                let at = match side {
                    Side::Left => list.start(),
                    Side::Right => list.before(list.end())?,
                };
                list.at(at).map(|element| ListItem::Packed(element.item))
            }
            ListRef::Quick(list) => list.peek(side),
        }
    }

    /// The index a client means, from the right when negative; `None` when there is no element.
    pub fn index(self, index: i64) -> Option<usize> {
        let len = self.len();
        let index = match index {
            0.. => index as u64,
            _ => (len as u64).checked_sub(index.unsigned_abs())?,
        };
        (index < len as u64).then_some(index as usize)
    }

    /// The index of the first such element.
    pub fn position(self, wanted: &Wanted<'_>) -> Option<usize> {
        self.walk_from(Side::Left).position(|item| item.is(wanted))
    }
}

/// The part of a walk that lies in one node.
#[derive(Clone, Debug)]
enum Piece<'a> {
    /// From a place on, or before it.
    Packed(Listpack<'a>, usize),
    Large(Option<&'a Bytes>),
}

/// A walk over elements.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    piece: Piece<'a>,
    rest: vec_deque::Iter<'a, Link>,
    to: Side,
}

impl<'a> Iter<'a> {
    fn empty() -> Iter<'a> {
        Iter {
            piece: Piece::Large(None),
            rest: vec_deque::Iter::default(),
            to: Side::Right,
        }
    }

    fn over_packed(list: Listpack<'a>, index: usize, to: Side) -> Iter<'a> {
        Iter {
            piece: Piece::within(NodeRef::Packed(list), Some(index), to),
            ..Iter {
                to,
                ..Iter::empty()
            }
        }
    }

    /// Over these nodes in a direction, from an index within the first of them on.
    pub(super) fn over_nodes(
        nodes: vec_deque::Iter<'a, Link>,
        offset: usize,
        to: Side,
    ) -> Iter<'a> {
        let mut iter = Iter {
            rest: nodes,
            to,
            ..Iter::empty()
        };
        if let Some(node) = iter.next_node() {
            iter.piece = Piece::within(node, Some(offset), to);
        }
        iter
    }

    #[inline]
    fn next_node(&mut self) -> Option<NodeRef<'a>> {
        let link = match self.to {
            Side::Right => self.rest.next(),
            Side::Left => self.rest.next_back(),
        };
        link.map(|link| link.view())
    }
}

impl<'a> Piece<'a> {
    /// From an index on, or from the end that comes first.
    fn within(node: NodeRef<'a>, index: Option<usize>, to: Side) -> Piece<'a> {
        let list = match node {
            NodeRef::Packed(list) => list,
            NodeRef::Large(bytes) => return Piece::Large(Some(bytes)),
        };
        let place = |index: usize| list.seek(index as i64).unwrap_or(list.end());
        let place = match (to, index) {
            (Side::Right, Some(0) | None) => list.start(),
            (Side::Right, Some(index)) => place(index),
            // A walk to the left begins behind its first element.
            (Side::Left, Some(index)) => place(index + 1),
            (Side::Left, None) => list.end(),
        };
        Piece::Packed(list, place)
    }

    #[inline]
    fn next(&mut self, to: Side) -> Option<ListItem<'a>> {
        match self {
            Piece::Packed(list, place) => {
                if to == Side::Left {
                    *place = list.before(*place)?;
                }
                let element = list.at(*place)?;
                if to == Side::Right {
                    *place = element.next;
                }
                Some(ListItem::Packed(element.item))
            }
            Piece::Large(bytes) => bytes.take().map(ListItem::Large),
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = ListItem<'a>;

    #[inline]
    fn next(&mut self) -> Option<ListItem<'a>> {
        loop {
            if let Some(item) = self.piece.next(self.to) {
                return Some(item);
            }
            let node = self.next_node()?;
            self.piece = Piece::within(node, None, self.to);
        }
    }
}
