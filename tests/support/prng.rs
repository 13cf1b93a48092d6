//! Seeded randomness for tests: the same seed gives the same run on every machine.
//!
//! SplitMix64, because it is ten lines, has no bad seeds and needs no crate. `seed_from` reads the
//! seed of a run from the environment, so that a failure that printed its seed can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

pub struct Prng(u64);

impl Prng {
    pub fn new(seed: u64) -> Prng {
        Prng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The seed in the environment variable `name`, or a fresh one.
pub fn seed_from(name: &str) -> u64 {
    if let Ok(text) = std::env::var(name) {
        return text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}"));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    now.as_nanos() as u64
}
