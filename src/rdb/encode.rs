//! Values into bytes, in the types that Redis 7.0 loads.
//!
//! Packed forms go out as they lie, but for a set in a listpack, which version 10 has no type for:
//! it goes out member by member. Hashes with fields that expire are beyond version 10 as well and
//! take the type of version 12, only for them; Redis 7.4 loads a file that contains one, Redis 7.0
//! refuses it by name.

use super::code::{Code, VERSION_OF_EXPIRING_FIELDS, VERSION_WRITTEN};
use super::output::Output;
use super::stream;
use crate::object::hash::HashRef;
use crate::object::list::NodeRef;
use crate::object::listpack::{Item, Listpack};
use crate::object::set::SetRef;
use crate::object::zset::ZsetRef;
use crate::object::{Form, Object, Packed};

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    Int(i64),
    Text(&'a [u8]),
    Collection(Form<'a>),
}

impl ValueRef<'_> {
    /// The code it is written by.
    pub fn code(self) -> Code {
        match self {
            ValueRef::Int(_) | ValueRef::Text(_) => Code::String,
            ValueRef::Collection(form @ Form::Packed(packed, _)) => match packed {
                Packed::List => Code::ListQuicklist2,
                Packed::Hash => Code::HashListpack,
                Packed::ExpiringHash => hash_code(form),
                Packed::Set => Code::Set,
                Packed::Ints => Code::SetIntset,
                Packed::Zset => Code::ZsetListpack,
            },
            ValueRef::Collection(form @ Form::Object(object)) => match object {
                Object::String(_) => Code::String,
                Object::List(_) => Code::ListQuicklist2,
                Object::Set(_) => Code::Set,
                Object::Zset(_) => Code::Zset,
                Object::Hash(_) => hash_code(form),
                Object::Stream(_) => Code::Stream2,
            },
        }
    }

    /// The lowest version that can say it.
    pub fn version(self) -> u16 {
        match self.code() {
            Code::HashExpiring => VERSION_OF_EXPIRING_FIELDS,
            _ => VERSION_WRITTEN,
        }
    }

    /// Writes the value; its code stands elsewhere.
    pub fn write(self, out: &mut Output) {
        match self {
            ValueRef::Int(number) => out.integer(number),
            ValueRef::Text(bytes) => out.text(bytes),
            ValueRef::Collection(Form::Packed(packed, bytes)) => write_packed(packed, bytes, out),
            ValueRef::Collection(Form::Object(object)) => write_object(object, out),
        }
    }
}

/// A list node that is a single element, too large for a listpack.
pub(super) const LARGE_NODE: u64 = 1;
/// A list node that is a listpack.
pub(super) const PACKED_NODE: u64 = 2;

fn write_packed(packed: Packed, bytes: &[u8], out: &mut Output) {
    let list = Listpack::new(bytes);
    match packed {
        Packed::Hash | Packed::Ints | Packed::Zset => out.text(bytes),
        Packed::List => {
            out.length(1);
            out.length(PACKED_NODE);
            out.text(bytes);
        }
        Packed::Set => {
            out.length(list.len() as u64);
            for element in list.iter() {
                write_item(element.item, out);
            }
        }
        Packed::ExpiringHash => write_hash(Form::Packed(packed, bytes), out),
    }
}

fn write_item(item: Item<'_>, out: &mut Output) {
    match item {
        Item::Int(number) => out.integer(number),
        Item::Bytes(bytes) => out.text(bytes),
    }
}

fn write_object(object: &Object, out: &mut Output) {
    match object {
        Object::String(bytes) => out.text(bytes),
        Object::Hash(_) => write_hash(Form::Object(object), out),
        Object::Zset(_) => write_zset(ZsetRef::new(Form::Object(object)), out),
        Object::Stream(stream) => stream::write(stream, out),
        Object::List(list) => {
            out.length(list.nodes().len() as u64);
            list.nodes().for_each(|node| write_node(node, out));
        }
        Object::Set(_) => {
            let set = SetRef::new(Form::Object(object));
            out.length(set.len() as u64);
            set.iter().for_each(|member| write_item(member, out));
        }
    }
}

fn write_node(node: NodeRef<'_>, out: &mut Output) {
    match node {
        NodeRef::Packed(list) => {
            out.length(PACKED_NODE);
            out.text(list.bytes());
        }
        NodeRef::Large(bytes) => {
            out.length(LARGE_NODE);
            out.text(bytes);
        }
    }
}

/// From the greatest score down: so a server of skip lists adds each member at the front.
fn write_zset(zset: ZsetRef<'_>, out: &mut Output) {
    out.length(zset.len() as u64);
    for (member, score) in zset.iter(0..zset.len(), true) {
        write_item(member, out);
        out.score(score);
    }
}

/// A hash takes the code of version 12 only as long as a field of it expires.
fn hash_code(form: Form<'_>) -> Code {
    let expires = match form {
        Form::Object(Object::Hash(table)) => table.dict().volatile() > 0,
        _ => HashRef::new(form).earliest_ms() < i64::MAX,
    };
    if expires {
        Code::HashExpiring
    } else {
        Code::Hash
    }
}

/// Fields with their values, and with their expiries if the code says so.
///
/// An expiry is written from the earliest on, with one added: zero is for none.
fn write_hash(form: Form<'_>, out: &mut Output) {
    let hash = HashRef::new(form);
    let expires = hash_code(form) == Code::HashExpiring;
    let earliest = hash.iter().filter_map(|pair| pair.expires_at_ms).min();
    let earliest = earliest.unwrap_or_default();
    if expires {
        out.millis(earliest);
    }
    out.length(hash.len() as u64);
    for pair in hash.iter() {
        if expires {
            out.length(
                pair.expires_at_ms
                    .map_or(0, |at| (at - earliest) as u64 + 1),
            );
        }
        write_item(pair.field, out);
        write_item(pair.value, out);
    }
}
