//! The two forms of a collection: packed bytes while it is small, an object when it is not.
//!
//! Packed bytes lie inside the keyspace entry, so a small collection is one allocation together
//! with its key. Lists and sets are what they are in Redis (listpack, intset), byte for byte;
//! hashes and sorted sets are [tapes](super::tape), listpacks without what only reading backwards
//! needs, and become listpacks in DUMP and in snapshots. Whoever changes a collection does it
//! through a [`Holder`], which hides where it lies: in an entry, or in a [`Collection`] that
//! belongs to no key yet.

use super::value::{Encoding, Kind, Object};
use super::{intset, listpack};

/// A type in its packed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// A listpack of elements.
    List,
    /// A tape of fields and values in turn.
    Hash,
    /// A tape of field, value and expiry in turn; the expiry is 0 for none.
    ExpiringHash,
    /// A listpack of members.
    Set,
    /// An intset.
    Ints,
    /// A tape of members and scores in turn, sorted.
    Zset,
}

impl Packed {
    /// All of them, by number.
    pub const ALL: [Packed; 6] = [
        Packed::List,
        Packed::Hash,
        Packed::ExpiringHash,
        Packed::Set,
        Packed::Ints,
        Packed::Zset,
    ];

    /// The type it is a form of.
    pub fn kind(self) -> Kind {
        match self {
            Packed::List => Kind::List,
            Packed::Hash | Packed::ExpiringHash => Kind::Hash,
            Packed::Set | Packed::Ints => Kind::Set,
            Packed::Zset => Kind::Zset,
        }
    }

    /// The encoding that OBJECT ENCODING reports.
    pub fn encoding(self) -> Encoding {
        match self {
            Packed::List | Packed::Hash | Packed::Set | Packed::Zset => Encoding::Listpack,
            Packed::ExpiringHash => Encoding::ListpackEx,
            Packed::Ints => Encoding::Intset,
        }
    }

    /// The bytes of an empty one.
    pub fn empty(self) -> &'static [u8] {
        match self {
            Packed::Ints => &intset::EMPTY,
            Packed::List | Packed::Set => &listpack::EMPTY,
            Packed::Hash | Packed::ExpiringHash | Packed::Zset => b"",
        }
    }

    fn is_gone(self, bytes: &[u8]) -> bool {
        bytes.len() == self.empty().len()
    }
}

/// A collection where it lies, to read.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    Packed(Packed, &'a [u8]),
    Object(&'a Object),
}

impl Form<'_> {
    /// Its type.
    pub fn kind(self) -> Kind {
        match self {
            Form::Packed(packed, _) => packed.kind(),
            Form::Object(object) => object.kind(),
        }
    }

    /// The encoding that OBJECT ENCODING reports.
    pub fn encoding(self) -> Encoding {
        match self {
            Form::Packed(packed, _) => packed.encoding(),
            Form::Object(object) => object.encoding(),
        }
    }

    /// Whether nothing is left, so that the key goes.
    pub fn is_gone(self) -> bool {
        match self {
            Form::Packed(packed, bytes) => packed.is_gone(bytes),
            Form::Object(object) => object.is_gone(),
        }
    }
}

/// A collection that belongs to no key: the result of a computation, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collection {
    Packed(Packed, Vec<u8>),
    Object(Object),
}

impl Collection {
    /// An empty packed one.
    pub fn empty(packed: Packed) -> Collection {
        Collection::Packed(packed, packed.empty().to_vec())
    }
}

/// Bytes that can grow and shrink in the middle.
pub trait Room {
    /// All of them.
    fn bytes(&self) -> &[u8];

    /// Puts `insert` in the place of `remove` bytes from `at` on.
    fn rewrite(&mut self, at: usize, remove: usize, insert: &[u8]);
}

/// Whoever holds a collection while it is changed. As a [`Room`] it is its packed bytes; that
/// panics when it is not packed.
pub trait Holder: Room {
    /// As it is now.
    fn form(&self) -> Form<'_>;

    /// The object; panics when it is packed.
    fn object_mut(&mut self) -> &mut Object;

    /// Holds this instead, of the same type.
    fn replace(&mut self, value: Collection);

    /// Holds the same elements in another form. Nothing has changed by that, and nobody hears of
    /// it: a command may still find that there is nothing for it to do.
    fn reshape(&mut self, value: Collection);
}

impl Room for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn rewrite(&mut self, at: usize, remove: usize, insert: &[u8]) {
        let (len, tail) = (self.len(), at + remove..self.len());
        if insert.len() > remove {
            self.resize(len + insert.len() - remove, 0);
        }
        self.copy_within(tail, at + insert.len());
        self[at..at + insert.len()].copy_from_slice(insert);
        self.truncate(len + insert.len() - remove);
    }
}

impl Room for Collection {
    fn bytes(&self) -> &[u8] {
        match self {
            Collection::Packed(_, bytes) => bytes,
            Collection::Object(_) => unreachable!("only packed collections are bytes"),
        }
    }

    fn rewrite(&mut self, at: usize, remove: usize, insert: &[u8]) {
        match self {
            Collection::Packed(_, bytes) => bytes.rewrite(at, remove, insert),
            Collection::Object(_) => unreachable!("only packed collections are bytes"),
        }
    }
}

impl Holder for Collection {
    fn form(&self) -> Form<'_> {
        match self {
            Collection::Packed(packed, bytes) => Form::Packed(*packed, bytes),
            Collection::Object(object) => Form::Object(object),
        }
    }

    fn object_mut(&mut self) -> &mut Object {
        match self {
            Collection::Object(object) => object,
            Collection::Packed(..) => unreachable!("asked only of objects"),
        }
    }

    fn replace(&mut self, value: Collection) {
        *self = value;
    }

    fn reshape(&mut self, value: Collection) {
        self.replace(value);
    }
}

/// Up to where collections are packed; numbers of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    pub hash_entries_max: usize,
    pub hash_value_bytes_max: usize,
    /// As list-max-listpack-size: positive a number of elements, negative a class of bytes.
    pub list_node_size: i32,
    pub set_ints_max: usize,
    pub set_entries_max: usize,
    pub set_value_bytes_max: usize,
    pub zset_entries_max: usize,
    pub zset_value_bytes_max: usize,
    pub hll_sparse_bytes_max: usize,
    pub stream_node_bytes_max: usize,
    pub stream_node_entries_max: u64,
}

impl Default for Packing {
    /// Redis's defaults.
    fn default() -> Packing {
        Packing {
            hash_entries_max: 512,
            hash_value_bytes_max: 64,
            list_node_size: -2,
            set_ints_max: 512,
            set_entries_max: 128,
            set_value_bytes_max: 64,
            zset_entries_max: 128,
            zset_value_bytes_max: 64,
            hll_sparse_bytes_max: 3000,
            stream_node_bytes_max: 4096,
            stream_node_entries_max: 100,
        }
    }
}
