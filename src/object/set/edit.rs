//! A set to change, wherever it lies and whatever its encoding.
//!
//! ```text
//!   intset --> listpack --> table      a member that is no integer, is too long, or one too many
//!      \______________________^
//! ```
//!
//! It never goes back by itself; [`SetEdit::pack_integers`] is for results that turned out to
//! be integers.

use super::value::SetTable;
use super::view::{Inner, SetRef};
use crate::base::number::parse_i64;
use crate::base::prng::Prng;
use crate::object::dict::{Dict, Spot};
use crate::object::element::{Item, Wanted};
use crate::object::intset::{self, Ints};
use crate::object::listpack::{self, BYTES_MAX, Listpack};
use crate::object::{Collection, Form, Holder, Object, Packed, Packing};

/// What an integer takes as an element of a listpack at most.
const INTEGER_ELEMENT_MAX: usize = 10;
/// What encoding adds to a member at most.
const ENCODING_MAX: usize = 16;

/// A set to change.
pub struct SetEdit<'a> {
    holder: &'a mut dyn Holder,
    packing: &'a Packing,
}

impl<'a> SetEdit<'a> {
    /// The set in a holder.
    pub fn new(holder: &'a mut dyn Holder, packing: &'a Packing) -> SetEdit<'a> {
        SetEdit { holder, packing }
    }

    /// The packed form in which a set begins that gets this member first, and so many in all.
    pub fn form_for(first: &[u8], members: usize, packing: &Packing) -> Packed {
        match parse_i64(first) {
            Some(_) if members <= ints_max(packing) => Packed::Ints,
            _ => Packed::Set,
        }
    }

    /// As it is now.
    pub fn view(&self) -> SetRef<'_> {
        SetRef::new(self.holder.form())
    }

    /// Makes room for so many members that are about to be added: more than a packed set may have
    /// are not packed first.
    #[inline]
    pub fn expect(&mut self, members: usize) {
        let is_too_many = match self.packed() {
            None => false,
            Some(Packed::Ints) => members > ints_max(self.packing),
            Some(_) => members > self.packing.set_entries_max,
        };
        if is_too_many {
            self.unpack();
        }
    }

    /// Adds a member; says whether it is new.
    #[inline]
    pub fn add(&mut self, member: &[u8]) -> bool {
        match self.packed() {
            None => {
                let (hash, spot) = self.locate(member);
                if spot.is_none() {
                    self.dict_mut().insert(hash, member, b"");
                }
                spot.is_none()
            }
            Some(Packed::Ints) => match parse_i64(member) {
                Some(number) => self.add_integer(number),
                None => self.add_text_to_ints(member),
            },
            Some(_) => self.add_to_list(member),
        }
    }

    /// Adds a member of another set; says whether it is new.
    pub fn add_item(&mut self, member: Item<'_>) -> bool {
        match (self.packed(), member) {
            (Some(Packed::Ints), Item::Int(number)) => self.add_integer(number),
            _ => member.with_bytes(|bytes| self.add(bytes)),
        }
    }

    fn add_integer(&mut self, number: i64) -> bool {
        let is_new = intset::insert(self.holder, number);
        if is_new && Ints::new(self.holder.bytes()).len() > ints_max(self.packing) {
            self.unpack();
        }
        is_new
    }

    /// Adds what is no integer to an intset, which ends to be one.
    fn add_text_to_ints(&mut self, member: &[u8]) -> bool {
        let ints = Ints::new(self.holder.bytes());
        let len = ints.len();
        let ends = [ints.iter().next(), ints.iter().next_back()];
        let longest = ends.into_iter().flatten();
        let longest = longest.map(|number| Item::Int(number).len()).max();
        let bytes = (len + 1) * INTEGER_ELEMENT_MAX + member.len() + ENCODING_MAX;
        let fits = len < self.packing.set_entries_max
            && member.len().max(longest.unwrap_or(0)) <= self.packing.set_value_bytes_max
            && bytes <= BYTES_MAX;
        if !fits {
            self.unpack();
            self.dict_mut().insert(Dict::hash(member), member, b"");
            return true;
        }
        let mut elements = Vec::with_capacity(bytes);
        for number in ints.iter() {
            Item::Int(number).with_bytes(|text| listpack::encode(text, &mut elements));
        }
        listpack::encode(member, &mut elements);
        let mut list = listpack::EMPTY.to_vec();
        let end = Listpack::new(&list).end();
        listpack::splice(&mut list, end, (0, 0), (&elements, len + 1));
        self.holder.replace(Collection::Packed(Packed::Set, list));
        true
    }

    fn add_to_list(&mut self, member: &[u8]) -> bool {
        let bytes = self.holder.bytes();
        let list = Listpack::new(bytes);
        if list.find(Wanted::new(member), 1).is_some() {
            return false;
        }
        let fits = list.len() < self.packing.set_entries_max
            && member.len() <= self.packing.set_value_bytes_max
            && bytes.len() + member.len() + ENCODING_MAX <= BYTES_MAX;
        if fits {
            listpack::push_back(self.holder, member);
        } else {
            self.unpack();
            self.dict_mut().insert(Dict::hash(member), member, b"");
        }
        true
    }

    /// Removes a member; says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.packed() {
            None => {
                let (_, spot) = self.locate(member);
                spot.map(|spot| self.dict_mut().take(spot)).is_some()
            }
            Some(Packed::Ints) => {
                let number = parse_i64(member);
                number.is_some_and(|number| intset::remove(self.holder, number))
            }
            Some(_) => {
                let list = Listpack::new(self.holder.bytes());
                let Some(at) = list.find(Wanted::new(member), 1).map(|found| found.at) else {
                    return false;
                };
                listpack::remove(self.holder, at, 1) == 1
            }
        }
    }

    /// Removes a random member, each equally likely, and shows it; nothing when there are none.
    pub fn take_random(&mut self, random: &mut Prng, taken: impl FnOnce(&[u8])) {
        let view = self.view();
        let len = view.len() as u64;
        match view.0 {
            _ if len == 0 => {}
            Inner::Ints(ints) => {
                let index = random.below(len) as usize;
                Item::Int(ints.at(index)).with_bytes(taken);
                intset::remove_at(self.holder, index);
            }
            Inner::List(list) => {
                let at = list.seek(random.below(len) as i64);
                let element = at.and_then(|at| list.at(at));
                let element = element.expect("an index below the length");
                let at = element.at;
                element.item.with_bytes(taken);
                listpack::remove(self.holder, at, 1);
            }
            Inner::Table(_) => {
                let dict = self.dict_mut();
                let spot = dict.random(random).expect("it is not empty");
                taken(dict.take(spot).as_ref().key());
            }
        }
    }

    /// Makes an intset of it if all members are integers, and few enough.
    pub fn pack_integers(&mut self) {
        let view = self.view();
        if view.is_ints() || view.len() > ints_max(self.packing) {
            return;
        }
        let mut bytes = intset::EMPTY.to_vec();
        for member in view.iter() {
            let Some(number) = member.integer() else {
                return;
            };
            intset::insert(&mut bytes, number);
        }
        self.holder.replace(Collection::Packed(Packed::Ints, bytes));
    }

    #[inline]
    fn packed(&self) -> Option<Packed> {
        match self.holder.form() {
            Form::Packed(packed, _) => Some(packed),
            Form::Object(_) => None,
        }
    }

    /// The hash of a member of a table, and where it is. Looking comes before changing, because
    /// who asks for the table to change it has changed it, as all see who watch.
    #[inline]
    fn locate(&self, member: &[u8]) -> (u64, Option<Spot>) {
        let hash = Dict::hash(member);
        match self.holder.form() {
            Form::Object(Object::Set(table)) => (hash, table.dict.locate(hash, member)),
            _ => unreachable!("asked only of tables"),
        }
    }

    #[inline]
    fn dict_mut(&mut self) -> &mut Dict {
        match self.holder.object_mut() {
            Object::Set(table) => &mut table.dict,
            _ => unreachable!("its kind was looked at"),
        }
    }

    /// Makes a table of a packed set.
    fn unpack(&mut self) {
        let mut table = SetTable::default();
        for member in self.view().iter() {
            member.with_bytes(|member| table.dict.insert(Dict::hash(member), member, b""));
        }
        let object = Object::Set(table);
        self.holder.reshape(Collection::Object(object));
    }
}

fn ints_max(packing: &Packing) -> usize {
    packing.set_ints_max.min(intset::LEN_MAX)
}
