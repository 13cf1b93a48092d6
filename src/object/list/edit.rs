//! Changes of a list wherever it lies and in whatever form it is.
//!
//! A list leaves its packed form before elements come that would make it exceed the limit, by the
//! estimate that Redis makes, and returns to it when shrinking has left it half of that: OBJECT
//! ENCODING shows both.

use super::limit::NodeLimit;
use super::middle::without;
use super::node::NodeRef;
use super::value::Quicklist;
use super::view::{ListRef, NewItem, Side};
use crate::object::element::Wanted;
use crate::object::listpack::{self, Listpack};
use crate::object::{Collection, Form, Holder, Object, Packed};

/// Adds elements at an end, one after the other; returns the new length.
#[inline]
pub fn push<'v, H: Holder>(
    holder: &mut H,
    side: Side,
    items: impl Iterator<Item = NewItem<'v>> + Clone,
    limit: NodeLimit,
) -> usize {
    if !grow_for(holder, items.clone(), limit) {
        let list = quicklist(holder);
        for item in items {
            list.push(side, item, limit);
        }
        return list.len();
    }
    let mut others = items;
    let first = others.next();
    match (first, others.clone().next()) {
        (Some(item), None) => push_packed(holder, side, item.bytes),
        (Some(item), Some(_)) => push_many(holder, side, std::iter::once(item).chain(others)),
        (None, _) => {}
    }
    ListRef::of(holder.form()).len()
}

fn push_packed<H: Holder>(holder: &mut H, side: Side, value: &[u8]) {
    match side {
        Side::Left => listpack::push_front(holder, value),
        Side::Right => listpack::push_back(holder, value),
    }
}

/// Several elements with one move of what is there.
fn push_many<'v, H: Holder>(holder: &mut H, side: Side, items: impl Iterator<Item = NewItem<'v>>) {
    let mut encoded = Vec::new();
    let mut ends = vec![0];
    for item in items {
        listpack::encode(item.bytes, &mut encoded);
        ends.push(encoded.len());
    }
    let list = Listpack::new(holder.bytes());
    let (count, at) = match side {
        Side::Left => (ends.len() - 1, list.start()),
        Side::Right => (ends.len() - 1, list.end()),
    };
    if side == Side::Left {
        let turned = ends.windows(2).rev().map(|pair| &encoded[pair[0]..pair[1]]);
        encoded = turned.collect::<Vec<_>>().concat();
    }
    listpack::splice(holder, at, (0, 0), (&encoded, count));
}

/// Leaves the packed form if these elements would make the list exceed the limit; says whether it
/// is packed now.
#[inline]
pub fn grow_for<'v, H: Holder>(
    holder: &mut H,
    items: impl Iterator<Item = NewItem<'v>>,
    limit: NodeLimit,
) -> bool {
    let Form::Packed(_, bytes) = holder.form() else {
        return false;
    };
    let (mut total, mut count) = (bytes.len(), Listpack::new(bytes).len());
    for item in items {
        total += item.bytes.len();
        count += 1;
    }
    let is_packed = !limit.is_exceeded(total, count);
    if !is_packed {
        unpack(holder);
    }
    is_packed
}

#[cold]
fn unpack<H: Holder>(holder: &mut H) {
    let mut list = Quicklist::default();
    list.append_listpack(holder.bytes().to_vec());
    holder.reshape(Collection::Object(Object::List(list)));
}

/// Packs a list that has shrunk far enough.
pub fn shrink<H: Holder>(holder: &mut H, limit: NodeLimit) {
    let Form::Object(Object::List(list)) = holder.form() else {
        return;
    };
    if list.nodes.len() > 1 {
        return;
    }
    let first = list.nodes().next();
    if let Some(NodeRef::Packed(node)) = first
        && !limit.half().is_exceeded(node.bytes().len(), list.len())
    {
        let bytes = node.bytes().to_vec();
        holder.reshape(Collection::Packed(Packed::List, bytes));
    }
}

/// Gives a list that was put together elsewhere the form that its size asks for.
pub fn settle<H: Holder>(holder: &mut H, limit: NodeLimit) {
    match holder.form() {
        Form::Packed(_, bytes) if limit.is_exceeded(bytes.len(), Listpack::new(bytes).len()) => {
            unpack(holder);
        }
        _ => {}
    }
}

fn quicklist<H: Holder>(holder: &mut H) -> &mut Quicklist {
    match holder.object_mut() {
        Object::List(list) => list,
        _ => unreachable!("only lists are edited as lists"),
    }
}

/// Removes the element at an end, if there is one.
#[inline]
pub fn pop<H: Holder>(holder: &mut H, side: Side, limit: NodeLimit) {
    let Form::Packed(_, bytes) = holder.form() else {
        quicklist(holder).pop(side);
        return shrink(holder, limit);
    };
    let list = Listpack::new(bytes);
    let at = match side {
        Side::Left => list.start(),
        Side::Right => list.before(list.end()).unwrap_or(list.end()),
    };
    listpack::remove(holder, at, 1);
}

/// Inserts an element before the one at an index.
pub fn insert<H: Holder>(holder: &mut H, index: usize, item: NewItem<'_>, limit: NodeLimit) {
    match holder.form() {
        Form::Packed(_, bytes) => {
            let list = Listpack::new(bytes);
            let at = list.seek(index as i64).unwrap_or(list.end());
            listpack::insert(holder, at, item.bytes);
        }
        Form::Object(_) => quicklist(holder).insert(index, item, limit),
    }
}

/// Replaces the element at an index, which exists.
pub fn set<H: Holder>(holder: &mut H, index: usize, item: NewItem<'_>, limit: NodeLimit) {
    match holder.form() {
        Form::Packed(_, bytes) => {
            let at = Listpack::new(bytes).seek(index as i64);
            listpack::replace(holder, at.expect("an index of the list"), item.bytes);
        }
        Form::Object(_) => {
            quicklist(holder).set(index, item, limit);
            shrink(holder, limit);
        }
    }
}

/// Removes up to so many elements from an index on.
pub fn remove_range<H: Holder>(holder: &mut H, start: usize, count: usize, limit: NodeLimit) {
    if count == 0 {
        return;
    }
    match holder.form() {
        Form::Packed(_, bytes) => {
            let list = Listpack::new(bytes);
            if let Some(at) = list.seek(start as i64) {
                listpack::remove(holder, at, count);
            }
        }
        Form::Object(_) => {
            quicklist(holder).remove_range(start, count);
            shrink(holder, limit);
        }
    }
}

/// Removes up to so many elements of this value, beginning at an end; says how many.
pub fn remove_matching<H: Holder>(
    holder: &mut H,
    wanted: &Wanted<'_>,
    (max, from): (usize, Side),
    limit: NodeLimit,
) -> usize {
    let (bytes, removed) = match ListRef::of(holder.form()) {
        ListRef::Packed(list) => match without(list, wanted, max, from) {
            Some(changed) => changed,
            None => return 0,
        },
        ListRef::Quick(list) => {
            // Looking first, so that a list without any is not said to change.
            if list.iter().all(|item| !item.is(wanted)) {
                return 0;
            }
            let removed = quicklist(holder).remove_matching(wanted, max, from);
            shrink(holder, limit);
            return removed;
        }
    };
    holder.replace(Collection::Packed(Packed::List, bytes));
    removed
}
