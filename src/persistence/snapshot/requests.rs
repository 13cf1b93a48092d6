//! Values as the commands that make them: a log's base that is not RDB.
//!
//! | what | as |
//! |---|---|
//! | string | `SET` |
//! | list, set, sorted set, hash | `RPUSH`, `SADD`, `ZADD`, `HMSET`, of 64 elements each |
//! | fields that expire | `HPEXPIREAT` behind the `HMSET` they are in |
//! | stream | `XADD` of each entry, `XSETID` |
//! | its groups | `XGROUP` of them and their consumers, `XCLAIM` of what is pending |
//! | expiry of the key | `PEXPIREAT` |
//!
//! They are those of Redis, so Redis 7.0 replays them. What they cannot say is lost there as well:
//! how much a key was used, and who holds an entry of a stream that was deleted while pending.

use crate::base::number::{F64_TEXT_MAX, format_f64_shortest};
use crate::keyspace::{DbIndex, Piece, Shape};
use crate::object::element::Item;
use crate::object::list::NodeRef;
use crate::object::stream::{Entry, Group, Stream, StreamId};
use crate::object::{Kind, stream};
use crate::resp::{put_number_line, put_request, put_word};

/// As many elements one command adds at most. Redis: AOF_REWRITE_ITEMS_PER_CMD.
const BATCH: u64 = 64;

/// Commands being written.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub bytes: Vec<u8>,
}

impl Requests {
    /// Begins a command of so many words.
    fn begin(&mut self, words: u64) {
        self.count(b'*', words);
    }

    fn count(&mut self, mark: u8, number: u64) {
        put_number_line(mark, number, &mut self.bytes);
    }

    fn word(&mut self, word: &[u8]) {
        put_word(word, &mut self.bytes);
    }

    fn item(&mut self, item: Item<'_>) {
        item.with_bytes(|word| self.word(word));
    }

    fn request(&mut self, words: &[&[u8]]) {
        put_request(words.iter().copied(), &mut self.bytes);
    }

    /// What follows is about this database.
    pub fn database(&mut self, db: DbIndex) {
        let number = db.0.to_string();
        self.request(&[b"SELECT", number.as_bytes()]);
    }

    /// A key with a string.
    pub fn string(&mut self, key: &[u8], value: Item<'_>) {
        self.begin(3);
        self.word(b"SET");
        self.word(key);
        self.item(value);
    }

    /// The same up to the bytes of the string, which somebody else puts behind it.
    pub fn string_head(&mut self, key: &[u8], len: usize) {
        self.begin(3);
        self.word(b"SET");
        self.word(key);
        self.count(b'$', len as u64);
    }

    /// The key goes at this moment.
    pub fn expiry(&mut self, key: &[u8], at_ms: i64) {
        let mut at = itoa::Buffer::new();
        self.request(&[b"PEXPIREAT", key, at.format(at_ms).as_bytes()]);
    }

    fn field_expiry(&mut self, key: &[u8], field: Item<'_>, at_ms: i64) {
        let mut at = itoa::Buffer::new();
        let at = at.format(at_ms).as_bytes();
        field.with_bytes(|field| {
            self.request(&[b"HPEXPIREAT", key, at, b"FIELDS", b"1", field]);
        });
    }

    fn stream_entry(&mut self, key: &[u8], entry: &Entry<'_>) {
        self.begin(3 + 2 * entry.len() as u64);
        self.word(b"XADD");
        self.word(key);
        self.word(entry.id.text().as_bytes());
        for (name, value) in entry.fields() {
            self.item(name);
            self.item(value);
        }
    }

    /// What a stream is besides its entries.
    fn stream_rest(&mut self, key: &[u8], stream: &Stream) {
        let log = &stream.log;
        if log.is_empty() {
            // An entry that goes at once leaves the stream; there is none with the least id.
            let id = log.last_id.max(StreamId::new(0, 1)).text();
            let words = [b"XADD", key, b"MAXLEN", b"0", id.as_bytes(), b"x", b"y"];
            self.request(&words);
        }
        let (last, deleted) = (log.last_id.text(), log.max_deleted_id.text());
        let added = log.entries_added.to_string();
        self.request(&[
            b"XSETID",
            key,
            last.as_bytes(),
            b"ENTRIESADDED",
            added.as_bytes(),
            b"MAXDELETEDID",
            deleted.as_bytes(),
        ]);
        for (name, group) in stream.groups() {
            self.group(key, name, group);
        }
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) {
        let last = group.last_id.text();
        // Unknown is written as -1.
        let read = group.entries_read.map_or(-1, |read| read as i64);
        self.request(&[
            b"XGROUP",
            b"CREATE",
            key,
            name,
            last.as_bytes(),
            b"ENTRIESREAD",
            read.to_string().as_bytes(),
        ]);
        for consumer in group.consumers() {
            self.request(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer.name()]);
        }
        for (id, pending) in group.pending().iter() {
            let consumer = group.consumer(pending.consumer).name();
            self.pending((key, name, consumer), id, pending);
        }
    }

    fn pending(
        &mut self,
        (key, group, consumer): (&[u8], &[u8], &[u8]),
        id: StreamId,
        pending: &stream::Pending,
    ) {
        let time = pending.delivered_at_ms.to_string();
        let count = pending.deliveries.to_string();
        self.request(&[
            b"XCLAIM",
            key,
            group,
            consumer,
            b"0",
            id.text().as_bytes(),
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"JUSTID",
            b"FORCE",
        ]);
    }
}

