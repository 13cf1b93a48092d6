//! Small hashes: tapes of pairs, or of triples when fields may expire.
//!
//! ```text
//!   pairs      | field | value | field | value | ...
//!   triples    | field | value | expiry | field | value | expiry | ...
//! ```
//!
//! Triples stand in the order of their expiries (Unix milliseconds), those without (0) last, as
//! Redis keeps them: what expires next is always at the front.

use crate::object::Packed;
use crate::object::element::{Item, Wanted};
use crate::object::form::Room;
use crate::object::tape::{self, Tape};

/// A packed hash to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedHash<'a> {
    pub tape: Tape<'a>,
    /// Elements of a field: 2 or 3.
    pub width: usize,
}

/// A field where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub field: Item<'a>,
    pub value: Item<'a>,
    pub expires_at_ms: Option<i64>,
    pub at: usize,
    pub value_at: usize,
    /// The place behind the value, where the expiry stands if there is one.
    pub expiry_at: usize,
    pub next: usize,
}

impl<'a> PackedHash<'a> {
    /// The hash in packed bytes of a hash's form.
    pub fn new(packed: Packed, bytes: &'a [u8]) -> PackedHash<'a> {
        PackedHash {
            tape: Tape::new(bytes),
            width: if packed == Packed::ExpiringHash { 3 } else { 2 },
        }
    }

    /// Number of fields.
    pub fn len(self) -> usize {
        self.tape.count() / self.width
    }

    /// Whether there are more fields than this.
    #[inline]
    pub fn exceeds(self, fields: usize) -> bool {
        !self
            .tape
            .has_fewer(fields.saturating_mul(self.width).saturating_add(1))
    }

    /// The field at a place; `None` at the end.
    #[inline]
    pub fn at(self, at: usize) -> Option<Entry<'a>> {
        let field = self.tape.at(at)?;
        let value = self.tape.at(field.next)?;
        let mut entry = Entry {
            field: field.item,
            value: value.item,
            expires_at_ms: None,
            at,
            value_at: field.next,
            expiry_at: value.next,
            next: value.next,
        };
        if self.width == 3 {
            let expiry = self.tape.at(value.next)?;
            entry.expires_at_ms = expiry.item.integer().filter(|at| *at != 0);
            entry.next = expiry.next;
        }
        Some(entry)
    }

    /// Looks a field up.
    #[inline]
    pub fn find(self, field: &[u8]) -> Option<Entry<'a>> {
        let found = self.tape.find(Wanted::new(field), self.width)?;
        self.at(found.at)
    }

    /// All fields in order.
    pub fn iter(self) -> impl Iterator<Item = Entry<'a>> {
        let mut at = self.tape.start();
        std::iter::from_fn(move || {
            let entry = self.at(at)?;
            at = entry.next;
            Some(entry)
        })
    }

    /// The earliest moment at which a field expires; `i64::MAX` when none does.
    pub fn earliest_ms(self) -> i64 {
        if self.width == 2 {
            return i64::MAX;
        }
        let first = self.at(self.tape.start());
        first
            .and_then(|first| first.expires_at_ms)
            .unwrap_or(i64::MAX)
    }

    /// The same fields as triples without expiries.
    pub fn to_triples(self) -> Vec<u8> {
        let mut elements = Vec::with_capacity(self.tape.end() + self.len());
        for entry in self.iter() {
            elements.extend_from_slice(self.tape.encoded(entry.at, entry.next));
            tape::encode_integer(0, &mut elements);
        }
        let mut bytes = Vec::new();
        tape::splice(&mut bytes, 0, (0, 0), (&elements, self.len() * 3));
        bytes
    }

    /// Where a field that expires then belongs.
    fn place_for(self, expires_at_ms: Option<i64>) -> usize {
        let Some(at) = expires_at_ms else {
            return self.tape.end();
        };
        let is_later = |entry: &Entry<'_>| entry.expires_at_ms.is_none_or(|other| other > at);
        self.iter()
            .find(is_later)
            .map_or(self.tape.end(), |entry| entry.at)
    }
}

/// Adds a field at the end.
pub(super) fn append(room: &mut dyn Room, width: usize, field: &[u8], value: &[u8]) {
    let mut elements = Vec::with_capacity(field.len() + value.len() + 24);
    tape::encode(field, &mut elements);
    tape::encode(value, &mut elements);
    if width == 3 {
        tape::encode_integer(0, &mut elements);
    }
    let end = Tape::new(room.bytes()).end();
    tape::splice(room, end, (0, 0), (&elements, width));
}

/// Takes the elements between two places out, which belong to so many fields.
pub(super) fn cut(room: &mut dyn Room, from: usize, to: usize, elements: usize) {
    tape::splice(room, from, (to - from, elements), (&[], 0));
}

/// Gives a field of triples another expiry, and the place that belongs to it.
pub(super) fn set_expiry(room: &mut dyn Room, entry: (usize, usize, usize), at: Option<i64>) {
    let (from, expiry_at, to) = entry;
    let mut elements = room.bytes()[from..expiry_at].to_vec();
    tape::encode_integer(at.unwrap_or(0), &mut elements);
    cut(room, from, to, 3);
    let place = PackedHash::new(Packed::ExpiringHash, room.bytes()).place_for(at);
    tape::splice(room, place, (0, 0), (&elements, 3));
}
