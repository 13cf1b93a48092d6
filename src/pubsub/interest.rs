//! Which cores may have a listener for a channel: what a publisher looks at before it sends.
//!
//! Names of channels are hashed to spots, patterns go by their first byte; each spot is a set of
//! cores. A core sets its bit before its client learns that it listens and takes it back with the
//! last name of the spot, so whoever publishes later finds every core that must hear of it, at the
//! price of a few loads. Several names share a spot, hence a core may be asked in vain: it then
//! counts nobody.
//!
//! ```text
//!   | 8192 spots for channels and shard channels | 256 by a pattern's first byte | any byte |
//! ```
//!
//! Names themselves are not kept here: a million channels cost the other cores nothing.

use super::registry::Kind;
use crate::base::hash;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Spots for names, a power of two.
const NAMES: usize = 8192;
/// The spot of patterns that may match whatever a channel begins with.
const ANY: usize = NAMES + 256;
const SPOTS: usize = ANY + 1;

/// A place that names share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spot(u32);

/// Which cores may have listeners.
#[derive(Debug)]
pub struct Interest {
    /// For each spot a set of cores, 64 to a word.
    sets: Box<[AtomicU64]>,
    words: usize,
}

impl Interest {
    /// Nobody listens on any of so many cores.
    pub fn new(cores: usize) -> Interest {
        let words = cores.div_ceil(64);
        Interest {
            sets: (0..SPOTS * words).map(|_| AtomicU64::new(0)).collect(),
            words,
        }
    }

    /// Where listeners of this name leave their trace.
    pub fn spot(kind: Kind, name: &[u8]) -> Spot {
        let spot = match kind {
            Kind::Channel => hash::of(name) as usize % NAMES,
            // Another part of the hash: equal names of both kinds need not meet.
            Kind::Shard => (hash::of(name) >> 32) as usize % NAMES,
            Kind::Pattern => first_byte(name).map_or(ANY, |byte| NAMES + usize::from(byte)),
        };
        Spot(spot as u32)
    }

    /// From now on this core has listeners at a spot.
    pub fn begin(&self, spot: Spot, core: usize) {
        self.word(spot, core).fetch_or(1 << (core % 64), SeqCst);
    }

    /// This core has none there any more.
    pub fn end(&self, spot: Spot, core: usize) {
        self.word(spot, core).fetch_and(!(1 << (core % 64)), SeqCst);
    }

    fn word(&self, spot: Spot, core: usize) -> &AtomicU64 {
        &self.sets[spot.0 as usize * self.words + core / 64]
    }

    /// The cores that a message on this channel has to go to.
    pub fn cores(&self, kind: Kind, channel: &[u8]) -> impl Iterator<Item = usize> {
        let own = Interest::spot(kind, channel).0 as usize;
        let by_pattern = match (kind, channel.first()) {
            (Kind::Shard, _) => [own, own],
            (_, None) => [own, ANY],
            (_, Some(byte)) => [NAMES + usize::from(*byte), ANY],
        };
        let spots = [own, by_pattern[0], by_pattern[1]];
        (0..self.words).flat_map(move |word| {
            let load = |spot: usize| self.sets[spot * self.words + word].load(SeqCst);
            let mut set = spots.into_iter().fold(0, |set, spot| set | load(spot));
            std::iter::from_fn(move || {
                let bit = set.trailing_zeros() as usize;
                set &= set.wrapping_sub(1);
                (bit < 64).then_some(word * 64 + bit)
            })
        })
    }
}

/// The byte that everything begins with that matches this pattern, if there is one.
fn first_byte(pattern: &[u8]) -> Option<u8> {
    match *pattern {
        [b'*' | b'?' | b'[', ..] | [] => None,
        [b'\\', escaped, ..] => Some(escaped),
        [byte, ..] => Some(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::glob;
    use crate::base::prng::Prng;

    fn cores(interest: &Interest, kind: Kind, channel: &str) -> Vec<usize> {
        interest.cores(kind, channel.as_bytes()).collect()
    }

    #[test]
    fn a_message_goes_where_somebody_may_listen() {
        let interest = Interest::new(130);
        for core in [3, 64, 129] {
            interest.begin(Interest::spot(Kind::Channel, b"news"), core);
        }
        interest.begin(Interest::spot(Kind::Pattern, b"n*"), 5);
        interest.begin(Interest::spot(Kind::Pattern, b"*"), 6);
        interest.begin(Interest::spot(Kind::Shard, b"news"), 7);
        assert_eq!(cores(&interest, Kind::Channel, "news"), [3, 5, 6, 64, 129]);
        assert_eq!(cores(&interest, Kind::Channel, "other"), [6]);
        assert_eq!(cores(&interest, Kind::Channel, ""), [6]);
        assert_eq!(cores(&interest, Kind::Shard, "news"), [7]);
        interest.end(Interest::spot(Kind::Channel, b"news"), 64);
        assert_eq!(cores(&interest, Kind::Channel, "news"), [3, 5, 6, 129]);
    }

    #[test]
    fn no_pattern_that_matches_is_missed() {
        let mut random = Prng::from_seed(7);
        let mut draw = |alphabet: &[u8], most: u64| -> Vec<u8> {
            let len = random.below(most);
            (0..len)
                .map(|_| alphabet[random.below(alphabet.len() as u64) as usize])
                .collect()
        };
        for round in 0..20_000 {
            let pattern = draw(b"ab*?[]^\\", 5);
            let channel = draw(b"ab[\\", 4);
            let interest = Interest::new(1);
            interest.begin(Interest::spot(Kind::Pattern, &pattern), 0);
            if glob::matches(&pattern, &channel, false) {
                let found = interest.cores(Kind::Channel, &channel).count();
                assert_eq!(found, 1, "round {round}: {pattern:?} {channel:?}");
            }
        }
    }
}
