//! Pinned keys: those that must not go although their time has come.
//!
//! A transaction over several shards runs at one moment, which is settled when the last of its
//! locks is granted and lies a little back when the last of its shards runs its part. What expires
//! in between stays where it is, unseen by everybody else, so that all parts see the same moment.
//! Only keys that are locked may be pinned: nobody may write where something unseen lies.

use super::Door;
use super::slot::Key;

/// How many keys of one owner are looked at one by one; more are sorted.
const UNSORTED_MAX: usize = 256;

/// Which keys are pinned, by whom. Asking is rare, pinning is not: so the keys of each owner are
/// kept as they come, by their hashes, and only those of large owners in ascending order.
#[derive(Debug, Default)]
pub struct Pins {
    keys: Vec<(u64, Box<[u64]>)>,
    wholes: u32,
}

impl Pins {
    /// Pins these keys for an owner, by their hashes, or with `None` all keys.
    pub fn pin(&mut self, owner: u64, hashes: Option<impl Iterator<Item = u64>>) {
        match hashes {
            None => self.wholes += 1,
            Some(hashes) => {
                let mut hashes: Box<[u64]> = hashes.collect();
                if hashes.len() > UNSORTED_MAX {
                    hashes.sort_unstable();
                }
                self.keys.push((owner, hashes));
            }
        }
    }

    /// Takes one [`Pins::pin`] back; whether it was of all keys.
    pub fn unpin(&mut self, owner: u64, is_whole: bool) {
        if is_whole {
            self.wholes -= 1;
            return;
        }
        let place = self.keys.iter().position(|(other, _)| *other == owner);
        self.keys
            .swap_remove(place.expect("what is unpinned was pinned"));
    }

    fn has(&self, hash: u64) -> bool {
        let mut owners = self.keys.iter();
        let is_among = |hashes: &[u64]| match hashes.len() {
            0..=UNSORTED_MAX => hashes.contains(&hash),
            _ => hashes.binary_search(&hash).is_ok(),
        };
        self.wholes > 0 || owners.any(|(_, hashes)| is_among(hashes))
    }

    /// Whether nothing is pinned.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.wholes == 0 && self.keys.is_empty()
    }
}

impl Door<'_> {
    /// Whether an expired entry has to stay, unseen.
    pub(super) fn is_pinned(&self, key: &[u8]) -> bool {
        let pins = &self.common.pins;
        !pins.is_empty() && pins.has(Key::new(key).hash)
    }
}
