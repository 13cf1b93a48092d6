//! How recently or how often an entry was used, in the 24 bits an entry has for it.
//!
//! Under an LFU policy the bits are minutes (16) and a logarithmic counter (8), otherwise seconds.
//! When the policy changes, old bits are read in the new way and take some time to adjust, as in
//! Redis. This says what the bits mean; who evicts by them lives elsewhere.
//!
//! Source: the Redis documentation, "Key eviction", for the counter's probability and decay.

use crate::base::prng::Prng;

/// A new key starts here, so that it is not the first to go.
const FREQUENCY_AT_BIRTH: u32 = 5;
const FREQUENCY_MAX: u32 = 255;
const SECONDS_MASK: u32 = 0x00ff_ffff;
const MINUTES: u32 = 1 << 16;

/// What is noted of an entry's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessRule {
    /// When it was last used.
    #[default]
    Recency,
    /// How often it is used.
    Frequency {
        /// How slowly the counter grows (lfu-log-factor).
        log_factor: u32,
        /// Minutes in which it falls by one, 0 for never (lfu-decay-time).
        decay_minutes: u32,
    },
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & SECONDS_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & (MINUTES - 1)
}

impl AccessRule {
    /// The word of a new entry.
    #[inline]
    pub fn fresh(self, now_ms: i64) -> u32 {
        match self {
            AccessRule::Recency => seconds(now_ms),
            AccessRule::Frequency { .. } => minutes(now_ms) << 8 | FREQUENCY_AT_BIRTH,
        }
    }

    /// The word of an entry that is used now.
    #[inline]
    pub fn used(self, word: u32, now_ms: i64, random: &mut Prng) -> u32 {
        let AccessRule::Frequency { log_factor, .. } = self else {
            return seconds(now_ms);
        };
        let mut counter = self.frequency(word, now_ms);
        let above = counter.saturating_sub(FREQUENCY_AT_BIRTH);
        let chances = u64::from(above) * u64::from(log_factor) + 1;
        if counter < FREQUENCY_MAX && random.one_in(chances) {
            counter += 1;
        }
        minutes(now_ms) << 8 | counter
    }

    /// The word of an entry that was last used so many seconds ago.
    pub fn with_idle(self, idle_seconds: i64, now_ms: i64) -> u32 {
        seconds(now_ms.saturating_sub(idle_seconds.saturating_mul(1000)))
    }

    /// The word of an entry whose counter stands here.
    pub fn with_frequency(self, counter: u8, now_ms: i64) -> u32 {
        minutes(now_ms) << 8 | u32::from(counter)
    }

    /// The counter of an entry, less what has decayed since it was last used.
    pub fn frequency(self, word: u32, now_ms: i64) -> u32 {
        let (then, counter) = (word >> 8, word & FREQUENCY_MAX);
        let elapsed = (minutes(now_ms) + MINUTES - then) % MINUTES;
        match self {
            AccessRule::Frequency {
                decay_minutes: minutes @ 1..,
                ..
            } => counter.saturating_sub(elapsed / minutes),
            _ => counter,
        }
    }

    /// Seconds since an entry was last used.
    pub fn idle_seconds(self, word: u32, now_ms: i64) -> u32 {
        seconds(now_ms).wrapping_sub(word) & SECONDS_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: AccessRule = AccessRule::Frequency {
        log_factor: 10,
        decay_minutes: 1,
    };

    #[test]
    fn idle_time_survives_the_clock_that_wraps() {
        let wrap_ms = i64::from(SECONDS_MASK) * 1000;
        let word = AccessRule::Recency.fresh(wrap_ms);
        assert_eq!(AccessRule::Recency.idle_seconds(word, wrap_ms + 5_000), 5);
    }

    #[test]
    fn counters_grow_slowly_and_decay() {
        let mut random = Prng::from_seed(4);
        let mut word = LFU.fresh(0);
        for _ in 0..100_000 {
            word = LFU.used(word, 0, &mut random);
        }
        // The table of the Redis documentation has 142 after 100 000 hits with factor 10.
        assert!(
            (120..165).contains(&LFU.frequency(word, 0)),
            "{}",
            word & 255
        );
        let counter = LFU.frequency(word, 0);
        assert_eq!(LFU.frequency(word, 7 * 60_000), counter - 7);
        assert_eq!(LFU.frequency(word, 300 * 60_000), 0);
        let never = AccessRule::Frequency {
            log_factor: 10,
            decay_minutes: 0,
        };
        assert_eq!(never.frequency(word, 300 * 60_000), counter);
    }
}
