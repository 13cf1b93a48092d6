//! A hash to change, wherever it lies and whatever its encoding.
//!
//! It grows out of its packed form when a field or a value is too long or there are too many, and
//! never goes back. Nothing here looks at a clock: what has expired is a field like any other,
//! until [`HashEdit::expire`] is told what time it is.

use super::packed::{self, PackedHash};
use super::value::HashTable;
use super::view::HashRef;
use crate::base::clock::is_over;
use crate::object::dict::{Dict, Spot, Taken};
use crate::object::tape::{self, BYTES_MAX};
use crate::object::{Collection, Form, Holder, Object, Packed, Packing};

/// What encoding adds to a field and its value at most.
const ENCODING_MAX: usize = 32;

/// A hash to change.
pub struct HashEdit<'a> {
    holder: &'a mut dyn Holder,
    packing: &'a Packing,
}

impl<'a> HashEdit<'a> {
    /// The hash in a holder.
    pub fn new(holder: &'a mut dyn Holder, packing: &'a Packing) -> HashEdit<'a> {
        HashEdit { holder, packing }
    }

    /// As it is now.
    pub fn view(&self) -> HashRef<'_> {
        HashRef::new(self.holder.form())
    }

    /// Makes room for so many pairs that are about to be set: more than a packed hash may have
    /// are not packed first.
    pub fn expect(&mut self, pairs: usize) {
        if pairs > self.packing.hash_entries_max && self.packed().is_some() {
            self.unpack();
        }
    }

    /// Sets a field; an expiry it had is gone. Says whether the field is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        match self.packed_for(field, value) {
            Some(packed) => self.set_packed(packed, (field, value), false),
            None => self.dict_mut().set(field, value),
        }
    }

    /// Sets a field, which keeps its expiry if it has one.
    pub fn set_value(&mut self, field: &[u8], value: &[u8]) -> bool {
        if let Some(packed) = self.packed_for(field, value) {
            return self.set_packed(packed, (field, value), true);
        }
        let (dict, hash) = (self.dict_mut(), Dict::hash(field));
        let found = dict.locate(hash, field);
        match found {
            Some(spot) => dict.put_value(spot, value),
            None => drop(dict.insert(hash, field, value)),
        }
        found.is_none()
    }

    fn set_packed(&mut self, packed: Packed, pair: (&[u8], &[u8]), keeps_expiry: bool) -> bool {
        let (field, value) = pair;
        let view = PackedHash::new(packed, self.holder.bytes());
        let width = view.width;
        let found = view.find(field);
        let found = found.map(|found| (found.value_at, found.expires_at_ms));
        match found {
            None => packed::append(self.holder, width, field, value),
            Some((at, expires_at_ms)) => {
                tape::replace(self.holder, at, value);
                if expires_at_ms.is_some() && !keeps_expiry {
                    self.set_expiry(field, None);
                }
            }
        }
        // Not only a new field can be one too many: the limit may have been lowered since.
        let view = PackedHash::new(packed, self.holder.bytes());
        if view.exceeds(self.packing.hash_entries_max) {
            self.unpack();
        }
        found.is_none()
    }

    /// Removes a field; says whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let Some(packed) = self.packed() else {
            let spot = self.locate(field);
            return spot.map(|spot| self.dict_mut().take(spot)).is_some();
        };
        let view = PackedHash::new(packed, self.holder.bytes());
        let Some(found) = view.find(field) else {
            return false;
        };
        let (from, to, width) = (found.at, found.next, view.width);
        packed::cut(self.holder, from, to, width);
        true
    }

    /// Gives a field an expiry or takes it away; says whether the field is there.
    pub fn set_expiry(&mut self, field: &[u8], expires_at_ms: Option<i64>) -> bool {
        let Some(mut packed) = self.packed() else {
            let spot = self.locate(field);
            let put = spot.map(|spot| self.dict_mut().put_expiry(spot, expires_at_ms));
            return put.is_some();
        };
        let view = PackedHash::new(packed, self.holder.bytes());
        if view.find(field).is_none() {
            return false;
        }
        if packed == Packed::Hash {
            if expires_at_ms.is_none() {
                return true;
            }
            packed = Packed::ExpiringHash;
            let triples = view.to_triples();
            self.holder.replace(Collection::Packed(packed, triples));
        }
        let view = PackedHash::new(packed, self.holder.bytes());
        let found = view.find(field).expect("it was there as a pair");
        if found.expires_at_ms != expires_at_ms {
            let places = (found.at, found.expiry_at, found.next);
            packed::set_expiry(self.holder, places, expires_at_ms);
        }
        true
    }

    /// Takes up to `budget` fields out whose time has come, and shows each.
    pub fn expire(&mut self, now_ms: i64, budget: usize, mut gone: impl FnMut(&[u8])) {
        let Some(packed) = self.packed() else {
            let show = |taken: &Taken| gone(taken.as_ref().key());
            return self.dict_mut().expire(now_ms, budget, show);
        };
        let view = PackedHash::new(packed, self.holder.bytes());
        let (from, mut to, mut fields) = (view.tape.start(), view.tape.start(), 0);
        for entry in view.iter().take(budget) {
            if entry.expires_at_ms.is_none_or(|at| !is_over(at, now_ms)) {
                break;
            }
            entry.field.with_bytes(&mut gone);
            to = entry.next;
            fields += 1;
        }
        if fields > 0 {
            packed::cut(self.holder, from, to, 3 * fields);
        }
    }

    #[inline]
    fn packed(&self) -> Option<Packed> {
        match self.holder.form() {
            Form::Packed(packed, _) => Some(packed),
            Form::Object(_) => None,
        }
    }

    /// Its packed form, if it has one that may hold this field; it is unpacked otherwise.
    #[inline]
    fn packed_for(&mut self, field: &[u8], value: &[u8]) -> Option<Packed> {
        let packed = self.packed()?;
        let longest = field.len().max(value.len());
        let bytes = self.holder.bytes().len() + field.len() + value.len() + ENCODING_MAX;
        if longest <= self.packing.hash_value_bytes_max && bytes <= BYTES_MAX {
            return Some(packed);
        }
        self.unpack();
        None
    }

    /// Where a field of a table is. Looking comes before changing, because who asks for the table
    /// to change it has changed it, as all see who watch.
    fn locate(&self, field: &[u8]) -> Option<Spot> {
        match self.holder.form() {
            Form::Object(Object::Hash(table)) => table.dict.locate(Dict::hash(field), field),
            _ => unreachable!("asked only of tables"),
        }
    }

    #[inline]
    fn dict_mut(&mut self) -> &mut Dict {
        match self.holder.object_mut() {
            Object::Hash(table) => &mut table.dict,
            _ => unreachable!("its kind was looked at"),
        }
    }

    /// Makes a table of a packed hash.
    fn unpack(&mut self) {
        let mut table = HashTable::default();
        for pair in self.view().iter() {
            let dict = &mut table.dict;
            pair.field.with_bytes(|field| {
                let hash = Dict::hash(field);
                let spot = pair
                    .value
                    .with_bytes(|value| dict.insert(hash, field, value));
                if pair.expires_at_ms.is_some() {
                    dict.put_expiry(spot, pair.expires_at_ms);
                }
            });
        }
        let object = Object::Hash(table);
        self.holder.reshape(Collection::Object(object));
    }
}
