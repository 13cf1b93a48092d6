//! The memory limit, as one shard keeps to it.
//!
//! The limit is the node's, and a shard can free only its own. So every core publishes what its
//! thread holds, and before a command that may need memory its shard looks at the sum: as long as
//! it is above the limit the shard frees what is gone already and evicts keys, for a bounded time.
//!
//! ```text
//!   boot + held by core 0 + held by core 1 + ... - what does not count   <=  maxmemory
//!            own: exact        as published
//! ```
//!
//! Looking costs a cache line of every core. While the limit is far away a shard grows by a quota
//! before it looks again; the quotas of all shards together stay below what was free when they
//! were taken. Near the limit every command looks, and publishes what its core holds and what the
//! command brings. So the next one on another core finds that taken already, and all cores together
//! exceed the limit by no more than one command.
//!
//! What clients have on their way is in use too, and comes and goes while others fill what is left.
//! So that this does not exceed the limit either, a little for each core is kept free of data, but
//! no more than a thousandth of the limit.
//!
//! Memory is taken where a key lives, and there it is given back: keys are spread by hash, so every
//! shard evicts as much as it grows. A shard that holds far less than the others frees only its
//! share and cries for help, as does one whose keys may not be evicted; then the others, when their
//! turn ends, give back their shares of what is still above the limit.

use super::run::Shard;
use crate::base::{alloc, clock};
use crate::config::choice::MaxmemoryPolicy;
use crate::keyspace::{Choice, Evicted};
use crate::observe::counters::{Board, Counters};

/// What a shard may take before it looks at the others again, in bytes.
const QUOTA: i64 = 16 * 1024;
/// Bytes below the limit that are kept free of data for each core: about a long command.
const FREE_OF_DATA: i64 = 64 * 1024;
/// What share of the limit all cores together keep free at most.
const FREE_OF_DATA_SHARE: i64 = 1024;
/// After so many keys the clock is looked at. Redis: the same.
const KEYS_BETWEEN_CLOCKS: u32 = 16;

/// What the configuration says about memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRules {
    /// 0: there is no limit, or nobody may keep to it now.
    pub limit_bytes: u64,
    pub choice: Choice,
    /// How long evicting may take at a time, in nanoseconds.
    pub time_ns: u64,
}

/// What came of making room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Memory is within the limit.
    Enough,
    /// It is above, and will come down: not all that can go is gone.
    Coming,
    /// It is above, and nothing here can go.
    Nothing,
}

/// The memory of the node, as one core's shard sees it.
pub struct Memory {
    board: Board,
    core: usize,
    /// Bytes that nobody's thread accounts for: what there was before the cores.
    boot_bytes: u64,
    pub rules: MemoryRules,
    /// Up to this many bytes of its own the shard need not look.
    unlooked_max: i64,
    /// Bytes of this thread that others account for: cores that share a thread.
    foreign_bytes: i64,
    /// Others have to free what this shard has not.
    needs_help: bool,
    /// The longest time that evicting has taken since somebody asked, in nanoseconds.
    slowest_ns: u64,
}

impl Default for Memory {
    /// That of a shard without a node: there is no limit.
    fn default() -> Memory {
        Memory::new(Board::new(1, 0), 0, 0)
    }
}

impl Memory {
    /// The view of a core.
    pub fn new(board: Board, core: usize, boot_bytes: u64) -> Memory {
        Memory {
            board,
            core,
            boot_bytes,
            rules: MemoryRules {
                limit_bytes: 0,
                choice: Choice {
                    policy: MaxmemoryPolicy::Noeviction,
                    samples: 5,
                },
                time_ns: 0,
            },
            unlooked_max: i64::MIN,
            foreign_bytes: 0,
            needs_help: false,
            slowest_ns: 0,
        }
    }

    fn counters(&self) -> &Counters {
        self.board.core(self.core)
    }

    /// Bytes this core's thread holds, exactly now.
    #[inline]
    pub fn held_bytes(&self) -> i64 {
        alloc::thread_allocated_bytes().live() - self.foreign_bytes
    }

    /// Whether the next command has to look at what all cores hold: the limit is not far away.
    #[inline]
    pub fn is_scarce(&self) -> bool {
        self.rules.limit_bytes != 0 && self.held_bytes() > self.unlooked_max
    }

    /// Whatever the thread does from here on until [`Memory::resume`] is not this core's.
    pub fn suspend(&mut self) {
        self.foreign_bytes = self.held_bytes();
    }

    /// The end of [`Memory::suspend`].
    pub fn resume(&mut self) {
        self.foreign_bytes = alloc::thread_allocated_bytes().live() - self.foreign_bytes;
    }

    /// Tells the others what this core holds, and lets the next command look at what they hold.
    #[inline]
    pub fn publish(&mut self) {
        self.tell(0);
    }

