//! Values into bytes, in the types that Redis 7.0 loads.
//!
//! Packed forms go out as listpacks and intsets, but for a set in a listpack, which version 10 has
//! no type for: it goes out member by member. Hashes with fields that expire are beyond version 10
//! as well and take the type of version 12, only for them; Redis 7.4 loads a file that contains
//! one, Redis 7.0 refuses it by name.

use super::code::{Code, VERSION_OF_EXPIRING_FIELDS, VERSION_WRITTEN};
use super::output::Output;
use super::stream;
use crate::object::element::Item;
use crate::object::hash::{HashRef, Pair};
use crate::object::list::NodeRef;
use crate::object::listpack::Listpack;
use crate::object::set::SetRef;
use crate::object::tape::Tape;
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
    match packed {
        Packed::Ints => out.text(bytes),
        Packed::Hash | Packed::Zset => out.text(&Tape::new(bytes).to_listpack()),
        Packed::List => {
            out.length(1);
            out.list_node(NodeRef::Packed(Listpack::new(bytes)));
        }
        Packed::Set => {
            let list = Listpack::new(bytes);
            out.length(list.len() as u64);
            list.iter().for_each(|element| out.item(element.item));
        }
        Packed::ExpiringHash => write_hash(Form::Packed(packed, bytes), out),
    }
}

fn write_object(object: &Object, out: &mut Output) {
    let form = Form::Object(object);
    match object {
        Object::String(bytes) => out.text(bytes),
        Object::Hash(_) => write_hash(form, out),
        Object::Zset(_) => write_zset(ZsetRef::new(form), out),
        Object::Stream(stream) => stream::write(stream, out),
        Object::List(list) => {
            out.length(list.nodes().len() as u64);
            list.nodes().for_each(|node| out.list_node(node));
        }
        Object::Set(_) => {
            let set = SetRef::new(form);
            out.length(set.len() as u64);
            set.iter().for_each(|member| out.item(member));
        }
    }
}

/// From the greatest score down: so a server of skip lists adds each member at the front.
fn write_zset(zset: ZsetRef<'_>, out: &mut Output) {
    out.length(zset.len() as u64);
    for (member, score) in zset.iter(0..zset.len(), true) {
        out.scored(member, score);
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

fn write_hash(form: Form<'_>, out: &mut Output) {
    let hash = HashRef::new(form);
    let expires = hash_code(form) == Code::HashExpiring;
    let earliest = hash.iter().filter_map(|pair| pair.expires_at_ms).min();
    let earliest = expires.then_some(earliest.unwrap_or_default());
    if let Some(at) = earliest {
        out.millis(at);
    }
    out.length(hash.len() as u64);
    hash.iter().for_each(|pair| out.field(pair, earliest));
}

/// Elements one by one, for whoever writes a large value in slices: behind the key stands a count
/// (and the earliest expiry before it, for a hash with such), then so many of these.
impl Output {
    /// A member of a set, or another element as a string.
    pub fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(number) => self.integer(number),
            Item::Bytes(bytes) => self.text(bytes),
        }
    }

    /// A member of a sorted set; the greatest score comes first.
    pub fn scored(&mut self, member: Item<'_>, score: f64) {
        self.item(member);
        self.score(score);
    }

    /// A field of a hash; with its expiry if the hash was written with the earliest of them.
    ///
    /// An expiry is counted from the earliest, with one added: zero is for none.
    pub fn field(&mut self, pair: Pair<'_>, earliest_ms: Option<i64>) {
        if let Some(earliest) = earliest_ms {
            let after = pair.expires_at_ms.map(|at| (at - earliest) as u64 + 1);
            self.length(after.unwrap_or(0));
        }
        self.item(pair.field);
        self.item(pair.value);
    }

    /// A node of a list.
    pub fn list_node(&mut self, node: NodeRef<'_>) {
        match node {
            NodeRef::Packed(list) => {
                self.length(PACKED_NODE);
                self.text(list.bytes());
            }
            NodeRef::Large(bytes) => {
                self.length(LARGE_NODE);
                self.text(bytes);
            }
        }
    }
}
