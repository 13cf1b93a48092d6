//! A snapshot holds exactly what there was at the cut, whatever happens while it is taken.
//!
//! A whole node in this process, its messages delivered in an order drawn from a seed: random
//! writes, expiries, renames, flushes and swaps between the steps of the walk, each step a table
//! line or a few elements. What was written, as RDB or as commands, is loaded and has to have the
//! digest of the cut.

use super::support::prng::Prng;
use ringshard::base::clock::Millis;
use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::config::{Config, Startup};
use ringshard::keyspace::{ShardId, Size, Step};
use ringshard::persistence::snapshot::{Chunk, Format, Lane, Request, Sink, Style};
use ringshard::persistence::{Batch, Fed, Loader, Rules};
use ringshard::rdb::{Output, crc64};
use std::ffi::OsString;
use std::sync::mpsc::{Sender, channel};

/// What sinks have got: whole entries, and longs by their shards.
enum Got {
    Entries(Vec<u8>),
    Long(usize, Vec<u8>),
    End(bool),
}

struct Memory {
    shard: usize,
    style: Style,
    got: Sender<Got>,
}

impl Sink for Memory {
    fn begin(&mut self, _: Size) {}

    fn put(&mut self, lane: Lane, chunk: Chunk) {
        let bytes = chunk.into_bytes(self.style);
        let got = match lane {
            Lane::Entries => Got::Entries(bytes),
            Lane::Longs => Got::Long(self.shard, bytes),
        };
        self.got.send(got).unwrap();
    }

    fn is_full(&self) -> bool {
        false
    }

    fn is_awaited(&self) -> bool {
        false
    }

    fn is_broken(&self) -> bool {
        false
    }

    fn advance(&mut self, _: u64) {}

    fn end(self: Box<Self>, is_whole: bool) {
        self.got.send(Got::End(is_whole)).unwrap();
    }
}

fn node(shards: usize, seed: u64) -> LocalNode {
    let words = [
        "--shards",
        &shards.to_string(),
        "--enable-debug-command",
        "yes",
        "--hash-max-listpack-entries",
        "8",
        "--zset-max-listpack-entries",
        "8",
        "--set-max-listpack-entries",
        "8",
        "--set-max-intset-entries",
        "8",
        "--list-max-listpack-size",
        "4",
        "--stream-node-max-entries",
        "4",
    ];
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    match Config::load(&words) {
        Ok(Startup::Run { loaded, .. }) => LocalNode::with_config(loaded.config, seed),
        other => panic!("{other:?}"),
    }
}

/// A random command on few keys, so that large values grow, shrink and go.
fn command(random: &mut Prng) -> String {
    let kind = random.below(6);
    let key = format!(
        "{}{}",
        ["s", "h", "e", "z", "l", "x"][kind],
        random.below(4)
    );
    let other = format!(
        "{}{}",
        ["s", "h", "e", "z", "l", "x"][kind],
        random.below(4)
    );
    let (n, m) = (random.below(60), random.below(60));
    let line = match (kind, random.below(5)) {
        (0, 0) => format!("SET {key} {}", "value".repeat(n)),
        (0, 1) => format!("APPEND {key} {n}"),
        (0, 2) => format!("SETRANGE {key} {n} {m}"),
        (0, _) => format!("SET {key} {n}"),
        (1, 0) => format!("HDEL {key} f{n}"),
        (1, 1) => format!("HPEXPIRE {key} {} FIELDS 1 f{n}", 1 + m),
        (1, _) => format!("HSET {key} f{n} {m} f{m} {n}"),
        (2, 0) => format!("SREM {key} m{n} m{m}"),
        (2, 1) => format!("SPOP {key}"),
        (2, 2) => format!("SUNIONSTORE {key} {other}"),
        (2, _) => format!("SADD {key} m{n} m{m}"),
        (3, 0) => format!("ZREM {key} m{n}"),
        (3, 1) => format!("ZPOPMIN {key}"),
        (3, _) => format!("ZADD {key} {m} m{n}"),
        (4, 0) => format!("LPOP {key}"),
        (4, 1) => format!("LSET {key} 3 changed{n}"),
        (4, 2) => format!("LINSERT {key} BEFORE e{n} {m}"),
        (4, _) => format!("RPUSH {key} e{n} e{m}"),
        (_, 0) => format!("XTRIM {key} MAXLEN {n}"),
        (_, 1) => format!("XDEL {key} {n}-1"),
        _ => format!("XADD {key} * f {n}"),
    };
    match random.below(40) {
        0 => format!("DEL {key}"),
        1 => format!("RENAME {key} {other}"),
        2 => format!("COPY {key} {other} REPLACE"),
        3 => format!("MOVE {key} 1"),
        4 => format!("PEXPIRE {key} {}", 1 + m),
        5 => format!("UNLINK {key}"),
        6 => format!("PERSIST {key}"),
        _ => line,
    }
}

