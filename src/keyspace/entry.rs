//! Entries: what the bits of a record mean to the keyspace.
//!
//! ```text
//!  owner bits   0..14   slot
//!              14..38   access: LRU clock in seconds, or LFU minutes (16) and counter (8)
//!              38..42   form: int, embstr, raw; 3 = an object; from 4 on a packed collection
//!              42       written in the running snapshot
//!  extra        expiry, Unix time in milliseconds
//! ```
//!
//! A string of up to [`SHARED_STRING_MIN`] bytes lies inside the record, an integer as eight bytes,
//! and a small collection as its packed bytes; anything else is an [`Object`].

use super::graveyard::PROMPT_MAX;
use super::slot::{Key, Slot};
use crate::base::clock::is_over;
use crate::base::record::{Content, Record, RecordRef};
use crate::object::{Collection, Encoding, Form, Kind, Object, Packed, SHARED_STRING_MIN};
use bytes::Bytes;

const SLOT_BITS: u32 = 14;
const ACCESS_SHIFT: u32 = 14;
const ACCESS_BITS: u32 = 24;
const ENCODING_SHIFT: u32 = 38;
const ENCODING_BITS: u32 = 4;
const BOXED: u64 = 3;
const PACKED_MIN: u64 = 4;
const MARK_SHIFT: u32 = 42;
/// The longest string Redis keeps in one piece with its header.
const EMBSTR_MAX: usize = 44;

/// An entry that belongs to nobody's table: on its way from one key, shard or node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: NewValue,
    /// Unix time in milliseconds.
    pub expires_at_ms: Option<i64>,
    pub access: u32,
}

impl Entry {
    /// Whether freeing it in one go takes long.
    pub fn is_big(&self) -> bool {
        matches!(&self.value, NewValue::Object(object) if object.pieces() > PROMPT_MAX)
    }
}

/// A value to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// An integer.
    Int(i64),
    /// String bytes with the encoding that OBJECT ENCODING reports.
    Text(Vec<u8>, Encoding),
    /// A small collection.
    Packed(Packed, Vec<u8>),
    /// A value with its own allocation.
    Object(Object),
}

/// A string value, read where it lies.
#[derive(Clone, Copy, Debug)]
pub enum StringRef<'a> {
    Int(i64),
    Text(&'a [u8]),
    Shared(&'a Bytes),
}

/// An entry in its table, to read.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    pub(super) record: RecordRef<'a, Object>,
}

impl<'a> EntryRef<'a> {
    pub fn key(self) -> &'a [u8] {
        self.record.key()
    }

    /// Unix time in milliseconds.
    pub fn expires_at_ms(self) -> Option<i64> {
        self.record.extra()
    }

    /// Whether its time is not over.
    #[inline]
    pub fn is_live(self, now_ms: i64) -> bool {
        self.expires_at_ms().is_none_or(|at| !is_over(at, now_ms))
    }

    pub fn slot(self) -> Slot {
        Slot((self.record.owner() & ((1 << SLOT_BITS) - 1)) as u16)
    }

    /// The access word: LRU seconds or LFU minutes and counter.
    pub fn access(self) -> u32 {
        (self.record.owner() >> ACCESS_SHIFT) as u32 & ((1 << ACCESS_BITS) - 1)
    }

    pub fn kind(self) -> Kind {
        self.collection().map_or(Kind::String, Form::kind)
    }

    /// The value, unless it is a string.
    #[inline]
    pub fn collection(self) -> Option<Form<'a>> {
        match self.record.boxed() {
            Some(Object::String(_)) => None,
            Some(object) => Some(Form::Object(object)),
            None => {
                let packed = packed_of(self.encoding_bits())?;
                Some(Form::Packed(packed, self.record.inline()))
            }
        }
    }

    /// The string value, or `None` for another type.
    #[inline]
    pub fn string(self) -> Option<StringRef<'a>> {
        match self.encoding_bits() {
            0 => {
                let bytes = self.record.inline().try_into();
                let bytes = bytes.expect("an integer takes eight bytes");
                Some(StringRef::Int(i64::from_le_bytes(bytes)))
            }
            1 | 2 => match self.record.boxed() {
                Some(Object::String(bytes)) => Some(StringRef::Shared(bytes)),
                _ => Some(StringRef::Text(self.record.inline())),
            },
            _ => None,
        }
    }

    /// The mark of the running snapshot, or of the last one.
    #[inline]
    pub(super) fn is_marked(self) -> bool {
        self.record.owner() >> MARK_SHIFT & 1 != 0
    }

    #[inline]
    fn encoding_bits(self) -> u64 {
        self.record.owner() >> ENCODING_SHIFT & ((1 << ENCODING_BITS) - 1)
    }

    pub fn encoding(self) -> Encoding {
        match self.encoding_bits() {
            0 => Encoding::Int,
            1 => Encoding::Embstr,
            2 => Encoding::Raw,
            _ => self.collection().map_or(Encoding::Raw, Form::encoding),
        }
    }

    /// A copy that can leave the table.
    pub fn to_entry(self) -> Entry {
        let value = match (self.record.boxed(), self.string()) {
            (Some(object), _) => NewValue::Object(object.clone()),
            (None, Some(StringRef::Int(number))) => NewValue::Int(number),
            (None, Some(_)) => NewValue::Text(self.record.inline().to_vec(), self.encoding()),
            (None, None) => {
                let packed = packed_of(self.encoding_bits());
                let packed = packed.expect("neither string nor object");
                NewValue::Packed(packed, self.record.inline().to_vec())
            }
        };
        Entry {
            value,
            expires_at_ms: self.expires_at_ms(),
            access: self.access(),
        }
    }

    /// About how many bytes it takes, at a glance.
    pub fn estimated_bytes(self) -> usize {
        /// What an element of a large collection takes with its place.
        const PIECE_BYTES: usize = 64;
        let boxed = self.record.boxed().map_or(0, |object| match object {
            Object::String(bytes) => bytes.len(),
            other => other.pieces() * PIECE_BYTES,
        });
        self.record.bytes() + boxed
    }

    /// Bytes of memory the entry takes.
    pub fn bytes(self) -> usize {
        self.record.bytes() + self.record.boxed().map_or(0, Object::bytes)
    }
}

