//! A sorted set in either form, to read: ranks, ranges, scores.
//!
//! Whatever a command wants is turned into a range of ranks first; then members are walked from
//! there in either direction. In the packed form that is a walk over a few hundred bytes.

use super::packed;
use super::range::{LexRange, ScoreRange};
use super::table::{SortedTable, TableIter};
use crate::object::listpack::{Item, Listpack};
use crate::object::{Form, Object, Packed};
use std::ops::Range;

/// A sorted set, to read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    Packed(Listpack<'a>),
    Table(&'a SortedTable),
}

impl<'a> ZsetRef<'a> {
    /// The sorted set in a form; panics when it is of another type.
    pub fn new(form: Form<'a>) -> ZsetRef<'a> {
        match form {
            Form::Packed(Packed::Zset, bytes) => ZsetRef::Packed(Listpack::new(bytes)),
            Form::Object(Object::Zset(table)) => ZsetRef::Table(table),
            other => unreachable!("asked only of sorted sets, not {:?}", other.kind()),
        }
    }

    /// Number of members.
    pub fn len(self) -> usize {
        match self {
            ZsetRef::Packed(list) => list.len() / 2,
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
            ZsetRef::Packed(list) => packed::find(list, member).map(|pair| pair.score),
            ZsetRef::Table(table) => table.locate(member).score(),
        }
    }

    /// The rank of a member, counted from the lowest score, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            ZsetRef::Packed(list) => {
                let found = packed::find(list, member)?;
                let is_found = |pair: &packed::Pair<'_>| pair.member.at == found.member.at;
                let rank = packed::pairs(list).position(|pair| is_found(&pair));
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
            ZsetRef::Packed(list) => {
                let count = |holds: &dyn Fn(f64) -> bool| {
                    packed::pairs(list)
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
            ZsetRef::Packed(list) => packed_ranks_by_member(list, range),
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
            ZsetRef::Packed(list) => {
                let at = if is_reverse { ranks.end } else { ranks.start };
                Iter(Walk::Packed(PackedWalk {
                    list,
                    at: packed::seek(list, at),
                    left: ranks.len(),
                    is_reverse,
                }))
            }
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
fn packed_ranks_by_member(list: Listpack<'_>, range: &LexRange<'_>) -> Range<usize> {
    let is_up_to = |item: Item<'_>| item.with_bytes(|member| range.is_up_to(member));
    let is_below = |item: Item<'_>| item.with_bytes(|member| range.is_below(member));
    let last = list.before(list.end()).and_then(|score| list.before(score));
    let last = last.and_then(|at| list.at(at));
    let (Some(first), Some(last)) = (list.at(list.start()), last) else {
        return 0..0;
    };
    let (first, last) = (first.item, last.item);
    if is_below(last) || !is_up_to(first) {
        return 0..0;
    }
    let members = || packed::pairs(list).map(|pair| pair.member.item);
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
    list: Listpack<'a>,
    at: usize,
    left: usize,
    is_reverse: bool,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Item<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match &mut self.0 {
            Walk::Packed(walk) => walk.next(),
            Walk::Table(iter) => {
                let (member, score) = iter.next()?;
                Some((Item::Bytes(member), score))
            }
        }
    }
}

impl<'a> PackedWalk<'a> {
    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        self.left = self.left.checked_sub(1)?;
        if self.is_reverse {
            let score = self.list.before(self.at)?;
            self.at = self.list.before(score)?;
        }
        let pair = packed::pair_at(self.list, self.at)?;
        if !self.is_reverse {
            self.at = pair.end;
        }
        Some((pair.member.item, pair.score))
    }
}