    /// The same, together with what the command that is about to run brings.
    #[inline]
    fn tell(&mut self, claimed: i64) {
        let taken = self.held_bytes() + claimed;
        self.counters().held_bytes.set(taken as u64);
        self.unlooked_max = i64::MIN;
    }

    /// Bytes in use by the whole node: of this core now, of the others as they last published.
    pub fn used_bytes(&mut self) -> u64 {
        self.publish();
        self.boot_bytes
            .saturating_add_signed(self.board.held_bytes())
    }

    /// By how many bytes memory is above what data may take; negative below it. The others find
    /// what a command claims taken already; it does not count here.
    fn excess(&mut self, claimed: i64) -> i64 {
        self.tell(claimed);
        let others = self.board.uncounted_bytes() as i64 + claimed;
        let counted = self.boot_bytes as i64 + self.board.held_bytes() - others;
        counted - part_for_data(self.rules.limit_bytes as i64, self.board.cores().len())
    }

    fn is_within(&mut self, excess: i64) -> bool {
        if excess > 0 {
            self.board.over_limit.begin(clock::cycles());
            return false;
        }
        if let Some(since) = self.board.over_limit.end() {
            let exceeded_us = clock::nanos_between(since, clock::cycles()) / 1000;
            self.counters().eviction_exceeded_us.add(exceeded_us);
        }
        let quotas = 2 * QUOTA * self.board.cores().len() as i64;
        if -excess > quotas {
            self.unlooked_max = self.held_bytes() + QUOTA;
        }
        true
    }

    fn note_exhausted(&self, is_exhausted: bool) {
        let exhausted = u64::from(is_exhausted);
        self.counters().eviction_exhausted.set(exhausted);
    }

    /// Whether another shard may have keys to evict, as far as is known.
    fn others_can_evict(&self) -> bool {
        let is_evicting = self.rules.choice.policy != MaxmemoryPolicy::Noeviction;
        let cores = self.board.cores().iter().enumerate();
        let mut others = cores.filter(|(core, _)| *core != self.core);
        is_evicting && others.any(|(_, core)| core.eviction_exhausted.value() == 0)
    }

    /// Whether the others have to be told to give back their part; then nobody has to any more.
    pub fn take_cry_for_help(&mut self) -> bool {
        std::mem::take(&mut self.needs_help)
    }

    /// For how long memory has been above the limit by now, in microseconds.
    pub fn exceeded_us(&self) -> u64 {
        let since = self.board.over_limit.since();
        since.map_or(0, |since| {
            clock::nanos_between(since, clock::cycles()) / 1000
        })
    }

    /// The longest time that evicting has taken since the last call, in nanoseconds.
    pub fn take_slowest_ns(&mut self) -> u64 {
        std::mem::take(&mut self.slowest_ns)
    }
}

/// How much of a limit data may take.
fn part_for_data(limit: i64, cores: usize) -> i64 {
    limit - (FREE_OF_DATA * cores as i64).min(limit / FREE_OF_DATA_SHARE)
}

/// How much of what is above the limit a shard frees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it, unless the shard is poor: then it waits for the others.
    Whole,
    /// As much as its share of the data.
    Share,
}

impl Shard {
    /// Makes room for a command that brings so many bytes. To be called before each one that may
    /// take memory here.
    #[inline]
    pub fn make_room(&mut self, brought: impl FnOnce() -> usize) -> Room {
        if !self.memory.is_scarce() {
            return Room::Enough;
        }
        self.look_for_room(Part::Whole, brought() as i64)
    }

    /// Whether there will be room for a command that takes memory on another shard.
    #[inline]
    pub fn room_elsewhere(&mut self) -> Room {
        let memory = &mut self.memory;
        if !memory.is_scarce() {
            return Room::Enough;
        }
        let excess = memory.excess(0);
        match memory.is_within(excess) {
            true => Room::Enough,
            false if memory.rules.choice.policy == MaxmemoryPolicy::Noeviction => Room::Nothing,
            false => Room::Coming,
        }
    }

    /// Gives back this shard's part of what is too much, in a bounded time.
    pub fn give_back(&mut self) -> Room {
        if self.memory.rules.limit_bytes == 0 {
            return Room::Enough;
        }
        if self.memory.board.cores().len() > 1 {
            self.publish_data();
        }
        self.look_for_room(Part::Share, 0)
    }