fn rare(random: &mut Prng) -> Option<&'static str> {
    let all = ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SELECT 1", "SELECT 0"];
    random.percent(2).then(|| *random.pick(&all))
}

struct Case {
    node: LocalNode,
    client: LocalClient,
    random: Prng,
}

impl Case {
    fn write(&mut self, commands: usize) {
        for _ in 0..commands {
            let line = match rare(&mut self.random) {
                Some(line) => line.to_owned(),
                None => command(&mut self.random),
            };
            self.node
                .talk(self.client, format!("{line}\r\n").as_bytes());
            if self.random.percent(20) {
                self.node.clock.advance_millis(self.random.below(20) as i64);
            }
        }
    }

    fn digest(&mut self) -> Vec<u8> {
        self.node.talk(self.client, b"DEBUG DIGEST\r\n")
    }

    /// Takes a snapshot and writes on meanwhile; what has come of it, entries before longs.
    fn snapshot(&mut self, format: Format) -> Vec<u8> {
        let (got, receiver) = channel();
        let style = Style {
            format,
            long_min: 12,
            ..Style::default()
        };
        let request = Request {
            style,
            sink: Box::new(move |shard: ShardId| {
                let (shard, got) = (shard.0.into(), got.clone());
                Box::new(Memory { shard, style, got })
            }),
        };
        assert!(self.node.node.desk.claim());
        self.node.cores[0].begin_turn();
        self.node.cores[0].begin_marked_cut(request, channel().0);
        // With the turn of a client on that core the messages leave.
        self.node.talk(self.client, b"PING\r\n");
        let shards = self.node.cores.len();
        let mut left = shards;
        while left > 0 {
            let shard = self.random.below(shards);
            let step = self.node.cores[shard].shard.space.snapshot_step(1);
            left -= usize::from(step == Step::Ended);
            let commands = self.random.below(3);
            self.write(commands);
        }
        self.node.node.desk.release();
        let mut out = Vec::new();
        let (mut longs, mut ends) = (vec![Vec::new(); shards], 0);
        for got in receiver.try_iter() {
            match got {
                Got::Entries(bytes) => out.extend(bytes),
                Got::Long(shard, bytes) => longs[shard].extend(bytes),
                Got::End(is_whole) => {
                    assert!(is_whole);
                    ends += 1;
                }
            }
        }
        assert_eq!(ends, shards);
        out.extend(longs.into_iter().flatten());
        out
    }
}

/// A file of these entries.
fn file(entries: &[u8]) -> Vec<u8> {
    let mut out = Output::new(true);
    out.magic();
    out.raw(entries);
    out.end();
    let sum = crc64(&out.bytes);
    out.raw(&sum.to_le_bytes());
    out.bytes
}

#[test]
fn a_snapshot_is_the_dataset_at_the_cut() {
    for seed in 0..80 {
        let shards = [1, 2, 3, 7][seed as usize % 4];
        let mut busy = node(shards, seed);
        let client = busy.connect(0);
        let random = Prng::new(seed * 7919 + 1);
        let mut case = Case {
            node: busy,
            client,
            random,
        };
        case.write(600);
        for round in 0..3 {
            let (expected, at) = (case.digest(), case.node.clock.clock().millis());
            let format = [Format::Rdb, Format::Commands][(seed as usize / 4 + round) % 2];
            let written = case.snapshot(format);
            let mut fresh = node(2, 1);
            let client = fresh.connect(0);
            if format == Format::Commands {
                // Nothing has expired by then, as while a log is loaded.
                fresh.talk(client, &written);
            }
            fresh.clock.turn_to(at);
            if format == Format::Rdb {
                load(&mut fresh, &file(&written), at);
            }
            fresh.talk(client, b"SELECT 0\r\n");
            let digest = fresh.talk(client, b"DEBUG DIGEST\r\n");
            assert_eq!(
                digest, expected,
                "seed {seed}, round {round}, {shards} shards, {format:?}"
            );
        }
    }
}

fn load(node: &mut LocalNode, file: &[u8], at: Millis) {
    let rules = Rules {
        expired_by_ms: Some(at.0),
        ..node.node.load_rules()
    };
    let mut loader = Loader::new(rules);
    let cores = &mut node.cores;
    let mut deliver = |shard: ShardId, batch: Batch| {
        let core = &mut cores[usize::from(shard.0)];
        core.begin_turn();
        batch.install(&mut core.shard.space).map(drop)
    };
    let fed = loader
        .feed(file, &mut deliver)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fed, Fed::Ended(Vec::new()));
}
