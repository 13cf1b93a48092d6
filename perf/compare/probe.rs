//! The probe: one connection that asks for something again and again, and notes how long it waits.
//!
//! It asks every millisecond, and for the CPU before others, because its own waiting is not the
//! server's. A request that was due while the one before was still waiting counts from when it was
//! due, so that a long stall is not seen only once. Probes are that far apart because each waits
//! for the reply to the one before: where servers and their clients share two CPUs a round trip
//! takes some hundred microseconds, and a probe that wants more of them than there is time for
//! waits in a queue of its own making. What it was not awake for it does not make up.
//!
//! Beside each wait stands what it would have been had no CPU of the machine stood still
//! (`support/standstill.rs`): each exchange takes as long as it did without that time, and whoever
//! was due before the one ahead was over waits for it, also behind a standstill. A reply counts
//! there from when the kernel had it: until the probe runs again, others may have the CPU. And
//! what it would have been had in addition the server's threads never waited for a CPU
//! (`support/readiness.rs`): what is left is what the server itself made the probe wait.

use crate::support::figures::{Figures, Metric, percentile};
use crate::support::process::run_promptly;
use crate::support::readiness::Readiness;
use crate::support::server::Server;
use crate::support::standstill::Watch;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, anyhow};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub const INTERVAL: Duration = Duration::from_millis(1);

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
    /// How long each request would have waited had CPUs not stood still, in milliseconds.
    own: Vec<f64>,
    /// The same, had the server's threads had a CPU whenever they wanted one.
    served: Vec<f64>,
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
pub fn probe(server: &Server, more: impl Fn() -> bool) -> Result<Waits> {
    probe_every(server, INTERVAL, more)
}

/// The same at another pace: where one waits for longer than the interval, those behind it queue.
pub fn probe_every(server: &Server, interval: Duration, more: impl Fn() -> bool) -> Result<Waits> {
    let get = |requests: &mut Vec<u8>, _| push_request(requests, &[b"GET", b"key:000000000000"]);
    probe_by(server, interval, get, more)
}

/// The same for requests that are written by number.
pub fn probe_by(
    server: &Server,
    interval: Duration,
    write: impl Fn(&mut Vec<u8>, u64),
    more: impl Fn() -> bool,
) -> Result<Waits> {
    run_promptly();
    let mut connection = Connection::open(server.port)?;
    connection.note_arrivals()?;
    let mut readiness = Readiness::of(server.pid()).context("nobody counts waits for a CPU")?;
    let watch = Watch::start();
    let start = Instant::now();
    let (mut exchanges, mut due, mut request) = (Vec::new(), start, Vec::new());
    while more() {
        request.clear();
        write(&mut request, exchanges.len() as u64);
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        let sent = Instant::now();
        if !wait.is_zero() {
            // Waking late is this thread's fault; being late for want of a reply is the server's.
            due = sent;
        }
        readiness.begin();
        connection.send(&request)?;
        connection.reply().context("the probe failed")?;
        let to = Instant::now();
        exchanges.push(Exchange {
            from: due,
            sent,
            arrived: connection.arrived().unwrap_or(to).clamp(sent, to),
            to,
            unready: readiness.waited(),
        });
        due += interval;
    }
    let end = Instant::now();
    let machine = watch.map(|watch| {
        let stills = watch.finish();
        Machine {
            own: own_waits(&exchanges, |one| stills.within(one.sent, one.arrived)),
            // A CPU that stands still is not there for whoever is ready: that time counts once.
            served: own_waits(&exchanges, |one| {
                stills.within(one.sent, one.arrived).max(one.unready)
            }),
            stood_still: millis(stills.within(start, end)) / (end - start).as_secs_f64(),
        }
    });
    let all = exchanges.iter().map(|one| millis(one.to - one.from));
    let all = all.collect();
    Ok(Waits { all, machine })
}

/// One request and its reply.
struct Exchange {
    /// From when on it has waited.
    from: Instant,
    sent: Instant,
    /// When the reply was there, and when it was read.
    arrived: Instant,
    to: Instant,
    /// How long of it the server had no CPU, at least.
    unready: Duration,
}

/// The waits in milliseconds, had exchanges not been held up as long as they were and had the probe
/// run at once when its reply was there: those of a queue of these requests and of exchanges that
/// take no more than their own time (Lindley's recursion).
fn own_waits(exchanges: &[Exchange], held_up: impl Fn(&Exchange) -> Duration) -> Vec<f64> {
    let mut free_at = None;
    let wait = |one: &Exchange| {
        let begin = free_at.map_or(one.from, |at: Instant| at.max(one.from));
        let takes = (one.arrived - one.sent).saturating_sub(held_up(one));
        let end = begin + takes;
        free_at = Some(end);
        millis(end - one.from)
    };
    exchanges.iter().map(wait).collect()
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
            let metrics = [(Metric::ServedP99, 0.99), (Metric::ServedWorst, 1.0)];
            put_shares(&mut figures, machine.served, &metrics)?;
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
    fn a_standstill_delays_nobody_in_the_waits_of_ones_own() {
        let start = Instant::now();
        let at = |micros: u64| start + Duration::from_micros(micros);
        let exchange = |from, sent, arrived| Exchange {
            from: at(from),
            sent: at(sent),
            arrived: at(arrived),
            to: at(arrived + 50),
            unready: Duration::ZERO,
        };
        // The second exchange meets a standstill of 4 ms, and those behind it queue; each takes
        // 0.9 ms of its own, the last one 3 ms, which the one behind that has to wait for.
        let exchanges = [
            exchange(0, 0, 900),
            exchange(1000, 1000, 5900),
            exchange(2000, 5900, 6800),
            exchange(3000, 6800, 9800),
            exchange(4000, 9800, 9900),
        ];
        let stood_still = |one: &Exchange| {
            let (from, to) = (one.sent.max(at(1500)), one.arrived.min(at(5500)));
            to.saturating_duration_since(from)
        };
        let own = own_waits(&exchanges, stood_still);
        let micros: Vec<i64> = own.iter().map(|wait| (wait * 1e3).round() as i64).collect();
        assert_eq!(micros, [900, 900, 900, 3000, 2100]);
    }

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
            served: vec![0.5, 1.0, 1.5],
            stood_still: 7.0,
        };
        let figures = waits(Some(machine)).summary().expect("three probes");
        assert_eq!(figures.value(Metric::Worst), Some(3.0));
        assert_eq!(figures.value(Metric::OwnWorst), Some(2.0));
        assert_eq!(figures.value(Metric::ServedWorst), Some(1.5));
    }
}