    #[cold]
    fn look_for_room(&mut self, part: Part, claimed: i64) -> Room {
        let excess = self.memory.excess(claimed);
        if self.memory.is_within(excess) {
            return Room::Enough;
        }
        // It may not run, or not before others have made room.
        self.memory.publish();
        let bytes_max = self.part_of(excess, part);
        let enough = self.memory.held_bytes().saturating_sub(bytes_max);
        let begin = clock::cycles();
        let room = self.free(begin, enough);
        let spent = clock::nanos_between(begin, clock::cycles());
        self.memory.slowest_ns = self.memory.slowest_ns.max(spent);
        self.gather_notes();
        if room == Room::Nothing && self.memory.others_can_evict() {
            self.memory.needs_help = true;
            return Room::Coming;
        }
        room
    }

    /// Tells the others what this core holds, and takes back that nothing here may go as soon as
    /// something may: they refuse commands when nobody has anything that may.
    pub fn publish_memory(&mut self) {
        self.memory.publish();
        if self.memory.counters().eviction_exhausted.value() != 0 {
            let can_evict = self.space.has_evictable(self.memory.rules.choice.policy);
            self.memory.note_exhausted(!can_evict);
        }
    }

    /// Tells the others about how much this shard has; returns that.
    pub fn publish_data(&mut self) -> u64 {
        let bytes = self.space.estimated_bytes();
        self.memory.counters().dataset_bytes.set(bytes);
        bytes
    }

    /// How many of the bytes that are too much this shard frees.
    fn part_of(&mut self, excess: i64, part: Part) -> i64 {
        let shards = self.memory.board.cores().len();
        if shards == 1 {
            return excess;
        }
        let own = self.publish_data();
        let memory = &mut self.memory;
        let cores = memory.board.cores().iter();
        let all: u64 = cores.map(|core| core.dataset_bytes.value()).sum();
        let is_poor = own.saturating_mul(2 * shards as u64) < all;
        memory.needs_help |= is_poor && part == Part::Whole;
        if part == Part::Whole && !is_poor {
            return excess;
        }
        let share = i128::from(excess) * i128::from(own) / i128::from(all.max(1));
        // Rounded up, so that the last bytes are somebody's.
        share as i64 + 1
    }

    /// Frees and evicts until memory is within the limit, so many bytes are freed, or time is over.
    fn free(&mut self, begin: u64, enough: i64) -> Room {
        let Shard {
            space,
            memory,
            locks,
            ..
        } = self;
        let rules = memory.rules;
        let is_late = || clock::nanos_between(begin, clock::cycles()) > rules.time_ns;
        let mut keys = 0;
        loop {
            // What is gone already gives its memory back before anything else has to go.
            if space.buried() > 0 {
                space.bury_step();
                if is_late() {
                    return Room::Coming;
                }
            } else if rules.choice.policy == MaxmemoryPolicy::Noeviction {
                return Room::Nothing;
            } else {
                let evicted = space.evict(rules.choice, |hash| locks.are_on(hash));
                memory.note_exhausted(evicted == Evicted::Nothing);
                match evicted {
                    Evicted::One => keys += 1,
                    Evicted::Spared => return Room::Coming,
                    Evicted::Nothing => return Room::Nothing,
                }
                if keys % KEYS_BETWEEN_CLOCKS == 0 && is_late() {
                    return Room::Coming;
                }
            }
            let excess = memory.excess(0);
            if memory.is_within(excess) {
                return Room::Enough;
            }
            if memory.held_bytes() <= enough {
                return Room::Coming;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_of_the_limit_is_kept_free_of_data() {
        assert_eq!(part_for_data(256 << 20, 2), (256 << 20) - 128 * 1024);
        assert_eq!(part_for_data(1 << 20, 2), (1 << 20) - 1024);
        assert_eq!((part_for_data(100, 8), part_for_data(0, 1)), (100, 0));
        let mut memory = Memory::new(Board::new(1, 0), 0, 1 << 30);
        memory.publish();
        memory.rules.limit_bytes = memory.used_bytes() + 32 * 1024;
        assert!(memory.excess(0) > 0, "clients may still come with 32 KiB");
        memory.rules.limit_bytes += 64 * 1024;
        assert!(memory.excess(0) <= 0);
    }

    #[test]
    fn what_a_command_brings_is_taken_already_for_the_other_cores() {
        const MARGIN: u64 = 1 << 20;
        let board = Board::new(2, 0);
        let mut memories = [0, 1].map(|core| Memory::new(board.clone(), core, 0));
        // Both are on this thread, so its bytes count twice, here and below.
        let _ = memories.each_mut().map(Memory::publish);
        let used = memories[0].used_bytes();
        for memory in &mut memories {
            memory.rules.limit_bytes = used + MARGIN;
        }
        let [one, other] = &mut memories;
        assert!(one.is_scarce());
        let claimed = 2 * MARGIN as i64;
        assert!(one.excess(claimed) <= 0, "a command may exceed the limit");
        assert!(other.excess(0) > 0, "but only one");
        one.publish();
        assert!(
            other.excess(0) <= 0,
            "what it brought is no longer on its way"
        );
    }
}
