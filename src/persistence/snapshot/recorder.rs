//! The scribe of a shard that writes RDB into a sink.
//!
//! Entries gather in a buffer until it is worth sending; each buffer names its database, so that
//! buffers may be put in any order. Large values have a buffer of their own.

use super::outlet::{BUFFER_BYTES, Outlet, TEXT_MIN};
use super::sink::{Lane, Sink};
use super::style::Style;
use crate::keyspace::{DbIndex, EntryRef, Head, Piece, Scribe, Shape, StringRef};
use crate::rdb::{Code, Output, ValueRef};

/// The scribe of a shard.
pub struct Recorder {
    style: Style,
    outlet: Outlet,
    entries: Output,
    /// The database that the entries at the end of the buffer belong to.
    db: Option<DbIndex>,
    longs: Output,
    long_db: Option<DbIndex>,
    earliest_ms: Option<i64>,
}

impl Recorder {
    /// A scribe; something goes when it goes.
    pub fn new(style: Style, sink: Box<dyn Sink>, held: Box<dyn Send>) -> Recorder {
        Recorder {
            style,
            outlet: Outlet::new(sink, held),
            entries: Output::new(style.compresses),
            db: None,
            longs: Output::new(style.compresses),
            long_db: None,
            earliest_ms: None,
        }
    }

    fn send_entries(&mut self) {
        self.outlet.send(Lane::Entries, &mut self.entries.bytes);
        self.db = None;
    }

    fn send_longs(&mut self) {
        self.outlet.send(Lane::Longs, &mut self.longs.bytes);
    }
}

impl Scribe for Recorder {
    fn long_min(&self) -> usize {
        self.style.long_min
    }

    fn entry(&mut self, db: DbIndex, entry: EntryRef<'_>) {
        if self.outlet.is_broken() {
            return;
        }
        self.outlet.prepare(&mut self.entries.bytes);
        if self.db != Some(db) {
            self.entries.database(db.0);
            self.db = Some(db);
        }
        let (value, used) = (ValueRef::from(entry), self.style.used(entry.access()));
        let (key, expires_at_ms) = (entry.key(), entry.expires_at_ms());
        self.entries.key(value.code(), key, expires_at_ms, used);
        self.outlet.count();
        match entry.string() {
            Some(StringRef::Shared(text)) if text.len() >= TEXT_MIN => {
                let buffer = &mut self.entries.bytes;
                self.outlet.send_with(buffer, text.clone());
                self.db = None;
            }
            _ => value.write(&mut self.entries),
        }
        if self.entries.bytes.len() >= BUFFER_BYTES {
            self.send_entries();
        }
    }

    fn begin(&mut self, db: DbIndex, head: &Head) {
        if self.long_db != Some(db) {
            self.longs.database(db.0);
            self.long_db = Some(db);
        }
        let used = self.style.used(head.access);
        let (code, count, earliest_ms) = match head.shape {
            Shape::List { nodes } => (Code::ListQuicklist2, nodes, None),
            Shape::Set { members } => (Code::Set, members, None),
            Shape::Zset { members } => (Code::Zset, members, None),
            Shape::Stream { nodes } => (Code::Stream2, nodes, None),
            Shape::Hash {
                fields,
                earliest_ms: None,
            } => (Code::Hash, fields, None),
            Shape::Hash {
                fields,
                earliest_ms,
            } => (Code::HashExpiring, fields, earliest_ms),
        };
        self.longs.key(code, &head.key, head.expires_at_ms, used);
        if let Some(at) = earliest_ms {
            self.longs.millis(at);
        }
        self.earliest_ms = earliest_ms;
        self.longs.length(count);
        self.outlet.count();
    }

    fn piece(&mut self, piece: Piece<'_>) {
        if self.outlet.is_broken() {
            return;
        }
        let out = &mut self.longs;
        match piece {
            Piece::ListNode(node) => out.list_node(node),
            Piece::Member(member) => out.item(member),
            Piece::Scored(member, score) => out.scored(member, score),
            Piece::Field(pair) => out.field(pair, self.earliest_ms),
            Piece::StreamNode(first, node) => out.stream_node(first, node),
            Piece::StreamRest(stream) => out.stream_rest(stream),
        }
        if self.longs.bytes.len() >= BUFFER_BYTES {
            self.send_longs();
        }
    }

    fn end(&mut self) {
        if self.longs.bytes.len() >= BUFFER_BYTES {
            self.send_longs();
        }
    }

    fn is_full(&self) -> bool {
        self.outlet.is_full()
    }

    fn is_awaited(&self) -> bool {
        self.outlet.is_awaited()
    }

    fn finish(mut self: Box<Self>, is_whole: bool) {
        self.send_longs();
        self.send_entries();
        self.outlet.end(is_whole);
    }
}
