//! Ranges of scores and of members, as clients write them.
//!
//! `1.5`, `(1.5`, `-inf` are ends of a range of scores; `[a`, `(a`, `-`, `+` of a range of members.
//! What is accepted as a number is what C's `strtod` accepts.

use crate::base::number::parse_f64_as_c;

/// Scores from one end to another.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRange {
    pub min: f64,
    pub max: f64,
    pub is_min_excluded: bool,
    pub is_max_excluded: bool,
}

fn score_end(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', rest @ ..] => Some((parse_f64_as_c(rest)?, true)),
        _ => Some((parse_f64_as_c(text)?, false)),
    }
}

impl ScoreRange {
    /// Reads both ends; `None` when one of them is no number.
    pub fn parse(min: &[u8], max: &[u8]) -> Option<ScoreRange> {
        let (min, is_min_excluded) = score_end(min)?;
        let (max, is_max_excluded) = score_end(max)?;
        Some(ScoreRange {
            min,
            max,
            is_min_excluded,
            is_max_excluded,
        })
    }

    /// Whether no score can lie in it.
    pub fn is_void(&self) -> bool {
        self.min > self.max
            || (self.min == self.max && (self.is_min_excluded || self.is_max_excluded))
    }

    /// Whether a score lies before the range.
    #[inline]
    pub fn is_below(&self, score: f64) -> bool {
        score < self.min || (self.is_min_excluded && score == self.min)
    }

    /// Whether a score lies before the end of the range.
    #[inline]
    pub fn is_up_to(&self, score: f64) -> bool {
        score < self.max || (!self.is_max_excluded && score == self.max)
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LexEnd<'a> {
    /// Before all members.
    Least,
    /// Behind all members.
    Most,
    With(&'a [u8]),
    Without(&'a [u8]),
}

impl<'a> LexEnd<'a> {
    fn parse(text: &'a [u8]) -> Option<LexEnd<'a>> {
        match text {
            // Redis: the texts end at their first NUL.
            [b'-'] | [b'-', 0, ..] => Some(LexEnd::Least),
            [b'+'] | [b'+', 0, ..] => Some(LexEnd::Most),
            [b'[', member @ ..] => Some(LexEnd::With(member)),
            [b'(', member @ ..] => Some(LexEnd::Without(member)),
            _ => None,
        }
    }
}

/// Members from one end to another, for sorted sets whose scores are all the same.
#[derive(Clone, Copy, Debug)]
pub struct LexRange<'a> {
    min: LexEnd<'a>,
    max: LexEnd<'a>,
}

impl<'a> LexRange<'a> {
    /// Reads both ends; `None` when one of them is not one.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<LexRange<'a>> {
        let (min, max) = (LexEnd::parse(min)?, LexEnd::parse(max)?);
        Some(LexRange { min, max })
    }

    /// Whether no member can lie in it.
    pub fn is_void(&self) -> bool {
        use LexEnd::{Least, Most, With, Without};
        match (self.min, self.max) {
            (Most, _) | (_, Least) => true,
            (Least, _) | (_, Most) => false,
            (With(min), With(max)) => min > max,
            (With(min) | Without(min), With(max) | Without(max)) => min >= max,
        }
    }

    /// Whether a member lies before the range.
    #[inline]
    pub fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexEnd::Least => false,
            LexEnd::Most => true,
            LexEnd::With(min) => member < min,
            LexEnd::Without(min) => member <= min,
        }
    }

    /// Whether a member lies before the end of the range.
    #[inline]
    pub fn is_up_to(&self, member: &[u8]) -> bool {
        match self.max {
            LexEnd::Least => false,
            LexEnd::Most => true,
            LexEnd::With(max) => member <= max,
            LexEnd::Without(max) => member < max,
        }
    }
}
