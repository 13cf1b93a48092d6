//! Saving in the background under load: what does it cost memory, throughput and latency?
//!
//! Writers overwrite all keys, over and over, a pipeline each; a probe sends a GET every quarter of
//! a millisecond. The same is measured before the save and during it. Memory is that of the process
//! tree, shared pages counted once, so that a forked child's copies show.

use crate::growth::{probe, summary, worst_of};
use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric};
use crate::support::peer::Peer;
use crate::support::process::tree_pss_bytes;
use crate::support::scenario::{Preload, Scenario};
use crate::support::server::Server;
use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, anyhow, ensure};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: u64 = 4;
/// How long the load runs before the save.
const BEFORE: Duration = Duration::from_secs(6);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<(Peer, [Vec<Figures>; 2])> = peers
        .into_iter()
        .map(|peer| (peer, <[Vec<Figures>; 2]>::default()))
        .collect();
    for _ in 0..scenario.rounds {
        for (peer, [befores, saves]) in &mut rounds {
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {}", scenario.name, peer.label()));
            let (before, during) = round(&server, scenario)?;
            befores.push(before);
            saves.push(during);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds.iter().flat_map(|(peer, [befores, saves])| {
        let label = peer.label();
        let before = worst_of(&format!("{label} before"), befores);
        [worst_of(&label, saves), before]
    });
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

/// What the writers have done so far.
#[derive(Default)]
struct Traffic {
    is_over: AtomicBool,
    written: AtomicU64,
}

fn round(server: &Server, scenario: &Scenario) -> Result<(Figures, Figures)> {
    let preload = scenario.preload.expect("a checked scenario has keys");
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let write = |number| {
            let (port, pipeline, traffic) = (server.port, scenario.pipeline, &traffic);
            scope.spawn(move || overwrite(port, (number, preload, pipeline), traffic))
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        let figures = measure(server, &traffic);
        traffic.is_over.store(true, Relaxed);
        for writer in writers {
            writer.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        figures
    })
}

fn measure(server: &Server, traffic: &Traffic) -> Result<(Figures, Figures)> {
    let end = Instant::now() + BEFORE;
    let before = watch(server, traffic, &mut || Ok(Instant::now() < end))?;
    let mut control = Connection::open(server.port)?;
    let reply = control.call(&[b"BGSAVE"])?;
    ensure!(reply.starts_with("Background saving"), "BGSAVE: {reply:?}");
    let started = Instant::now();
    let mut is_saving = || {
        let info = control.call(&[b"INFO", b"persistence"])?;
        Ok(info.contains("rdb_bgsave_in_progress:1"))
    };
    let mut during = watch(server, traffic, &mut is_saving)?;
    during.put(Metric::SaveSeconds, started.elapsed().as_secs_f64());
    for (metric, kept) in [
        (Metric::Throughput, Metric::KeptThroughput),
        (Metric::Rss, Metric::KeptMemory),
    ] {
        if let Some(ratio) = during.ratio(&before, metric) {
            during.put(kept, ratio * 100.0);
        }
    }
    Ok((before, during))
}

/// Throughput, the probe's latencies and the most memory as long as there is more.
fn watch(
    server: &Server,
    traffic: &Traffic,
    more: &mut dyn FnMut() -> Result<bool>,
) -> Result<Figures> {
    let going = AtomicBool::new(true);
    let (start, first) = (Instant::now(), traffic.written.load(Relaxed));
    let (latencies, most) = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(server.port, || going.load(Relaxed)));
        let most = most_memory(server, more);
        going.store(false, Relaxed);
        (prober.join(), most)
    });
    let written = traffic.written.load(Relaxed) - first;
    let elapsed = start.elapsed().as_secs_f64();
    let mut figures = summary(latencies.map_err(|_| anyhow!("the probe panicked"))??)?;
    figures.put(Metric::Throughput, written as f64 / elapsed);
    figures.put(Metric::Rss, most?);
    Ok(figures)
}

fn most_memory(server: &Server, more: &mut dyn FnMut() -> Result<bool>) -> Result<f64> {
    let mut most = 0;
    while more()? {
        most = most.max(tree_pss_bytes(server.pid())?);
        thread::sleep(SAMPLE_INTERVAL);
    }
    Ok(most as f64)
}

/// Sets a writer's share of the keys, again and again.
fn overwrite(
    port: u16,
    (number, preload, pipeline): (u64, Preload, u32),
    traffic: &Traffic,
) -> Result<()> {
    let mut connection = Connection::open(port)?;
    let (mut requests, mut key, mut turn) = (Vec::new(), number, 0u8);
    while !traffic.is_over.load(Relaxed) {
        requests.clear();
        for _ in 0..pipeline {
            let name = format!("key:{key:012}");
            let mut value = vec![b'a' + turn % 26; preload.value_bytes];
            let digits = format!("{:016x}", key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for piece in value.chunks_mut(2 * digits.len()) {
                let len = piece.len().min(digits.len());
                piece[..len].copy_from_slice(&digits.as_bytes()[..len]);
            }
            push_request(&mut requests, &[b"SET", name.as_bytes(), &value]);
            key += WRITERS;
            if key >= preload.keys {
                (key, turn) = (number, turn.wrapping_add(1));
            }
        }
        connection.send(&requests)?;
        for _ in 0..pipeline {
            let reply = connection.reply().context("while overwriting")?;
            ensure!(reply == "OK", "SET answers {reply:?}");
        }
        traffic.written.fetch_add(pipeline.into(), Relaxed);
    }
    Ok(())
}
