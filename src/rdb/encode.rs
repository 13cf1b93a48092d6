//! Values into bytes, in the types that Redis 7.0 loads.
//!
//! Packed forms go out as they lie, but for a set in a listpack, which version 10 has no type for:
//! it goes out member by member. Hashes with fields that expire are beyond version 10 as well and
//! take the type of version 12, only for them; Redis 7.4 loads a file that contains one, Redis 7.0
//! refuses it by name.

use super::code::{Code, VERSION_OF_EXPIRING_FIELDS, VERSION_WRITTEN};
use super::output::Output;
use crate::object::listpack::{Item, Listpack};
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
            ValueRef::Collection(Form::Packed(packed, _)) => match packed {
                Packed::List => Code::ListQuicklist2,
                Packed::Hash => Code::HashListpack,
                Packed::ExpiringHash => Code::HashExpiring,
                Packed::Set => Code::Set,
                Packed::Ints => Code::SetIntset,
                Packed::Zset => Code::ZsetListpack,
            },
            ValueRef::Collection(Form::Object(object)) => match object {
                Object::String(_) => Code::String,
                Object::List(_) => Code::ListQuicklist2,
                Object::Set(_) => Code::Set,
                Object::Zset(_) => Code::Zset,
                Object::Hash(_) => Code::Hash,
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

/// A list node that is a listpack, not a single element.
const PACKED_NODE: u64 = 2;

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
        Packed::ExpiringHash => {
            let items = || list.iter().map(|element| element.item);
            let triples = || items().zip(items().skip(1)).zip(items().skip(2)).step_by(3);
            let fields = triples().map(|((field, value), at)| (field, value, at.integer()));
            let earliest = fields
                .clone()
                .filter_map(|field| field.2.filter(|at| *at > 0));
            let earliest = earliest.min().unwrap_or(0);
            out.millis(earliest);
            out.length(list.len() as u64 / 3);
            for (field, value, at) in fields {
                let at = at.filter(|at| *at > 0);
                out.length(at.map_or(0, |at| (at - earliest + 1) as u64));
                write_item(field, out);
                write_item(value, out);
            }
        }
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
        _ => unreachable!("not written yet"),
    }
}
