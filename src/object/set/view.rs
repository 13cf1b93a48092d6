//! A set to read, whatever its encoding.
//!
//! Members come as [`Item`]s, so that integers pass from set to set without being written out.

use super::value::SetTable;
use crate::base::prng::Prng;
use crate::object::element::{Item, Wanted};
use crate::object::intset::Ints;
use crate::object::listpack::Listpack;
use crate::object::{Form, Object, Packed};

/// A set to read.
#[derive(Clone, Copy, Debug)]
pub struct SetRef<'a>(pub(super) Inner<'a>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Inner<'a> {
    Ints(Ints<'a>),
    List(Listpack<'a>),
    Table(&'a SetTable),
}

impl<'a> SetRef<'a> {
    /// The set of a form whose kind is a set.
    #[inline]
    pub fn new(form: Form<'a>) -> SetRef<'a> {
        SetRef(match form {
            Form::Packed(Packed::Ints, bytes) => Inner::Ints(Ints::new(bytes)),
            Form::Packed(_, bytes) => Inner::List(Listpack::new(bytes)),
            Form::Object(Object::Set(table)) => Inner::Table(table),
            Form::Object(_) => unreachable!("its kind was looked at"),
        })
    }

    /// Number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self.0 {
            Inner::Ints(ints) => ints.len(),
            Inner::List(list) => list.len(),
            Inner::Table(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether it is an intset.
    pub fn is_ints(self) -> bool {
        matches!(self.0, Inner::Ints(_))
    }

    /// Whether this is a member.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        self.has(Item::Bytes(member))
    }

    /// Whether this member of another set is one here.
    #[inline]
    pub fn has(self, member: Item<'_>) -> bool {
        match self.0 {
            Inner::Ints(ints) => member.integer().is_some_and(|number| ints.contains(number)),
            Inner::List(list) => {
                member.with_bytes(|bytes| list.find(Wanted::new(bytes), 1).is_some())
            }
            Inner::Table(table) => member.with_bytes(|bytes| table.dict.find(bytes).is_some()),
        }
    }

    /// All members; an intset's ascending.
    pub fn iter(self) -> impl Iterator<Item = Item<'a>> {
        let (mut ints, mut list, mut table) = (None, None, None);
        match self.0 {
            Inner::Ints(all) => ints = Some(all.iter().map(Item::Int)),
            Inner::List(all) => list = Some(all.iter().map(|element| element.item)),
            Inner::Table(all) => table = Some(all.dict.iter().map(|one| Item::Bytes(one.key()))),
        }
        let packed = ints.into_iter().flatten();
        let packed = packed.chain(list.into_iter().flatten());
        packed.chain(table.into_iter().flatten())
    }

    /// A random member, each equally likely; `None` when there are none.
    pub fn random(self, random: &mut Prng) -> Option<Item<'a>> {
        if self.is_empty() {
            return None;
        }
        let mut index = || random.below(self.len() as u64) as usize;
        match self.0 {
            Inner::Ints(ints) => Some(Item::Int(ints.at(index()))),
            Inner::List(list) => {
                let at = list.seek(index() as i64)?;
                list.at(at).map(|element| element.item)
            }
            Inner::Table(table) => {
                let spot = table.dict.random(random)?;
                Some(Item::Bytes(table.dict.at(spot).key()))
            }
        }
    }

    /// Visits members from a cursor on, at least `count` of a large set and all of a packed one;
    /// the cursor to go on from, 0 at the end.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        let Inner::Table(table) = self.0 else {
            self.iter().for_each(visit);
            return 0;
        };
        let visit = |element: crate::object::dict::Element<'_>| visit(Item::Bytes(element.key()));
        table.dict.scan(cursor, count, visit)
    }
}
