//! The scribe of a shard that writes commands into a sink: the base of a log without RDB.
//!
//! A buffer goes only between two commands and names its database first, so buffers of several
//! shards may stand in any order; a large value's commands have a buffer of their own.

use super::outlet::{BUFFER_BYTES, Outlet, TEXT_MIN};
use super::requests::{Requests, Series};
use super::sink::{Lane, Sink};
use super::style::Style;
use crate::keyspace::{DbIndex, EntryRef, Head, Piece, Scribe, StringRef};
use crate::object::element::Item;
use crate::object::hash::HashRef;
use crate::object::list::NodeRef;
use crate::object::listpack::Listpack;
use crate::object::set::SetRef;
use crate::object::zset::ZsetRef;
use crate::object::{Form, Kind, Object};

/// A large value that is being written.
#[derive(Debug)]
struct Long {
    key: Box<[u8]>,
    expires_at_ms: Option<i64>,
    series: Series,
}

/// The scribe.
pub struct Teller {
    style: Style,
    outlet: Outlet,
    entries: Requests,
    /// The database that the entries at the end of the buffer belong to.
    db: Option<DbIndex>,
    longs: Requests,
    long_db: Option<DbIndex>,
    long: Option<Long>,
}

impl Teller {
    /// A scribe; something goes when it goes.
    pub fn new(style: Style, sink: Box<dyn Sink>, held: Box<dyn Send>) -> Teller {
        Teller {
            style,
            outlet: Outlet::new(sink, held),
            entries: Requests::default(),
            db: None,
            longs: Requests::default(),
            long_db: None,
            long: None,
        }
    }

    fn send_entries(&mut self) {
        self.outlet.send(Lane::Entries, &mut self.entries.bytes);
        self.db = None;
    }

    fn send_longs_if_many(&mut self) {
        if self.longs.bytes.len() >= BUFFER_BYTES {
            self.outlet.send(Lane::Longs, &mut self.longs.bytes);
        }
    }

    /// What follows in the buffer is about this database.
    fn select(&mut self, db: DbIndex) {
        if self.db != Some(db) {
            self.entries.database(db);
            self.db = Some(db);
        }
    }

    fn string(&mut self, key: &[u8], value: StringRef<'_>) {
        match value {
            StringRef::Int(number) => self.entries.string(key, Item::Int(number)),
            StringRef::Text(text) => self.entries.string(key, Item::Bytes(text)),
            StringRef::Shared(text) if text.len() >= TEXT_MIN => {
                self.entries.string_head(key, text.len());
                let buffer = &mut self.entries.bytes;
                self.outlet.send_with(buffer, text.clone());
                self.db = None;
            }
            StringRef::Shared(text) => self.entries.string(key, Item::Bytes(text)),
        }
    }
}

impl Scribe for Teller {
    fn long_min(&self) -> usize {
        self.style.long_min
    }

    fn entry(&mut self, db: DbIndex, entry: EntryRef<'_>) {
        if self.outlet.is_broken() {
            return;
        }
        self.outlet.prepare(&mut self.entries.bytes);
        self.select(db);
        let key = entry.key();
        match (entry.string(), entry.collection()) {
            (Some(value), _) => self.string(key, value),
            (None, Some(form)) => collection(key, form, &mut self.entries),
            (None, None) => unreachable!("a value is a string or a collection"),
        }
        if let Some(at_ms) = entry.expires_at_ms() {
            self.select(db);
            self.entries.expiry(key, at_ms);
        }
        self.outlet.count();
        if self.entries.bytes.len() >= BUFFER_BYTES {
            self.send_entries();
        }
    }

    fn begin(&mut self, db: DbIndex, head: &Head) {
        if self.long_db != Some(db) {
            self.longs.database(db);
            self.long_db = Some(db);
        }
        self.long = Some(Long {
            key: head.key.clone(),
            expires_at_ms: head.expires_at_ms,
            series: Series::of_shape(head.shape),
        });
        self.outlet.count();
    }

    fn piece(&mut self, piece: Piece<'_>) {
        let Some(long) = self.long.as_mut().filter(|_| !self.outlet.is_broken()) else {
            return;
        };
        long.series.piece(&long.key, piece, &mut self.longs);
        if long.series.is_closed() {
            self.send_longs_if_many();
        }
    }

    fn end(&mut self) {
        if let Some(long) = self.long.take()
            && let Some(at_ms) = long.expires_at_ms
        {
            self.longs.expiry(&long.key, at_ms);
        }
        self.send_longs_if_many();
    }

    fn is_full(&self) -> bool {
        self.outlet.is_full()
    }

    fn is_awaited(&self) -> bool {
        self.outlet.is_awaited()
    }

    fn finish(mut self: Box<Self>, is_whole: bool) {
        self.outlet.send(Lane::Longs, &mut self.longs.bytes);
        self.send_entries();
        self.outlet.end(is_whole);
    }
}

/// Writes a collection that is not so large that it comes in pieces.
fn collection(key: &[u8], form: Form<'_>, out: &mut Requests) {
    let kind = form.kind();
    let of = |elements: usize| Series::new(kind, elements as u64);
    match (kind, form) {
        (Kind::Set, _) => {
            let set = SetRef::new(form);
            let mut series = of(set.len());
            set.iter()
                .for_each(|member| series.piece(key, Piece::Member(member), out));
        }
        (Kind::Zset, _) => {
            let zset = ZsetRef::new(form);
            let mut series = of(zset.len());
            zset.all()
                .for_each(|(member, score)| series.piece(key, Piece::Scored(member, score), out));
        }
        (Kind::Hash, _) => {
            let hash = HashRef::new(form);
            let mut series = of(hash.len());
            hash.iter()
                .for_each(|pair| series.piece(key, Piece::Field(pair), out));
        }
        (_, Form::Object(Object::List(list))) => {
            let mut series = of(0);
            list.nodes()
                .for_each(|node| series.piece(key, Piece::ListNode(node), out));
        }
        (_, Form::Object(Object::Stream(stream))) => {
            let mut series = of(0);
            for (first, node) in stream.log.nodes() {
                series.piece(key, Piece::StreamNode(first, node), out);
            }
            series.piece(key, Piece::StreamRest(stream), out);
        }
        (_, Form::Packed(_, bytes)) => {
            let node = NodeRef::Packed(Listpack::new(bytes));
            of(0).piece(key, Piece::ListNode(node), out);
        }
        (_, Form::Object(_)) => unreachable!("all kinds of collections were looked at"),
    }
}
