//! The merge under random histories: whatever order the parts arrive in, what comes out is one of
//! the serial orders that the locks allow.
//!
//! The histories are made by rules, not by shards: see `tests/journal.rs` for those.

use super::*;
use crate::base::prng::Prng;
use crate::command::ArgStore;
use crate::keyspace::{DbIndex, ShardId};
use crate::shard::{Effects, Place};
use crate::shard::{Journal, Point};
use std::collections::{BTreeMap, VecDeque};

/// Shards as far as a journal is concerned: effects that are told what to say.
struct Shards(Vec<Effects>);

impl Shards {
    fn new(count: usize) -> Shards {
        let recording = || {
            let mut effects = Effects::default();
            effects.record(true);
            effects
        };
        Shards((0..count).map(|_| recording()).collect())
    }

    /// A shard appends to a key of its own, alone or as its part of a point.
    fn append(&mut self, shard: usize, db: u32, keys: &[String], point: Option<(Point, u64)>) {
        let effects = &mut self.0[shard];
        effects.begin_group(0);
        let value = point.map_or(0, |(point, _)| point.serial);
        for key in keys {
            let value = value.to_string();
            let words = ["APPEND", key, &value].map(str::as_bytes);
            effects.instead(DbIndex(db), words);
        }
        match point {
            None => effects.end_group(),
            Some((point, _)) => effects.end_part(Place {
                point,
                stage: 0,
                is_last: true,
            }),
        }
    }

    fn take(&mut self, shard: usize) -> Journal {
        self.0[shard].take_journal()
    }
}

fn merged(journals: &[(u16, Journal)], shards: usize) -> String {
    let (mut merge, mut out) = (Merge::new(shards), Stream::default());
    for (number, (shard, journal)) in (1..).zip(journals) {
        merge.push(ShardId(*shard), number, journal, &mut out);
    }
    assert_eq!((merge.bytes(), merge.oldest()), (0, None));
    assert!(merge.points.is_empty());
    words(&out.bytes)
}

/// A stream with one command a line.
fn words(bytes: &[u8]) -> String {
    let (mut at, mut spans, mut text) = (0, Vec::new(), String::new());
    let limits = crate::resp::Limits {
        bulk_max: 1 << 20,
        is_trusted: true,
    };
    while at < bytes.len() {
        spans.clear();
        let crate::resp::Parsed::Request(next) = crate::resp::parse(bytes, at, &mut spans, limits)
        else {
            panic!("a stream consists of requests");
        };
        let store = ArgStore::of(crate::command::Args::new(bytes, &spans, &[]));
        let all: Vec<_> = store.args().from(0).map(String::from_utf8_lossy).collect();
        text += &all.join(" ");
        text.push('\n');
        at = next;
    }
    text
}

fn point(serial: u64, parts: u16) -> Option<(Point, u64)> {
    Some((Point { serial, parts }, 0))
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_string()).collect()
}

#[test]
fn what_is_alone_goes_out_at_once_and_groups_are_transactions() {
    let mut shards = Shards::new(1);
    shards.append(0, 0, &keys(&["a"]), None);
    shards.append(0, 3, &keys(&["b", "c"]), None);
    let out = merged(&[(0, shards.take(0))], 1);
    let expected = "SELECT 0\nAPPEND a 0\nSELECT 3\nMULTI\nAPPEND b 0\nAPPEND c 0\nEXEC\n";
    assert_eq!(out, expected);
}

#[test]
fn points_that_cross_go_out_one_after_the_other() {
    let mut shards = Shards::new(2);
    shards.append(0, 0, &keys(&["x"]), point(9, 2));
    shards.append(0, 0, &keys(&["a"]), None);
    shards.append(0, 0, &keys(&["p"]), point(7, 2));
    shards.append(1, 0, &keys(&["q"]), point(7, 2));
    shards.append(1, 0, &keys(&["y"]), point(9, 2));
    let expected = "SELECT 0\nMULTI\nAPPEND p 7\nAPPEND q 7\nEXEC\n\
                    MULTI\nAPPEND x 9\nAPPEND y 9\nEXEC\nAPPEND a 0\n";
    let (one, other) = (shards.take(0), shards.take(1));
    assert_eq!(merged(&[(0, one.clone()), (1, other.clone())], 2), expected);
    assert_eq!(merged(&[(1, other), (0, one)], 2), expected);
}

