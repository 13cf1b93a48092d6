//! Eviction: which key goes when memory is short, and that it goes.
//!
//! Exact LRU would need a list through all keys. As in Redis, some keys are drawn, the most
//! dispensable of them join a small pool of candidates from earlier draws, and the first of the
//! pool goes:
//!
//! ```text
//!   draw, 5 keys or so        pool, by score: 16 candidates
//!   | 3 | 40 | 7 | 0 | 12 |   -->   | 12 | 25 | 31 | ... | 38 | 40 |  --> evicted
//! ```
//!
//! A draw is whole lines of a table from a random place on, so that each key is drawn as often and
//! the entries of a line are fetched together. A candidate that was used since it was drawn is
//! dropped, which Redis does not look at. Keys that others hold on to, because an operation has
//! locked them or a transaction has pinned them, are passed over.
//!
//! What the limit is and whether it is exceeded is not known here.

use super::access::AccessRule;
use super::db::Db;
use super::door::{Door, Found};
use super::entry::EntryRef;
use super::graveyard::Cause;
use super::notes::Note;
use super::slot::Key;
use super::space::{DbIndex, Keyspace};
use crate::base::prng::Prng;
use crate::base::table::TABLE_RECORDS_MAX;
use crate::config::choice::MaxmemoryPolicy;

/// Redis: EVPOOL_SIZE.
const POOL_MAX: usize = 16;
/// Draws until it is believed that all keys have to stay for now.
const DRAWS_MAX: usize = 16;

/// By what to choose the key that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub policy: MaxmemoryPolicy,
    /// How many keys a draw has (maxmemory-samples).
    pub samples: u32,
}

/// What came of evicting a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// A key is gone.
    One,
    /// Keys that may go have to stay for now.
    Spared,
    /// The policy lets no key go.
    Nothing,
}

struct Candidate {
    /// The higher, the sooner it goes.
    score: u64,
    db: DbIndex,
    key: Box<[u8]>,
}

/// The pool.
#[derive(Default)]
pub(super) struct Candidates {
    /// By score, the highest at the end.
    list: Vec<Candidate>,
    /// By what the scores were given.
    policy: Option<MaxmemoryPolicy>,
    /// The database whose turn it is where chance decides.
    next_db: u32,
}

impl Candidates {
    /// Takes an entry in if there is room, or it should go before another one.
    fn offer(&mut self, score: u64, db: DbIndex, key: &[u8]) {
        let at = self.list.partition_point(|other| other.score < score);
        if at == 0 && self.list.len() == POOL_MAX {
            return;
        }
        let same = self.list[at..].iter();
        let mut same = same.take_while(|other| other.score == score);
        if same.any(|other| other.db == db && *other.key == *key) {
            return;
        }
        let key = key.into();
        self.list.insert(at, Candidate { score, db, key });
        if self.list.len() > POOL_MAX {
            self.list.remove(0);
        }
    }
}

fn is_for_volatile(policy: MaxmemoryPolicy) -> bool {
    use MaxmemoryPolicy as Policy;
    matches!(
        policy,
        Policy::VolatileLru | Policy::VolatileLfu | Policy::VolatileRandom | Policy::VolatileTtl
    )
}

fn is_random(policy: MaxmemoryPolicy) -> bool {
    use MaxmemoryPolicy as Policy;
    matches!(policy, Policy::AllkeysRandom | Policy::VolatileRandom)
}

/// How dispensable an entry is; `None` where chance decides.
fn score(
    policy: MaxmemoryPolicy,
    entry: EntryRef<'_>,
    access: AccessRule,
    now_ms: i64,
) -> Option<u64> {
    use MaxmemoryPolicy as Policy;
    match policy {
        Policy::AllkeysLru | Policy::VolatileLru => {
            Some(access.idle_seconds(entry.access(), now_ms).into())
        }
        Policy::AllkeysLfu | Policy::VolatileLfu => {
            let frequency = access.frequency(entry.access(), now_ms);
            Some(u64::from(u8::MAX).saturating_sub(frequency.into()))
        }
        Policy::VolatileTtl => {
            let at = entry.expires_at_ms().unwrap_or(i64::MAX);
            Some(u64::MAX - at.max(0).unsigned_abs())
        }
        Policy::AllkeysRandom | Policy::VolatileRandom | Policy::Noeviction => None,
    }
}

impl Keyspace {
    /// Evicts one key, unless it is locked, by its hash.
    pub fn evict(&mut self, choice: Choice, is_locked: impl Fn(u64) -> bool) -> Evicted {
        if self.candidates.policy != Some(choice.policy) {
            self.candidates.policy = Some(choice.policy);
            self.candidates.list.clear();
        }
        let mut came = Evicted::Nothing;
        for draw in 0..DRAWS_MAX {
            // Where chance decides, what was drawn with the last one is as good as another draw.
            let is_drawn = is_random(choice.policy) && !self.candidates.list.is_empty();
            if !is_drawn && !self.draw(choice) {
                return came;
            }
            came = Evicted::Spared;
            while let Some(candidate) = self.candidates.list.pop() {
                // When all that is drawn is in use, what is in use has to go.
                let may_be_used = draw > 0;
                if self.evict_candidate(choice.policy, &candidate, may_be_used, &is_locked) {
                    return Evicted::One;
                }
            }
        }
        came
    }

    /// Whether there are keys that the policy lets go.
    pub fn has_evictable(&self, policy: MaxmemoryPolicy) -> bool {
        let has_some = |db: &Db| match is_for_volatile(policy) {
            true => db.segments.iter().any(|segment| segment.volatile > 0),
            false => !db.is_empty(),
        };
        policy != MaxmemoryPolicy::Noeviction && self.dbs.iter().any(has_some)
    }

