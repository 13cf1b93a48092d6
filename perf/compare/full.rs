//! A server at its memory limit: does it keep to it, and what does its policy keep?
//!
//! Readers ask for keys by a Zipf distribution and store what is not there, as a cache is used;
//! beside that a part of the commands writes collections, deletes and stores big values. Meanwhile
//! a watcher asks for `used_memory` again and again. What clients have on their way counts, and a
//! full server can neither keep them from asking nor leave reads without replies; so the watcher
//! also tells how far above the limit the server is without that. The hit rate is that of the
//! second half, when the server has long been full. It does not depend on how fast the machine is,
//! so nobody has to keep quiet.

use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric};
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::{Connection, field_of, push_request};
use crate::support::zipf::{Random, Zipf};
use anyhow::{Context, Result, anyhow, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How uneven readers are: the usual figure of benchmarks of caches.
const SKEW: f64 = 0.99;
/// Connections that load, and how many commands each has on its way.
const READERS: u64 = 4;
const BATCH: usize = 32;
/// How many commands of the mixed part follow a batch of reads.
const MIXED: usize = 4;
/// Values are up to so many bytes; one in a thousand of the mixed part is big.
const VALUE_MAX: u64 = 800;
const BIG_BYTES: usize = 60_000;
const WATCH_INTERVAL: Duration = Duration::from_millis(2);

/// What a reader saw.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    reads: u64,
    hits: u64,
    commands: u64,
    refused: u64,
}

/// What the watcher saw.
#[derive(Clone, Copy, Debug, Default)]
struct Peaks {
    above_limit: f64,
    kept_above_limit: f64,
    rss: f64,
}

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let peers = rig.peers(scenario)?;
    let bar = progress(peers.len() * scenario.rounds);
    let mut rounds: Vec<_> = peers.into_iter().map(|peer| (peer, Vec::new())).collect();
    for _ in 0..scenario.rounds {
        for (peer, rounds) in &mut rounds {
            let server = rig.start(*peer, scenario, &bar)?;
            bar.set_message(format!("{}: {}", scenario.name, peer.label()));
            rounds.push(run(&server, scenario).with_context(|| server.last_words())?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let outcomes = rounds
        .iter()
        .map(|(peer, rounds)| crate::growth::worst_of(&peer.label(), rounds));
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes.collect(),
    })
}

fn run(server: &Server, scenario: &Scenario) -> Result<Figures> {
    let seconds = scenario.seconds.expect("a checked scenario has seconds");
    let keys = scenario.keys.expect("a checked scenario has a number");
    let (zipf, watching) = (Zipf::new(keys, SKEW), AtomicBool::new(true));
    let before = server.cpu()?;
    let start = Instant::now();
    let (seen, peaks) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(server, || watching.load(Ordering::Relaxed)));
        let readers: Vec<_> = (0..READERS)
            .map(|seed| scope.spawn(move || Reader::new(server.port, zipf, seed)?.run(seconds)))
            .collect();
        let seen: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        watching.store(false, Ordering::Relaxed);
        (seen, watcher.join())
    });
    let elapsed = start.elapsed().as_secs_f64();
    let spent = before.until(&server.cpu()?);
    let mut all = Seen::default();
    for seen in seen {
        let seen = seen.map_err(|_| anyhow!("a reader panicked"))??;
        all.reads += seen.reads;
        all.hits += seen.hits;
        all.commands += seen.commands;
        all.refused += seen.refused;
    }
    let peaks = peaks.map_err(|_| anyhow!("the watcher panicked"))??;
    ensure!(all.reads > 0, "nobody read anything");
    let percent = |part: f64, whole: f64| part * 100.0 / whole;
    let mut figures = Figures::default();
    figures
        .put(Metric::Throughput, all.commands as f64 / elapsed)
        .put(Metric::CpuPerOp, spent.total_us() / all.commands as f64)
        .put(Metric::HitRate, percent(all.hits as f64, all.reads as f64))
        .put(
            Metric::Refused,
            percent(all.refused as f64, all.commands as f64),
        )
        .put(Metric::AboveLimit, peaks.above_limit)
        .put(Metric::KeptAboveLimit, peaks.kept_above_limit)
        .put(Metric::RssOfLimit, percent(peaks.rss, limit(server)?));
    Ok(figures)
}

fn limit(server: &Server) -> Result<f64> {
    let limit: f64 = Connection::open(server.port)?.info(b"memory", "maxmemory")?;
    ensure!(limit > 0.0, "`server_arguments` has to set maxmemory");
    Ok(limit)
}