#[test]
fn empty_parts_are_waited_for_and_leave_no_trace() {
    let mut shards = Shards::new(2);
    shards.append(0, 0, &[], point(1, 2));
    shards.append(0, 0, &keys(&["a"]), None);
    let (mut merge, mut out) = (Merge::new(2), Stream::default());
    merge.push(ShardId(0), 1, &shards.take(0), &mut out);
    assert!(out.bytes.is_empty());
    assert_eq!(merge.oldest(), Some(1));
    shards.append(1, 0, &keys(&["b"]), point(1, 2));
    merge.push(ShardId(1), 2, &shards.take(1), &mut out);
    assert_eq!(words(&out.bytes), "SELECT 0\nAPPEND b 1\nAPPEND a 0\n");
    assert_eq!(merge.oldest(), None);
}

#[test]
fn whole_databases_separate_what_comes_before_from_what_comes_behind() {
    let mut shards = Shards::new(2);
    for (shard, before, behind) in [(0, "a", "c"), (1, "b", "d")] {
        let effects = &mut shards.0[shard];
        let place = |stage, is_last| Place {
            point: Point {
                serial: 1,
                parts: 2,
            },
            stage,
            is_last,
        };
        effects.begin_group(0);
        effects.instead(DbIndex(0), [&b"INCR"[..], before.as_bytes()]);
        effects.changed_databases();
        effects.close_as(DbIndex(0), &["FLUSHALL"]);
        effects.instead(DbIndex(0), [&b"INCR"[..], behind.as_bytes()]);
        effects.end_part(place(0, false));
        effects.begin_group(1);
        if shard == 1 {
            effects.instead(DbIndex(0), [&b"RENAME"[..], b"c", b"e"]);
        }
        effects.cut(5);
        effects.end_part(place(1, true));
    }
    let (one, other) = (shards.take(0), shards.take(1));
    let (mut merge, mut out) = (Merge::new(2), Stream::default());
    merge.push(ShardId(1), 1, &other, &mut out);
    merge.push(ShardId(0), 2, &one, &mut out);
    let expected = "SELECT 0\nMULTI\nINCR a\nINCR b\nFLUSHALL\nINCR c\nINCR d\nRENAME c e\nEXEC\n";
    assert_eq!(words(&out.bytes), expected);
    assert_eq!(out.cuts, [(out.bytes.len(), 5)]);
}

/// An operation: its number, and what is left to be said where.
type Running = (Point, Vec<(usize, Vec<String>)>);

/// A history of commands and operations under locks, as shards could have run it: each operation
/// locks its keys on each of its shards, draws its number when it has all, and lets go of one
/// shard after the other, while others go on.
struct History {
    random: Prng,
    shards: Shards,
    locked: BTreeMap<String, u64>,
    /// Operations that hold locks.
    running: Vec<Running>,
    serial: u64,
    /// Which numbers each key saw, in order, 0 for single commands.
    seen: BTreeMap<String, String>,
    journals: Vec<Vec<Journal>>,
}

const SHARDS: usize = 4;

impl History {
    fn new(seed: u64) -> History {
        History {
            random: Prng::from_seed(seed),
            shards: Shards::new(SHARDS),
            locked: BTreeMap::new(),
            running: Vec::new(),
            serial: 0,
            seen: BTreeMap::new(),
            journals: (0..SHARDS).map(|_| Vec::new()).collect(),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit as u64) as usize
    }

    fn free_key(&mut self, shard: usize) -> Option<String> {
        let key = format!("{shard}:{}", self.below(5));
        (!self.locked.contains_key(&key)).then_some(key)
    }

