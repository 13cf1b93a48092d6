//! Values that have an allocation of their own, and the names Redis gives to types and encodings.
//!
//! A string moves out of its entry when it is large: then it is shared by reference with the
//! replies that carry it to clients, and replaced (never changed) while such a reply is on its way.

use super::hash::HashTable;
use super::list::Quicklist;
use super::set::SetTable;
use super::stream::Stream;
use super::zset::SortedTable;
use bytes::{Bytes, BytesMut};

/// From this length on a string is kept outside its entry, in bytes.
///
/// Below it a copy into the output buffer is cheaper than a scattered send; above it a value is
/// received straight into the memory it will live in.
pub const SHARED_STRING_MIN: usize = 16 * 1024;

/// A type as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    List,
    Set,
    Zset,
    Hash,
    Stream,
}

impl Kind {
    /// The name TYPE replies with.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Zset => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
        }
    }
}

/// An encoding as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
    Listpack,
    /// A listpack whose fields may expire.
    ListpackEx,
    Intset,
    Quicklist,
    Hashtable,
    Skiplist,
    Stream,
}

impl Encoding {
    /// The name OBJECT ENCODING replies with.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Intset => "intset",
            Encoding::Quicklist => "quicklist",
            Encoding::Hashtable => "hashtable",
            Encoding::Skiplist => "skiplist",
            Encoding::Stream => "stream",
        }
    }
}

/// A value outside its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A large string.
    String(Bytes),
    List(Quicklist),
    Set(SetTable),
    Zset(SortedTable),
    Hash(HashTable),
    Stream(Box<Stream>),
}

impl Object {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Object::String(_) => Kind::String,
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::Zset(_) => Kind::Zset,
            Object::Hash(_) => Kind::Hash,
            Object::Stream(_) => Kind::Stream,
        }
    }

    /// The encoding that OBJECT ENCODING reports.
    pub fn encoding(&self) -> Encoding {
        match self {
            Object::String(_) => Encoding::Raw,
            Object::List(_) => Encoding::Quicklist,
            Object::Set(_) | Object::Hash(_) => Encoding::Hashtable,
            Object::Zset(_) => Encoding::Skiplist,
            Object::Stream(_) => Encoding::Stream,
        }
    }

    /// Whether nothing is left, so that the key goes; a stream may live on empty.
    pub fn is_gone(&self) -> bool {
        match self {
            Object::String(_) | Object::Stream(_) => false,
            Object::List(list) => list.is_empty(),
            Object::Set(set) => set.is_empty(),
            Object::Zset(zset) => zset.is_empty(),
            Object::Hash(hash) => hash.is_empty(),
        }
    }

    /// Takes it out of its place, where an empty string stays.
    pub fn take_out(&mut self) -> Object {
        std::mem::replace(self, Object::String(Bytes::new()))
    }

    /// How many pieces it falls into when it is freed: a measure of how long that takes.
    pub fn pieces(&self) -> usize {
        match self {
            Object::String(_) => 1,
            Object::List(list) => list.nodes().len(),
            Object::Set(set) => set.len(),
            Object::Zset(zset) => zset.len(),
            Object::Hash(hash) => hash.len(),
            Object::Stream(stream) => stream.pieces(),
        }
    }

    /// Frees up to about so many elements and says whether there are more; from the first call on
    /// it is good for nothing else.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        match self {
            Object::String(_) => false,
            Object::List(list) => list.drop_some(budget),
            Object::Set(set) => set.drop_some(budget),
            Object::Zset(zset) => zset.drop_some(budget),
            Object::Hash(hash) => hash.drop_some(budget),
            Object::Stream(stream) => stream.drop_some(budget),
        }
    }

    /// Bytes it asks of the allocator.
    pub fn bytes(&self) -> usize {
        size_of::<Object>()
            + match self {
                Object::String(bytes) => bytes.len(),
                Object::List(list) => list.bytes(),
                Object::Set(set) => set.bytes(),
                Object::Zset(zset) => zset.bytes(),
                Object::Hash(hash) => hash.bytes(),
                Object::Stream(stream) => stream.bytes(),
            }
    }

    /// Lets `change` work on the string's bytes; copies them first if a reply still holds them.
    ///
    /// Returns `None` when the object is not a string.
    pub fn change_string<T>(&mut self, change: impl FnOnce(&mut BytesMut) -> T) -> Option<T> {
        let Object::String(bytes) = self else {
            return None;
        };
        let shared = std::mem::take(bytes);
        let mut own = shared
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let result = change(&mut own);
        *bytes = own.freeze();
        Some(result)
    }
}
