//! A sorted set in either form, to read: ranks, ranges, scores.
//!
//! Whatever a command wants is turned into a range of ranks first; then members are walked from
//! there in either direction. In the packed form that is a walk over a few hundred bytes.

use super::packed;
use super::range::{LexRange, ScoreRange};
use super::table::{SortedTable, TableIter};
use crate::object::element::Item;
use crate::object::tape::Tape;
use crate::object::{Form, Object, Packed};
use std::ops::Range;

/// A sorted set, to read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    Packed(Tape<'a>),
    Table(&'a SortedTable),
}

impl<'a> ZsetRef<'a> {
    /// The sorted set in a form; panics when it is of another type.
    pub fn new(form: Form<'a>) -> ZsetRef<'a> {
        match form {
            Form::Packed(Packed::Zset, bytes) => ZsetRef::Packed(Tape::new(bytes)),
            Form::Object(Object::Zset(table)) => ZsetRef::Table(table),
            other => unreachable!("asked only of sorted sets, not {:?}", other.kind()),
        }
    }

    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(tape) => tape.count() / 2,
            ZsetRef::Table(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            ZsetRef::Packed(tape) => packed::find(tape, member).map(|pair| pair.score),
            ZsetRef::Table(table) => table.locate(member).score(),
        }
    }

    /// The rank of a member, counted from the lowest score, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZsetRef::Packed(tape) => {
                let found = packed::find(tape, member)?;
                let is_found = |pair: &packed::Pair<'_>| pair.member.at == found.member.at;
                let rank = packed::pairs(tape).position(|pair| is_found(&pair));
                rank.map(|rank| (rank, found.score))
            }
            ZsetRef::Table(table) => table.rank(member),
        }
    }

    /// The ranks of the members whose scores lie in a range.
    pub fn ranks_by_score(self, range: &ScoreRange) -> Range<usize> {
        if range.is_void() {
            return 0..0;
        }
        match self {
            ZsetRef::Packed(tape) => {
                let count = |holds: &dyn Fn(f64) -> bool| {
                    packed::pairs(tape)
                        .take_while(|pair| holds(pair.score))
                        .count()
                };
                count(&|score| range.is_below(score))..count(&|score| range.is_up_to(score))
            }
            ZsetRef::Table(table) => {
                let start = table.partition_by_score(|score| range.is_below(score));
                start..table.partition_by_score(|score| range.is_up_to(score))
            }
        }
    }

    /// The ranks of the members that lie in a range.
    pub fn ranks_by_member(self, range: &LexRange<'_>) -> Range<usize> {
        if range.is_void() {
            return 0..0;
        }
        match self {
            ZsetRef::Packed(tape) => packed_ranks_by_member(tape, range),
            ZsetRef::Table(table) => {
                let start = table.partition(|_, member| range.is_below(member));
                let end = table.partition(|_, member| range.is_up_to(member));
                start..end.max(start)
            }
        }
    }

    /// Members and scores of these ranks; from the last one on when `is_reverse`.
    pub fn iter(self, ranks: Range<usize>, is_reverse: bool) -> Iter<'a> {
        let ranks = ranks.start..ranks.end.min(self.len());
        match self {
            ZsetRef::Packed(tape) => Iter(Walk::Packed(PackedWalk::new(tape, ranks, is_reverse))),
            ZsetRef::Table(table) => Iter(Walk::Table(table.iter(ranks, is_reverse))),
        }
    }

    /// All members and scores in order.
    pub fn all(self) -> Iter<'a> {
        self.iter(0..usize::MAX, false)
    }

    /// The member of a rank with its score.
    pub fn at(self, rank: usize) -> Option<(Item<'a>, f64)> {
        self.iter(rank..rank.saturating_add(1), false).next()
    }
}

/// Where scores differ, a range of members means nothing; this is what Redis makes of it.
fn packed_ranks_by_member(tape: Tape<'_>, range: &LexRange<'_>) -> Range<usize> {
    let is_up_to = |item: Item<'_>| item.with_bytes(|member| range.is_up_to(member));
    let is_below = |item: Item<'_>| item.with_bytes(|member| range.is_below(member));
    let members = || packed::pairs(tape).map(|pair| pair.member.item);
    let (Some(first), Some(last)) = (members().next(), members().last()) else {
        return 0..0;
    };
    if is_below(last) || !is_up_to(first) {
        return 0..0;
    }
    let start = members().take_while(|item| is_below(*item)).count();
    let count = members().skip(start).take_while(|item| is_up_to(*item));
    start..start + count.count()
}

/// Members and scores in order.
#[derive(Clone, Debug)]
pub struct Iter<'a>(Walk<'a>);

#[derive(Clone, Debug)]
enum Walk<'a> {
    Packed(PackedWalk<'a>),
    Table(TableIter<'a>),
}

#[derive(Clone, Debug)]
struct PackedWalk<'a> {
    tape: Tape<'a>,
    /// Where the walk is, forwards.
    at: usize,
    left: usize,
    /// Backwards: the places that are still to come, the next one last. A tape is only read
    /// forwards.
    places: Option<Vec<usize>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match &mut self.0 {
            Walk::Packed(walk) => {
                let pair = walk.step()?;
                Some((pair.member.item, pair.score))
            }
            Walk::Table(iter) => {
                let (member, score) = iter.next()?;
                Some((Item::Bytes(member), score))
            }
        }
    }
}

impl<'a> PackedWalk<'a> {
    fn new(tape: Tape<'a>, ranks: Range<usize>, is_reverse: bool) -> PackedWalk<'a> {
        let mut walk = PackedWalk {
            tape,
            at: packed::seek(tape, ranks.start),
            left: ranks.len(),
            places: None,
        };
        if is_reverse {
            let mut places = Vec::with_capacity(ranks.len());
            while let Some(pair) = walk.step() {
                places.push(pair.member.at);
            }
            walk.left = places.len();
            walk.places = Some(places);
        }
        walk
    }

    fn step(&mut self) -> Option<packed::Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        if let Some(places) = &mut self.places {
            self.at = places.pop()?;
        }
        let pair = packed::pair_at(self.tape, self.at)?;
        self.at = pair.end;
        Some(pair)
    }
}
