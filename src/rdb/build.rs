//! Collections in the making: elements that must not come twice, into the types' own forms.
//!
//! The number of elements that bytes announce only decides whether building starts packed; it
//! reserves nothing.

use super::damage::{Damage, ensure};
use crate::object::hash::HashEdit;
use crate::object::list::{NodeLimit, NodeRef, Quicklist, Side};
use crate::object::set::SetEdit;
use crate::object::zset::{self, Change, Rules, SortedTable, ZsetEdit};
use crate::object::{Collection, Holder, Object, Packed, Packing};
use bytes::Bytes;

/// What no collection has.
pub(super) const TWICE: &str = "an element that comes twice";

/// A collection in the making.
#[derive(Debug)]
pub(super) struct Build {
    collection: Collection,
    packing: Packing,
}

impl Build {
    /// A list is built of nodes, as most of them come, and packed at the end.
    pub(super) fn list(packing: &Packing) -> Build {
        Build {
            collection: Collection::Object(Object::List(Quicklist::default())),
            packing: *packing,
        }
    }

    pub(super) fn set(packing: &Packing, announced: u64) -> Build {
        let mut collection = Collection::empty(Packed::Ints);
        SetEdit::new(&mut collection, packing).expect(number_of(announced));
        let packing = *packing;
        Build {
            collection,
            packing,
        }
    }

    /// A sorted set is packed at the end: a zero would lose its sign on the way.
    pub(super) fn zset(packing: &Packing) -> Build {
        Build {
            collection: Collection::Object(Object::Zset(SortedTable::default())),
            packing: *packing,
        }
    }

    pub(super) fn hash(packing: &Packing, announced: u64) -> Build {
        let mut collection = Collection::empty(Packed::Hash);
        HashEdit::new(&mut collection, packing).expect(number_of(announced));
        let packing = *packing;
        Build {
            collection,
            packing,
        }
    }

    fn quicklist(&mut self) -> &mut Quicklist {
        match self.collection.object_mut() {
            Object::List(list) => list,
            _ => unreachable!("elements come to a list by their end"),
        }
    }

    /// Adds an element at the end of a list.
    pub(super) fn push(&mut self, value: &[u8]) {
        let limit = NodeLimit::from(&self.packing);
        self.quicklist().push(Side::Right, value.into(), limit);
    }

    /// Adds an element that has a node of its own at the end of a list.
    pub(super) fn push_large(&mut self, value: &[u8]) {
        self.quicklist().append_large(Bytes::copy_from_slice(value));
    }

    /// Adds a well-formed listpack at the end of a list.
    pub(super) fn push_node(&mut self, listpack: Vec<u8>) {
        self.quicklist().append_listpack(listpack);
    }

    /// Adds a member to a set.
    pub(super) fn member(&mut self, member: &[u8]) -> Result<(), Damage> {
        let mut set = SetEdit::new(&mut self.collection, &self.packing);
        ensure(set.add(member), TWICE)
    }

    /// Adds a member with its score to a sorted set.
    pub(super) fn scored(&mut self, member: &[u8], score: f64) -> Result<(), Damage> {
        let rules = Rules {
            only_new: true,
            ..Rules::default()
        };
        let mut zset = ZsetEdit::new(&mut self.collection, &self.packing);
        let is_new = matches!(zset.put(member, score, rules), Ok(Change::Added(_)));
        ensure(is_new, TWICE)
    }

    /// Adds a field with its value to a hash.
    pub(super) fn field(
        &mut self,
        field: &[u8],
        value: &[u8],
        expires_at_ms: Option<i64>,
    ) -> Result<(), Damage> {
        let mut hash = HashEdit::new(&mut self.collection, &self.packing);
        ensure(hash.set(field, value), TWICE)?;
        if expires_at_ms.is_some() {
            hash.set_expiry(field, expires_at_ms);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Collection {
        let limit = NodeLimit::from(&self.packing);
        match &self.collection {
            Collection::Object(Object::List(list)) => {
                packed(list, limit).unwrap_or(self.collection)
            }
            Collection::Object(Object::Zset(_)) => zset::settle(self.collection, &self.packing),
            _ => self.collection,
        }
    }
}

/// A list that is small enough for its packed form.
fn packed(list: &Quicklist, limit: NodeLimit) -> Option<Collection> {
    let mut nodes = list.nodes();
    match (nodes.next(), nodes.next()) {
        (None, _) => Some(Collection::empty(Packed::List)),
        (Some(NodeRef::Packed(node)), None)
            if !limit.is_exceeded(node.bytes().len(), node.len()) =>
        {
            Some(Collection::Packed(Packed::List, node.bytes().to_vec()))
        }
        _ => None,
    }
}

fn number_of(announced: u64) -> usize {
    usize::try_from(announced).unwrap_or(usize::MAX)
}
