//! The scribe of a shard that writes RDB into a sink.
//!
//! Entries gather in a buffer until it is worth sending; each buffer names its database, so that
//! buffers may be put in any order. Large values have a buffer of their own.

use super::sink::{Chunk, Lane, Sink};
use crate::keyspace::{AccessRule, DbIndex, EntryRef, Head, Piece, Scribe, Shape, StringRef};
use crate::rdb::{Code, Output, Use, ValueRef};

/// A buffer is sent when it has so many bytes.
const BUFFER_BYTES: usize = 128 * 1024;
/// Texts from this length on are left to the sink: compressing them takes too long here.
const TEXT_MIN: usize = 64 * 1024;

/// As many elements are written in some hundred microseconds.
const LONG_MIN: usize = 1024;

/// How entries are written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether long strings are compressed (rdbcompression).
    pub compresses: bool,
    /// What is noted of the keys' use, by the eviction policy; `None`: nothing.
    pub noted: Option<AccessRule>,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// From so many elements on a value is written in slices.
    pub long_min: usize,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            compresses: true,
            noted: None,
            now_ms: 0,
            long_min: LONG_MIN,
        }
    }
}

impl Style {
    fn used(self, access: u32) -> Use {
        match self.noted {
            None => Use::Unknown,
            Some(rule @ AccessRule::Recency) => {
                Use::IdleSeconds(rule.idle_seconds(access, self.now_ms).into())
            }
            Some(rule) => Use::Frequency(rule.frequency(access, self.now_ms) as u8),
        }
    }
}

/// The scribe of a shard.
pub struct Recorder {
    style: Style,
    sink: Box<dyn Sink>,
    entries: Output,
    /// The database that the entries at the end of the buffer belong to.
    db: Option<DbIndex>,
    longs: Output,
    long_db: Option<DbIndex>,
    earliest_ms: Option<i64>,
    keys: u64,
    /// What is to be let go with it.
    held: Option<Box<dyn Send>>,
}

impl Recorder {
    pub fn new(style: Style, sink: Box<dyn Sink>) -> Recorder {
        Recorder {
            style,
            sink,
            entries: Output::new(style.compresses),
            db: None,
            longs: Output::new(style.compresses),
            long_db: None,
            earliest_ms: None,
            keys: 0,
            held: None,
        }
    }

    /// The same, with something that goes when it goes.
    pub(super) fn with(mut self, held: Box<dyn Send>) -> Recorder {
        self.held = Some(held);
        self
    }

    fn send_entries(&mut self) {
        if !self.entries.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.entries.bytes);
            self.sink.put(Lane::Entries, Chunk::Plain(bytes));
        }
        self.db = None;
        self.sink.advance(std::mem::take(&mut self.keys));
    }

    fn send_longs(&mut self) {
        if !self.longs.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.longs.bytes);
            self.sink.put(Lane::Longs, Chunk::Plain(bytes));
        }
    }

    /// A text that the sink writes: the buffer so far goes with it.
    fn send_with(&mut self, text: bytes::Bytes) {
        let bytes = std::mem::take(&mut self.entries.bytes);
        self.sink.put(Lane::Entries, Chunk::WithText(bytes, text));
        self.db = None;
    }
}

impl Scribe for Recorder {
    fn long_min(&self) -> usize {
        self.style.long_min
    }

    fn entry(&mut self, db: DbIndex, entry: EntryRef<'_>) {
        if self.sink.is_broken() {
            return;
        }
        if self.db != Some(db) {
            self.entries.database(db.0);
            self.db = Some(db);
        }
        if self.entries.bytes.capacity() < BUFFER_BYTES {
            self.entries.bytes.reserve(BUFFER_BYTES);
        }
        let (value, used) = (ValueRef::from(entry), self.style.used(entry.access()));
        let (key, expires_at_ms) = (entry.key(), entry.expires_at_ms());
        self.entries.key(value.code(), key, expires_at_ms, used);
        self.keys += 1;
        match entry.string() {
            Some(StringRef::Shared(text)) if text.len() >= TEXT_MIN => {
                self.send_with(text.clone());
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
        self.keys += 1;
    }

    fn piece(&mut self, piece: Piece<'_>) {
        if self.sink.is_broken() {
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
        self.sink.is_full()
    }

    fn finish(mut self: Box<Self>, is_whole: bool) {
        self.send_longs();
        self.send_entries();
        let Recorder { sink, held, .. } = *self;
        drop(held);
        sink.end(is_whole);
    }
}
