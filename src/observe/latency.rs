//! The latency monitor: for each kind of event, when it was slower than
//! latency-monitor-threshold and by how much.
//!
//! LATENCY HISTORY, LATEST, RESET and GRAPH read it; LATENCY DOCTOR does in `doctor`. An event is
//! a word ("command", "fast-command", "expire-cycle", ...). One monitor for all cores behind one
//! lock, because only slow events reach it. A series keeps the worst of each second, 160 seconds
//! at most; time is given by the caller in seconds since 1970.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sparkline;

/// Redis: LATENCY_TS_LEN.
const SAMPLES_MAX: usize = 160;

/// Redis: LATENCY_GRAPH_COLS, and the rows of its graph.
const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: usize = 4;

/// The worst of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub unix_seconds: u64,
    pub latency_ms: u64,
}

/// One kind of event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// The oldest in front.
    pub samples: VecDeque<Sample>,
    /// The worst since the series began.
    pub worst_ms: u64,
}

#[derive(Debug, Default)]
pub struct LatencyMonitor {
    /// latency-monitor-threshold; zero is off.
    threshold_ms: AtomicU64,
    events: Mutex<BTreeMap<String, Series>>,
}

impl LatencyMonitor {
    pub fn new(threshold_ms: u64) -> LatencyMonitor {
        LatencyMonitor {
            threshold_ms: AtomicU64::new(threshold_ms),
            events: Mutex::default(),
        }
    }

    pub fn threshold_ms(&self) -> u64 {
        self.threshold_ms.load(Relaxed)
    }

    pub fn set_threshold_ms(&self, threshold_ms: u64) {
        self.threshold_ms.store(threshold_ms, Relaxed);
    }

    /// Whether something that took so long belongs here.
    pub fn is_slow(&self, latency_ms: u64) -> bool {
        let threshold_ms = self.threshold_ms();
        threshold_ms != 0 && latency_ms >= threshold_ms
    }

    pub fn add(&self, event: &str, latency_ms: u64, now_seconds: u64) {
        self.events()
            .entry(event.to_owned())
            .or_default()
            .add(latency_ms, now_seconds);
    }

    /// LATENCY HISTORY: the samples, the oldest first.
    pub fn history(&self, event: &str) -> Vec<Sample> {
        self.events().get(event).map_or(Vec::new(), |series| {
            series.samples.iter().copied().collect()
        })
    }

    /// LATENCY LATEST and DOCTOR: every event by name.
    pub fn all(&self) -> BTreeMap<String, Series> {
        self.events().clone()
    }

    /// LATENCY RESET: forgets one event, in any case of letters, or all; tells how many.
    pub fn reset(&self, event: Option<&str>) -> usize {
        let mut events = self.events();
        let before = events.len();
        match event {
            None => events.clear(),
            Some(event) => events.retain(|name, _| !name.eq_ignore_ascii_case(event)),
        }
        before - events.len()
    }

    /// LATENCY GRAPH: nothing if there is no such event.
    pub fn graph(&self, event: &str, now_seconds: u64) -> Option<String> {
        self.events()
            .get(event)
            .map(|series| series.graph(event, now_seconds))
    }

    fn events(&self) -> MutexGuard<'_, BTreeMap<String, Series>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn add(&mut self, latency_ms: u64, now_seconds: u64) {
        self.worst_ms = self.worst_ms.max(latency_ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_seconds == now_seconds => {
                last.latency_ms = last.latency_ms.max(latency_ms);
            }
            _ => {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(Sample {
                    unix_seconds: now_seconds,
                    latency_ms,
                });
            }
        }
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    fn graph(&self, event: &str, now_seconds: u64) -> String {
        let latencies = || self.samples.iter().map(|sample| sample.latency_ms);
        let (high, low) = (
            latencies().max().unwrap_or(0),
            latencies().min().unwrap_or(0),
        );
        let points: Vec<_> = self
            .samples
            .iter()
            .map(|sample| sparkline::Point {
                value: sample.latency_ms,
                label: age(now_seconds.saturating_sub(sample.unix_seconds)),
            })
            .collect();
        format!(
            "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n{}",
            self.worst_ms,
            "-".repeat(GRAPH_COLUMNS),
            sparkline::render(&points, GRAPH_COLUMNS, GRAPH_ROWS),
        )
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(unix_seconds: u64, latency_ms: u64) -> Sample {
        Sample {
            unix_seconds,
            latency_ms,
        }
    }

    #[test]
    fn zero_turns_it_off() {
        let monitor = LatencyMonitor::new(0);
        assert!(!monitor.is_slow(u64::MAX));
        monitor.set_threshold_ms(100);
        assert!(monitor.is_slow(100) && !monitor.is_slow(99));
    }

    #[test]
    fn a_second_keeps_its_worst() {
        let monitor = LatencyMonitor::new(1);
        for (latency_ms, now) in [(5, 10), (9, 10), (7, 10), (3, 11)] {
            monitor.add("command", latency_ms, now);
        }
        assert_eq!(monitor.history("command"), [sample(10, 9), sample(11, 3)]);
        assert_eq!(monitor.history("COMMAND"), []);
        let all = monitor.all();
        assert_eq!(all["command"].latest(), Some(sample(11, 3)));
        assert_eq!(all["command"].worst_ms, 9);
    }

    #[test]
    fn the_oldest_of_160_goes_and_the_worst_is_remembered() {
        let monitor = LatencyMonitor::new(1);
        monitor.add("fork", 1000, 0);
        (1..=160).for_each(|now| monitor.add("fork", now, now));
        let history = monitor.history("fork");
        assert_eq!(
            (history.len(), history[0], history[159]),
            (160, sample(1, 1), sample(160, 160))
        );
        assert_eq!(monitor.all()["fork"].worst_ms, 1000);
    }

    #[test]
    fn reset_forgets_one_or_all() {
        let monitor = LatencyMonitor::new(1);
        for event in ["command", "expire-cycle", "eviction-cycle"] {
            monitor.add(event, 5, 1);
        }
        assert_eq!(monitor.reset(Some("Command")), 1);
        assert_eq!(monitor.reset(Some("command")), 0);
        assert_eq!(monitor.reset(None), 2);
        assert_eq!(monitor.graph("command", 1), None);
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(
            [59, 60, 3599, 3600, 86_399, 200_000].map(age),
            ["59s", "1m", "59m", "1h", "23h", "2d"]
        );
    }

    #[test]
    fn a_graph_has_a_title_and_a_rule() {
        let monitor = LatencyMonitor::new(1);
        monitor.add("command", 10, 100);
        monitor.add("command", 20, 130);
        let graph = monitor.graph("command", 160).unwrap();
        let mut lines = graph.lines();
        let title = "command - high 20 ms, low 10 ms (all time high 20 ms)";
        assert_eq!(lines.next(), Some(title));
        assert_eq!(lines.next(), Some("-".repeat(80).as_str()));
        let body: Vec<_> = lines.collect();
        assert_eq!(body, [" #", " |", " |", "_|", "  ", "13", "m0", " s"]);
    }
}
