//! Strict serializability across shards: many clients run operations on several keys at once, and
//! what they saw must be explained by one order that respects real time.
//!
//! Work comes in rounds; between rounds nobody writes and one MGET pins the state, so that each
//! round is checked by itself. The checker is tested below on histories that are wrong in the
//! classical ways. `SERIAL_SEED=` repeats the choice of operations, though not the timing.

#[path = "serializability/checker.rs"]
mod checker;
#[path = "serializability/model.rs"]
mod model;
mod support;

use checker::{Call, Verdict, check};
use model::{KEYS, Operation, Outcome, State, Value};
use std::thread;
use std::time::Instant;
use support::prng::{Prng, seed_from};
use support::{Client, Server};

const CLIENTS: usize = 12;
const ROUNDS: usize = 40;
const OPERATIONS: usize = 30;

#[test]
fn one_shard() {
    run(1);
}

#[test]
fn two_shards() {
    run(2);
}

#[test]
fn seven_shards() {
    run(7);
}

fn run(shards: usize) {
    if let Some(violation) = first_violation(shards, false) {
        panic!("{violation}");
    }
}

/// Plays all rounds; with `torn`, MGET is asked key by key, which no order explains for long.
fn first_violation(shards: usize, torn: bool) -> Option<String> {
    let seed = seed_from("SERIAL_SEED");
    println!("{shards} shards, SERIAL_SEED={seed}");
    let server = Server::ringshard(shards);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    let mut state: State = [None; KEYS];
    for round in 0..ROUNDS {
        let mut calls = play(&mut clients, seed, round, torn);
        let all: Vec<usize> = (0..KEYS).collect();
        let last = Operation::MGet(all);
        let outcome = last.perform(&mut clients[0]);
        let Outcome::Values(values) = outcome.clone() else {
            panic!("MGET gives values")
        };
        calls.push(Call {
            client: 0,
            called: u64::MAX - 1,
            returned: u64::MAX,
            operation: last,
            outcome,
        });
        match check(&calls, state) {
            Verdict::Serializable(_) => {}
            Verdict::GaveUp => panic!("SERIAL_SEED={seed}, round {round}: no verdict"),
            Verdict::Violation(order) => {
                let story = story(&calls, &order);
                return Some(format!(
                    "SERIAL_SEED={seed}, round {round} from {state:?}:\n{story}"
                ));
            }
        }
        state = values.try_into().expect("as many values as keys");
    }
    None
}

/// All clients at once, each with its own choice of operations.
fn play(clients: &mut [Client], seed: u64, round: usize, torn: bool) -> Vec<Call> {
    let epoch = Instant::now();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, client) in clients.iter_mut().enumerate() {
            let unique = round * CLIENTS + number;
            let prng = Prng::new(seed ^ ((unique as u64) << 20));
            threads.push(scope.spawn(move || {
                let mut calls = play_one(client, prng, unique, epoch, torn);
                calls.iter_mut().for_each(|call| call.client = number);
                calls
            }));
        }
        threads
            .into_iter()
            .flat_map(|t| t.join().expect("a client that lives"))
            .collect()
    })
}

/// One client's part of a round; `unique` keeps its values apart from all others.
fn play_one(
    client: &mut Client,
    mut prng: Prng,
    unique: usize,
    epoch: Instant,
    torn: bool,
) -> Vec<Call> {
    let now = || epoch.elapsed().as_nanos() as u64;
    let mut value = (unique * OPERATIONS * KEYS) as Value;
    let mut calls = Vec::new();
    for _ in 0..OPERATIONS {
        let operation = choose(&mut prng, &mut value);
        let called = now();
        let outcome = match &operation {
            Operation::MGet(keys) if torn => torn_read(keys, client),
            whole => whole.perform(client),
        };
        calls.push(Call {
            client: 0,
            called,
            returned: now(),
            operation,
            outcome,
        });
    }
    calls
}

fn torn_read(keys: &[usize], client: &mut Client) -> Outcome {
    let read = |key: &usize| match Operation::Get(*key).perform(client) {
        Outcome::Values(values) => values[0],
        other => panic!("GET gives a value, not {other:?}"),
    };
    Outcome::Values(keys.iter().map(read).collect())
}

#[test]
fn torn_reads_are_noticed() {
    let violation = first_violation(1, true).expect("reads key by key are not serializable");
    assert!(violation.contains("not explained"), "{violation}");
}

fn choose(prng: &mut Prng, value: &mut Value) -> Operation {
    let (key, other) = (prng.below(KEYS), prng.below(KEYS));
    let mut keys: Vec<usize> = (0..KEYS).filter(|_| prng.percent(50)).collect();
    if keys.is_empty() {
        keys.push(key);
    }
    let mut fresh = || {
        *value += 1;
        *value
    };
    match prng.below(20) {
        0..=1 => Operation::Get(key),
        2..=3 => Operation::Set(key, fresh()),
        4..=6 => Operation::Swap(key, fresh()),
        7..=10 => Operation::MGet(keys),
        11..=13 => Operation::MSet(keys.into_iter().map(|key| (key, fresh())).collect()),
        14..=15 => {
            let pairs = [(key, fresh()), (other, fresh())];
            Operation::MSetNx(pairs[..if key == other { 1 } else { 2 }].to_vec())
        }
        16 => Operation::Del(keys),
        17 => Operation::Rename(key, (key + 1 + other % (KEYS - 1)) % KEYS),
        18 => Operation::Copy(key, (key + 1 + other % (KEYS - 1)) % KEYS),
        _ => Operation::CopyReplace(key, (key + 1 + other % (KEYS - 1)) % KEYS),
    }
}

