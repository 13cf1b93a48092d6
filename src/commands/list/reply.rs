//! Elements of lists into replies.
//!
//! A large element that is alone in its node goes out by reference.

use crate::object::SHARED_STRING_MIN;
use crate::object::element::Item;
use crate::object::list::{Iter, ListItem};
use crate::resp::{Writer, Written};

/// Replies with an element.
#[inline]
pub fn element(reply: &mut Writer<'_>, item: ListItem<'_>) -> Written {
    match item {
        ListItem::Packed(Item::Bytes(bytes)) => reply.bulk(bytes),
        ListItem::Packed(Item::Int(number)) => reply.bulk_integer(number),
        ListItem::Large(bytes) if bytes.len() >= SHARED_STRING_MIN => reply.shared(bytes),
        ListItem::Large(bytes) => reply.bulk(bytes),
    }
}

/// Replies with the first so many elements of a walk, which has as many.
pub fn elements(reply: &mut Writer<'_>, walk: Iter<'_>, count: usize) -> Written {
    let mut written = reply.array(count);
    for item in walk.take(count) {
        written = element(reply, item);
    }
    written
}
