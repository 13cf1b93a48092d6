//! The differential tester: the same random commands to Ringshard and to redis-server, and no
//! difference allowed in what they answer or what they store.
//!
//! `DIFF_COMMANDS=1000000 cargo test --release --test differential` is the long run; `DIFF_SEED=`
//! repeats one. A difference is printed with its seed, as the shortest sequence that shows it.
#![allow(clippy::unwrap_used)]

#[path = "differential/generate.rs"]
mod generate;
#[path = "differential/pair.rs"]
mod pair;
mod support;

use generate::{Command, Generator};
use pair::{Pair, typed};
use support::Setup;
use support::prng::seed_from;

const SHARDS: [usize; 3] = [1, 2, 7];
const DEFAULT_COMMANDS: usize = 60_000;
const BATCH_MAX: usize = 300;
/// How many commands lie between two comparisons of everything stored.
const STORE_INTERVAL: usize = 4_000;

#[test]
fn answers_like_redis() {
    let Some(oracle) = Setup::oracle() else {
        println!("SKIPPED: no redis-server on this machine to compare with");
        return;
    };
    let total = std::env::var("DIFF_COMMANDS").map_or(DEFAULT_COMMANDS, |n| n.parse().unwrap());
    let seed = seed_from("DIFF_SEED");
    for (index, shards) in SHARDS.into_iter().enumerate() {
        let seed = seed.wrapping_add(index as u64);
        println!(
            "{shards} shards, {} commands, DIFF_SEED={seed}",
            total / SHARDS.len()
        );
        // Small limits, so that every encoding is met, and trimming of streams finds nodes.
        let stream_entries = ["3", "10", "100"][index];
        let set = |setup: Setup| {
            setup
                .arg("enable-debug-command", "yes")
                .arg("hash-max-listpack-entries", "9")
                .arg("stream-node-max-entries", stream_entries)
        };
        let ours = set(Setup::ringshard(shards)).start();
        let oracle = set(oracle.clone()).start();
        let old = oracle
            .client()
            .call("INFO server")
            .text()
            .contains("redis_version:7.0");
        let mut pair = Pair {
            ours: ours.client(),
            oracle: oracle.client(),
            old,
        };
        compare(&mut pair, seed, total / SHARDS.len());
    }
}

fn compare(pair: &mut Pair, seed: u64, total: usize) {
    let mut generator = Generator::new(seed);
    let mut history: Vec<Command> = Vec::new();
    let mut compared = 0;
    while history.len() < total {
        let count = 1 + generator.prng.below(BATCH_MAX);
        let start = history.len();
        history.extend((0..count).map(|_| generator.step()));
        while generator.is_in_multi() {
            history.push(generator.step());
        }
        if let Some(difference) = pair.run(&history[start..]) {
            history.truncate(start + difference.at + 1);
            let text = difference.describe();
            let count = history.len();
            let shown: Vec<String> = pair.shrink(history).iter().map(typed).collect();
            panic!(
                "DIFF_SEED={seed}, command {count}:\n{}\n{text}",
                shown.join("\n")
            );
        }
        if history.len() - compared >= STORE_INTERVAL || history.len() >= total {
            compared = history.len();
            if let Some(difference) = pair.compare_stores() {
                panic!("DIFF_SEED={seed}, after {compared} commands: {difference}");
            }
        }
    }
}

/// The tester itself: a server that lies is found out, and the proof is short.
#[test]
fn a_planted_difference_is_found_and_shrunk() {
    let Some(setup) = Setup::oracle() else {
        println!("SKIPPED: no redis-server on this machine to compare with");
        return;
    };
    // Limits on the size of strings differ, so the two disagree on long ones only.
    let (liar, oracle) = (
        setup.clone().arg("proto-max-bulk-len", "1mb").start(),
        setup.start(),
    );
    let mut pair = Pair {
        ours: liar.client(),
        oracle: oracle.client(),
        old: true,
    };
    let mut history: Vec<Command> = Vec::new();
    let mut generator = Generator::new(7);
    history.extend((0..200).map(|_| generator.command()));
    let offset = (1 << 20).to_string();
    history.push(
        ["SETRANGE", "long", &offset, "x"]
            .map(|w| w.as_bytes().to_vec())
            .to_vec(),
    );
    let difference = pair.run(&history).expect("the two disagree");
    assert_eq!(difference.at, 200);
    let short = pair.shrink(history);
    assert_eq!(
        short.len(),
        1,
        "{:?}",
        short.iter().map(typed).collect::<Vec<_>>()
    );
    pair.oracle.call("SET only here");
    assert!(
        pair.compare_stores().is_some(),
        "a missing key is a difference"
    );
}
