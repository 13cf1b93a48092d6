//! Keys as readers ask for them: a few very often, most of them hardly ever.
//!
//! Ranks follow a Zipf distribution; how it is drawn from is in Gray et al., "Quickly generating
//! billion-record synthetic databases", 1994. Seeded, so that every server is asked the same.

/// A source of numbers for a load: the same seed, the same load.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn from_seed(seed: u64) -> Random {
        Random(seed)
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.draw()) * u128::from(bound);
        (product >> 64) as u64
    }

    /// From 0 up to, but not including, 1.
    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Ranks from 0 on, the first ones most often.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    ranks: f64,
    skew: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    /// So many ranks; the skew is below 1, and the nearer to it the more goes to the first ones.
    pub fn new(ranks: u64, skew: f64) -> Zipf {
        let weight = |rank: u64| (rank as f64).powf(-skew);
        let zeta: f64 = (1..=ranks).map(weight).sum();
        let two = weight(1) + weight(2);
        let eta = (1.0 - (2.0 / ranks as f64).powf(1.0 - skew)) / (1.0 - two / zeta);
        Zipf {
            ranks: ranks as f64,
            skew,
            zeta,
            eta,
        }
    }

    pub fn rank(&self, random: &mut Random) -> u64 {
        let share = random.share();
        let weight = share * self.zeta;
        if weight < 1.0 {
            return 0;
        }
        if weight < 1.0 + 0.5f64.powf(self.skew) {
            return 1;
        }
        let base = self.eta * share - self.eta + 1.0;
        (self.ranks * base.powf(1.0 / (1.0 - self.skew))) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ranks_get_their_share() {
        let (zipf, mut random) = (Zipf::new(1000, 0.99), Random::from_seed(1));
        let draws = 100_000;
        let mut counts = vec![0u32; 1000];
        for _ in 0..draws {
            counts[zipf.rank(&mut random) as usize] += 1;
        }
        // 1 / (1 + 1/2^0.99 + ... + 1/1000^0.99) of all.
        let first = f64::from(counts[0]) / f64::from(draws);
        assert!((0.12..0.14).contains(&first), "{first}");
        let tenth = f64::from(counts[9]) / f64::from(draws);
        assert!((0.008..0.020).contains(&tenth), "{tenth}");
        assert!(counts.iter().all(|count| *count > 0), "nobody is left out");
    }

    #[test]
    fn a_seed_is_a_load() {
        let draw = |seed| Random::from_seed(seed).below(1_000_000);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
