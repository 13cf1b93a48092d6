//! What the commands of this family share: finding a sorted set, replying with members.
//!
//! Plain functions; which members and in which order is decided by the commands.

use crate::keyspace::{DbIndex, Key, Keyspace, Lookup, WrongKind};
use crate::object::Kind;
use crate::object::element::Item;
use crate::object::zset::ZsetRef;
use crate::resp::{Protocol, Writer, Written};

/// The sorted set at a key, to read.
#[inline]
pub(super) fn zset<'s>(
    space: &'s mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
) -> Result<Option<ZsetRef<'s>>, WrongKind> {
    let form = space.door(db).collection(key, Kind::Zset, Lookup::Read)?;
    Ok(form.map(ZsetRef::new))
}

/// Replies with a member.
#[inline]
pub fn member(reply: &mut Writer<'_>, member: Item<'_>) -> Written {
    match member {
        Item::Int(number) => reply.bulk_integer(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Begins an array of so many members; with scores it is a flat one in RESP2, one of pairs later.
pub(super) fn begin(reply: &mut Writer<'_>, count: usize, with_scores: bool) -> Written {
    let is_flat = with_scores && reply.protocol() == Protocol::Resp2;
    reply.array(if is_flat { count * 2 } else { count })
}

/// One element of such an array.
#[inline]
pub(super) fn element(reply: &mut Writer<'_>, item: Item<'_>, score: f64, with_scores: bool) {
    if with_scores && reply.protocol() == Protocol::Resp3 {
        reply.array(2);
    }
    member(reply, item);
    if with_scores {
        reply.double(score);
    }
}

/// Replies with members, and their scores if they are asked for.
pub(super) fn members<'a>(
    reply: &mut Writer<'_>,
    members: impl Iterator<Item = (Item<'a>, f64)>,
    count: usize,
    with_scores: bool,
) -> Written {
    let written = begin(reply, count, with_scores);
    for (item, score) in members {
        element(reply, item, score, with_scores);
    }
    written
}
