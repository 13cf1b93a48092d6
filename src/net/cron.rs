//! What has to be done now and then, in bounded steps: expiry, time-outs, published figures.
//!
//! Nothing here keeps an idle core awake: the next moment at which something is due is all the
//! loop has to know.

use super::walk::Walk;
use crate::base::clock;
use crate::keyspace::{DbIndex, ShardId};
use crate::runtime::pace::{self, Pace};
use crate::session::Core;
use std::time::Duration;

/// How often a busy core publishes its figures and looks after its clients, in milliseconds.
pub(super) const TICK_MS: i64 = 100;
/// How soon sweeping goes on when there is more to sweep, in milliseconds.
const SWEEP_AGAIN_MS: i64 = 10;
/// How long sweeping may take at a time, in nanoseconds.
const SWEEP_NANOS: u64 = 1_000_000;

/// How long sweeping may take when few of the keys that it looks at have expired.
const SWEEP_IN_VAIN_NANOS: u64 = 250_000;
/// How long freeing what was flushed may take at a time, in nanoseconds, and how often it does.
const BURY_NANOS: u64 = 200_000;
const BURY_AGAIN_MS: i64 = 1;
/// How soon evicting goes on when memory is above its limit, in milliseconds.
const EVICT_AGAIN_MS: i64 = 1;

/// What a turn began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Come {
    Nothing,
    /// What this core has begun itself has gone on: bytes are sent, a thread has done its work.
    Progress,
    /// Somebody may have asked for something.
    Requests,
}

/// What is due when.
#[derive(Debug, Default)]
pub(super) struct Cron {
    /// When the last tick was, Unix milliseconds.
    ticked_ms: i64,
    /// When keys have to be looked after.
    sweep_ms: i64,
    /// When more of what was flushed is to be freed; 0 when there is nothing.
    bury_ms: i64,
    /// When more is to be evicted; 0 when memory is within its limit.
    evict_ms: i64,
    /// A snapshot that is running.
    walk: Option<Walk>,
    /// Whether sweeping or walking was put off until replies are out.
    is_owing: bool,
    /// Whether it was put off once more, for requests that came while they went out.
    has_yielded: bool,
    /// While the scheduler is asked for short slices: since when, and until when at least, Unix
    /// milliseconds.
    prompt_ms: Option<(i64, i64)>,
    /// When save points have to be looked at.
    save_ms: Option<i64>,
    next_db: u32,
    /// Whether anything has happened since the last tick.
    is_active: bool,
}

impl Cron {
    /// Notes that something has happened, so that a tick is worthwhile.
    pub fn wake(&mut self) {
        self.is_active = true;
    }

    /// How long the loop may sleep if nothing arrives, besides what is due by the millisecond.
    pub fn may_sleep(&self) -> Duration {
        self.walk.as_ref().map_or(Duration::MAX, Walk::may_sleep)
    }

    /// When the loop has to turn again even if nothing arrives, Unix milliseconds.
    pub fn due_ms(&self) -> i64 {
        let tick = if self.is_active {
            self.ticked_ms + TICK_MS
        } else {
            i64::MAX
        };
        let ongoing = [self.bury_ms, self.evict_ms];
        let ongoing = ongoing.into_iter().filter(|due_ms| *due_ms > 0);
        let save_ms = self.save_ms.unwrap_or(i64::MAX);
        tick.min(self.sweep_ms)
            .min(ongoing.min().unwrap_or(i64::MAX))
            .min(save_ms)
    }

    /// Sweeps expired keys and goes on with a running snapshot, as far as it is time. Replies that
    /// are ready do not wait for it: behind a turn that has some it goes on when they are out.
    pub fn go_on(&mut self, core: &mut Core, come: Come) {
        let walks = core.shard.space.has_snapshot();
        if let Some(pace) = self.change_pace(walks, core.now_ms) {
            pace::keep(pace);
        }
        if walks {
            self.walk.get_or_insert_default();
        }
        if come != Come::Nothing {
            let walk = self.walk.as_mut();
            let is_due = walk.is_some_and(|walk| walk.is_due_behind(come));
            self.is_owing = is_due || core.now_ms >= self.sweep_ms;
            return;
        }
        self.sweep(core);
        self.walk(core);
    }

    /// What to ask of the scheduler from now on: whoever walks beside serving clients is to get the
    /// CPU soon when a client has sent something, however much it has had of it. So it is for as
    /// long again as it has walked: replicas that got the snapshot catch up then, with all the CPU
    /// time that they can get.
    fn change_pace(&mut self, walks: bool, now_ms: i64) -> Option<Pace> {
        match (walks, self.prompt_ms) {
            (true, None) => {
                self.prompt_ms = Some((now_ms, now_ms));
                Some(Pace::Prompt)
            }
            (true, Some((since_ms, _))) => {
                self.prompt_ms = Some((since_ms, now_ms + (now_ms - since_ms)));
                None
            }
            (false, Some((_, until_ms))) if now_ms >= until_ms => {
                self.prompt_ms = None;
                Some(Pace::Usual)
            }
            (false, _) => None,
        }
    }

    /// Whether something was put off until replies are out.
    pub fn is_owing(&self) -> bool {
        self.is_owing
    }

    /// Goes on with what was put off, behind requests that came while replies went out: those are
    /// there already, and would wait for all of it.
    pub fn catch_up(&mut self, core: &mut Core, come: Come) {
        if self.is_time_to_catch_up(come) {
            self.go_on(core, Come::Nothing);
        }
    }

