//! What idling costs: connections that do nothing, and a server that has nothing to do.
//!
//! Ten thousand idle connections should cost memory only: the busy ones beside them are measured
//! with and without. A server without clients should not be seen by the processor at all.

use crate::bout;
use crate::load;
use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric, Outcome};
use crate::support::peer::Peer;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::Connection;
use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::thread;
use std::time::Duration;

/// Descriptors besides the idle connections: the busy ones, files, the ring.
const SPARE_DESCRIPTORS: u64 = 512;

pub fn compare_connections(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let count = scenario
        .connections
        .expect("a checked scenario has a number of connections");
    allow_descriptors(count as u64 + SPARE_DESCRIPTORS)?;
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<(Peer, Vec<Figures>)> =
        peers.into_iter().map(|peer| (peer, Vec::new())).collect();
    for _ in 0..scenario.rounds {
        for (peer, figures) in &mut rounds {
            // A fresh server each round: memory of connections that were closed stays with it.
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {}", scenario.name, peer.label()));
            figures.push(beside_idle(&server, scenario, count)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds.into_iter().map(|(peer, rounds)| Outcome {
        peer: peer.label(),
        rounds: rounds.len(),
        figures: Figures::median(&rounds),
    });
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

/// The load alone, then beside idle connections; the latter's figures and what was kept.
fn beside_idle(server: &Server, scenario: &Scenario, count: usize) -> Result<Figures> {
    let busy = scenario.load();
    let requests = load::requests(scenario, &busy, server)?;
    let alone = bout::run(server, &busy, requests)?;
    let before = server.settled_rss_bytes()?;
    let idle = open_idle(server.port, count)?;
    let grown = server.settled_rss_bytes()?.saturating_sub(before);
    let mut figures = bout::run(server, &busy, requests)?;
    drop(idle);
    figures.put(Metric::BytesPerIdle, grown as f64 / count as f64);
    if let Some(kept) = figures.ratio(&alone, Metric::Throughput) {
        figures.put(Metric::KeptThroughput, 100.0 * kept);
    }
    Ok(figures)
}

/// Connections that each have been used once: what a pool of clients leaves behind.
fn open_idle(port: u16, count: usize) -> Result<Vec<Connection>> {
    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let connection = Connection::open_idle(port).and_then(|mut connection| {
            connection.call(&[b"PING"])?;
            Ok(connection)
        });
        idle.push(connection.with_context(|| format!("idle connection {number} of {count}"))?);
    }
    Ok(idle)
}

/// Servers inherit the limit, so that they may take as many connections as this tool opens.
fn allow_descriptors(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    ensure!(
        limit.maximum.is_none_or(|maximum| maximum >= count),
        "at most {:?} open files are allowed here, {count} are needed: raise `ulimit -Hn`",
        limit.maximum
    );
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")?;
    }
    Ok(())
}

pub fn compare_cpu(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let seconds = scenario
        .seconds
        .expect("a checked scenario says how long to watch");
    let watch = Duration::from_secs_f64(seconds);
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut outcomes = Vec::new();
    for peer in peers {
        let server = rig.start(peer, scenario, &bar)?;
        // What starting leaves to do is not idling.
        server.settled_rss_bytes()?;
        let mut rounds = Vec::new();
        for _ in 0..scenario.rounds {
            bar.set_message(format!("{}: watching {}", scenario.name, peer.label()));
            rounds.push(watch_idle(&server, watch)?);
            bar.inc(1);
        }
        outcomes.push(load::outcome(&server, &rounds));
    }
    bar.finish_and_clear();
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes,
    })
}

fn watch_idle(server: &Server, watch: Duration) -> Result<Figures> {
    let before = server.cpu()?;
    // The stretch of time is what is being measured here, not something that is waited for.
    thread::sleep(watch);
    let share = before.until(&server.cpu()?).share_of_core(watch);
    let mut figures = Figures::default();
    figures
        .put(Metric::CpuShare, share)
        .put(Metric::Rss, server.rss_bytes()? as f64);
    Ok(figures)
}