/// The explained part in its order, then what no order explains.
fn story(calls: &[Call], order: &[usize]) -> String {
    let line = |call: &Call| {
        let (client, outcome) = (call.client, &call.outcome);
        format!(
            "{:>12}..{:<12} #{client} {:?} -> {outcome:?}",
            call.called, call.returned, call.operation
        )
    };
    let explained = order.iter().map(|&index| line(&calls[index]));
    let mut rest: Vec<&Call> = (0..calls.len())
        .filter(|index| !order.contains(index))
        .map(|i| &calls[i])
        .collect();
    rest.sort_by_key(|call| call.called);
    let head = ["explained so far:".to_owned()]
        .into_iter()
        .chain(explained);
    let tail = ["not explained:".to_owned()]
        .into_iter()
        .chain(rest.into_iter().map(line));
    head.chain(tail).collect::<Vec<_>>().join("\n")
}

/// A call in a hand-made history.
fn call(called: u64, returned: u64, operation: Operation, outcome: Outcome) -> Call {
    Call {
        client: 0,
        called,
        returned,
        operation,
        outcome,
    }
}

fn values(values: &[Option<Value>]) -> Outcome {
    Outcome::Values(values.to_vec())
}

fn is_violation(calls: &[Call]) -> bool {
    matches!(check(calls, [None; KEYS]), Verdict::Violation(_))
}

#[test]
fn checker_accepts_concurrent_writes_seen_in_one_order() {
    let calls = [
        call(0, 10, Operation::MSet(vec![(0, 1), (1, 1)]), Outcome::Done),
        call(0, 10, Operation::MSet(vec![(0, 2), (1, 2)]), Outcome::Done),
        call(
            5,
            20,
            Operation::MGet(vec![0, 1]),
            values(&[Some(1), Some(1)]),
        ),
        call(
            21,
            22,
            Operation::MGet(vec![0, 1]),
            values(&[Some(1), Some(1)]),
        ),
        call(23, 24, Operation::Rename(0, 2), Outcome::Done),
        call(25, 26, Operation::Copy(2, 1), Outcome::Count(0)),
        call(
            25,
            26,
            Operation::MSetNx(vec![(0, 7), (3, 8)]),
            Outcome::Count(1),
        ),
    ];
    assert!(matches!(
        check(&calls, [None; KEYS]),
        Verdict::Serializable(_)
    ));
}

#[test]
fn checker_finds_read_skew() {
    let calls = [
        call(0, 10, Operation::MSet(vec![(0, 1), (1, 1)]), Outcome::Done),
        call(5, 8, Operation::MGet(vec![0, 1]), values(&[Some(1), None])),
    ];
    assert!(is_violation(&calls));
}

#[test]
fn checker_finds_lost_updates() {
    let calls = [
        call(0, 10, Operation::Swap(0, 1), values(&[None])),
        call(0, 10, Operation::Swap(0, 2), values(&[None])),
    ];
    assert!(is_violation(&calls));
}

#[test]
fn checker_finds_violations_of_real_time() {
    let calls = [
        call(0, 10, Operation::Set(0, 1), Outcome::Done),
        call(11, 20, Operation::Get(0), values(&[None])),
    ];
    assert!(is_violation(&calls));
    let overlapping = [
        calls[0].clone(),
        call(9, 20, Operation::Get(0), values(&[None])),
    ];
    assert!(!is_violation(&overlapping));
}

#[test]
fn checker_finds_long_forks() {
    let calls = [
        call(0, 100, Operation::Set(0, 1), Outcome::Done),
        call(0, 100, Operation::Set(1, 2), Outcome::Done),
        call(
            10,
            20,
            Operation::MGet(vec![0, 1]),
            values(&[Some(1), None]),
        ),
        call(
            10,
            20,
            Operation::MGet(vec![0, 1]),
            values(&[None, Some(2)]),
        ),
    ];
    assert!(is_violation(&calls));
}

#[test]
fn checker_finds_partial_msetnx_and_vanishing_renames() {
    let calls = [
        call(0, 1, Operation::Set(0, 1), Outcome::Done),
        call(
            2,
            3,
            Operation::MSetNx(vec![(0, 2), (1, 3)]),
            Outcome::Count(0),
        ),
        call(4, 5, Operation::Get(1), values(&[Some(3)])),
    ];
    assert!(is_violation(&calls));
    let calls = [
        call(0, 1, Operation::Set(0, 1), Outcome::Done),
        call(2, 9, Operation::Rename(0, 1), Outcome::Done),
        call(3, 8, Operation::MGet(vec![0, 1]), values(&[None, None])),
    ];
    assert!(is_violation(&calls));
}
