//! Seed-driven fuzzers inside one process: bytes in, no panic, and no memory that was not paid for.
//!
//! Each is a row in `FUZZERS`: a name, and a function that makes an input from a seed, gives it to
//! the code under test, and says how long the input was. After each execution the bytes that were
//! allocated meanwhile must not exceed 64 times the input and a mebibyte.
//!
//! `FUZZ_RUNS=1000000 cargo test --release --test fuzzers -- --nocapture` is the long run;
//! `FUZZ=<name> FUZZ_SEED=<seed> FUZZ_RUNS=1` repeats one execution.
#![allow(clippy::unwrap_used)]

#[path = "fuzzers/commands.rs"]
mod commands;
#[path = "fuzzers/log.rs"]
mod log;
#[allow(dead_code)]
#[path = "interchange/old.rs"]
mod old;
#[path = "fuzzers/payload.rs"]
mod payload;
mod support;

use ringshard::base::{alloc, glob, number};
use ringshard::commands::local::LocalNode;
use ringshard::config::Config;
use std::ffi::OsString;
use std::io::Write;
use support::client::encode;
use support::prng::{Prng, seed_from};

#[global_allocator]
static ALLOCATOR: alloc::Jemalloc = alloc::Jemalloc;

/// Runs one execution; the length of its input in bytes.
type Fuzzer = Box<dyn FnMut(&mut Prng) -> usize>;

/// Name, maker, and how many clients take the input in one execution: each has a mebibyte.
type Row = (&'static str, fn() -> Fuzzer, u64);

const FUZZERS: &[Row] = &[
    ("resp", resp, 2),
    ("config", config, 1),
    ("glob", glob_matcher, 1),
    ("numbers", numbers, 1),
    ("restore", payload::restore, 2),
    ("rdb-file", payload::file, 1),
    ("aof", log::aof, 1),
    ("aof-manifest", log::manifest, 1),
    // Each of three shards takes a table of its own.
    ("rdb-loader", payload::loader, 3),
    // One client each of RESP2 and RESP3.
    ("scores", commands::scores, 2),
    ("stream-ids", commands::stream_ids, 2),
    ("bitfield", commands::bitfields, 2),
    ("geo", commands::geo, 2),
    ("sort", commands::sort, 2),
    ("lists-hashes-sets", commands::collections, 2),
];

const DEFAULT_RUNS: u64 = 3_000;

#[test]
fn nothing_panics_and_nothing_is_taken_on_credit() {
    let chosen = std::env::var("FUZZ").unwrap_or_default();
    let runs = std::env::var("FUZZ_RUNS").map_or(DEFAULT_RUNS, |runs| runs.parse().unwrap());
    let first = seed_from("FUZZ_SEED");
    for (name, make, clients) in FUZZERS.iter().filter(|row| row.0.contains(&chosen)) {
        run((name, *clients), make(), first, runs);
    }
}

fn run(row: (&str, u64), mut fuzzer: Fuzzer, first: u64, runs: u64) {
    let (name, clients) = row;
    let mut worst = 0;
    for number in 0..runs {
        if number % (runs / 10).max(1) == 0 {
            println!("{name}: {number} of {runs}, from FUZZ_SEED={first}");
        }
        let seed = first.wrapping_add(number);
        let before = alloc::thread_allocated_bytes().allocated;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            fuzzer(&mut Prng::new(seed))
        }));
        let taken = alloc::thread_allocated_bytes().allocated - before;
        let input = outcome.unwrap_or_else(|_| panic!("FUZZ={name} FUZZ_SEED={seed} FUZZ_RUNS=1"));
        worst = worst.max(taken);
        let limit = clients * (64 * input as u64 + (1 << 20));
        assert!(
            taken <= limit,
            "{taken} bytes for an input of {input}: FUZZ={name} FUZZ_SEED={seed} FUZZ_RUNS=1"
        );
    }
    println!("{name}: {runs} executions, at most {worst} bytes allocated in one");
}

/// Bytes of which most mean something to a parser.
fn noise(prng: &mut Prng, marks: &[u8], len: usize) -> Vec<u8> {
    let byte = |prng: &mut Prng| match prng.percent(70) {
        true => *prng.pick(marks),
        false => prng.next() as u8,
    };
    (0..prng.below(len)).map(|_| byte(prng)).collect()
}

