//! What part of a sorted set a command means: ranks, scores or members, and a limit.
//!
//! Whatever is asked for becomes a range of ranks.

use crate::command::Args;
use crate::object::zset::{LexRange, ScoreRange, ZsetRef};
use crate::resp::ErrorReply;
use std::ops::Range;

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bounds<'a> {
    /// Negative ones count from the other end.
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

impl<'a> Bounds<'a> {
    pub fn ranks(args: Args<'a>, first: usize, last: usize) -> Result<Bounds<'a>, ErrorReply> {
        Ok(Bounds::Ranks(args.integer(first)?, args.integer(last)?))
    }

    pub fn scores(args: Args<'a>, min: usize, max: usize) -> Result<Bounds<'a>, ErrorReply> {
        let range = ScoreRange::parse(args.get(min), args.get(max));
        Ok(Bounds::Scores(
            range.ok_or("ERR min or max is not a float")?,
        ))
    }

    pub fn members(args: Args<'a>, min: usize, max: usize) -> Result<Bounds<'a>, ErrorReply> {
        let range = LexRange::parse(args.get(min), args.get(max));
        Ok(Bounds::Members(
            range.ok_or("ERR min or max not valid string range item")?,
        ))
    }

    /// The ranks in a set, counted from the lowest score; `is_reverse` says that ranks were given
    /// from the highest.
    pub fn within(&self, set: ZsetRef<'_>, is_reverse: bool) -> Range<usize> {
        match self {
            Bounds::Scores(range) => set.ranks_by_score(range),
            Bounds::Members(range) => set.ranks_by_member(range),
            Bounds::Ranks(first, last) => {
                let len = set.len();
                let ranks = ranks_of(len, *first, *last);
                match is_reverse {
                    false => ranks,
                    true => len - ranks.end..len - ranks.start,
                }
            }
        }
    }
}

fn ranks_of(len: usize, first: i64, last: i64) -> Range<usize> {
    let count = len as i64;
    let from_start = |rank: i64| if rank < 0 { count + rank } else { rank };
    let (first, last) = (from_start(first).max(0), from_start(last).min(count - 1));
    if first > last {
        return 0..0;
    }
    first as usize..last as usize + 1
}

/// LIMIT: how many to leave out and how many to take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub offset: i64,
    /// All when negative.
    pub count: i64,
}

impl Limit {
    pub const NONE: Limit = Limit {
        offset: 0,
        count: -1,
    };

    /// What is left of a range that is walked from its start, or from its end when `is_reverse`.
    pub fn of(self, ranks: Range<usize>, is_reverse: bool) -> Range<usize> {
        // Redis: a negative offset leaves out everything.
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let offset = offset.min(ranks.len());
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let count = count.min(ranks.len() - offset);
        if is_reverse {
            let end = ranks.end - offset;
            return end - count..end;
        }
        let start = ranks.start + offset;
        start..start + count
    }
}
