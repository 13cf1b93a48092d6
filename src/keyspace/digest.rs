//! Digests of keys and datasets, the same that DEBUG DIGEST of Redis prints for the same data.
//!
//! A key's digest mixes its name, its type and its value; the digests of a database's keys are
//! joined by exclusive or, so that neither order nor shards matter; databases are mixed in one
//! after the other. *Mixing* replaces a digest by SHA1(digest xor SHA1(data)).
//!
//! Source: the behaviour of DEBUG DIGEST in redis-server 7.0.15, with which tests compare.

use super::space::{DbIndex, Keyspace};
use super::{EntryRef, StringRef};
use crate::base::number::{F64_TEXT_MAX, format_f64};
use crate::object::hash::HashRef;
use crate::object::list::{ListRef, Side};
use crate::object::set::SetRef;
use crate::object::stream::{Stream, StreamId};
use crate::object::zset::ZsetRef;
use crate::object::{Form, Kind, Object};
use sha1::{Digest as _, Sha1};

/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 20;

/// The digest of a key, a database or everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub [u8; DIGEST_BYTES]);

impl Digest {
    /// Joins another digest to this one; the order does not matter.
    pub fn join(&mut self, other: Digest) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own ^= other;
        }
    }

    /// Mixes data in; the order matters.
    fn mix(&mut self, data: &[u8]) {
        self.join(sha1(data));
        *self = sha1(&self.0);
    }

    /// 40 hexadecimal digits.
    pub fn hex(&self) -> String {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        self.0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    /// The digest of a value and its expiry, without its key (DEBUG DIGEST-VALUE).
    pub fn of_value(entry: EntryRef<'_>) -> Digest {
        let mut digest = Digest::default();
        digest.mix_value(entry);
        digest
    }

    fn of_key(entry: EntryRef<'_>) -> Digest {
        let mut digest = Digest::default();
        digest.mix(entry.key());
        digest.mix_value(entry);
        digest
    }

    fn mix_value(&mut self, entry: EntryRef<'_>) {
        self.mix(&type_number(entry.kind()).to_be_bytes());
        if let Some(string) = entry.string() {
            StringRef::with_bytes(string, |bytes| self.mix(bytes));
        }
        if let Some(form) = entry.collection() {
            self.mix_collection(form);
        }
        if entry.expires_at_ms().is_some() {
            self.join(sha1(b"!!expire!!"));
        }
    }

    fn mix_collection(&mut self, form: Form<'_>) {
        if let Form::Object(Object::Stream(stream)) = form {
            return self.mix_stream(stream);
        }
        match form.kind() {
            Kind::List => self.mix_list(ListRef::of(form)),
            Kind::Hash => self.join_fields(HashRef::new(form)),
            Kind::Zset => self.mix_zset(ZsetRef::new(form)),
            Kind::Set => self.join_members(SetRef::new(form)),
            Kind::String | Kind::Stream => {}
        }
    }

    /// Only the entries count: neither ids beside them nor groups.
    fn mix_stream(&mut self, stream: &Stream) {
        for entry in stream.log.entries(StreamId::MIN, StreamId::MAX) {
            self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (name, value) in entry.fields() {
                name.with_bytes(|bytes| self.mix(bytes));
                value.with_bytes(|bytes| self.mix(bytes));
            }
        }
    }

    fn mix_list(&mut self, list: ListRef<'_>) {
        for item in list.walk_from(Side::Left) {
            item.with_bytes(|bytes| self.mix(bytes));
        }
    }

    /// Joins the digests of a hash's fields, whose order does not matter.
    fn join_fields(&mut self, hash: HashRef<'_>) {
        for pair in hash.iter() {
            let mut digest = Digest::default();
            pair.field.with_bytes(|field| digest.mix(field));
            pair.value.with_bytes(|value| digest.mix(value));
            if pair.expires_at_ms.is_some() {
                digest.join(sha1(b"!!hexpire!!"));
            }
            self.join(sha1(&digest.0));
        }
    }

    /// Joins the digests of a set's members, whose order does not matter.
    fn join_members(&mut self, set: SetRef<'_>) {
        for member in set.iter() {
            self.join(member.with_bytes(sha1));
        }
    }

    fn mix_zset(&mut self, set: ZsetRef<'_>) {
        for (member, score) in set.all() {
            let mut element = Digest::default();
            member.with_bytes(|member| element.mix(member));
            element.mix(format_f64(&mut [0; F64_TEXT_MAX], score));
            self.join(sha1(&element.0));
        }
    }

    /// The digest of a dataset from the joined digests of its databases, zero for an empty one.
    pub fn of_dataset(databases: &[Digest]) -> Digest {
        let mut whole = Digest::default();
        for (index, digest) in (0u32..).zip(databases) {
            if *digest != Digest::default() {
                whole.mix(&index.to_be_bytes());
                whole.join(*digest);
            }
        }
        whole
    }
}

fn sha1(data: &[u8]) -> Digest {
    Digest(Sha1::digest(data).into())
}

fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::Zset => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}

impl Keyspace {
    /// The joined digests of a database's live keys; zero when there is none.
    pub fn digest(&self, index: DbIndex) -> Digest {
        let mut joined = Digest::default();
        self.each(index, |entry| joined.join(sha1(&Digest::of_key(entry).0)));
        joined
    }
}
