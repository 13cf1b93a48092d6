//! When the machine's CPUs stood still: a virtual CPU that its host does not run answers nobody.
//!
//! On each CPU a thread of the highest priority wakes up every half millisecond. Nothing that runs
//! in user space holds it up, so when it is late, the CPU has run nothing at all, or something in
//! the kernel that cannot be interrupted. What a probe waits meanwhile it does not wait for the
//! server, as long as CPUs stand still as much when the server has nothing to do: that is why both
//! are shown, for every part of a measurement.

use crate::support::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_micros(500);
/// Waking takes some time on a busy machine; from here on it is the CPU that stood still.
const LATE: Duration = Duration::from_micros(500);
/// The highest that there is.
const PRIORITY: i32 = 99;

/// Watches all CPUs until it is asked what it saw.
pub struct Watch {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Span>>>,
}

/// From when to when a CPU stood still.
type Span = (Instant, Instant);

/// When some CPU stood still, in order and without overlaps.
#[derive(Debug, Default, PartialEq)]
pub struct Standstills(Vec<Span>);

impl Watch {
    /// Begins to watch; `None` where threads may not have the priority that it takes.
    pub fn start() -> Option<Watch> {
        let is_over = Arc::new(AtomicBool::new(false));
        let cpus = core_count();
        let (sender, started) = std::sync::mpsc::channel();
        let watch = |cpu| {
            let (is_over, started) = (Arc::clone(&is_over), sender.clone());
            thread::spawn(move || {
                let is_ready = process::stay_on(cpu) && process::run_at(PRIORITY);
                // Nobody listens any more if another CPU could not be watched.
                let _ = started.send(is_ready);
                if is_ready {
                    watch_cpu(&is_over)
                } else {
                    Vec::new()
                }
            })
        };
        let threads: Vec<_> = (0..cpus).map(watch).collect();
        let watch = Watch { is_over, threads };
        let is_ready = started.iter().take(cpus).all(|is_ready| is_ready);
        if is_ready {
            return Some(watch);
        }
        watch.finish();
        None
    }

    /// What it saw.
    pub fn finish(self) -> Standstills {
        self.is_over.store(true, Relaxed);
        let spans = self
            .threads
            .into_iter()
            .filter_map(|thread| thread.join().ok());
        Standstills::of(spans.flatten().collect())
    }
}

impl Standstills {
    fn of(mut spans: Vec<Span>) -> Standstills {
        spans.sort_unstable();
        let mut merged: Vec<Span> = Vec::new();
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Standstills(merged)
    }

    /// For how long of this time some CPU stood still.
    pub fn within(&self, from: Instant, to: Instant) -> Duration {
        let first = self.0.partition_point(|span| span.1 <= from);
        let spans = self.0[first..].iter().take_while(|span| span.0 < to);
        spans
            .map(|span| span.1.min(to).saturating_duration_since(span.0.max(from)))
            .sum()
    }
}

fn watch_cpu(is_over: &AtomicBool) -> Vec<Span> {
    let mut spans = Vec::new();
    while !is_over.load(Relaxed) {
        let due = Instant::now() + INTERVAL;
        thread::sleep(INTERVAL);
        let now = Instant::now();
        if now > due + LATE {
            spans.push((due, now));
        }
    }
    spans
}

fn core_count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standstills_of_several_cpus_count_once() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let stills = Standstills::of(vec![(at(30), at(40)), (at(10), at(16)), (at(12), at(18))]);
        assert_eq!(
            stills,
            Standstills(vec![(at(10), at(18)), (at(30), at(40))])
        );
        let within = |from, to| stills.within(at(from), at(to)).as_millis();
        assert_eq!(within(0, 100), 18);
        assert_eq!((within(0, 10), within(18, 30), within(40, 50)), (0, 0, 0));
        assert_eq!((within(12, 14), within(16, 35), within(35, 36)), (2, 7, 1));
    }

    #[test]
    fn a_watch_ends_when_it_is_asked() {
        let start = Instant::now();
        if let Some(watch) = Watch::start() {
            let stills = watch.finish();
            assert!(stills.within(start, Instant::now()) <= start.elapsed());
        }
    }
}
