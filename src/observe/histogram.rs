//! Durations by size: the buckets of an HDR histogram from 1 ns to 1 s with two significant digits.
//!
//! LATENCY HISTOGRAM and the section latencystats must print the values that Redis prints, so the
//! buckets are those of Gil Tene's HDR histogram (256 linear buckets of 1 ns, then 128 buckets for
//! each doubling):
//!
//! ```text
//!   chunk      0         1          2          3              23
//!   values   0..127   128..255   256..511  512..1023  ...  2^29..2^30-1
//!   bucket    1 ns      1 ns       2 ns       4 ns           2^22 ns
//! ```
//!
//! One core writes with plain stores, anyone reads; crate hdrhistogram would need a lock for that.
//! A chunk of 128 buckets is allocated when first hit: a command's durations fall into a few, so a
//! command costs 1 to 8 KiB per core instead of 24. Recording is O(1), reading O(buckets).

use std::sync::OnceLock;

use super::counters::Count;

/// Redis: LATENCY_HISTOGRAM_MIN_VALUE and LATENCY_HISTOGRAM_MAX_VALUE.
const NANOS_MIN: u64 = 1;
const NANOS_MAX: u64 = 1_000_000_000;

const CHUNK_BITS: u32 = 7;
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNKS: usize = 24;

/// Redis: LATENCY HISTOGRAM starts with a bucket of 1024 ns and doubles.
const FIRST_STEP_BITS: u32 = 10;

type Chunk = Box<[Count; CHUNK]>;

/// Durations as one core records them.
#[derive(Debug, Default)]
pub struct Histogram {
    chunks: [OnceLock<Chunk>; CHUNKS],
}

/// Durations of several cores together, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Empty, or one count per bucket.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    #[inline]
    pub fn record(&self, nanos: u64) {
        let index = index_of(nanos.clamp(NANOS_MIN, NANOS_MAX));
        let chunk = self.chunks[index >> CHUNK_BITS].get_or_init(new_chunk);
        chunk[index % CHUNK].add(1);
    }
}

#[cold]
fn new_chunk() -> Chunk {
    Box::new(std::array::from_fn(|_| Count::default()))
}

impl Durations {
    pub fn merge(&mut self, core: &Histogram) {
        for (at, chunk) in core.chunks.iter().enumerate() {
            let Some(chunk) = chunk.get() else { continue };
            self.counts.resize(CHUNKS * CHUNK, 0);
            let counts = &mut self.counts[at * CHUNK..][..CHUNK];
            for (total, count) in counts.iter_mut().zip(chunk.iter()) {
                *total += count.value();
                self.total += count.value();
            }
        }
    }

    /// Forgets what had been recorded by an earlier moment.
    pub fn rebase(&mut self, earlier: &Durations) {
        for (count, before) in self.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        self.total = self.counts.iter().sum();
    }

    /// How many durations there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration in nanoseconds that so many percent do not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = (percent.min(100.0) / 100.0 * self.total as f64 + 0.5) as u64;
        let wanted = wanted.min(self.total);
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        let index = match wanted {
            0 => 0,
            _ => self.counts.iter().position(reaches).unwrap_or(0),
        };
        if percent == 0.0 {
            lowest_of(index)
        } else {
            highest_of(index)
        }
    }

    /// LATENCY HISTOGRAM: microseconds, and how many durations were at most that long, where the
    /// latter grows.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let last = self.counts.len().saturating_sub(1);
        let mut steps = Vec::new();
        let (mut seen, mut next, mut shown) = (0, 0, 0);
        for bits in FIRST_STEP_BITS.. {
            if seen == self.total {
                break;
            }
            // The bucket that begins with the step still belongs to it, as in HDR's own iterator.
            let end = index_of(1 << bits).min(last);
            seen += self.counts[next..=end].iter().sum::<u64>();
            next = end + 1;
            if seen > shown {
                steps.push((highest_of(end) / 1000, seen));
                shown = seen;
            }
        }
        steps
    }
}

/// How far buckets are wider than 1 ns, as a power of two.
fn shift_of(nanos: u64) -> u32 {
    (u64::BITS - nanos.leading_zeros()).saturating_sub(CHUNK_BITS + 1)
}

fn index_of(nanos: u64) -> usize {
    let shift = shift_of(nanos);
    (shift << CHUNK_BITS) as usize + (nanos >> shift) as usize
}

fn lowest_of(index: usize) -> u64 {
    let shift = shift_of_index(index);
    ((index - (shift << CHUNK_BITS) as usize) as u64) << shift
}

fn highest_of(index: usize) -> u64 {
    lowest_of(index) + (1 << shift_of_index(index)) - 1
}

fn shift_of_index(index: usize) -> u32 {
    ((index >> CHUNK_BITS) as u32).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: &[u64]) -> Durations {
        let histogram = Histogram::default();
        durations.iter().for_each(|nanos| histogram.record(*nanos));
        let mut merged = Durations::default();
        merged.merge(&histogram);
        merged
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for index in 0..CHUNKS * CHUNK - 1 {
            assert_eq!(highest_of(index) + 1, lowest_of(index + 1), "{index}");
            assert_eq!(index_of(lowest_of(index)), index);
            assert_eq!(index_of(highest_of(index)), index);
        }
        assert!(index_of(NANOS_MAX) < CHUNKS * CHUNK);
        assert_eq!(highest_of(CHUNKS * CHUNK - 1), (1 << 30) - 1);
    }

    #[test]
    fn percentiles_are_those_that_redis_prints() {
        // Microseconds from commandstats beside the value of latencystats, from Redis 7.0.15.
        for (micros, printed) in [(1, 1003), (4, 4015), (7, 7007), (73, 73215), (510, 511_999)] {
            assert_eq!(of(&[micros * 1000]).percentile(50.0), printed);
        }
        let info = of(&[3000, 8000, 97_000]);
        assert_eq!(info.percentile(50.0), 8031);
        assert_eq!(info.percentile(99.9), 97_279);
        assert_eq!(info.percentile(0.0), 0);
        assert_eq!(Durations::default().percentile(99.0), 0);
    }

    #[test]
    fn cumulative_steps_are_those_that_redis_prints() {
        for (micros, step) in [(7, 8), (510, 528), (4, 4), (1, 1), (131, 132)] {
            assert_eq!(of(&[micros * 1000]).cumulative(), [(step, 1)]);
        }
        assert_eq!(of(&[900, 1000, 5000, 5001]).cumulative(), [(1, 2), (8, 4)]);
        assert_eq!(Durations::default().cumulative(), []);
    }

    #[test]
    fn extremes_are_held_at_the_ends() {
        assert_eq!(of(&[0]).cumulative(), [(1, 1)]);
        assert_eq!(of(&[u64::MAX]).cumulative(), [(1_073_741, 1)]);
        assert_eq!(of(&[u64::MAX]).percentile(50.0), index_end(NANOS_MAX));
    }

    fn index_end(nanos: u64) -> u64 {
        highest_of(index_of(nanos))
    }

    #[test]
    fn a_rebase_leaves_what_came_later() {
        let histogram = Histogram::default();
        histogram.record(5000);
        let mut earlier = Durations::default();
        earlier.merge(&histogram);
        histogram.record(9000);
        let mut now = Durations::default();
        now.merge(&histogram);
        now.rebase(&earlier);
        assert_eq!(now.total(), 1);
        assert_eq!(now.cumulative(), [(16, 1)]);
    }
}
