//! The probe: one connection that asks for something again and again, and notes how long it waits.
//!
//! It asks every millisecond, and for the CPU before others, because its own waiting is not the
//! server's. A request that was due while the one before was still waiting counts from when it was
//! due, so that a long stall is not seen only once. Probes are that far apart because each waits
//! for the reply to the one before: where servers and their clients share two CPUs a round trip
//! takes some hundred microseconds, and a probe that wants more of them than there is time for
//! waits in a queue of its own making.
//!
//! Beside each wait stands what is left of it without the time in which a CPU of the machine stood
//! still (`support/standstill.rs`).

use crate::support::figures::{Figures, Metric, percentile};
use crate::support::process::run_promptly;
use crate::support::standstill::Watch;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, anyhow};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(1);

/// What a probe has seen.
#[derive(Debug, Default)]
pub struct Waits {
    /// How long each request waited, in milliseconds.
    all: Vec<f64>,
    /// If somebody has watched the machine.
    machine: Option<Machine>,
}

#[derive(Debug)]
struct Machine {
    /// The waits without the time in which CPUs stood still, in milliseconds.
    own: Vec<f64>,
    /// For how long they did, in milliseconds of a second.
    stood_still: f64,
}

/// The probe's figures while something else is done, and what came of that.
pub fn beside<T>(
    probe: impl FnOnce(&dyn Fn() -> bool) -> Result<Waits> + Send,
    work: impl FnOnce() -> Result<T>,
) -> Result<(Figures, T)> {
    let going = AtomicBool::new(true);
    let (waits, done) = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(&|| going.load(Relaxed)));
        let done = work();
        going.store(false, Relaxed);
        (prober.join(), done)
    });
    let done = done?;
    let waits = waits.map_err(|_| anyhow!("the probe panicked"))??;
    Ok((waits.summary()?, done))
}

/// One GET after another, each at its time.
pub fn probe(port: u16, more: impl Fn() -> bool) -> Result<Waits> {
    let get = |requests: &mut Vec<u8>, _| push_request(requests, &[b"GET", b"key:000000000000"]);
    probe_by(port, get, more)
}

/// The same for requests that are written by number.
pub fn probe_by(
    port: u16,
    write: impl Fn(&mut Vec<u8>, u64),
    more: impl Fn() -> bool,
) -> Result<Waits> {
    run_promptly();
    let mut connection = Connection::open(port)?;
    let watch = Watch::start();
    let start = Instant::now();
    let (mut spans, mut due, mut request) = (Vec::new(), start, Vec::new());
    while more() {
        request.clear();
        write(&mut request, spans.len() as u64);
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        // Waking late is this thread's fault; being late for want of a reply is the server's.
        let from = if wait.is_zero() { due } else { Instant::now() };
        connection.send(&request)?;
        connection.reply().context("the probe failed")?;
        spans.push((from, Instant::now()));
        due += INTERVAL;
    }
    let end = Instant::now();
    let machine = watch.map(|watch| {
        let stills = watch.finish();
        let own = |(from, to): &(Instant, Instant)| {
            millis((*to - *from).saturating_sub(stills.within(*from, *to)))
        };
        Machine {
            own: spans.iter().map(own).collect(),
            stood_still: millis(stills.within(start, end)) / (end - start).as_secs_f64(),
        }
    });
    let all = spans.iter().map(|(from, to)| millis(*to - *from)).collect();
    Ok(Waits { all, machine })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Waits {
    /// What there is to say of them.
    pub fn summary(self) -> Result<Figures> {
        let mut figures = Figures::default();
        let metrics = [
            (Metric::P50, 0.5),
            (Metric::P99, 0.99),
            (Metric::P999, 0.999),
            (Metric::Worst, 1.0),
        ];
        put_shares(&mut figures, self.all, &metrics)?;
        if let Some(machine) = self.machine {
            let metrics = [(Metric::OwnP99, 0.99), (Metric::OwnWorst, 1.0)];
            put_shares(&mut figures, machine.own, &metrics)?;
            figures.put(Metric::StoodStill, machine.stood_still);
        }
        Ok(figures)
    }
}

fn put_shares(figures: &mut Figures, mut waits: Vec<f64>, of: &[(Metric, f64)]) -> Result<()> {
    waits.sort_by(f64::total_cmp);
    for (metric, share) in of {
        let value = percentile(&waits, *share).context("the probe saw nothing")?;
        figures.put(*metric, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_needs_at_least_one_probe() {
        assert!(Waits::default().summary().is_err());
        let waits = |machine| Waits {
            all: vec![3.0, 1.0, 2.0],
            machine,
        };
        let figures = waits(None).summary().expect("three probes");
        assert_eq!(figures.value(Metric::Worst), Some(3.0));
        assert_eq!(figures.value(Metric::P50), Some(2.0));
        assert_eq!(figures.value(Metric::OwnWorst), None);
        let machine = Machine {
            own: vec![0.5, 1.0, 2.0],
            stood_still: 7.0,
        };
        let figures = waits(Some(machine)).summary().expect("three probes");
        assert_eq!(figures.value(Metric::Worst), Some(3.0));
        assert_eq!(figures.value(Metric::OwnWorst), Some(2.0));
    }
}
