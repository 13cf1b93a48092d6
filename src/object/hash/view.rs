//! A hash to read, whatever its encoding.
//!
//! Fields that have expired are still in it until somebody removes them; readers pass over them.

use super::packed::PackedHash;
use super::value::HashTable;
use crate::base::clock::is_over;
use crate::base::prng::Prng;
use crate::object::dict::Element;
use crate::object::element::Item;
use crate::object::{Form, Object};

/// A field, its value and its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub field: Item<'a>,
    pub value: Item<'a>,
    pub expires_at_ms: Option<i64>,
}

impl Pair<'_> {
    /// Whether it has not expired.
    #[inline]
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.expires_at_ms.is_none_or(|at| !is_over(at, now_ms))
    }
}

impl<'a> From<Element<'a>> for Pair<'a> {
    fn from(element: Element<'a>) -> Pair<'a> {
        Pair {
            field: Item::Bytes(element.key()),
            value: Item::Bytes(element.value()),
            expires_at_ms: element.expires_at_ms(),
        }
    }
}

/// A hash to read.
#[derive(Clone, Copy, Debug)]
pub struct HashRef<'a>(Inner<'a>);

#[derive(Clone, Copy, Debug)]
enum Inner<'a> {
    Packed(PackedHash<'a>),
    Table(&'a HashTable),
}

/// The earliest moment at which a field expires (a bound, not exact), `i64::MAX` when none does or
/// the collection is no hash.
pub fn earliest_ms(form: Form<'_>) -> i64 {
    match form {
        Form::Packed(crate::object::Packed::ExpiringHash, _) => HashRef::new(form).earliest_ms(),
        Form::Object(Object::Hash(table)) => table.dict.earliest_ms(),
        _ => i64::MAX,
    }
}

impl<'a> HashRef<'a> {
    /// The hash of a form whose kind is a hash.
    #[inline]
    pub fn new(form: Form<'a>) -> HashRef<'a> {
        HashRef(match form {
            Form::Packed(packed, bytes) => Inner::Packed(PackedHash::new(packed, bytes)),
            Form::Object(Object::Hash(table)) => Inner::Table(table),
            Form::Object(_) => unreachable!("its kind was looked at"),
        })
    }

    /// Number of fields, expired ones that nobody met yet included, as in Redis.
    pub fn len(self) -> usize {
        match self.0 {
            Inner::Packed(packed) => packed.len(),
            Inner::Table(table) => table.len(),
        }
    }

    /// Whether it is a large one, from which [`HashRef::random`] draws.
    pub fn is_table(self) -> bool {
        matches!(self.0, Inner::Table(_))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Looks a field up, expired or not.
    #[inline]
    pub fn find(self, field: &[u8]) -> Option<Pair<'a>> {
        match self.0 {
            Inner::Packed(packed) => packed.find(field).map(|entry| Pair {
                field: entry.field,
                value: entry.value,
                expires_at_ms: entry.expires_at_ms,
            }),
            Inner::Table(table) => table.dict.find(field).map(Pair::from),
        }
    }

    /// All fields, expired or not.
    pub fn iter(self) -> impl Iterator<Item = Pair<'a>> {
        let (packed, table) = match self.0 {
            Inner::Packed(packed) => (Some(packed.iter()), None),
            Inner::Table(table) => (None, Some(table.dict.iter())),
        };
        let packed = packed.into_iter().flatten().map(|entry| Pair {
            field: entry.field,
            value: entry.value,
            expires_at_ms: entry.expires_at_ms,
        });
        packed.chain(table.into_iter().flatten().map(Pair::from))
    }

    /// Number of fields that have not expired.
    pub fn live_len(self, now_ms: i64) -> usize {
        if !is_over(self.earliest_ms(), now_ms) {
            return self.len();
        }
        self.iter().filter(|pair| pair.is_live(now_ms)).count()
    }

    /// The earliest moment at which a field expires (a bound, not exact); `i64::MAX` if none does.
    pub fn earliest_ms(self) -> i64 {
        match self.0 {
            Inner::Packed(packed) => packed.earliest_ms(),
            Inner::Table(table) => table.dict.earliest_ms(),
        }
    }

    /// A random field of a large hash, each equally likely; `None` when the hash is packed, so
    /// that whoever wants several reads it once.
    pub fn random(self, random: &mut Prng) -> Option<Pair<'a>> {
        match self.0 {
            Inner::Packed(_) => None,
            Inner::Table(table) => {
                let spot = table.dict.random(random)?;
                Some(table.dict.at(spot).into())
            }
        }
    }

    /// Visits fields from a cursor on, at least `count` of a large hash and all of a packed one;
    /// the cursor to go on from, 0 at the end.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Pair<'_>)) -> u64 {
        match self.0 {
            Inner::Packed(_) => {
                self.iter().for_each(&mut visit);
                0
            }
            Inner::Table(table) => table
                .dict
                .scan(cursor, count, |element| visit(element.into())),
        }
    }
}