    fn say(&mut self, shard: usize, keys: &[String], point: Option<Point>) {
        let serial = point.map_or(0, |point| point.serial);
        for key in keys {
            *self.seen.entry(key.clone()).or_default() += &serial.to_string();
        }
        self.shards
            .append(shard, 0, keys, point.map(|point| (point, 0)));
    }

    fn step(&mut self) {
        let shard = self.below(SHARDS);
        match self.below(10) {
            0..4 => {
                if let Some(key) = self.free_key(shard) {
                    self.say(shard, &[key], None);
                }
            }
            4..7 => self.begin(),
            _ if self.running.is_empty() => {}
            _ => {
                let which = self.below(self.running.len());
                self.release(which);
            }
        }
        if self.below(8) == 0 {
            let journal = self.shards.take(shard);
            self.journals[shard].push(journal);
        }
    }

    fn begin(&mut self) {
        let mut parts = Vec::new();
        for shard in 0..SHARDS {
            if self.below(2) == 0 {
                let key = self.free_key(shard);
                parts.push((shard, key.into_iter().collect::<Vec<_>>()));
            }
        }
        if parts.is_empty() {
            return;
        }
        self.serial += 1;
        let (serial, count) = (self.serial, parts.len() as u16);
        let locked = parts.iter().flat_map(|(_, keys)| keys.clone());
        self.locked.extend(locked.map(|key| (key, serial)));
        let parts_of_point = Point {
            serial,
            parts: count,
        };
        self.running.push((parts_of_point, parts));
    }

    fn release(&mut self, which: usize) {
        let point = self.running[which].0;
        let left = self.running[which].1.len();
        let at = self.below(left);
        let (shard, keys) = self.running[which].1.remove(at);
        self.say(shard, &keys, Some(point));
        self.locked.retain(|key, _| !keys.contains(key));
        if left == 1 {
            self.running.swap_remove(which);
        }
    }

    fn end(&mut self) {
        while !self.running.is_empty() {
            self.release(0);
        }
        for shard in 0..SHARDS {
            let journal = self.shards.take(shard);
            self.journals[shard].push(journal);
        }
    }
}

/// Replays a merged stream: what each key saw. Points have to be whole and single.
fn replay(text: &str, seen: &mut BTreeMap<String, String>) {
    let mut ended = std::collections::BTreeSet::new();
    let mut is_open = false;
    let mut inside = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["MULTI"] => is_open = true,
            ["APPEND", key, value] => {
                *seen.entry(key.to_string()).or_default() += value;
                inside.push(value.to_string());
            }
            ["EXEC"] => is_open = false,
            _ => assert_eq!(words[0], "SELECT"),
        }
        if !is_open {
            inside.dedup();
            assert!(inside.len() <= 1, "one point at a time: {inside:?}");
            let serial = inside.pop().filter(|value| value != "0");
            assert!(
                serial.is_none_or(|serial| ended.insert(serial)),
                "a point is whole"
            );
        }
    }
}

#[test]
fn any_arrival_order_gives_an_order_that_the_locks_allow() {
    for seed in 0..600 {
        let mut history = History::new(seed);
        for _ in 0..200 {
            history.step();
        }
        history.end();
        for arrival in 0..3 {
            let mut random = Prng::from_seed(seed * 7 + arrival);
            let mut journals: Vec<VecDeque<Journal>> = history
                .journals
                .iter()
                .cloned()
                .map(VecDeque::from)
                .collect();
            let (mut merge, mut out) = (Merge::new(SHARDS), Stream::default());
            let mut delivery = 0;
            while journals.iter().any(|queue| !queue.is_empty()) {
                let shard = random.below(SHARDS as u64) as usize;
                if let Some(journal) = journals[shard].pop_front() {
                    delivery += 1;
                    merge.push(ShardId(shard as u16), delivery, &journal, &mut out);
                }
            }
            assert_eq!(merge.oldest(), None, "seed {seed}: something is stuck");
            assert_eq!(merge.bytes(), 0, "seed {seed}");
            let mut seen = BTreeMap::new();
            replay(&words(&out.bytes), &mut seen);
            assert_eq!(seen, history.seen, "seed {seed}");
        }
    }
}
