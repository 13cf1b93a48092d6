//! Pinned keys: those that must not go although their time has come.
//!
//! A transaction over several shards runs at one moment, which is settled when the last of its
//! locks is granted and lies a little back when the last of its shards runs its part. What expires
//! in between stays where it is, unseen by everybody else, so that all parts see the same moment.
//! Only keys that are locked may be pinned: nobody may write where something unseen lies.

use super::Door;
use super::slot::Key;
use hashbrown::HashMap;

/// Which keys are pinned, by hash, and how many times.
#[derive(Debug, Default)]
pub struct Pins {
    keys: HashMap<u64, u32>,
    wholes: u32,
}

impl Pins {
    /// Pins these keys, or with `None` all keys.
    pub fn pin(&mut self, hashes: Option<impl Iterator<Item = u64>>) {
        match hashes {
            None => self.wholes += 1,
            Some(hashes) => hashes.for_each(|hash| *self.keys.entry(hash).or_default() += 1),
        }
    }

    /// Takes one [`Pins::pin`] back.
    pub fn unpin(&mut self, hashes: Option<impl Iterator<Item = u64>>) {
        let Some(hashes) = hashes else {
            self.wholes -= 1;
            return;
        };
        for hash in hashes {
            let count = self
                .keys
                .get_mut(&hash)
                .expect("what is unpinned was pinned");
            *count -= 1;
            if *count == 0 {
                self.keys.remove(&hash);
            }
        }
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
        !pins.is_empty() && (pins.wholes > 0 || pins.keys.contains_key(&Key::new(key).hash))
    }
}
