//! The memory limit of the node, on one core: the rules that its shard keeps to, and when it works.
//!
//! Before each command the shard makes room (`shard/memory.rs`); what it could not give back in the
//! time that a command may wait it gives back between turns, as long as the limit is exceeded.

use super::core::Core;
use super::order::Question;
use crate::command::Args;
use crate::keyspace::Choice;
use crate::shard::{MemoryRules, Room};
use std::sync::atomic::Ordering::Relaxed;

/// How long evicting may take at a time. Redis: evictionTimeLimitUs.
fn eviction_nanos(tenacity: u32) -> u64 {
    const STEP: u64 = 50_000;
    match tenacity {
        0..=10 => STEP * u64::from(tenacity),
        11..=99 => (STEP as f64 * 10.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

impl Core {
    pub(super) fn memory_rules(&self) -> MemoryRules {
        let config = &*self.config;
        // Redis: nothing changes by itself during a pause; and what is loaded is all wanted. While
        // the disk is behind writes wait, and what evicting would say has to wait as well.
        let is_paused = self.is_loading
            || self.disk_is_behind()
            || self.node.paused_until_ms.load(Relaxed) != 0
                && self.node.pause(self.now_ms).is_some();
        // A replica's master evicts for both.
        let is_exempt = config.replica_ignore_maxmemory && self.node.replication.is_replica();
        MemoryRules {
            limit_bytes: match is_paused || is_exempt {
                true => 0,
                false => config.maxmemory.min(i64::MAX as u64),
            },
            choice: Choice {
                policy: config.maxmemory_policy,
                samples: config.maxmemory_samples,
            },
            time_ns: eviction_nanos(config.maxmemory_eviction_tenacity),
        }
    }

    /// Makes room for a command that is about to run, here or for the most part elsewhere.
    pub fn make_room(&mut self, args: Args<'_>, is_here: bool) {
        self.room = match is_here {
            true => self.shard.make_room(|| args.total_bytes()),
            false => self.shard.room_elsewhere(),
        };
        if self.room != Room::Enough {
            self.notify_own();
        }
    }

    /// Gives back some of what is above the limit; whether there is more to be given back.
    pub fn give_back_memory(&mut self) -> bool {
        let room = self.shard.give_back();
        if self.shard.memory.take_cry_for_help() {
            self.tell_others(&Question::GiveBack);
        }
        if room == Room::Nothing {
            // Nothing else can go.
            self.router.release_spares();
        }
        self.notify_own();
        room == Room::Coming
    }

    /// Tells the latency monitor how long evicting took since the last tick.
    pub(super) fn note_evictions(&mut self) {
        let millis = self.shard.memory.take_slowest_ns() / 1_000_000;
        if self.node.latency.is_slow(millis) {
            let now_s = self.now_ms.max(0).unsigned_abs() / 1000;
            self.node.latency.add("eviction-cycle", millis, now_s);
        }
    }
}
