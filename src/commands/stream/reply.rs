//! Ids and entries in replies, and the errors that several commands of the family share.
//!
//! An entry is read where it lies in its node and written field by field.

use crate::object::element::Item;
use crate::object::stream::{Entries, Entry, StreamId};
use crate::resp::{ErrorReply, Writer, Written, errors};

/// An id.
pub(super) fn id(reply: &mut Writer<'_>, id: StreamId) -> Written {
    reply.bulk(id.text().as_bytes())
}

/// An id with its fields.
pub(super) fn entry(reply: &mut Writer<'_>, entry: Entry<'_>) -> Written {
    reply.array(2);
    id(reply, entry.id);
    let mut written = reply.array(2 * entry.len());
    for (name, value) in entry.fields() {
        item(reply, name);
        written = item(reply, value);
    }
    written
}

#[inline]
fn item(reply: &mut Writer<'_>, item: Item<'_>) -> Written {
    match item {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// An array of so many entries; all of them when `count` is 0.
pub(super) fn entries(reply: &mut Writer<'_>, all: Entries<'_>, count: u64) -> Written {
    let mark = reply.output().mark();
    let mut written = 0;
    for one in all {
        entry(reply, one);
        written += 1;
        if written == count {
            break;
        }
    }
    reply.array_since(mark, written as usize)
}

/// Redis formats some errors as C does: what is put in ends at its first zero byte.
pub(super) fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// An error put together of texts and of bytes that a client has sent.
pub(super) fn error(parts: &[&[u8]]) -> ErrorReply {
    parts.concat().into()
}

/// There is no such key, or it has no such group.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8], after: &str) -> ErrorReply {
    error(&[
        b"NOGROUP No such key '",
        c_string(key),
        b"' or consumer group '",
        c_string(group),
        b"'",
        after.as_bytes(),
    ])
}

/// The key has no such group.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> ErrorReply {
    error(&[
        b"NOGROUP No such consumer group '",
        c_string(group),
        b"' for key name '",
        c_string(key),
        b"'",
    ])
}

/// An argument as an id.
pub(super) fn strict_id(text: &[u8]) -> Result<StreamId, ErrorReply> {
    StreamId::parse_strict(text, 0).ok_or_else(|| errors::INVALID_STREAM_ID.into())
}

/// An argument as the start of an interval; an excluded one is the id behind it.
pub(super) fn interval_start(text: &[u8]) -> Result<StreamId, ErrorReply> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict_id(rest)?
            .next()
            .ok_or_else(|| "ERR invalid start ID for the interval".into()),
        text => StreamId::parse(text, 0).ok_or_else(|| errors::INVALID_STREAM_ID.into()),
    }
}

/// An argument as the end of an interval; an excluded one is the id before it.
pub(super) fn interval_end(text: &[u8]) -> Result<StreamId, ErrorReply> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => StreamId::parse_strict(rest, u64::MAX)
            .ok_or(errors::INVALID_STREAM_ID)?
            .previous()
            .ok_or_else(|| "ERR invalid end ID for the interval".into()),
        text => StreamId::parse(text, u64::MAX).ok_or_else(|| errors::INVALID_STREAM_ID.into()),
    }
}
