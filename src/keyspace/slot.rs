//! Slots: which part of the key space a key belongs to, and which shard owns that part.
//!
//! A key's slot is the CRC16 of the key, or of its hash tag, modulo 16 384, as in Redis Cluster.
//! Shards own contiguous ranges of slots. One decision serves routing, scan cursors, snapshots and
//! cluster commands.
//!
//! Source: the Redis Cluster specification, "Keys distribution model" (CRC16 is the XMODEM one).

use crate::base::crc::crc16;
use crate::base::hash;
use memchr::memchr;

/// Number of slots.
pub const SLOTS: u32 = 16_384;

/// One of the 16 384 slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of a key.
    pub fn of(key: &[u8]) -> Slot {
        Slot(crc16(hash_tag(key)) & (SLOTS as u16 - 1))
    }
}

/// What is hashed of a key: what stands between the first `{` and the next `}`, if anything does.
fn hash_tag(key: &[u8]) -> &[u8] {
    // Of a short key, all bytes at once are looked at sooner than a search has begun.
    if key.len() <= 64
        && !key
            .iter()
            .fold(false, |found, byte| found | (*byte == b'{'))
    {
        return key;
    }
    let Some(open) = memchr(b'{', key) else {
        return key;
    };
    match memchr(b'}', &key[open + 1..]) {
        None | Some(0) => key,
        Some(len) => &key[open + 1..open + 1 + len],
    }
}

/// A key with what is computed of it once: its slot and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub slot: Slot,
    pub hash: u64,
}

impl<'a> Key<'a> {
    /// Computes slot and hash.
    pub fn new(bytes: &'a [u8]) -> Key<'a> {
        Key {
            bytes,
            slot: Slot::of(bytes),
            hash: hash::of(bytes),
        }
    }
}

/// The number of a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Which shard owns which slots.
#[derive(Clone, Copy, Debug)]
pub struct SlotMap {
    shards: u32,
}

impl SlotMap {
    /// Slots spread evenly over so many shards (at least 1, at most one for each slot).
    pub fn new(shards: usize) -> SlotMap {
        assert!(
            (1..=SLOTS as usize).contains(&shards),
            "between 1 shard and one for each slot"
        );
        SlotMap {
            shards: shards as u32,
        }
    }

    /// How many shards there are.
    pub fn shards(self) -> usize {
        self.shards as usize
    }

    /// The owner of a slot.
    #[inline]
    pub fn shard(self, slot: Slot) -> ShardId {
        ShardId((u32::from(slot.0) * self.shards / SLOTS) as u16)
    }

    /// The slots of a shard, as a half-open range.
    pub fn range(self, shard: ShardId) -> std::ops::Range<u32> {
        let first = |shard: u32| (shard * SLOTS).div_ceil(self.shards);
        first(u32::from(shard.0))..first(u32::from(shard.0) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis_cluster() {
        // Recorded from CLUSTER KEYSLOT of redis-server 7.0.15.
        let known: [(&[u8], u16); 7] = [
            (b"foo", 12182),
            (b"somekey", 11058),
            (b"foo{hash_tag}", 2515),
            (b"bar{hash_tag}", 2515),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"", 0),
        ];
        for (key, slot) in known {
            assert_eq!(Slot::of(key), Slot(slot), "{key:?}");
        }
    }

    #[test]
    fn every_slot_has_the_owner_whose_range_holds_it() {
        for shards in [1, 2, 3, 7, 64] {
            let map = SlotMap::new(shards);
            for slot in 0..SLOTS {
                let owner = map.shard(Slot(slot as u16));
                assert!(
                    map.range(owner).contains(&slot),
                    "{shards} shards, slot {slot}"
                );
            }
        }
    }
}
