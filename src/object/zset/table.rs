//! A sorted set that is too large to be packed: a dictionary of scores, and the order beside it.
//!
//! ```text
//!   member -> | header | member | score (8 bytes) |  <-- (score, address)   ordered index
//!              a record of the dictionary
//! ```
//!
//! Members are kept once, in the dictionary's records; the index refers to them by address. A
//! member of 10 bytes takes about 62 bytes in all (Redis 7.0: 98).

use super::index::{Entry, Index, Member};
use crate::object::dict::{Dict, Element, Pin, Spot};
use std::ops::Range;

/// A member as the index keeps it. Made here only, of elements in the dictionary beside the index.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberRef(Pin);

impl Member for MemberRef {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the index of a SortedTable refers only to elements of its dictionary: an entry
        // leaves the index before its element leaves the dictionary. Scores are of one length and
        // nothing gets an expiry, so elements are changed in place.
        unsafe { self.0.element() }.key()
    }
}

/// A sorted set that is too large to be packed.
#[derive(Debug, Default)]
pub struct SortedTable {
    index: Index<MemberRef>,
    dict: Dict,
}

/// Where a member is, with its score, or where it would be; until the next change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    hash: u64,
    found: Option<(Spot, f64)>,
}

impl Site {
    /// The member's score, if it is there.
    pub fn score(self) -> Option<f64> {
        self.found.map(|(_, score)| score)
    }
}

fn score_of(element: Element<'_>) -> f64 {
    let bytes = element.value().try_into();
    f64::from_le_bytes(bytes.expect("a score takes eight bytes"))
}

impl SortedTable {
    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.dict.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// Bytes it asks of the allocator, itself apart.
    pub fn bytes(&self) -> usize {
        self.index.bytes() + self.dict.bytes()
    }

    #[inline]
    pub(super) fn locate(&self, member: &[u8]) -> Site {
        let hash = Dict::hash(member);
        let found = self.dict.locate(hash, member);
        let found = found.map(|spot| (spot, score_of(self.dict.at(spot))));
        Site { hash, found }
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, site: Site, member: &[u8], score: f64) {
        debug_assert!(site.found.is_none() && !score.is_nan());
        let spot = self.dict.insert(site.hash, member, &score.to_le_bytes());
        let member = MemberRef(self.dict.at(spot).pin());
        self.index.insert(Entry { score, member });
    }

    /// Gives a member that is there another score.
    pub(super) fn rescore(&mut self, site: Site, member: &[u8], score: f64) {
        let (spot, old) = site.found.expect("only members that are there change");
        self.index.rescore(old, member, score);
        self.dict.put_value(spot, &score.to_le_bytes());
    }

    /// Takes a member out that is there.
    pub(super) fn remove(&mut self, site: Site, member: &[u8]) {
        let (spot, score) = site.found.expect("only members that are there go");
        let entry = self.index.remove(score, member);
        assert!(entry.is_some(), "index and dictionary hold the same");
        self.dict.take(spot);
    }

    /// Takes out the member of a rank that there is, after showing it.
    pub(super) fn remove_at<T>(&mut self, rank: usize, show: impl FnOnce(&[u8], f64) -> T) -> T {
        let entry = self.index.remove_at(rank);
        let member = entry.member.bytes();
        let shown = show(member, entry.score);
        let spot = self.dict.locate(Dict::hash(member), member);
        self.dict
            .take(spot.expect("index and dictionary hold the same"));
        shown
    }

    /// The rank of a member with its score.
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.locate(member).score()?;
        let rank = self.index.rank(score, member);
        Some((rank.expect("index and dictionary hold the same"), score))
    }

    /// How many members `is_before` holds for; they are the first ones.
    pub(super) fn partition(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        self.index
            .partition(|entry| is_before(entry.score, entry.member.bytes()))
    }

    /// The same, where members need not be looked at.
    pub(super) fn partition_by_score(&self, is_before: impl Fn(f64) -> bool) -> usize {
        self.index.partition(|entry| is_before(entry.score))
    }

    /// Members and scores of these ranks, from the last one on when `is_reverse`.
    pub(super) fn iter(&self, ranks: Range<usize>, is_reverse: bool) -> TableIter<'_> {
        TableIter(self.index.iter(ranks, is_reverse))
    }

    /// Visits at least `count` members from a cursor on; the cursor to go on from, 0 at the end.
    /// What stays is visited, whatever changes between calls.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        self.dict.scan(cursor, count, |element| {
            visit(element.key(), score_of(element));
        })
    }

    /// The scores by members, for walkers.
    pub(in crate::object) fn dict(&self) -> &Dict {
        &self.dict
    }

    /// The same for whoever walks over it while it changes.
    pub(in crate::object) fn dict_mut(&mut self) -> &mut Dict {
        &mut self.dict
    }

    /// Lets go of about so many members; says whether more are left. Good for nothing else then.
    pub fn drop_some(&mut self, budget: usize) -> bool {
        self.index.drop_some(budget) || self.dict.drop_some(budget)
    }
}

/// Members and scores in order.
#[derive(Clone, Debug)]
pub(super) struct TableIter<'a>(super::index::Iter<'a, MemberRef>);

impl<'a> Iterator for TableIter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        self.0
            .next()
            .map(|entry| (entry.member.bytes(), entry.score))
    }
}

impl Clone for SortedTable {
    fn clone(&self) -> SortedTable {
        let mut copy = SortedTable {
            index: Index::default(),
            dict: self.dict.clone(),
        };
        for (member, score) in self.iter(0..self.len(), false) {
            let element = copy.dict.find(member);
            let member = MemberRef(element.expect("the dictionary was copied whole").pin());
            copy.index.insert(Entry { score, member });
        }
        copy
    }
}

impl PartialEq for SortedTable {
    fn eq(&self, other: &SortedTable) -> bool {
        self.dict == other.dict
    }
}

impl Eq for SortedTable {}
