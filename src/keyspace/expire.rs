//! Active expiry: removing what has expired although nobody asks for it, in bounded steps.
//!
//! A step looks at a few lines of tables that hold volatile keys, in turn. As long as more than a
//! tenth of the volatile entries it met had expired, the next step follows at once; otherwise the
//! sweeper rests until the next tick. A segment remembers a time before which nothing in it
//! expires, so sweeping costs nothing while nothing is due. (Redis samples 20 random keys a step
//! and goes on while more than a tenth of them had expired; the idea is the same, the walk finds
//! every key.)

use super::space::{DbIndex, Keyspace};
use crate::base::clock::is_over;
use crate::base::table::LINE_WORDS;

/// Table lines a step looks at: some 50 to 100 entries, a few tens of microseconds.
const LINES_A_STEP: usize = 16;

/// Table lines that are looked at for the mean time to live: some 6000 entries.
const SAMPLED_LINES_MAX: usize = 1024;

/// What a step found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub volatile: usize,
    pub expired: usize,
    /// Nothing is due any more in this database.
    pub is_over: bool,
}

impl Swept {
    /// Whether it is worthwhile to go on at once.
    pub fn is_fruitful(self) -> bool {
        self.expired * 10 > self.volatile
    }
}

/// Where the sweeper of a database is.
#[derive(Default)]
pub(super) struct Walk {
    segment: usize,
    line: usize,
    /// The earliest expiry met so far.
    earliest_ms: i64,
}

impl Walk {
    /// The table of a segment was laid out anew: a walk through it begins again.
    pub fn relaid(&mut self, segment: usize) {
        if self.segment == segment {
            self.line = 0;
        }
    }
}

impl Keyspace {
    /// The earliest time at which a key or a field may expire, Unix milliseconds; `i64::MAX` if
    /// never.
    pub fn next_expiry_ms(&self) -> i64 {
        let earliest = |db: &super::Db| db.earliest_ms().min(db.earliest_field_ms());
        self.dbs.iter().map(earliest).min().unwrap_or(i64::MAX)
    }

    /// The mean time to live of the keys that have one, in milliseconds: of all when they are few,
    /// of a sample from a random place on otherwise.
    pub fn average_ttl_ms(&mut self, index: DbIndex) -> u64 {
        let now_ms = self.common.now_ms;
        let segments = &self.dbs[index.0 as usize].segments;
        let first = self.common.random.below(segments.len() as u64) as usize;
        let around = segments[first..].iter().chain(&segments[..first]);
        let lines = around
            .filter(|segment| segment.volatile > 0)
            .flat_map(|segment| (0..segment.table.lines()).map(|line| segment.table.line(line)));
        let expiries = lines
            .take(SAMPLED_LINES_MAX)
            .flatten()
            .filter_map(|(_, record)| record.extra());
        let (mut sum, mut count) = (0i128, 0);
        for expires_at_ms in expiries.filter(|at| *at > now_ms) {
            sum += i128::from(expires_at_ms) - i128::from(now_ms);
            count += 1;
        }
        u64::try_from(sum.checked_div(count).unwrap_or(0)).unwrap_or(u64::MAX)
    }

    /// One bounded step through one database.
    pub fn sweep(&mut self, index: DbIndex) -> Swept {
        let mut swept = Swept::default();
        if !self.common.active_expire || self.common.is_replica {
            swept.is_over = true;
            return swept;
        }
        let no_field_is_due = self.sweep_fields(index, &mut swept);
        self.sweep_keys(index, &mut swept);
        swept.is_over &= no_field_is_due;
        swept
    }

    fn sweep_keys(&mut self, index: DbIndex, swept: &mut Swept) {
        let mut door = self.door(index);
        let mut segments = door.db.segments.len();
        for _ in 0..LINES_A_STEP {
            while !door.sweep_line(swept) {
                segments -= 1;
                if segments == 0 {
                    swept.is_over = !is_over(door.db.earliest_ms(), door.common.now_ms);
                    return;
                }
            }
        }
    }
}

impl super::Door<'_> {
    /// Sweeps the line the walk is at; when the segment is done or nothing in it is due, goes to
    /// the next segment instead and returns false.
    fn sweep_line(&mut self, swept: &mut Swept) -> bool {
        let now_ms = self.common.now_ms;
        self.db.sweep.segment %= self.db.segments.len();
        let number = self.db.sweep.segment;
        let (segment, walk) = (&mut self.db.segments[number], &mut self.db.sweep);
        let lines = segment.table.lines();
        if walk.line == 0 {
            walk.earliest_ms = i64::MAX;
            segment.noted_ms = i64::MAX;
        }
        let is_done = walk.line >= lines;
        if is_done {
            segment.earliest_ms = walk.earliest_ms.min(segment.noted_ms);
        }
        if segment.volatile == 0 {
            segment.earliest_ms = i64::MAX;
        }
        if is_done || !is_over(segment.earliest_ms, now_ms) {
            (walk.segment, walk.line) = (number + 1, 0);
            return false;
        }
        let line = walk.line;
        walk.line += 1;
        self.expire_line(number, line, swept);
        true
    }

    fn expire_line(&mut self, number: usize, line: usize, swept: &mut Swept) {
        let lines = self.db.segments[number].table.lines();
        // From the last word on: removing one moves the last of the line into its place. A removal
        // may also pull words from line to line, so each is looked up anew.
        for word in (0..LINE_WORDS).rev() {
            let table = &self.db.segments[number].table;
            if table.lines() != lines {
                return;
            }
            let record = table.line(line).nth(word);
            let Some((place, at)) =
                record.and_then(|(place, record)| Some((place, record.extra()?)))
            else {
                continue;
            };
            swept.volatile += 1;
            if self.expire_at(number, place) {
                swept.expired += 1;
            } else {
                let earliest_ms = &mut self.db.sweep.earliest_ms;
                *earliest_ms = at.min(*earliest_ms);
            }
        }
    }
}
