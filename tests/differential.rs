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

use generate::grammar::{LEFT_OUT, NEWER, TEMPLATES, WIPES};
use generate::{Command, Generator, stream};
use pair::{Pair, typed};
use ringshard::commands::table;
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
    let total = commands_for(DEFAULT_COMMANDS);
    let seed = seed_from("DIFF_SEED");
    for (index, shards) in SHARDS.into_iter().enumerate() {
        let (ours, oracle) = (Setup::ringshard(shards), oracle.clone());
        let seed = seed.wrapping_add(index as u64);
        let total = total / SHARDS.len();
        println!("{shards} shards, {total} commands, DIFF_SEED={seed}");
        compare_servers(ours, oracle, index, Generator::new(seed), total);
    }
}

/// Shards are nobody's business: many answer as one does, also what 7.0 does not know, and with
/// the same encodings.
#[test]
fn answers_do_not_depend_on_shards() {
    let total = commands_for(DEFAULT_COMMANDS) / SHARDS.len();
    let seed = seed_from("DIFF_SEED");
    println!("7 shards and one, {total} commands, DIFF_SEED={seed}");
    let (many, one) = (Setup::ringshard(7), Setup::ringshard(1));
    compare_servers(many, one, 2, Generator::newer(seed), total);
}

fn commands_for(usual: usize) -> usize {
    std::env::var("DIFF_COMMANDS").map_or(usual, |number| number.parse().unwrap())
}

fn compare_servers(
    ours: Setup,
    oracle: Setup,
    index: usize,
    mut generator: Generator,
    total: usize,
) {
    // Small limits, so that every encoding is met, and trimming of streams finds nodes.
    let stream_entries = ["3", "10", "100"][index];
    let set = |setup: Setup| {
        setup
            .arg("enable-debug-command", "yes")
            // Redis looks at the time of who waits so many times a second.
            .arg("hz", "500")
            .arg("hash-max-listpack-entries", "9")
            .arg("stream-node-max-entries", stream_entries)
    };
    let (ours, oracle) = (set(ours).start(), set(oracle).start());
    let version = oracle.client().call("INFO server").text();
    let is_old = version.contains("redis_version:7.0");
    let mut pair = Pair::new(ours.client(), oracle.client(), is_old);
    compare(&mut pair, &mut generator, total);
    println!("passed over: {} commands", pair.passed_over);
    // A tester that passes most of it over would find nothing.
    assert!(pair.passed_over * 100 <= total);
}

fn compare(pair: &mut Pair, generator: &mut Generator, total: usize) {
    let seed = generator.seed;
    let mut history: Vec<Command> = Vec::new();
    let mut compared = 0;
    while history.len() < total {
        let count = 1 + generator.prng.below(BATCH_MAX);
        let start = history.len();
        history.extend((0..count).map(|_| generator.step()));
        while generator.is_in_the_middle() {
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

/// Every command comes, or is left out for a reason.
#[test]
fn every_command_is_covered() {
    let texts = TEMPLATES.iter().chain(NEWER).chain(stream::TEMPLATES);
    let texts = texts
        .map(|(_, template)| *template)
        .chain(WIPES.iter().copied());
    let texts: Vec<&str> = texts
        .chain(["MULTI", "EXEC", "DISCARD", "WATCH K"])
        .collect();
    let is_drawn = |name: &str| {
        texts.iter().any(|text| {
            let mut words = text.split(' ');
            name.split('|').all(|part| {
                let choices = words.next().unwrap_or_default().split('|');
                choices
                    .into_iter()
                    .any(|choice| choice.eq_ignore_ascii_case(part))
            })
        })
    };
    let wrong = table().commands().filter(|command| {
        let name = command.spec.name;
        // Containers come with their forms, and help is a text of the version.
        let is_form = !command.subcommands.is_empty() || name.ends_with("|help");
        let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        !is_form && is_drawn(name) == is_left_out
    });
    let wrong: Vec<&str> = wrong.map(|command| command.spec.name).collect();
    assert!(wrong.is_empty(), "neither drawn nor left out: {wrong:?}");
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
    let mut pair = Pair::new(liar.client(), oracle.client(), true);
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

/// The one thing that the tester forgives with its consequences, and no more than that.
#[test]
fn a_damaged_hyperloglog_parts_the_two() {
    let Some(oracle) = Setup::oracle() else {
        println!("SKIPPED: no redis-server on this machine to compare with");
        return;
    };
    let (ours, oracle) = (Setup::ringshard(1).start(), oracle.start());
    let mut pair = Pair::new(ours.client(), oracle.client(), true);
    let history = |lines: &[&str]| -> Vec<Command> {
        let words = |line: &&str| line.split(' ').map(|w| w.as_bytes().to_vec()).collect();
        lines.iter().map(words).collect()
    };
    let damage = ["PFADD a 2147483648", "SETBIT a 133 0"];
    let parted = history(&[damage[0], damage[1], "PFADD a 5 5 2 c", "GET a", "GET a"]);
    assert!(pair.run(&parted).is_none());
    assert_eq!(pair.passed_over, 2);
    assert!(pair.compare_stores().is_none(), "both begin anew");
    let parted = history(&[
        damage[0],
        damage[1],
        "MULTI",
        "PFADD a 5 5 2 c",
        "EXEC",
        "GET a",
    ]);
    assert!(pair.run(&parted).is_none());
    assert_eq!(pair.passed_over, 3);
    let whole = history(&[damage[0], damage[1], "PFADD a 5", "GET a"]);
    assert!(pair.run(&whole).is_none());
    assert_eq!(pair.passed_over, 3);
}
