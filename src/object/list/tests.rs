//! Lists against a vector, in both forms, with nodes of every size.
//!
//! Copies that share nodes must not see what is done to each other, and memory must add up.

use super::{ListRef, NewItem, NodeLimit, NodeRef, Quicklist, Side, edit};
use crate::base::prng::Prng;
use crate::object::element::Wanted;
use crate::object::listpack::{Listpack, validate};
use crate::object::{Collection, Form, Holder, Object, Packed};

fn value(random: &mut Prng) -> Vec<u8> {
    match random.below(8) {
        0 => vec![b'l'; 3000 + random.below(9000) as usize],
        1 => vec![b'm'; random.below(300) as usize],
        2 => (random.next_u64() as i64).to_string().into_bytes(),
        _ => random.below(20).to_string().into_bytes(),
    }
}

fn all(list: ListRef<'_>) -> Vec<Vec<u8>> {
    let bytes = |item: super::ListItem<'_>| item.to_bytes().to_vec();
    let mut back: Vec<_> = list.walk_from(Side::Right).map(bytes).collect();
    back.reverse();
    let forward: Vec<_> = list.walk_from(Side::Left).map(bytes).collect();
    assert!(forward == back, "both ways see the same");
    forward
}

fn side(random: &mut Prng) -> Side {
    if random.below(2) == 0 {
        Side::Left
    } else {
        Side::Right
    }
}

/// What holds of every list, whatever was done to it.
fn check(list: &Collection, model: &[Vec<u8>], limit: NodeLimit) {
    let view = ListRef::of(list.form());
    assert!(
        all(view) == model,
        "{} elements, not {}",
        view.len(),
        model.len()
    );
    assert_eq!(view.len(), model.len());
    for index in [0, 1, model.len() / 2, model.len().saturating_sub(1)] {
        for to in [Side::Left, Side::Right] {
            let found = view.walk(index, to).next();
            let found = found.map(|item| item.to_bytes().to_vec());
            assert_eq!(found.as_ref(), model.get(index));
        }
    }
    let Form::Object(Object::List(list)) = list.form() else {
        return;
    };
    let mut held = 0;
    for node in list.nodes() {
        held += match node {
            NodeRef::Large(bytes) => bytes.len(),
            NodeRef::Packed(pack) => {
                assert!(validate(pack.bytes()) && !pack.is_empty());
                // Several elements are admitted at once by the sum of their bytes.
                let estimate = pack.bytes().len().saturating_sub(4 * 11);
                assert!(!limit.is_exceeded(estimate, pack.len()));
                pack.bytes().len()
            }
        };
    }
    assert!(list.bytes() >= held);
}

fn wanted_range(random: &mut Prng, len: usize) -> (usize, usize) {
    let start = random.below(len as u64 + 1) as usize;
    let most = if random.below(8) == 0 { len } else { 4 };
    (start, random.below(most as u64 + 1) as usize)
}

fn change(random: &mut Prng, list: &mut Collection, model: &mut Vec<Vec<u8>>, limit: NodeLimit) {
    let index = random.below(model.len().max(1) as u64) as usize;
    match random.below(12) {
        0..=4 => {
            let values: Vec<_> = (0..=random.below(3)).map(|_| value(random)).collect();
            let side = side(random);
            let items = values.iter().map(|value| NewItem::from(&value[..]));
            let len = edit::push(list, side, items, limit);
            for value in values {
                let at = if side == Side::Left { 0 } else { model.len() };
                model.insert(at, value);
            }
            assert_eq!(len, model.len());
        }
        5 if !model.is_empty() => {
            let side = side(random);
            let at = if side == Side::Left {
                0
            } else {
                model.len() - 1
            };
            edit::pop(list, side, limit);
            model.remove(at);
        }
        6 | 7 if !model.is_empty() => {
            let value = value(random);
            edit::grow_for(list, [NewItem::from(&value[..])].into_iter(), limit);
            edit::insert(list, index, NewItem::from(&value[..]), limit);
            model.insert(index, value);
        }
        8 | 9 if !model.is_empty() => {
            let value = value(random);
            edit::grow_for(list, [NewItem::from(&value[..])].into_iter(), limit);
            edit::set(list, index, NewItem::from(&value[..]), limit);
            model[index] = value;
        }
        10 => {
            let (start, count) = wanted_range(random, model.len());
            edit::remove_range(list, start, count, limit);
            model.drain(start..(start + count).min(model.len()));
        }
        _ if !model.is_empty() => {
            let (value, max) = (model[index].clone(), 1 + random.below(3) as usize);
            let from = side(random);
            let wanted = Wanted::new(&value);
            let removed = edit::remove_matching(list, &wanted, (max, from), limit);
            let found: Vec<_> = (0..model.len()).filter(|at| model[*at] == value).collect();
            let mut gone: Vec<_> = match from {
                Side::Left => found.into_iter().take(max).collect(),
                Side::Right => found.into_iter().rev().take(max).collect(),
            };
            gone.sort_unstable();
            assert_eq!(removed, gone.len());
            for at in gone.into_iter().rev() {
                model.remove(at);
            }
        }
        _ => {}
    }
}

