//! Values that have an allocation of their own, and the names Redis gives to types and encodings.
//!
//! A string moves out of its entry when it is large: then it is shared by reference with the
//! replies that carry it to clients, and replaced (never changed) while such a reply is on its way.

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
}

impl Kind {
    /// The name TYPE replies with.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }
}

/// An encoding as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
}

impl Encoding {
    /// The name OBJECT ENCODING replies with.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}

/// A value outside its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A large string.
    String(Bytes),
}

impl Object {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Object::String(_) => Kind::String,
        }
    }

    /// Bytes it asks of the allocator.
    pub fn bytes(&self) -> usize {
        match self {
            Object::String(bytes) => size_of::<Object>() + bytes.len(),
        }
    }

    /// Lets `change` work on the string's bytes; copies them first if a reply still holds them.
    ///
    /// Returns `None` when the object is not a string.
    pub fn change_string<T>(&mut self, change: impl FnOnce(&mut BytesMut) -> T) -> Option<T> {
        let Object::String(bytes) = self;
        let shared = std::mem::take(bytes);
        let mut own = shared
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let result = change(&mut own);
        *bytes = own.freeze();
        Some(result)
    }
}
