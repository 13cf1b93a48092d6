//! Latency while the keyspace grows: does the hash table, growing, ever make somebody wait?
//!
//! One connection fills the server with pipelines of SET, beside the probe. The probe runs without
//! load before that: what it shows there is the machine, not the table.

use crate::probe::{beside, probe};
use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric, Outcome};
use crate::support::peer::Peer;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// Enough probes for a percentile of 99.9.
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
    probe(server, || Instant::now() < end)?.summary()
}

fn growth(server: &Server, keys: u64, pipeline: u32) -> Result<Figures> {
    let start = Instant::now();
    let (mut figures, elapsed) = beside(
        |more| probe(server, more),
        || {
            grow(server.port, keys, pipeline).context("while growing")?;
            Ok(start.elapsed())
        },
    )?;
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

/// Medians over the rounds, but of the worst the worst: it is the promise that must hold.
pub fn worst_of(label: &str, rounds: &[Figures]) -> Outcome {
    let mut figures = Figures::median(rounds);
    for metric in [Metric::Worst, Metric::OwnWorst, Metric::ServedWorst] {
        let values = rounds.iter().filter_map(|round| round.value(metric));
        if let Some(worst) = values.reduce(f64::max) {
            figures.put(metric, worst);
        }
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
}