    /// Requests come first once, and not for ever.
    fn is_time_to_catch_up(&mut self, come: Come) -> bool {
        if !self.is_owing {
            return false;
        }
        self.has_yielded = come == Come::Requests && !self.has_yielded;
        self.is_owing = self.has_yielded;
        !self.has_yielded
    }

    /// Goes on with a running snapshot, if it is time to.
    fn walk(&mut self, core: &mut Core) {
        if let Some(walk) = self.walk.as_mut().filter(|walk| walk.is_due()) {
            walk.go_on(&mut core.shard.space);
        }
        self.walk.take_if(|_| !core.shard.space.has_snapshot());
    }

    /// What is done on every tick.
    pub fn tick(&mut self, core: &mut Core) {
        core.look_after_clients();
        self.expect(core);
        self.save(core);
        let counters = core.node.board.core(core.id.0 as usize);
        counters.tick(core.now_ms as u64);
        core.publish();
    }

    /// Looks at save points.
    fn save(&mut self, core: &mut Core) {
        if core.id == ShardId(0) {
            core.mind_log();
        }
        let next_ms = core.mind_save_points();
        self.save_ms = Some(next_ms).filter(|at| *at < i64::MAX);
    }

    /// Frees some of what was flushed.
    pub fn bury(&mut self, core: &mut Core) {
        if core.now_ms < self.bury_ms {
            return;
        }
        let begin = clock::cycles();
        let mut is_more = core.shard.space.bury_step();
        while is_more && clock::nanos_between(begin, clock::cycles()) < BURY_NANOS {
            is_more = core.shard.space.bury_step();
        }
        self.bury_ms = if is_more {
            core.now_ms + BURY_AGAIN_MS
        } else {
            0
        };
    }

    /// Evicts some of what is above the memory limit.
    pub fn evict(&mut self, core: &mut Core) {
        if core.config.maxmemory == 0 || core.now_ms < self.evict_ms {
            return;
        }
        self.evict_ms = match core.give_back_memory() {
            true => core.now_ms + EVICT_AGAIN_MS,
            false => 0,
        };
    }

    /// Whether it is time for a tick.
    pub fn is_tick(&mut self, now_ms: i64) -> bool {
        if now_ms < self.ticked_ms + TICK_MS {
            return false;
        }
        self.ticked_ms = now_ms;
        self.is_active = false;
        true
    }

    /// Sweeps expired keys if it is time.
    fn sweep(&mut self, core: &mut Core) {
        if core.now_ms < self.sweep_ms {
            return;
        }
        if core.disk_is_behind() {
            // What has expired is gone for everybody; saying so has time until the disk has.
            self.sweep_ms = core.now_ms + TICK_MS;
            return;
        }
        let begin = clock::cycles();
        let databases = core.shard.space.databases();
        let mut is_more = false;
        for _ in 0..databases {
            let db = DbIndex(self.next_db % databases);
            is_more = sweep_db(core, db, begin);
            if is_more {
                break;
            }
            self.next_db = (self.next_db + 1) % databases;
        }
        core.notify_own();
        core.serve_waiters();
        let spent = clock::nanos_between(begin, clock::cycles());
        core.counters().expire_cycle_ns.add(spent);
        self.sweep_ms = match is_more {
            true => core.now_ms + SWEEP_AGAIN_MS,
            false => next_over_ms(core).max(core.now_ms + TICK_MS),
        };
    }

    /// A key may expire sooner than was known when the next sweep was set.
    fn expect(&mut self, core: &Core) {
        let next_ms = next_over_ms(core).max(self.ticked_ms);
        self.sweep_ms = self.sweep_ms.min(next_ms);
    }
}

/// When the time of something here is over next: the millisecond behind the one in which it
/// expires.
fn next_over_ms(core: &Core) -> i64 {
    core.shard.space.next_expiry_ms().saturating_add(1)
}

/// Sweeps one database as long as it is fruitful; true when time ran out.
fn sweep_db(core: &mut Core, db: DbIndex, begin: u64) -> bool {
    loop {
        let swept = core.shard.sweep(db);
        if swept.is_over {
            return false;
        }
        let spent = clock::nanos_between(begin, clock::cycles());
        if spent > SWEEP_NANOS {
            return true;
        }
        if spent > SWEEP_IN_VAIN_NANOS && !swept.is_fruitful() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_lets_requests_go_first_once() {
        let mut cron = Cron::default();
        assert!(!cron.is_time_to_catch_up(Come::Nothing));
        cron.is_owing = true;
        assert!(cron.is_time_to_catch_up(Come::Progress) && !cron.is_owing);
        for _ in 0..2 {
            cron.is_owing = true;
            assert!(!cron.is_time_to_catch_up(Come::Requests) && cron.is_owing);
            assert!(cron.is_time_to_catch_up(Come::Requests) && !cron.is_owing);
        }
        cron.is_owing = true;
        assert!(!cron.is_time_to_catch_up(Come::Requests));
        assert!(cron.is_time_to_catch_up(Come::Nothing));
        assert!(!cron.is_time_to_catch_up(Come::Requests));
    }

    #[test]
    fn slices_are_short_while_a_snapshot_is_walked_and_as_long_again() {
        let mut cron = Cron::default();
        let mut pace = |walks, now_ms| cron.change_pace(walks, now_ms);
        assert_eq!(pace(false, 10), None);
        assert_eq!(pace(true, 11), Some(Pace::Prompt));
        assert_eq!((pace(true, 12), pace(true, 15)), (None, None));
        assert_eq!((pace(false, 16), pace(false, 18)), (None, None));
        assert_eq!(
            (pace(false, 19), pace(false, 20)),
            (Some(Pace::Usual), None)
        );
        assert_eq!(pace(true, 30), Some(Pace::Prompt));
    }
}