impl StringRef<'_> {
    /// Length in bytes of the string as a client sees it.
    pub fn len(self) -> usize {
        match self {
            StringRef::Int(number) => itoa::Buffer::new().format(number).len(),
            StringRef::Text(bytes) => bytes.len(),
            StringRef::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The bytes, to be kept while other entries are looked at: a copy unless they are many.
    pub fn to_bytes(self) -> Bytes {
        match self {
            StringRef::Shared(bytes) => bytes.clone(),
            value => value.with_bytes(Bytes::copy_from_slice),
        }
    }

    /// Lets `read` see the bytes, whatever the encoding.
    pub fn with_bytes<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            StringRef::Int(number) => read(itoa::Buffer::new().format(number).as_bytes()),
            StringRef::Text(bytes) => read(bytes),
            StringRef::Shared(bytes) => read(bytes),
        }
    }
}

impl NewValue {
    /// A string in the encoding Redis would give it when a client sets it.
    pub fn string(bytes: &[u8]) -> NewValue {
        match crate::base::number::parse_i64(bytes) {
            Some(number) => NewValue::Int(number),
            None => NewValue::text(bytes.to_vec()),
        }
    }

    /// The value, unless it is a string.
    pub fn form(&self) -> Option<Form<'_>> {
        match self {
            NewValue::Packed(packed, bytes) => Some(Form::Packed(*packed, bytes)),
            NewValue::Object(object) if object.kind() != Kind::String => Some(Form::Object(object)),
            _ => None,
        }
    }

    /// A string that is kept as text even if it reads as a number.
    pub fn text(bytes: Vec<u8>) -> NewValue {
        let short = bytes.len() <= EMBSTR_MAX;
        NewValue::Text(
            bytes,
            if short {
                Encoding::Embstr
            } else {
                Encoding::Raw
            },
        )
    }

    /// A string that commands changed in place: raw, whatever its length.
    pub fn raw(bytes: Vec<u8>) -> NewValue {
        NewValue::Text(bytes, Encoding::Raw)
    }
}

impl From<Collection> for NewValue {
    fn from(value: Collection) -> NewValue {
        match value {
            Collection::Packed(packed, bytes) => NewValue::Packed(packed, bytes),
            Collection::Object(object) => NewValue::Object(object),
        }
    }
}

impl From<Bytes> for NewValue {
    /// A large string that already lies where it will live.
    fn from(bytes: Bytes) -> NewValue {
        NewValue::Object(Object::String(bytes))
    }
}

/// The encoding of a string that a client set, for bytes that stay where they are.
#[inline]
pub(super) fn text_encoding(len: usize) -> Encoding {
    if len <= EMBSTR_MAX {
        Encoding::Embstr
    } else {
        Encoding::Raw
    }
}

#[inline]
fn owner_bits(slot: Slot, access: u32, encoding: u64) -> u64 {
    u64::from(slot.0) | u64::from(access) << ACCESS_SHIFT | encoding << ENCODING_SHIFT
}

