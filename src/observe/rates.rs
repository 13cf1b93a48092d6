//! Rates over the last moments, without a timer.
//!
//! Redis takes a sample of each total every 100 ms and answers with the mean of 16 samples. A timer
//! on every core would wake an idle server ten times a second, so here a core takes its sample on
//! the first turn of its loop in each 100 ms window and none while it sleeps: whoever sleeps counts
//! nothing. The sample is the total on entering the window:
//!
//! ```text
//!   window     w0      w0+1    w0+2    w0+3  ...  now
//!   sample    1000      -       -      1040
//!             value at the start of w0+1 = value on entering w0+3 = 1040
//! ```
//!
//! So the total at the start of a window is the first sample taken in it or after it, and if there
//! is none, nothing has been counted since and the rate is zero. One writer, many readers; each
//! slot is a sequence lock. Not here: what the totals mean (counters).

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How many totals are sampled together.
pub const RATES: usize = 8;

/// Redis: 16 samples taken 100 ms apart.
const SPAN: u64 = 16;
const WINDOW_MS: u64 = 100;

/// More than SPAN + 1, so that no sample replaces the one it will be compared to.
const SLOTS: usize = 32;

/// A slot being written, or never written.
const NO_WINDOW: u64 = u64::MAX;

#[derive(Debug)]
pub struct Rates {
    /// The window of the newest sample.
    newest: AtomicU64,
    slots: [Slot; SLOTS],
}

#[derive(Debug)]
struct Slot {
    window: AtomicU64,
    totals: [AtomicU64; RATES],
}

impl Default for Rates {
    fn default() -> Rates {
        let slot = |_| Slot {
            window: AtomicU64::new(NO_WINDOW),
            totals: Default::default(),
        };
        Rates {
            newest: AtomicU64::new(NO_WINDOW),
            slots: std::array::from_fn(slot),
        }
    }
}

impl Rates {
    /// Whether the window has changed since the last sample.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.newest.load(Ordering::Relaxed) != now_ms / WINDOW_MS
    }

    /// Takes the sample of this window; only the owner calls it.
    pub fn record(&self, totals: [u64; RATES], now_ms: u64) {
        let window = now_ms / WINDOW_MS;
        self.newest.store(window, Ordering::Relaxed);
        self.slots[window as usize % SLOTS].write(window, totals);
    }

    /// Growth per second since 16 windows ago, or since `floor_ms` if that is later.
    pub fn per_second(&self, totals: [u64; RATES], now_ms: u64, floor_ms: u64) -> [f64; RATES] {
        let since = (now_ms / WINDOW_MS)
            .saturating_sub(SPAN)
            .max(floor_ms.div_ceil(WINDOW_MS));
        let Some(before) = self.first_sample_from(since) else {
            return [0.0; RATES];
        };
        // Redis divides by all 16 samples, also while most of them are still empty.
        let elapsed_ms = (now_ms - now_ms / WINDOW_MS * WINDOW_MS) + SPAN * WINDOW_MS;
        std::array::from_fn(|rate| {
            totals[rate].saturating_sub(before[rate]) as f64 * 1000.0 / elapsed_ms as f64
        })
    }

    fn first_sample_from(&self, since: u64) -> Option<[u64; RATES]> {
        let samples = self.slots.iter().filter_map(Slot::read);
        let recent = samples.filter(|(window, _)| *window >= since);
        recent
            .min_by_key(|(window, _)| *window)
            .map(|(_, totals)| totals)
    }
}

impl Slot {
    fn write(&self, window: u64, totals: [u64; RATES]) {
        self.window.store(NO_WINDOW, Ordering::Relaxed);
        fence(Ordering::Release);
        for (cell, total) in self.totals.iter().zip(totals) {
            cell.store(total, Ordering::Relaxed);
        }
        self.window.store(window, Ordering::Release);
    }

    fn read(&self) -> Option<(u64, [u64; RATES])> {
        let window = self.window.load(Ordering::Acquire);
        let totals = std::array::from_fn(|rate| self.totals[rate].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let is_whole = window != NO_WINDOW && self.window.load(Ordering::Relaxed) == window;
        is_whole.then_some((window, totals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(total: u64) -> [u64; RATES] {
        [total; RATES]
    }

    #[test]
    fn an_untouched_set_has_no_rate() {
        assert_eq!(Rates::default().per_second(all(99), 5000, 0), [0.0; RATES]);
    }

    #[test]
    fn a_burst_is_spread_over_sixteen_windows_and_then_forgotten() {
        let rates = Rates::default();
        rates.record(all(1000), 5000);
        assert_eq!(rates.per_second(all(1160), 5000, 0)[0], 100.0);
        assert_eq!(rates.per_second(all(1160), 6600, 0)[0], 100.0);
        assert_eq!(rates.per_second(all(1160), 6700, 0)[0], 0.0);
    }

    #[test]
    fn a_gap_counts_from_the_first_sample_after_it() {
        let rates = Rates::default();
        rates.record(all(0), 1000);
        rates.record(all(500), 2000);
        rates.record(all(660), 3600);
        assert_eq!(rates.per_second(all(660), 3600, 0)[0], 100.0);
        assert_eq!(rates.per_second(all(660), 3700, 0)[0], 0.0);
    }

    #[test]
    fn a_reset_hides_what_was_before() {
        let rates = Rates::default();
        rates.record(all(0), 1000);
        rates.record(all(160), 1200);
        assert_eq!(rates.per_second(all(320), 1200, 1150)[0], 100.0);
        assert_eq!(rates.per_second(all(320), 1200, 1250)[0], 0.0);
    }

    #[test]
    fn samples_are_never_torn() {
        let rates = Rates::default();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (0..300_000).for_each(|window| rates.record(all(window), window * WINDOW_MS));
            });
            while !writer.is_finished() {
                for slot in &rates.slots {
                    if let Some((window, totals)) = slot.read() {
                        assert_eq!(totals, all(window));
                    }
                }
            }
        });
    }
}