/// Requests, good and bad, at once and cut at random points: the answers are the same.
fn resp() -> Fuzzer {
    let mut node = LocalNode::new(1, 1);
    let warden = node.connect(0);
    Box::new(move |prng| {
        let mut bytes = Vec::new();
        for _ in 0..1 + prng.below(4) {
            let word = noise(prng, b"ab\r\n$*", 40);
            match prng.below(6) {
                0 => bytes.extend(noise(prng, b"*$\r\n0123456789-+:\"' \\x", 40)),
                1 => bytes.extend(b"PING \"a b\"\r\n"),
                2 => bytes.extend(format!("*{}\r\n${}\r\n", odd(prng), odd(prng)).bytes()),
                3 => encode(&["PING"], &mut bytes),
                _ => encode(&[&b"ECHO"[..], &word], &mut bytes),
            }
        }
        if prng.percent(40) && !bytes.is_empty() {
            let at = prng.below(bytes.len());
            bytes[at] = prng.next() as u8;
        }
        let client = node.connect(0);
        let whole = node.talk(client, &bytes);
        node.talk(warden, b"CLIENT KILL TYPE normal\r\n");
        let client = node.connect(0);
        let (mut cut, mut rest) = (Vec::new(), bytes.as_slice());
        while !rest.is_empty() && node.is_open(client) {
            let (piece, tail) = rest.split_at(rest.len().min(1 + prng.below(30)));
            cut.extend(node.talk(client, piece));
            rest = tail;
        }
        node.talk(warden, b"CLIENT KILL TYPE normal\r\n");
        assert_eq!(cut, whole, "{}", bytes.escape_ascii());
        bytes.len()
    })
}

/// Numbers at the edges of what is allowed.
fn odd(prng: &mut Prng) -> &'static str {
    const ODD: &[&str] = &[
        "-1",
        "0",
        "1",
        "2",
        "5",
        "1024",
        "1048577",
        "536870912",
        "536870913",
        "2147483648",
        "9223372036854775807",
        "18446744073709551616",
        "+3",
        "03",
        "",
    ];
    prng.pick::<&str>(ODD)
}

/// Texts of a configuration file, of directives and noise.
fn config() -> Fuzzer {
    // Should a file be made all the same, it is made here.
    std::env::set_current_dir(std::env::temp_dir()).unwrap();
    let path = std::env::temp_dir().join(format!("ringshard-fuzz-{}.conf", std::process::id()));
    let stock = include_str!("../conf/redis.conf");
    let lines: Vec<&'static str> = stock
        .lines()
        .map(|line| line.trim_start_matches("# "))
        // A configuration with a log file makes it; one that includes reads what it names.
        .filter(|line| !line.starts_with("include") && !line.starts_with("logfile"))
        .filter(|line| line.split(' ').count() < 6)
        .collect();
    Box::new(move |prng| {
        let mut text = Vec::new();
        for _ in 0..prng.below(12) {
            let mut line = prng.pick(&lines).as_bytes().to_vec();
            if prng.percent(50) && !line.is_empty() {
                let at = prng.below(line.len());
                line.splice(at.., noise(prng, b"\"'\\ x0123456789kmgb%-", 12));
            }
            // A path that exists would be read.
            if !line
                .to_ascii_lowercase()
                .windows(7)
                .any(|word| word == b"include")
            {
                text.extend(line);
            }
            text.push(b'\n');
        }
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&text).unwrap();
        drop(file);
        // An error is as good as a configuration; a panic is not.
        drop(Config::load(&[OsString::from(&path)]));
        text.len() + stock.len()
    })
}

/// Patterns with all their signs, against texts; no pattern takes long.
fn glob_matcher() -> Fuzzer {
    Box::new(|prng| {
        let pattern = noise(prng, b"*?[]^-\\ab*", 60);
        let text = noise(prng, b"ab-", 200);
        let start = std::time::Instant::now();
        glob::matches(&pattern, &text, prng.percent(50));
        let took = start.elapsed();
        assert!(
            took.as_millis() < 500,
            "{took:?}: {}",
            pattern.escape_ascii()
        );
        // Without signs a pattern means itself.
        let plain: Vec<u8> = text
            .iter()
            .copied()
            .filter(u8::is_ascii_alphabetic)
            .collect();
        assert!(glob::matches(&plain, &plain, false));
        pattern.len() + text.len()
    })
}

/// Texts that are numbers, or nearly; what is read is written the same way.
fn numbers() -> Fuzzer {
    Box::new(|prng| {
        let text = match prng.below(3) {
            0 => noise(prng, b"0123456789+-.einfaxX ", 30),
            1 => (prng.next() as i64 >> prng.below(64))
                .to_string()
                .into_bytes(),
            _ => f64::from_bits(prng.next()).to_string().into_bytes(),
        };
        if let Some(integer) = number::parse_i64(&text) {
            assert_eq!(integer.to_string().as_bytes(), text);
        }
        if let Some(float) = number::parse_f64(&text) {
            let mut buffer = [0; number::F64_TEXT_MAX];
            let written = number::format_f64(&mut buffer, float);
            let again = number::parse_f64(written);
            assert_eq!(again, Some(float), "{}", text.escape_ascii());
        }
        let _ = ringshard::base::long_double::LongDouble::parse(&text);
        text.len()
    })
}

#[test]
fn canary_a_panic_and_a_loan_are_noticed() {
    let caught = |fuzzer: Fuzzer| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(("canary", 1), fuzzer, 1, 1)
        }))
        .is_err()
    };
    assert!(caught(Box::new(|_| panic!("planted"))));
    assert!(caught(Box::new(|_| {
        drop(std::hint::black_box(vec![1u8; 2 << 20]));
        10
    })));
}
