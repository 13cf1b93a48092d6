//! Latency while the keyspace grows: does the hash table, growing, ever make somebody wait?
//!
//! One connection fills the server with pipelines of SET; another, the probe, sends one GET every
//! quarter of a millisecond and notes how long each takes. The same probe runs without load before
//! that: what it shows there is the machine, not the table. The probe asks for the CPU before
//! others, for its own waiting is not the server's. A GET that was due while the one before
//! was still waiting counts from when it was due, so that a long stall is not seen only once.

use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric, Outcome, percentile};
use crate::support::peer::Peer;
use crate::support::process::run_promptly;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, anyhow, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const PROBE_INTERVAL: Duration = Duration::from_micros(250);
/// Enough probes for a percentile of 99.99.
const CONTROL_TIME: Duration = Duration::from_secs(5);

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let keys = scenario
        .keys
        .expect("a checked scenario says how far to grow");
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<(Peer, Vec<Figures>, Vec<Figures>)> = peers
        .into_iter()
        .map(|peer| (peer, Vec::new(), Vec::new()))
        .collect();
    for _ in 0..scenario.rounds {
        for (peer, controls, growths) in &mut rounds {
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {} without load", scenario.name, peer.label()));
            controls.push(control(&server)?);
            bar.set_message(format!("{}: {} growing", scenario.name, peer.label()));
            growths.push(growth(&server, keys, scenario.pipeline)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds.iter().flat_map(|(peer, controls, growths)| {
        let label = peer.label();
        [
            worst_of(&label, growths),
            worst_of(&format!("{label} unloaded"), controls),
        ]
    });
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

pub fn control(server: &Server) -> Result<Figures> {
    let end = Instant::now() + CONTROL_TIME;
    summary(probe(server.port, || Instant::now() < end)?)
}

fn growth(server: &Server, keys: u64, pipeline: u32) -> Result<Figures> {
    let growing = AtomicBool::new(true);
    let start = Instant::now();
    let (latencies, grown) = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(server.port, || growing.load(Ordering::Relaxed)));
        let grown = grow(server.port, keys, pipeline);
        growing.store(false, Ordering::Relaxed);
        (prober.join(), grown)
    });
    grown.context("while growing")?;
    let elapsed = start.elapsed();
    let mut figures = summary(latencies.map_err(|_| anyhow!("the probe panicked"))??)?;
    figures.put(Metric::Throughput, keys as f64 / elapsed.as_secs_f64());
    figures.put(Metric::Rss, server.rss_bytes()? as f64);
    Ok(figures)
}

fn grow(port: u16, keys: u64, pipeline: u32) -> Result<()> {
    let mut connection = Connection::open(port)?;
    let mut requests = Vec::new();
    for first in (0..keys).step_by(pipeline as usize) {
        let last = keys.min(first + u64::from(pipeline));
        requests.clear();
        for number in first..last {
            let key = format!("key:{number:012}");
            push_request(&mut requests, &[b"SET", key.as_bytes(), &[b'x'; 32]]);
        }
        connection.send(&requests)?;
        for _ in first..last {
            let reply = connection.reply()?;
            ensure!(reply == "OK", "SET answers {reply:?}");
        }
    }
    Ok(())
}

/// Latencies in milliseconds of one GET after another, each at its time.
pub fn probe(port: u16, more: impl Fn() -> bool) -> Result<Vec<f64>> {
    probe_every(port, PROBE_INTERVAL, more)
}

/// The same, so far apart.
pub fn probe_every(port: u16, interval: Duration, more: impl Fn() -> bool) -> Result<Vec<f64>> {
    let get = |requests: &mut Vec<u8>, _| push_request(requests, &[b"GET", b"key:000000000000"]);
    probe_by(port, interval, get, more)
}

/// The same for requests that are written by number.
pub fn probe_by(
    port: u16,
    interval: Duration,
    write: impl Fn(&mut Vec<u8>, u64),
    more: impl Fn() -> bool,
) -> Result<Vec<f64>> {
    run_promptly();
    let mut connection = Connection::open(port)?;
    let mut latencies = Vec::new();
    let (mut due, mut request) = (Instant::now(), Vec::new());
    while more() {
        request.clear();
        write(&mut request, latencies.len() as u64);
        let wait = due.saturating_duration_since(Instant::now());
        thread::sleep(wait);
        // Waking late is this thread's fault; being late for want of a reply is the server's.
        let from = if wait.is_zero() { due } else { Instant::now() };
        connection.send(&request)?;
        connection.reply().context("the probe failed")?;
        latencies.push(from.elapsed().as_secs_f64() * 1e3);
        due += interval;
    }
    Ok(latencies)
}

pub fn summary(mut latencies: Vec<f64>) -> Result<Figures> {
    latencies.sort_by(f64::total_cmp);
    let mut figures = Figures::default();
    for (metric, share) in [
        (Metric::P50, 0.5),
        (Metric::P99, 0.99),
        (Metric::P999, 0.999),
        (Metric::P9999, 0.9999),
        (Metric::Worst, 1.0),
    ] {
        let value = percentile(&latencies, share).context("the probe saw nothing")?;
        figures.put(metric, value);
    }
    Ok(figures)
}

/// Medians over the rounds, but of the worst the worst: it is the promise that must hold.
pub fn worst_of(label: &str, rounds: &[Figures]) -> Outcome {
    let mut figures = Figures::median(rounds);
    let worst = rounds
        .iter()
        .filter_map(|round| round.value(Metric::Worst))
        .reduce(f64::max);
    if let Some(worst) = worst {
        figures.put(Metric::Worst, worst);
    }
    Outcome {
        peer: label.to_string(),
        rounds: rounds.len(),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_all_rounds_is_kept() {
        let round = |worst: f64| {
            let mut figures = Figures::default();
            figures.put(Metric::Worst, worst).put(Metric::P50, worst);
            figures
        };
        let outcome = worst_of("x", &[round(1.0), round(9.0), round(2.0)]);
        assert_eq!(outcome.figures.value(Metric::Worst), Some(9.0));
        assert_eq!(outcome.figures.value(Metric::P50), Some(2.0));
    }

    #[test]
    fn a_summary_needs_at_least_one_probe() {
        assert!(summary(vec![]).is_err());
        let figures = summary(vec![3.0, 1.0, 2.0]).expect("three probes");
        assert_eq!(figures.value(Metric::Worst), Some(3.0));
        assert_eq!(figures.value(Metric::P50), Some(2.0));
    }
}