    /// Draws candidates; whether there are any keys to draw.
    fn draw(&mut self, choice: Choice) -> bool {
        let Choice { policy, samples } = choice;
        let is_volatile = is_for_volatile(policy);
        let Keyspace {
            dbs,
            common,
            candidates,
            ..
        } = self;
        let (access, now_ms) = (common.access, common.now_ms);
        let count = dbs.len();
        let is_random = is_random(policy);
        let mut has_drawn = false;
        for step in 0..count {
            let number = (candidates.next_db as usize + step) % count;
            let (db, index) = (&dbs[number], DbIndex(number as u32));
            let samples = if is_random { 1 } else { samples as usize };
            has_drawn |= db.draw(&mut common.random, is_volatile, samples, |entry, random| {
                let score = score(policy, entry, access, now_ms);
                candidates.offer(
                    score.unwrap_or_else(|| random.next_u64()),
                    index,
                    entry.key(),
                );
            });
            if is_random && has_drawn {
                // Redis: the databases take turns.
                candidates.next_db = (number + 1) as u32 % count as u32;
                break;
            }
        }
        has_drawn
    }

    /// About how many bytes the entries take, by the mean of a few more of them now and then.
    pub fn estimated_bytes(&mut self) -> u64 {
        /// How much one entry moves the mean.
        const WEIGHT: f64 = 1.0 / 64.0;
        /// One draw answers so many questions: a full server asks before every command that
        /// writes, and entries that nobody uses are cache misses.
        const QUESTIONS_A_DRAW: u64 = 16;
        let random = &mut self.common.random;
        let dbs = self.dbs.iter_mut().filter(|db| !db.is_empty());
        let bytes = dbs.map(|db| {
            let mut mean = db.mean_bytes;
            if mean > 0.0 && random.below(QUESTIONS_A_DRAW) > 0 {
                return mean * db.len() as f64;
            }
            db.draw(random, false, 1, |entry, _| {
                let bytes = entry.estimated_bytes() as f64;
                mean = match mean {
                    0.0 => bytes,
                    _ => mean + (bytes - mean) * WEIGHT,
                };
            });
            db.mean_bytes = mean;
            mean * db.len() as f64
        });
        bytes.sum::<f64>() as u64
    }

    fn evict_candidate(
        &mut self,
        policy: MaxmemoryPolicy,
        candidate: &Candidate,
        may_be_used: bool,
        is_locked: impl Fn(u64) -> bool,
    ) -> bool {
        let key = Key::new(&candidate.key);
        let mut door = self.door(candidate.db);
        let Some(found) = door.locate(&key) else {
            return false;
        };
        let (access, now_ms) = (door.common.access, door.common.now_ms);
        let entry = door.view(found);
        let is_used = !may_be_used
            && score(policy, entry, access, now_ms).is_some_and(|now| now < candidate.score);
        let is_kept = is_for_volatile(policy) && entry.expires_at_ms().is_none();
        if is_used || is_kept || is_locked(key.hash) || door.is_pinned(key.bytes) {
            return false;
        }
        door.evict(found);
        true
    }
}

impl Door<'_> {
    fn evict(&mut self, found: Found) {
        if self.common.notes.wants(Note::Evicted) {
            let key: Box<[u8]> = self.view(found).key().into();
            self.common.notes.note(self.index, Note::Evicted, &key);
        }
        self.common.stats.evicted += 1;
        self.tell_observer(found);
        self.let_go(found, Cause::Eviction);
    }
}

impl Db {
    /// Shows some entries from a random place on, of those with an expiry or of all; whether there
    /// are any.
    fn draw(
        &self,
        random: &mut Prng,
        is_volatile: bool,
        count: usize,
        mut show: impl FnMut(EntryRef<'_>, &mut Prng),
    ) -> bool {
        let Some(segment) = self.drawn_segment(random, is_volatile) else {
            return false;
        };
        let table = &self.segments[segment].table;
        let lines = table.lines();
        let first = random.below(lines as u64) as usize;
        let mut shown = 0;
        for step in 0..lines {
            let line = (first + step) % lines;
            table.prefetch_records(line);
            for (_, record) in table.line(line) {
                if !is_volatile || record.extra().is_some() {
                    show(EntryRef { record }, random);
                    shown += 1;
                }
            }
            // Only whole lines are drawn: what stands last in one is as likely as what is first.
            if shown >= count {
                break;
            }
        }
        shown > 0
    }

    /// A segment, as likely as it has entries to draw; `None` when there are none at all.
    fn drawn_segment(&self, random: &mut Prng, is_volatile: bool) -> Option<usize> {
        /// A segment of average size is drawn at once; emptied ones make draws miss.
        const DRAWS: usize = 16;
        if self.is_empty() {
            return None;
        }
        let weight = |number: usize| match is_volatile {
            true => self.segments[number].volatile as usize,
            false => self.segments[number].table.len(),
        };
        for _ in 0..DRAWS {
            let number = random.below(self.segments.len() as u64) as usize;
            if (random.below(TABLE_RECORDS_MAX as u64) as usize) < weight(number) {
                return Some(number);
            }
        }
        let all: usize = (0..self.segments.len()).map(weight).sum();
        let mut rank = random.below(all.max(1) as u64) as usize;
        (0..self.segments.len()).find(|number| {
            let is_here = rank < weight(*number);
            rank = rank.saturating_sub(weight(*number));
            is_here
        })
    }
}
