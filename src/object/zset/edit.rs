//! A sorted set in either form, to change.
//!
//! What is to happen is decided by reading; the holder hears of a change only when there is one.
//! A packed set that gets too large becomes a table and stays one.

use super::packed;
use super::table::{Site, SortedTable};
use super::view::ZsetRef;
use crate::object::element::Item;
use crate::object::tape::{self, Tape};
use crate::object::{Collection, Holder, Object, Packed, Packing};
use std::ops::Range;

/// Which end members are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lowest score.
    Min,
    /// The highest score.
    Max,
}

/// What stands between a member and its new score.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Members that are there keep their score.
    pub only_new: bool,
    /// Members that are not there are not added.
    pub only_present: bool,
    /// Scores only grow.
    pub only_greater: bool,
    /// Scores only shrink.
    pub only_less: bool,
    /// The score is added to the one there is.
    pub is_increment: bool,
}

impl Rules {
    fn allow(&self, old: f64, new: f64) -> bool {
        !(self.only_new || self.only_less && new >= old || self.only_greater && new <= old)
    }
}

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Added(f64),
    Updated(f64),
    /// It has that score already.
    Same(f64),
    /// The rules are against it.
    Refused,
}

impl Change {
    /// The score the member has now, unless the rules were against it.
    pub fn score(self) -> Option<f64> {
        match self {
            Change::Added(score) | Change::Updated(score) | Change::Same(score) => Some(score),
            Change::Refused => None,
        }
    }
}

/// The sum of an infinity and its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber;

/// A sorted set, to change.
pub struct ZsetEdit<'h> {
    holder: &'h mut dyn Holder,
    entries_max: usize,
    value_bytes_max: usize,
}

/// A sorted set of these members, none of which stands twice.
///
/// Its form follows from all of them, not from the order in which they come: only in the packed
/// form a zero loses its sign.
pub fn collect(members: &[(f64, Box<[u8]>)], packing: &Packing) -> Collection {
    let is_short = |(_, member): &(f64, Box<[u8]>)| member.len() <= packing.zset_value_bytes_max;
    if members.len() <= packing.zset_entries_max && members.iter().all(is_short) {
        let mut set = Collection::empty(Packed::Zset);
        let mut edit = ZsetEdit::new(&mut set, packing);
        for (score, member) in members {
            edit.set(member, *score);
        }
        return set;
    }
    let mut table = SortedTable::default();
    for (score, member) in members {
        table.insert(table.locate(member), member, *score);
    }
    Collection::Object(Object::Zset(table))
}

/// Packs a sorted set that was put together as a table, if it is small enough.
pub fn settle(set: Collection, packing: &Packing) -> Collection {
    let Collection::Object(Object::Zset(table)) = &set else {
        return set;
    };
    if table.len() > packing.zset_entries_max {
        return set;
    }
    let members = table.iter(0..table.len(), false);
    let members: Vec<_> = members
        .map(|(member, score)| (score, member.into()))
        .collect();
    collect(&members, packing)
}

/// Where a member was found.
enum Place {
    Packed(Option<usize>),
    Table(Site),
}

impl<'h> ZsetEdit<'h> {
    /// The holder holds a sorted set.
    pub fn new(holder: &'h mut dyn Holder, packing: &Packing) -> ZsetEdit<'h> {
        ZsetEdit {
            holder,
            entries_max: packing.zset_entries_max,
            value_bytes_max: packing.zset_value_bytes_max,
        }
    }

    /// Makes room for so many members that are about to be put: more than a packed set may have
    /// are not packed first.
    pub fn expect(&mut self, members: usize) {
        if members > self.entries_max && matches!(self.view(), ZsetRef::Packed(_)) {
            self.unpack();
        }
    }

    /// The same set, to read.
    pub fn view(&self) -> ZsetRef<'_> {
        ZsetRef::new(self.holder.form())
    }

    #[inline]
    fn find(&self, member: &[u8]) -> (Place, Option<f64>) {
        match self.view() {
            ZsetRef::Packed(tape) => {
                let found = packed::find(tape, member);
                let at = found.map(|pair| pair.member.at);
                (Place::Packed(at), found.map(|pair| pair.score))
            }
            ZsetRef::Table(table) => {
                let site = table.locate(member);
                (Place::Table(site), site.score())
            }
        }
    }

