//! Saving in the background under load: what does it cost memory, throughput and latency?
//!
//! Writers overwrite all keys, over and over, a pipeline each; a probe sends a GET every
//! millisecond. The same is measured before the save and during it. Memory is that of the process
//! tree, shared pages counted once, so that a forked child's copies show.
//!
//! A scenario with `keys` saves one hash of so many fields instead: one writer overwrites them, and
//! the probe's commands are HSETs of it, too.

use crate::deletion::{self, KEY};
use crate::growth::worst_of;
use crate::probe::{INTERVAL, Waits, beside, probe, probe_by};
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
/// Far apart, so that a probe of the hash meets fields that are saved and fields that are not.
const FIELD_STRIDE: u64 = 7919;
/// How long the load runs before the save.
const BEFORE: Duration = Duration::from_secs(6);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    in_parts(rig, scenario, |_, _, server| {
        let (before, during) = round(server, scenario)?;
        Ok([("", during), (" before", before)])
    })
}

/// Figures of the parts of a round, each with what its peer's name gets behind it.
pub type Parts<const N: usize> = [(&'static str, Figures); N];

/// Compares figures of before something happens with those of while it does: one round after the
/// other, all peers in turn.
pub fn in_parts<const N: usize>(
    rig: &mut Rig,
    scenario: &Scenario,
    mut round: impl FnMut(&mut Rig, Peer, &Server) -> Result<Parts<N>>,
) -> Result<Comparison> {
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<(Peer, Vec<Parts<N>>)> =
        peers.into_iter().map(|peer| (peer, Vec::new())).collect();
    for _ in 0..scenario.rounds {
        for (peer, done) in &mut rounds {
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {}", scenario.name, peer.label()));
            done.push(round(rig, *peer, &server)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds.iter().flat_map(|(peer, done)| {
        (0..N).filter_map(move |part| {
            let (suffix, _) = done.first()?[part];
            let figures: Vec<Figures> = done.iter().map(|parts| parts[part].1.clone()).collect();
            Some(worst_of(&format!("{}{suffix}", peer.label()), &figures))
        })
    });
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

/// What the writers have done so far.
#[derive(Default)]
pub struct Traffic {
    pub is_over: AtomicBool,
    pub written: AtomicU64,
}

/// What is overwritten, and saved.
#[derive(Clone, Copy)]
pub enum Data {
    Keys(Preload),
    /// One hash of so many fields.
    Hash(u64),
}

impl Data {
    /// Keys or fields.
    fn size(self) -> u64 {
        match self {
            Data::Keys(preload) => preload.keys,
            Data::Hash(fields) => fields,
        }
    }

    fn writers(self) -> u64 {
        match self {
            Data::Keys(_) => WRITERS,
            Data::Hash(_) => 1,
        }
    }

    /// Writes a request that overwrites one of them, differently in every turn.
    fn push(self, requests: &mut Vec<u8>, number: u64, turn: u8) {
        let letter = b'a' + turn % 26;
        match self {
            Data::Keys(preload) => {
                let name = format!("key:{number:012}");
                let value = value_of(number, letter, preload.value_bytes);
                push_request(requests, &[b"SET", name.as_bytes(), &value]);
            }
            Data::Hash(fields) => {
                let field = deletion::field(number % fields);
                push_request(requests, &[b"HSET", KEY, field.as_bytes(), &[letter; 16]]);
            }
        }
    }

    /// Latencies of the probe.
    fn probe(self, server: &Server, more: impl Fn() -> bool) -> Result<Waits> {
        match self {
            Data::Keys(_) => probe(server, more),
            Data::Hash(_) => {
                let write = |requests: &mut Vec<u8>, number: u64| {
                    self.push(requests, number.wrapping_mul(FIELD_STRIDE), b'z');
                };
                probe_by(server, INTERVAL, write, more)
            }
        }
    }
}

fn round(server: &Server, scenario: &Scenario) -> Result<(Figures, Figures)> {
    let data = match (scenario.preload, scenario.keys) {
        (Some(preload), _) => Data::Keys(preload),
        (None, fields) => Data::Hash(fields.expect("a checked scenario has one of them")),
    };
    if let Data::Hash(fields) = data {
        deletion::fill(server.port, fields)?;
    }
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let write = |number| {
            let (port, pipeline, traffic) = (server.port, scenario.pipeline, &traffic);
            scope.spawn(move || overwrite(port, (number, data, pipeline), traffic))
        };
        let writers: Vec<_> = (0..data.writers()).map(write).collect();
        let figures = measure(server, data, &traffic);
        traffic.is_over.store(true, Relaxed);
        for writer in writers {
            writer.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        figures
    })
}

fn measure(server: &Server, data: Data, traffic: &Traffic) -> Result<(Figures, Figures)> {
    let end = Instant::now() + BEFORE;
    let before = watch((server, data), traffic, &mut || Ok(Instant::now() < end))?;
    let mut control = Connection::open(server.port)?;
    let reply = control.call(&[b"BGSAVE"])?;
    ensure!(reply.starts_with("Background saving"), "BGSAVE: {reply:?}");
    let started = Instant::now();
    let mut is_saving = || {
        let info = control.call(&[b"INFO", b"persistence"])?;
        Ok(info.contains("rdb_bgsave_in_progress:1"))
    };
    let mut during = watch((server, data), traffic, &mut is_saving)?;
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
    (server, data): (&Server, Data),
    traffic: &Traffic,
    more: &mut dyn FnMut() -> Result<bool>,
) -> Result<Figures> {
    let (start, first) = (Instant::now(), traffic.written.load(Relaxed));
    let probe = |more: &dyn Fn() -> bool| data.probe(server, more);
    let (mut figures, most) = beside(probe, || most_memory(server, more))?;
    let written = traffic.written.load(Relaxed) - first;
    let elapsed = start.elapsed().as_secs_f64();
    figures.put(Metric::Throughput, written as f64 / elapsed);
    figures.put(Metric::Rss, most);
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

/// Overwrites a writer's share, again and again.
pub fn overwrite(
    port: u16,
    (number, data, pipeline): (u64, Data, u32),
    traffic: &Traffic,
) -> Result<()> {
    let mut connection = Connection::open(port)?;
    let (mut requests, mut key, mut turn) = (Vec::new(), number, 0u8);
    while !traffic.is_over.load(Relaxed) {
        requests.clear();
        for _ in 0..pipeline {
            data.push(&mut requests, key, turn);
            key += data.writers();
            if key >= data.size() {
                (key, turn) = (number, turn.wrapping_add(1));
            }
        }
        connection.send(&requests)?;
        for _ in 0..pipeline {
            let reply = connection.reply().context("while overwriting")?;
            ensure!(reply == "OK" || reply == "0", "the write answers {reply:?}");
        }
        traffic.written.fetch_add(pipeline.into(), Relaxed);
    }
    Ok(())
}

/// A value with pieces that repeat themselves and pieces that do not.
pub fn value_of(number: u64, letter: u8, bytes: usize) -> Vec<u8> {
    let mut value = vec![letter; bytes];
    let digits = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for piece in value.chunks_mut(2 * digits.len()) {
        let len = piece.len().min(digits.len());
        piece[..len].copy_from_slice(&digits.as_bytes()[..len]);
    }
    value
}
