//! The packed form: a tape of members and scores in turn, by score and then by member.
//!
//! Scores are written as Redis 7.2 writes them there: integers below 2^52 as integers, others as
//! the shortest text that reads back the same. So minus zero comes back as zero, as in Redis.

use crate::base::number::{F64_TEXT_MAX, format_f64_shortest, parse_f64};
use crate::object::Room;
use crate::object::element::{Element, Item, Wanted};
use crate::object::tape::{self, Tape};

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
pub(super) fn pair_at(tape: Tape<'_>, at: usize) -> Option<Pair<'_>> {
    let member = tape.at(at)?;
    let score = tape.at(member.next)?;
    Some(Pair {
        member,
        score: score_of(score.item),
        end: score.next,
    })
}

/// All pairs in order.
pub(super) fn pairs(tape: Tape<'_>) -> impl Iterator<Item = Pair<'_>> {
    let mut at = tape.start();
    std::iter::from_fn(move || {
        let pair = pair_at(tape, at)?;
        at = pair.end;
        Some(pair)
    })
}

/// The pair of a member.
pub(super) fn find<'a>(tape: Tape<'a>, member: &[u8]) -> Option<Pair<'a>> {
    let found = tape.find(Wanted::new(member), 2)?;
    pair_at(tape, found.at)
}

/// The place where a member with this score belongs.
fn place_for(tape: Tape<'_>, member: &[u8], score: f64) -> usize {
    let is_behind = |pair: &Pair<'_>| {
        pair.score > score
            || (pair.score == score && pair.member.item.with_bytes(|own| own > member))
    };
    pairs(tape)
        .find(is_behind)
        .map_or(tape.end(), |pair| pair.member.at)
}

/// Adds a member that is not there.
pub(super) fn insert(room: &mut dyn Room, member: &[u8], score: f64) {
    let at = place_for(Tape::new(room.bytes()), member, score);
    // An element takes at most eleven bytes beside its content.
    let mut pair = Vec::with_capacity(member.len() + F64_TEXT_MAX + 22);
    tape::encode(member, &mut pair);
    tape::encode(score_text(&mut [0; F64_TEXT_MAX], score), &mut pair);
    tape::splice(room, at, (0, 0), (&pair, 2));
}

/// Gives a member that is there another score; `at` is the place of its pair.
pub(super) fn rescore(room: &mut dyn Room, at: usize, member: &[u8], score: f64) {
    let tape = Tape::new(room.bytes());
    let pair = pair_at(tape, at).expect("the pair was just found");
    let target = place_for(tape, member, score);
    let (score_at, end) = (pair.member.next, pair.end);
    if target == at || target == end {
        let mut buffer = [0; F64_TEXT_MAX];
        tape::replace(room, score_at, score_text(&mut buffer, score));
        return;
    }
    tape::remove(room, at, 2);
    insert(room, member, score);
}

/// The place of the pair of a rank, or the end.
pub(super) fn seek(tape: Tape<'_>, rank: usize) -> usize {
    tape.seek(2 * rank)
}

/// Whether bytes are a sorted set: pairs, scores that are numbers, in order, and no member twice.
#[cfg(test)]
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    let tape = Tape::new(bytes);
    if !tape::is_sound(bytes) || !tape.count().is_multiple_of(2) {
        return false;
    }
    let mut seen = std::collections::HashSet::new();
    let mut last: Option<(f64, Vec<u8>)> = None;
    for pair in pairs(tape) {
        let is_number = match tape.at(pair.member.next).map(|score| score.item) {
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
