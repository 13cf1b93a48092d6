//! Randomness: the only source of it, so that a run can be repeated from its seed.
//!
//! One generator per core, xoshiro256++ (Blackman and Vigna, 2019), seeded through SplitMix64 as
//! its authors advise. It serves RANDOMKEY, eviction samples, skip list heights and the ids that
//! nobody must be able to guess from the outside; it is not fit for keys or passwords.
//!
//! In production the seed comes from the operating system, in tests from the test.

use ahash::RandomState;

/// A generator of 64 random bits at a time.
#[derive(Clone, Debug)]
pub struct Prng {
    state: [u64; 4],
}

impl Prng {
    /// The same seed gives the same numbers, on every machine and in every version.
    pub fn from_seed(seed: u64) -> Prng {
        let mut sequence = seed;
        Prng {
            state: std::array::from_fn(|_| split_mix(&mut sequence)),
        }
    }

    /// A generator whose state nobody can predict.
    pub fn from_os() -> Prng {
        // Every RandomState draws on the process's secret from the operating system.
        let state = std::array::from_fn(|word| RandomState::new().hash_one(word));
        // The all-zero state is the one that never leaves itself.
        if state == [0; 4] {
            Prng::from_seed(0)
        } else {
            Prng { state }
        }
    }

    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number less than `bound`, each equally likely; `bound` must not be zero.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below zero");
        // Lemire (2019): the high half of a product; the low half tells the few draws that would
        // favour some numbers.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let excess = bound.wrapping_neg() % bound;
            while (product as u64) < excess {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// True once in `chances` draws.
    #[inline]
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// A float from zero (included) to one (excluded), in steps of 2^-53.
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Overwrite the buffer with random bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// A generator for someone else, whose numbers are unrelated to the ones to come here.
    pub fn fork(&mut self) -> Prng {
        Prng::from_seed(self.next_u64())
    }
}

fn split_mix(sequence: &mut u64) -> u64 {
    *sequence = sequence.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *sequence;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // The first outputs of the published algorithms for these states.
        let mut sequence = 0;
        assert_eq!(split_mix(&mut sequence), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(&mut sequence), 0x6e78_9e6a_a1b9_65f4);
        let mut prng = Prng {
            state: [1, 2, 3, 4],
        };
        let words = [prng.next_u64(), prng.next_u64(), prng.next_u64()];
        assert_eq!(words, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        let mut one = Prng::from_seed(7);
        let mut two = Prng::from_seed(7);
        assert!((0..100).all(|_| one.next_u64() == two.next_u64()));
        assert_ne!(Prng::from_seed(8).next_u64(), Prng::from_seed(7).next_u64());
        assert_ne!(Prng::from_os().next_u64(), Prng::from_os().next_u64());
        assert_ne!(one.fork().next_u64(), one.next_u64());
    }

    #[test]
    fn every_number_below_is_as_likely() {
        let mut prng = Prng::from_seed(1);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[prng.below(7) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&count| (9_600..10_400).contains(&count)),
            "{seen:?}"
        );
        assert_eq!(prng.below(1), 0);
        // With a bound of 3/4 of the range a plain modulo would favour the low third 2 to 1.
        let bound = 3 << 62;
        let low = (0..30_000)
            .filter(|_| prng.below(bound) < bound / 3)
            .count();
        assert!((9_600..10_400).contains(&low), "{low}");
    }

    #[test]
    fn fill_covers_every_length() {
        let mut prng = Prng::from_seed(3);
        for len in 0..40 {
            let mut union = vec![0u8; len];
            for _ in 0..20 {
                let mut buffer = vec![0u8; len];
                prng.fill(&mut buffer);
                union
                    .iter_mut()
                    .zip(&buffer)
                    .for_each(|(all, byte)| *all |= byte);
            }
            assert!(union.iter().all(|&byte| byte == 0xff), "{len}: {union:?}");
        }
        assert!((0..1000).all(|_| (0.0..1.0).contains(&prng.unit_f64())));
        assert_eq!((0..1000).filter(|_| prng.one_in(1)).count(), 1000);
    }
}
