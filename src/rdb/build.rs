//! Collections in the making: elements that must not come twice, into the types' own forms.
//!
//! The number of elements that bytes announce only decides whether building starts packed; it
//! reserves nothing.

use super::damage::{Damage, ensure};
use crate::object::hash::HashEdit;
use crate::object::listpack::{self, Listpack, Wanted};
use crate::object::zset::{Change, Rules, ZsetEdit};
use crate::object::{Collection, Packed, Packing, Room};

/// What no collection has.
pub(super) const TWICE: &str = "an element that comes twice";

/// A collection in the making.
#[derive(Debug)]
pub(super) struct Build {
    collection: Collection,
    packing: Packing,
}

impl Build {
    fn new(packed: Packed, packing: &Packing) -> Build {
        Build {
            collection: Collection::empty(packed),
            packing: *packing,
        }
    }

    pub(super) fn list(packing: &Packing) -> Build {
        Build::new(Packed::List, packing)
    }

    pub(super) fn set(packing: &Packing, _announced: u64) -> Build {
        Build::new(Packed::Set, packing)
    }

    pub(super) fn zset(packing: &Packing, _announced: u64) -> Build {
        Build::new(Packed::Zset, packing)
    }

    pub(super) fn hash(packing: &Packing, announced: u64) -> Build {
        let mut build = Build::new(Packed::Hash, packing);
        let pairs = usize::try_from(announced).unwrap_or(usize::MAX);
        HashEdit::new(&mut build.collection, packing).expect(pairs);
        build
    }

    /// Adds an element at the end of a list.
    pub(super) fn push(&mut self, value: &[u8]) -> Result<(), Damage> {
        listpack::push_back(&mut self.collection, value);
        Ok(())
    }

    fn is_new(&self, value: &[u8], step: usize) -> Result<(), Damage> {
        let list = Listpack::new(self.collection.bytes());
        ensure(list.find(Wanted::new(value), step).is_none(), TWICE)
    }

    /// Adds a member to a set.
    pub(super) fn member(&mut self, member: &[u8]) -> Result<(), Damage> {
        self.is_new(member, 1)?;
        self.push(member)
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
        let _ = self.packing;
        self.collection
    }
}