/// The elements of one value on their way into commands.
#[derive(Debug)]
pub(super) struct Series {
    verb: &'static [u8],
    /// Elements that are in no command yet.
    left: u64,
    /// Elements that the command that was begun still lacks.
    open: u64,
    /// What stands behind that command.
    after: Requests,
}

impl Series {
    /// Of a value with so many elements; of a list's node, if it is one.
    pub fn new(kind: Kind, elements: u64) -> Series {
        let verb: &[u8] = match kind {
            Kind::Set => b"SADD",
            Kind::Zset => b"ZADD",
            Kind::Hash => b"HMSET",
            Kind::List | Kind::Stream | Kind::String => b"RPUSH",
        };
        Series {
            verb,
            left: elements,
            open: 0,
            after: Requests::default(),
        }
    }

    /// Of a value that comes in pieces.
    pub fn of_shape(shape: Shape) -> Series {
        match shape {
            Shape::List { .. } => Series::new(Kind::List, 0),
            Shape::Set { members } => Series::new(Kind::Set, members),
            Shape::Zset { members } => Series::new(Kind::Zset, members),
            Shape::Hash { fields, .. } => Series::new(Kind::Hash, fields),
            Shape::Stream { .. } => Series::new(Kind::Stream, 0),
        }
    }

    /// Whether no command lacks anything.
    pub fn is_closed(&self) -> bool {
        self.open == 0
    }

    /// Writes a piece.
    pub fn piece(&mut self, key: &[u8], piece: Piece<'_>, out: &mut Requests) {
        match piece {
            Piece::ListNode(NodeRef::Large(bytes)) => out.request(&[b"RPUSH", key, bytes]),
            Piece::ListNode(NodeRef::Packed(list)) => {
                self.left = list.len() as u64;
                for element in list.iter() {
                    self.element(key, 1, out);
                    out.item(element.item);
                }
            }
            Piece::Member(member) => {
                self.element(key, 1, out);
                out.item(member);
            }
            Piece::Scored(member, score) => {
                self.element(key, 2, out);
                let mut text = [0; F64_TEXT_MAX];
                out.word(format_f64_shortest(&mut text, score));
                out.item(member);
            }
            Piece::Field(pair) => {
                self.element(key, 2, out);
                out.item(pair.field);
                out.item(pair.value);
                if let Some(at_ms) = pair.expires_at_ms {
                    self.after.field_expiry(key, pair.field, at_ms);
                }
            }
            Piece::StreamNode(first, node) => {
                for entry in node.entries(first) {
                    out.stream_entry(key, &entry);
                }
            }
            Piece::StreamRest(stream) => out.stream_rest(key, stream),
        }
        if self.is_closed() {
            out.bytes.append(&mut self.after.bytes);
        }
    }

    /// An element of so many words comes: it goes into the command that lacks one, or a new one.
    fn element(&mut self, key: &[u8], words: u64, out: &mut Requests) {
        if self.open == 0 {
            self.open = self.left.clamp(1, BATCH);
            self.left = self.left.saturating_sub(self.open);
            out.begin(2 + self.open * words);
            out.word(self.verb);
            out.word(key);
        }
        self.open -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: Requests) -> String {
        String::from_utf8(out.bytes).expect("texts only")
    }

    #[test]
    fn elements_come_in_batches() {
        let (mut series, mut out) = (Series::new(Kind::Set, 130), Requests::default());
        for number in 0..130 {
            let is_closed = series.is_closed();
            assert_eq!(is_closed, [0, 64, 128].contains(&number), "{number}");
            series.piece(b"s", Piece::Member(Item::Int(number)), &mut out);
        }
        assert!(series.is_closed());
        let text = text(out);
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('*')).collect();
        assert_eq!(heads, ["*66", "*66", "*4"]);
        assert!(text.ends_with("SADD\r\n$1\r\ns\r\n$3\r\n128\r\n$3\r\n129\r\n"));
    }

    #[test]
    fn expiries_of_fields_stand_behind_their_command() {
        let (mut series, mut out) = (Series::new(Kind::Hash, 2), Requests::default());
        for (field, expires_at_ms) in [(&b"f"[..], Some(77)), (b"g", None)] {
            let (field, value) = (Item::Bytes(field), Item::Int(1));
            let pair = crate::object::hash::Pair {
                field,
                value,
                expires_at_ms,
            };
            series.piece(b"h", Piece::Field(pair), &mut out);
        }
        let text = text(out);
        let at = text.find("HPEXPIREAT").expect("the expiry");
        assert!(text.find("$1\r\ng\r\n").expect("the other field") < at);
        assert!(text.ends_with("$2\r\n77\r\n$6\r\nFIELDS\r\n$1\r\n1\r\n$1\r\nf\r\n"));
    }
}