/// The highest of what is in use above the limit, and of resident memory. What clients take when
/// they are idle is nothing on its way.
fn watch(server: &Server, more: impl Fn() -> bool) -> Result<Peaks> {
    let limit = limit(server)?;
    let mut connection = Connection::open(server.port)?;
    let mut peaks = Peaks {
        kept_above_limit: f64::MIN,
        ..Peaks::default()
    };
    let mut idle = f64::MAX;
    while more() {
        let info = connection.call(&[b"INFO", b"memory"])?;
        let used: f64 = field_of(&info, "used_memory")?;
        let clients: f64 = field_of(&info, "mem_clients_normal")?;
        idle = idle.min(clients);
        let above = used - limit;
        peaks.above_limit = peaks.above_limit.max(above);
        peaks.kept_above_limit = peaks.kept_above_limit.max(above - (clients - idle));
        peaks.rss = peaks.rss.max(server.rss_bytes()? as f64);
        thread::sleep(WATCH_INTERVAL);
    }
    Ok(peaks)
}

/// One client of the cache.
struct Reader {
    connection: Connection,
    zipf: Zipf,
    random: Random,
    requests: Vec<u8>,
    value: Vec<u8>,
    seen: Seen,
}

impl Reader {
    fn new(port: u16, zipf: Zipf, seed: u64) -> Result<Reader> {
        Ok(Reader {
            connection: Connection::open(port)?,
            zipf,
            random: Random::from_seed(seed),
            requests: Vec::new(),
            value: vec![b'x'; BIG_BYTES],
            seen: Seen::default(),
        })
    }

    fn run(mut self, seconds: f64) -> Result<Seen> {
        let (start, seconds) = (Instant::now(), Duration::from_secs_f64(seconds));
        let mut is_warm = false;
        while start.elapsed() < seconds {
            self.step()?;
            if !is_warm && start.elapsed() > seconds / 2 {
                is_warm = true;
                (self.seen.reads, self.seen.hits) = (0, 0);
            }
        }
        Ok(self.seen)
    }

    /// Reads some keys and stores those that are not there.
    fn step(&mut self) -> Result<()> {
        let ranks: Vec<u64> = (0..BATCH)
            .map(|_| self.zipf.rank(&mut self.random))
            .collect();
        self.requests.clear();
        for rank in &ranks {
            push_request(&mut self.requests, &[b"GET", name(*rank).as_bytes()]);
        }
        self.connection.send(&self.requests)?;
        let mut missing = Vec::new();
        for rank in ranks {
            self.seen.reads += 1;
            match self.connection.reply()?.as_str() {
                "(nil)" => missing.push(rank),
                _ => self.seen.hits += 1,
            }
        }
        self.requests.clear();
        for rank in &missing {
            // A key always has the same size, so that all servers hold the same.
            let len = Random::from_seed(*rank).below(VALUE_MAX) as usize + 1;
            self.push_set(name(*rank).as_bytes(), len);
        }
        for _ in 0..MIXED {
            self.push_mixed();
        }
        let sent = missing.len() + MIXED;
        self.connection.send(&self.requests)?;
        for _ in 0..sent {
            let reply = self.connection.reply();
            let is_refused = match &reply {
                Ok(_) => false,
                Err(error) => error.to_string().contains("OOM"),
            };
            self.seen.refused += u64::from(is_refused);
            if !is_refused {
                reply?;
            }
        }
        self.seen.commands += (BATCH + sent) as u64;
        Ok(())
    }

    fn push_set(&mut self, key: &[u8], len: usize) {
        // So long that nothing expires meanwhile; volatile policies need it.
        let seconds = 1000 + self.random.below(1000);
        let seconds = seconds.to_string();
        let words = [b"SET", key, &self.value[..len], b"EX", seconds.as_bytes()];
        push_request(&mut self.requests, &words);
    }

    /// What else a server has to do.
    fn push_mixed(&mut self) {
        let key = |kind: &str, random: &mut Random| format!("{kind}:{}", random.below(2000));
        let member = format!("member:{}", self.random.below(300));
        let member = member.as_bytes();
        match self.random.below(1000) {
            0 => {
                let big = key("big", &mut self.random);
                self.push_set(big.as_bytes(), BIG_BYTES);
            }
            1..250 => {
                let hash = key("hash", &mut self.random);
                let words = [b"HSET", hash.as_bytes(), member, &self.value[..50]];
                push_request(&mut self.requests, &words);
            }
            250..500 => {
                let set = key("zset", &mut self.random);
                push_request(&mut self.requests, &[b"ZADD", set.as_bytes(), b"1", member]);
            }
            500..750 => {
                let list = key("list", &mut self.random);
                push_request(&mut self.requests, &[b"RPUSH", list.as_bytes(), member]);
            }
            _ => {
                let kind = ["hash", "zset", "list"][self.random.below(3) as usize];
                let gone = key(kind, &mut self.random);
                push_request(&mut self.requests, &[b"DEL", gone.as_bytes()]);
            }
        }
    }
}

fn name(rank: u64) -> String {
    format!("key:{rank:012}")
}