#[test]
fn random_changes_follow_a_vector() {
    for (number, size) in [-1, -2, 1, 2, 5, 128]
        .into_iter()
        .cycle()
        .take(60)
        .enumerate()
    {
        let mut random = Prng::from_seed(number as u64);
        let limit = NodeLimit::new(size);
        let mut list = Collection::empty(Packed::List);
        let mut model = Vec::new();
        let mut copies = Vec::new();
        for _ in 0..250 {
            change(&mut random, &mut list, &mut model, limit);
            check(&list, &model, limit);
            if random.below(40) == 0 {
                copies.push((list.clone(), model.clone()));
            }
        }
        for (copy, model) in &copies {
            check(copy, model, limit);
        }
    }
}

#[test]
fn a_list_is_packed_up_to_the_limit_and_again_from_half_of_it() {
    let limit = NodeLimit::new(4);
    let mut list = Collection::empty(Packed::List);
    let is_packed = |list: &Collection| matches!(list.form(), Form::Packed(..));
    let push = |list: &mut Collection, count: usize| {
        let items = std::iter::repeat_n(NewItem::from(&b"x"[..]), count);
        edit::push(list, Side::Right, items, limit);
    };
    push(&mut list, 4);
    assert!(is_packed(&list));
    push(&mut list, 1);
    assert!(!is_packed(&list));
    edit::pop(&mut list, Side::Left, limit);
    // Two nodes, the first of them with three elements.
    assert!(!is_packed(&list));
    edit::pop(&mut list, Side::Right, limit);
    assert!(!is_packed(&list));
    edit::pop(&mut list, Side::Right, limit);
    assert!(is_packed(&list));
    assert_eq!(ListRef::of(list.form()).len(), 2);
}

#[test]
fn elements_too_large_are_alone_and_shared() {
    let limit = NodeLimit::new(-1);
    let large = bytes::Bytes::from(vec![b'x'; 5000]);
    let mut list = Quicklist::default();
    list.push(Side::Left, NewItem::from(&b"small"[..]), limit);
    list.push(Side::Left, NewItem::from(&large), limit);
    list.push(Side::Left, NewItem::from(&b"small"[..]), limit);
    let lens: Vec<_> = list.nodes().map(NodeRef::len).collect();
    assert_eq!(lens, [1, 1, 1]);
    let taken = list.iter().nth(1).map(super::ListItem::to_bytes);
    assert_eq!(taken.map(|bytes| bytes.as_ptr()), Some(large.as_ptr()));
}

#[test]
fn a_list_is_freed_in_steps() {
    let limit = NodeLimit::new(128);
    let mut list = Quicklist::default();
    for _ in 0..10_000 {
        list.push(Side::Right, NewItem::from(&b"element"[..]), limit);
    }
    let mut steps = 0;
    while list.drop_some(500) {
        steps += 1;
        assert_eq!(list.len(), list.iter().count());
    }
    assert!((15..=20).contains(&steps), "{steps} steps");
    assert_eq!(list.len(), 0);
}

#[test]
fn full_nodes_keep_no_spare_room() {
    for side in [Side::Left, Side::Right] {
        let limit = NodeLimit::new(-2);
        let mut list = Quicklist::default();
        for number in 0..10_000 {
            let value = format!("element:{number}");
            list.push(side, NewItem::from(value.as_bytes()), limit);
        }
        let packed = |node: NodeRef<'_>| match node {
            NodeRef::Packed(pack) => Listpack::bytes(pack).len(),
            NodeRef::Large(_) => 0,
        };
        let bytes: usize = list.nodes().map(packed).sum();
        assert!(
            list.bytes() < bytes + bytes / 20,
            "{} of {bytes}",
            list.bytes()
        );
    }
}
