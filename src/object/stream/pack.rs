//! Reading a node: its entries forwards and backwards, their ids, names and values.
//!
//! Nothing is copied: an entry is a few places in the node's listpack, a field is read where it
//! lies. The bytes have been made here or have passed [`super::node::Node::from_bytes`].

use super::id::StreamId;
use crate::object::element::Item;
use crate::object::listpack::Listpack;

pub(super) const DELETED: i64 = 1;
pub(super) const SAME_NAMES: i64 = 2;

/// A node with its master entry read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pack<'a> {
    pub list: Listpack<'a>,
    first: StreamId,
    pub live: i64,
    pub deleted: i64,
    /// Number of the master entry's names, and the place of the first.
    pub names: usize,
    names_at: usize,
    /// The place of the first entry.
    pub start: usize,
}

/// The integer at a place, and the place behind it.
fn integer_at(list: Listpack<'_>, at: usize) -> Option<(i64, usize)> {
    let element = list.at(at)?;
    match element.item {
        Item::Int(number) => Some((number, element.next)),
        Item::Bytes(_) => None,
    }
}

fn skip(list: Listpack<'_>, mut at: usize, count: usize) -> Option<usize> {
    for _ in 0..count {
        at = list.at(at)?.next;
    }
    Some(at)
}

impl<'a> Pack<'a> {
    pub fn read(list: Listpack<'a>, first: StreamId) -> Option<Pack<'a>> {
        let (live, at) = integer_at(list, list.start())?;
        let (deleted, at) = integer_at(list, at)?;
        let (names, names_at) = integer_at(list, at)?;
        let names = usize::try_from(names).ok()?;
        let (terminator, start) = integer_at(list, skip(list, names_at, names)?)?;
        (terminator == 0 && live >= 0 && deleted >= 0).then_some(Pack {
            list,
            first,
            live,
            deleted,
            names,
            names_at,
            start,
        })
    }

    /// Whether these are the master entry's names, as many as it has.
    pub fn has_names<'f>(&self, names: impl Iterator<Item = &'f [u8]>) -> bool {
        let own = self.list.iter_from(self.names_at);
        own.zip(names)
            .all(|(own, name)| own.item.with_bytes(|own| own == name))
    }

    /// The entry whose flags stand at a place; `None` at the end.
    #[inline]
    pub fn entry_at(&self, at: usize) -> Option<Entry<'a>> {
        let list = self.list;
        let (flags, ms_at) = integer_at(list, at)?;
        let (ms, seq_at) = integer_at(list, ms_at)?;
        let (seq, values_at) = integer_at(list, seq_at)?;
        let has_same = flags & SAME_NAMES != 0;
        let (count, values_at) = match has_same {
            true => (self.names, values_at),
            false => {
                let (count, at) = integer_at(list, values_at)?;
                (usize::try_from(count).ok()?, at)
            }
        };
        Some(Entry {
            id: self.first.offset(ms, seq),
            at,
            flags,
            count,
            list,
            names_at: has_same.then_some(self.names_at),
            values_at,
        })
    }

    /// The entry that ends before a place; `None` when that is the start.
    pub fn entry_before(&self, end: usize) -> Option<Entry<'a>> {
        if end <= self.start {
            return None;
        }
        let mut at = self.list.before(end)?;
        let (parts, _) = integer_at(self.list, at)?;
        for _ in 0..parts {
            at = self.list.before(at)?;
        }
        self.entry_at(at)
    }

    /// The entry at a place in foreign bytes, if it is whole and can be found backwards.
    pub fn checked_entry_at(&self, at: usize) -> Option<Entry<'a>> {
        let entry = self.entry_at(at)?;
        let has_same = entry.names_at.is_some();
        let fields = entry.count.checked_mul(if has_same { 1 } else { 2 })?;
        let (parts, _) = integer_at(self.list, skip(self.list, entry.values_at, fields)?)?;
        let expected = fields + if has_same { 3 } else { 4 };
        let has_known_flags = entry.flags & !(DELETED | SAME_NAMES) == 0;
        (parts == expected as i64 && has_known_flags).then_some(entry)
    }

    /// The last entry, deleted or not.
    pub fn last(&self) -> Option<Entry<'a>> {
        self.entry_before(self.list.end())
    }
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub id: StreamId,
    /// The place of its flags.
    pub(super) at: usize,
    pub(super) flags: i64,
    /// Number of its fields.
    count: usize,
    list: Listpack<'a>,
    /// Where its names are, unless they stand before its values.
    names_at: Option<usize>,
    values_at: usize,
}

impl<'a> Entry<'a> {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// The place behind it.
    pub(super) fn end(&self) -> usize {
        let fields = self.count * if self.names_at.is_some() { 1 } else { 2 };
        // The fields, and the number of parts.
        let end = skip(self.list, self.values_at, fields + 1);
        end.expect("an entry is whole")
    }

    /// Names and values.
    pub fn fields(&self) -> Fields<'a> {
        Fields {
            list: self.list,
            left: self.count,
            name_at: self.names_at,
            at: self.values_at,
        }
    }
}

/// The names and values of an entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    list: Listpack<'a>,
    left: usize,
    /// The next name's place, where names stand apart.
    name_at: Option<usize>,
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self) -> Option<Item<'a>> {
        let element = self.list.at(self.at)?;
        self.at = element.next;
        Some(element.item)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.name_at {
            Some(at) => {
                let element = self.list.at(*at)?;
                *at = element.next;
                element.item
            }
            None => self.take()?,
        };
        Some((name, self.take()?))
    }
}
