//! Time: what the clock on the wall says, and how long something took.
//!
//! The only file that reads either, so that everything else takes time as an argument and a test
//! can decide what time it is. Two measures that never mix:
//!
//! - `Micros` and `Millis` count from the Unix epoch. Expiry, TIME and LASTSAVE use them. They may
//!   jump when the machine's clock is set; Redis lives with that and so do we.
//! - `cycles` is a raw counter for durations (slowlog, latency, command statistics): reading it
//!   costs a few nanoseconds, and only a difference through `nanos_between` means anything.
//!
//! There are no timers here and nothing sleeps: that is the runtime's business.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// Milliseconds since the Unix epoch: the unit of every expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

impl Micros {
    pub const fn millis(self) -> Millis {
        Millis(self.0.div_euclid(1000))
    }

    /// Whole seconds, and the microseconds beyond them: the two parts of TIME.
    pub const fn seconds_and_micros(self) -> (i64, i64) {
        (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000))
    }

    /// How much later this is than `earlier`; zero if the clock was set back.
    pub const fn since(self, earlier: Micros) -> u64 {
        if self.0 > earlier.0 {
            self.0.wrapping_sub(earlier.0) as u64
        } else {
            0
        }
    }
}

impl Millis {
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment so many milliseconds away, if there is one: clients send any `i64` as a TTL.
    pub const fn checked_add(self, millis: i64) -> Option<Millis> {
        match self.0.checked_add(millis) {
            Some(sum) => Some(Millis(sum)),
            None => None,
        }
    }

    /// Milliseconds from `earlier` to this; negative if this is the earlier one.
    pub const fn since(self, earlier: Millis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Whether the time of something that expires is over. It is still there in that very
/// millisecond, as in Redis; only a moment that is set by then counts as past.
#[inline]
pub fn is_over(expires_at_ms: i64, now_ms: i64) -> bool {
    expires_at_ms < now_ms
}

/// A source of wall time: the machine's, or one that tests turn by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    Real,
    Manual(ManualClock),
}

impl Clock {
    pub fn micros(&self) -> Micros {
        match self {
            Clock::Real => wall_micros(),
            Clock::Manual(clock) => clock.micros(),
        }
    }

    pub fn millis(&self) -> Millis {
        self.micros().millis()
    }
}

/// A clock that stands still until it is told otherwise; its clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn at(now: Millis) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(now.0.saturating_mul(1000))))
    }

    pub fn micros(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }

    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn advance_millis(&self, millis: i64) {
        self.advance_micros(millis.saturating_mul(1000));
    }

    /// Set the clock, backwards too.
    pub fn turn_to(&self, now: Millis) {
        self.0.store(now.0.saturating_mul(1000), Ordering::Relaxed);
    }

    /// A source of wall time that follows this clock.
    pub fn clock(&self) -> Clock {
        Clock::Manual(self.clone())
    }
}

fn wall_micros() -> Micros {
    // A machine whose clock is before 1970 gets negative time instead of a crash.
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    };
    Micros(micros)
}

/// Calibrated once, at the first use; `start_counter` takes that to boot time.
static COUNTER: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// Calibrate the cycle counter now (some milliseconds) instead of inside the first command.
pub fn start_counter() {
    LazyLock::force(&COUNTER);
}

/// The cycle counter: no unit, no epoch, for `nanos_between` only.
#[inline]
pub fn cycles() -> u64 {
    COUNTER.raw()
}

/// Nanoseconds between two readings of `cycles`; zero if they are in the wrong order.
#[inline]
pub fn nanos_between(start: u64, end: u64) -> u64 {
    COUNTER.delta_as_nanos(start, end)
}

/// The moment that is so far away, for timers.
pub fn instant_in(time: Duration) -> Instant {
    Instant::now() + time
}

/// Lets the thread rest; never on a shard.
pub fn pause(duration: std::time::Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_manual_clock_only_moves_when_told() {
        let manual = ManualClock::at(Millis(1_700_000_000_123));
        let clock = manual.clock();
        assert_eq!(clock.millis(), Millis(1_700_000_000_123));
        assert_eq!(clock.micros(), Micros(1_700_000_000_123_000));
        manual.advance_millis(877);
        manual.advance_micros(999);
        assert_eq!(clock.millis(), Millis(1_700_000_001_000));
        assert_eq!(clock.micros().seconds_and_micros(), (1_700_000_001, 999));
        manual.turn_to(Millis(5));
        assert_eq!(clock.clone().millis(), Millis(5));
    }

    #[test]
    fn the_real_clock_is_this_machines() {
        let before = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros() as i64;
        let now = Clock::Real.micros().0;
        let after = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros() as i64;
        assert!(
            before <= now && now <= after,
            "{before} <= {now} <= {after}"
        );
    }

    #[test]
    fn cycles_measure_nanoseconds() {
        start_counter();
        // The interval lies between two others, so that losing the processor does not matter.
        let outer = Instant::now();
        let begin = cycles();
        let inner = Instant::now();
        while inner.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let nanos = nanos_between(begin, cycles());
        let most = outer.elapsed().as_nanos() as u64;
        assert!(
            nanos > 19_000_000 && nanos < most + most / 20,
            "{nanos} of {most}"
        );
        assert_eq!(nanos_between(begin + 1, begin), 0);
    }

    #[test]
    fn arithmetic_at_the_edges() {
        assert_eq!(Millis(1).checked_add(i64::MAX), None);
        assert_eq!(Millis(1).checked_add(-2), Some(Millis(-1)));
        assert_eq!(Millis(-1).seconds(), -1);
        assert_eq!(Micros(-1).seconds_and_micros(), (-1, 999_999));
        assert_eq!(Micros(-1).millis(), Millis(-1));
        assert_eq!(Micros(5).since(Micros(7)), 0);
        assert_eq!(Micros(7).since(Micros(5)), 2);
        assert_eq!(Millis(i64::MIN).since(Millis(i64::MAX)), i64::MIN);
    }
}