    /// Gives a member a score, as far as the rules allow; the score is a number.
    pub fn put(&mut self, member: &[u8], score: f64, rules: Rules) -> Result<Change, NotANumber> {
        let (place, old) = self.find(member);
        let Some(old) = old else {
            if rules.only_present {
                return Ok(Change::Refused);
            }
            self.insert(place, member, score);
            return Ok(Change::Added(score));
        };
        if rules.only_new {
            return Ok(Change::Refused);
        }
        let score = if rules.is_increment {
            old + score
        } else {
            score
        };
        if score.is_nan() {
            return Err(NotANumber);
        }
        if !rules.allow(old, score) {
            return Ok(Change::Refused);
        }
        if score == old {
            return Ok(Change::Same(score));
        }
        match place {
            Place::Packed(at) => {
                let at = at.expect("a member with a score has a place");
                packed::rescore(self.holder, at, member, score);
            }
            Place::Table(site) => self.table_mut().rescore(site, member, score),
        }
        Ok(Change::Updated(score))
    }

    /// Gives a member this score, whatever there was.
    pub fn set(&mut self, member: &[u8], score: f64) {
        let put = self.put(member, score, Rules::default());
        debug_assert!(put.is_ok(), "only sums can be no number");
    }

    fn insert(&mut self, place: Place, member: &[u8], score: f64) {
        match place {
            Place::Packed(_) if self.fits(member) => packed::insert(self.holder, member, score),
            Place::Packed(_) => {
                self.unpack();
                let table = self.table_mut();
                table.insert(table.locate(member), member, score);
            }
            Place::Table(site) => self.table_mut().insert(site, member, score),
        }
    }

    /// Whether a packed set stays one with another member.
    fn fits(&self, member: &[u8]) -> bool {
        // The longest score and the lengths of both elements.
        const BESIDE: usize = 64;
        let tape = Tape::new(self.holder.bytes());
        tape.has_fewer(self.entries_max.saturating_mul(2))
            && member.len() <= self.value_bytes_max
            && tape.end() + member.len() + BESIDE <= tape::BYTES_MAX
    }

    fn unpack(&mut self) {
        let mut table = SortedTable::default();
        for (member, score) in self.view().all() {
            member.with_bytes(|member| table.insert(table.locate(member), member, score));
        }
        self.holder.reshape(Collection::Object(Object::Zset(table)));
    }

    fn table_mut(&mut self) -> &mut SortedTable {
        match self.holder.object_mut() {
            Object::Zset(table) => table,
            _ => unreachable!("the holder holds a sorted set"),
        }
    }

    /// Takes a member out; its score, if it was there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (place, score) = self.find(member);
        score?;
        match place {
            Place::Packed(at) => {
                let at = at.expect("a member with a score has a place");
                tape::remove(self.holder, at, 2);
            }
            Place::Table(site) => self.table_mut().remove(site, member),
        }
        score
    }

    /// Takes out the member at an end of a set that is not empty, after showing it.
    pub fn pop<T>(&mut self, end: End, show: impl FnOnce(Item<'_>, f64) -> T) -> T {
        match self.view() {
            ZsetRef::Packed(tape) => {
                let pair = match end {
                    End::Min => packed::pairs(tape).next(),
                    End::Max => packed::pairs(tape).last(),
                };
                let pair = pair.expect("there is a member");
                let (at, shown) = (pair.member.at, show(pair.member.item, pair.score));
                tape::remove(self.holder, at, 2);
                shown
            }
            ZsetRef::Table(table) => {
                let rank = match end {
                    End::Min => 0,
                    End::Max => table.len() - 1,
                };
                self.table_mut()
                    .remove_at(rank, |member, score| show(Item::Bytes(member), score))
            }
        }
    }

    /// Takes out the members of these ranks, which there are.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        match self.view() {
            ZsetRef::Packed(tape) => {
                let at = packed::seek(tape, ranks.start);
                tape::remove(self.holder, at, 2 * ranks.len());
            }
            ZsetRef::Table(_) => {
                let table = self.table_mut();
                for _ in ranks.clone() {
                    table.remove_at(ranks.start, |_, _| ());
                }
            }
        }
    }
}
