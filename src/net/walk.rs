//! How a core goes on with a running snapshot: in portions, and how long it rests between them.
//!
//! | in the last two milliseconds | portion | rest |
//! |---|---|---|
//! | nobody has asked for anything | 500 us | none |
//! | somebody has | 10 us | as long again, up to 23 or 115 us |
//! | receivers have more than they can take | | until they have less |
//!
//! A client that comes in the middle of a portion waits for the rest of it. So portions beside
//! clients are short, and how much of its time a core walks there depends on how much is to spare:
//! half of what it would sleep, as long as other threads leave it the CPU whenever it wants one.
//! Where they do not, in programs that load or serve beside this one, its idleness is no room: what
//! it takes then, it takes from them, and it walks three tenths of the time for replicas, which
//! have to keep up with changes until they have all of it, and a twelfth for files.

use super::cron::Come;
use crate::base::clock;
use crate::keyspace::{Keyspace, Step};
use crate::runtime::account::{Account, Spent};
use std::cell::OnceCell;
use std::time::Duration;

/// A portion when nobody has asked for anything lately, and when somebody has, in nanoseconds.
const LONG_NANOS: u64 = 500_000;
const SHORT_NANOS: u64 = 10_000;
/// As much of what a portion took is paid for by rest.
const PAID_NANOS_MAX: u64 = 32 * SHORT_NANOS;
/// Nobody has asked for anything for so long: whoever has just got replies may be about to.
const QUIET_NANOS: u64 = 2_000_000;
/// Elements of a large value in a step of the walk: some ten microseconds.
const ELEMENTS: usize = 64;
/// Shares of the time that short portions take: when there is nothing to spare, for replicas and
/// for files, and at most.
const SHARE_MIN_AWAITED: f64 = 0.3;
const SHARE_MIN: f64 = 0.08;
const SHARE_MAX: f64 = 0.5;
/// Over such a time the share is settled anew, in nanoseconds.
const WINDOW_NANOS: u64 = 20_000_000;
/// What others want of the CPUs, as a multiple of what this thread waits for one: woken, it is
/// among the first to get it.
const CONTENTION: f64 = 8.0;
/// Whoever rests waits for a turn that comes anyway, and is woken only so long after a portion:
/// being woken for a portion alone costs those who share the CPU more than the portion.
const WAKE_NANOS: u64 = 1_000_000;

/// A walk that is going on.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// When the last portion ended (a reading of the cycle counter), and how long to rest then.
    ended: u64,
    rest_nanos: u64,
    /// Whether its receivers have enough to do.
    is_stuck: bool,
    /// When somebody last asked for something, if that was while it went on.
    asked: Option<u64>,
    spare: Spare,
}

impl Walk {
    /// Whether it is time to go on behind a turn that began with this.
    pub fn is_due_behind(&mut self, come: Come) -> bool {
        if come == Come::Requests {
            self.asked = Some(clock::cycles());
        }
        self.is_due()
    }

    /// Whether it is time to go on. While receivers have enough to do that is so in every turn
    /// behind the rest: most turns come because those have gone on.
    pub fn is_due(&self) -> bool {
        self.rested_nanos() >= self.rest_nanos
    }

    /// How long the core may sleep before it goes on, if nothing else wakes it.
    pub fn may_sleep(&self) -> Duration {
        let nanos = match (self.is_stuck, self.rest_nanos) {
            (false, 0) => 0,
            (_, nanos) => nanos.max(WAKE_NANOS),
        };
        Duration::from_nanos(nanos.saturating_sub(self.rested_nanos()))
    }

    fn rested_nanos(&self) -> u64 {
        clock::nanos_between(self.ended, clock::cycles())
    }

    /// Walks a portion.
    pub fn go_on(&mut self, space: &mut Keyspace) {
        let begin = clock::cycles();
        let since = |asked| clock::nanos_between(asked, begin);
        let is_disturbed = self.asked.is_some_and(|asked| since(asked) < QUIET_NANOS);
        let nanos = match is_disturbed {
            true => SHORT_NANOS,
            false => LONG_NANOS,
        };
        let mut step = space.snapshot_step(ELEMENTS);
        while step == Step::More && clock::nanos_between(begin, clock::cycles()) < nanos {
            step = space.snapshot_step(ELEMENTS);
        }
        self.ended = clock::cycles();
        let took = clock::nanos_between(begin, self.ended);
        self.is_stuck = step == Step::Full;
        self.rest_nanos = match is_disturbed {
            true => {
                let least = match space.is_snapshot_awaited() {
                    true => SHARE_MIN_AWAITED,
                    false => SHARE_MIN,
                };
                let spare = self.spare.settled(self.ended);
                rest_nanos(took, spare.clamp(least, SHARE_MAX))
            }
            false => 0,
        };
    }
}

