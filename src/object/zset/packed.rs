//! The packed form: a listpack of members and scores in turn, by score and then by member.
//!
//! Scores are written as Redis 7.2 writes them there: integers below 2^52 as integers, others as
//! the shortest text that reads back the same. So minus zero comes back as zero, as in Redis.

use crate::base::number::{F64_TEXT_MAX, format_f64_shortest, parse_f64};
use crate::object::Room;
use crate::object::listpack::{self, Element, Item, Listpack, Wanted};
use std::collections::HashSet;

/// A member where it lies, with its score.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub member: Element<'a>,
    pub score: f64,
    /// The place behind the score.
    pub end: usize,
}

/// The score in an element.
pub(super) fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(number) => number as f64,
        Item::Bytes(text) => parse_f64(text).unwrap_or(0.0),
    }
}

/// The text that is written for a score.
pub(super) fn score_text(buffer: &mut [u8; F64_TEXT_MAX], score: f64) -> &[u8] {
    // The sign of a zero is lost, as in Redis.
    format_f64_shortest(buffer, if score == 0.0 { 0.0 } else { score })
}

/// The pair that begins at a place.
#[inline]
pub(super) fn pair_at(list: Listpack<'_>, at: usize) -> Option<Pair<'_>> {
    let member = list.at(at)?;
    let score = list.at(member.next)?;
    Some(Pair {
        member,
        score: score_of(score.item),
        end: score.next,
    })
}

/// All pairs in order.
pub(super) fn pairs(list: Listpack<'_>) -> impl Iterator<Item = Pair<'_>> {
    let mut at = list.start();
    std::iter::from_fn(move || {
        let pair = pair_at(list, at)?;
        at = pair.end;
        Some(pair)
    })
}

/// The pair of a member.
pub(super) fn find<'a>(list: Listpack<'a>, member: &[u8]) -> Option<Pair<'a>> {
    let found = list.find(Wanted::new(member), 2)?;
    pair_at(list, found.at)
}

/// The place where a member with this score belongs.
fn place_for(list: Listpack<'_>, member: &[u8], score: f64) -> usize {
    let is_behind = |pair: &Pair<'_>| {
        pair.score > score
            || (pair.score == score && pair.member.item.with_bytes(|own| own > member))
    };
    pairs(list)
        .find(is_behind)
        .map_or(list.end(), |pair| pair.member.at)
}

/// Adds a member that is not there.
pub(super) fn insert(room: &mut dyn Room, member: &[u8], score: f64) {
    let at = place_for(Listpack::new(room.bytes()), member, score);
    // An element takes at most eleven bytes beside its content.
    let mut pair = Vec::with_capacity(member.len() + F64_TEXT_MAX + 22);
    listpack::encode(member, &mut pair);
    listpack::encode(score_text(&mut [0; F64_TEXT_MAX], score), &mut pair);
    listpack::splice(room, at, (0, 0), (&pair, 2));
}

/// Gives a member that is there another score; `at` is the place of its pair.
pub(super) fn rescore(room: &mut dyn Room, at: usize, member: &[u8], score: f64) {
    let list = Listpack::new(room.bytes());
    let pair = pair_at(list, at).expect("the pair was just found");
    let target = place_for(list, member, score);
    let (score_at, end) = (pair.member.next, pair.end);
    if target == at || target == end {
        let mut buffer = [0; F64_TEXT_MAX];
        listpack::replace(room, score_at, score_text(&mut buffer, score));
        return;
    }
    listpack::remove(room, at, 2);
    insert(room, member, score);
}

/// The place of the pair of a rank, or the end.
pub(super) fn seek(list: Listpack<'_>, rank: usize) -> usize {
    list.seek(2 * rank as i64).unwrap_or(list.end())
}

/// Whether a foreign listpack is a sorted set: pairs, scores that are numbers, in order, and no
/// member twice.
pub fn is_sound(bytes: &[u8]) -> bool {
    if !listpack::validate(bytes) || !Listpack::new(bytes).len().is_multiple_of(2) {
        return false;
    }
    let list = Listpack::new(bytes);
    let mut seen = HashSet::new();
    let mut last: Option<(f64, Vec<u8>)> = None;
    for pair in pairs(list) {
        let score = list.at(pair.member.next).map(|score| score.item);
        let is_number = match score {
            Some(Item::Bytes(text)) => parse_f64(text).is_some(),
            Some(Item::Int(_)) => true,
            None => false,
        };
        let own = (pair.score, pair.member.item.to_vec());
        let is_ordered = last.as_ref().is_none_or(|last| *last < own);
        if !is_number || !is_ordered || !seen.insert(own.1.clone()) {
            return false;
        }
        last = Some(own);
    }
    true
}