/// Makes the record of a string that is stored inside it.
#[inline]
pub(super) fn inline_record(
    key: Key<'_>,
    bytes: &[u8],
    encoding: Encoding,
    access: u32,
    expires_at_ms: Option<i64>,
) -> Record<Object> {
    let owner = owner_bits(key.slot, access, encoding as u64);
    Record::new(owner, expires_at_ms, key.bytes, Content::Inline(bytes))
}

fn packed_of(encoding_bits: u64) -> Option<Packed> {
    let number = encoding_bits.checked_sub(PACKED_MIN)?;
    Packed::ALL.get(number as usize).copied()
}

/// Makes the record of a small collection.
pub(super) fn packed_record(
    key: Key<'_>,
    value: (Packed, &[u8]),
    access: u32,
    expires_at_ms: Option<i64>,
) -> Record<Object> {
    let owner = owner_bits(key.slot, access, PACKED_MIN + value.0 as u64);
    Record::new(owner, expires_at_ms, key.bytes, Content::Inline(value.1))
}

/// Gives a record another collection to hold.
pub(super) fn rehouse(record: &Record<Object>, value: Collection) -> Record<Object> {
    let view = record.as_ref();
    let entry = EntryRef { record: view };
    let (slot, access) = (entry.slot(), entry.access());
    let key = Key {
        bytes: view.key(),
        slot,
        hash: 0,
    };
    let mut new = match value {
        Collection::Packed(packed, bytes) => {
            packed_record(key, (packed, &bytes), access, view.extra())
        }
        Collection::Object(object) => boxed(key, object, access, view.extra()),
    };
    set_mark(&mut new, entry.is_marked());
    new
}

/// Replaces bytes of a packed collection by others.
pub(super) fn splice(
    record: Record<Object>,
    at: usize,
    remove: usize,
    insert: &[u8],
) -> Record<Object> {
    let len = record.as_ref().inline().len();
    let tail = at + remove..len;
    let new_len = len - remove + insert.len();
    let mut record = record;
    if new_len < len {
        record.inline_mut().copy_within(tail, at + insert.len());
        record = record.resized(new_len);
    } else if new_len > len {
        record = record.resized(new_len);
        record.inline_mut().copy_within(tail, at + insert.len());
    }
    record.inline_mut()[at..at + insert.len()].copy_from_slice(insert);
    record
}

/// Makes the record of an entry.
pub(super) fn record(key: Key<'_>, entry: Entry) -> Record<Object> {
    let (access, expiry) = (entry.access, entry.expires_at_ms);
    match entry.value {
        NewValue::Int(number) => {
            inline_record(key, &number.to_le_bytes(), Encoding::Int, access, expiry)
        }
        NewValue::Text(bytes, encoding) if bytes.len() < SHARED_STRING_MIN => {
            inline_record(key, &bytes, encoding, access, expiry)
        }
        NewValue::Text(bytes, _) => boxed(key, Object::String(bytes.into()), access, expiry),
        NewValue::Packed(packed, bytes) => packed_record(key, (packed, &bytes), access, expiry),
        NewValue::Object(object) => boxed(key, object, access, expiry),
    }
}

fn boxed(key: Key<'_>, object: Object, access: u32, expiry: Option<i64>) -> Record<Object> {
    let encoding = match object {
        Object::String(_) => Encoding::Raw as u64,
        _ => BOXED,
    };
    let owner = owner_bits(key.slot, access, encoding);
    Record::new(owner, expiry, key.bytes, Content::Boxed(Box::new(object)))
}

/// Gives a record the mark of a snapshot, or takes it away.
#[inline]
pub(super) fn set_mark(record: &mut Record<Object>, is_marked: bool) {
    let owner = record.as_ref().owner() & !(1 << MARK_SHIFT);
    record.set_owner(owner | u64::from(is_marked) << MARK_SHIFT);
}

/// Replaces the access word of a record.
#[inline]
pub(super) fn set_access(record: &mut Record<Object>, access: u32) {
    let mask = ((1 << ACCESS_BITS) - 1) << ACCESS_SHIFT;
    let owner = record.as_ref().owner() & !mask | u64::from(access) << ACCESS_SHIFT;
    record.set_owner(owner);
}

/// Replaces the encoding of a record's inline string.
#[inline]
pub(super) fn set_encoding(record: &mut Record<Object>, encoding: Encoding) {
    let mask = ((1 << ENCODING_BITS) - 1) << ENCODING_SHIFT;
    let owner = record.as_ref().owner() & !mask;
    record.set_owner(owner | (encoding as u64) << ENCODING_SHIFT);
}