/// The rest after a portion that took so long, so that portions are this share of the time. What
/// took far longer than a portion was seldom work: the thread had no CPU meanwhile, or the machine
/// had to find memory. Paid for in full, that would add up to most of the time.
fn rest_nanos(took: u64, share: f64) -> u64 {
    (took.min(PAID_NANOS_MAX) as f64 * (1.0 / share - 1.0)) as u64
}

/// How much of its time a core has to spare.
#[derive(Debug, Default)]
struct Spare {
    /// A share of the time; less than nothing where others lack a CPU.
    share: f64,
    /// The thread's counters, looked for when they are first needed.
    account: OnceCell<Option<Account>>,
    /// What they said at the beginning of the window, and when that was.
    spent: Option<Spent>,
    begin: u64,
}

impl Spare {
    /// What it is now, settled anew if it is time to. Nothing as long as nothing is known.
    fn settled(&mut self, now: u64) -> f64 {
        let passed = clock::nanos_between(self.begin, now);
        if self.spent.is_some() && passed < WINDOW_NANOS {
            return self.share;
        }
        let account = self.account.get_or_init(Account::of_this_thread);
        if let Some(after) = account.as_ref().and_then(Account::read) {
            if let Some(before) = self.spent.replace(after) {
                self.share = spare(passed, before, after);
            }
            self.begin = now;
        }
        self.share
    }
}

/// What there is to spare if things go on as they did in so many nanoseconds.
fn spare(passed: u64, before: Spent, after: Spent) -> f64 {
    let of_it = |nanos: u64| nanos as f64 / passed.max(1) as f64;
    let running = of_it(after.running.saturating_sub(before.running));
    let ready = of_it(after.ready.saturating_sub(before.ready));
    1.0 - running - CONTENTION * ready
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn spare_of(running_ms: u64, ready_ms: u64) -> f64 {
        let before = Spent {
            running: 77,
            ready: 88,
        };
        let after = Spent {
            running: 77 + running_ms * 1_000_000,
            ready: 88 + ready_ms * 1_000_000,
        };
        spare(SECOND, before, after)
    }

    #[test]
    fn what_a_core_sleeps_is_to_spare_unless_others_want_the_cpu() {
        let is = |spare: f64, expected: f64| (spare - expected).abs() < 1e-9;
        assert!(is(spare_of(0, 0), 1.0));
        assert!(is(spare_of(700, 0), 0.3));
        assert!(is(spare_of(600, 20), 0.24));
        assert!(spare_of(100, 200) < 0.0);
        assert!(is(spare(0, Spent::default(), Spent::default()), 1.0));
    }

    #[test]
    fn a_rest_is_as_long_as_the_share_says() {
        assert_eq!(rest_nanos(SHORT_NANOS, SHARE_MIN), 115_000);
        assert_eq!(rest_nanos(SHORT_NANOS, SHARE_MIN_AWAITED), 23_333);
        assert_eq!(rest_nanos(SHORT_NANOS, SHARE_MAX), 10_000);
        // A step that took long is paid for, a standstill is not.
        assert_eq!(rest_nanos(200_000, SHARE_MAX), 200_000);
        assert_eq!(rest_nanos(90_000_000, SHARE_MAX), PAID_NANOS_MAX);
    }

    #[test]
    fn whoever_rests_is_due_when_the_rest_is_over_or_receivers_may_have_gone_on() {
        let mut walk = Walk {
            ended: clock::cycles(),
            rest_nanos: 3600 * SECOND,
            ..Walk::default()
        };
        assert!(!walk.is_due());
        assert!(walk.may_sleep() > Duration::from_secs(3500));
        walk.rest_nanos = 0;
        assert!(walk.is_due());
        assert_eq!(walk.may_sleep(), Duration::ZERO);
        // It cannot go on before its receivers have, which comes with a turn of its own.
        (walk.is_stuck, walk.ended) = (true, clock::cycles());
        assert!(walk.is_due());
        assert!(walk.rested_nanos() > WAKE_NANOS || !walk.may_sleep().is_zero());
        // A short rest is over at the next turn; alone it wakes nobody so soon.
        walk = Walk {
            ended: clock::cycles(),
            rest_nanos: 1,
            ..Walk::default()
        };
        while !walk.is_due() {}
        assert!(walk.rested_nanos() > WAKE_NANOS || !walk.may_sleep().is_zero());
    }
}
