//! Transactions over several shards are strictly serializable: clients append to lists and read
//! them with MULTI and EXEC, with WATCH and without, and what they saw must be explained by one
//! order that respects real time.
//!
//! In process on seeds, where every message is delivered in a drawn order, and over TCP, where the
//! machine draws. Every other list is one of the server's, written by RPUSH and read by LRANGE; the
//! rest are strings of numbers, each ended by a comma, written by APPEND. The checker is tested on
//! histories that are wrong in the classical ways. `APPEND_SEED=` repeats, `APPEND_HISTORIES=` says
//! how many histories each test makes.
#![allow(clippy::unwrap_used)]

#[path = "serializability/append.rs"]
mod append;
mod support;

use append::{Element, Step, Transaction, first_anomaly};
use ringshard::commands::local::{LocalClient, LocalNode};
use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;
use support::prng::{Prng, seed_from};
use support::{Client, Reply, Server};

const KEYS: usize = 5;
const CLIENTS: usize = 8;
const ROUNDS: usize = 8;

/// How many histories are made: as many as the environment says, or as usual.
fn histories(usual: u64) -> u64 {
    let asked = std::env::var("APPEND_HISTORIES");
    asked.map_or(usual, |number| number.parse().unwrap())
}

/// Names whose slots lie far apart.
fn name(key: usize) -> String {
    format!("list:{}", key * 7919)
}

fn append_to(key: usize, element: Element) -> String {
    match key % 2 {
        0 => format!("RPUSH {} {element}", name(key)),
        _ => format!("APPEND {} {element},", name(key)),
    }
}

fn read_of(key: usize) -> String {
    match key % 2 {
        0 => format!("LRANGE {} 0 -1", name(key)),
        _ => format!("GET {}", name(key)),
    }
}

/// The numbers of the keys that only one client writes.
fn own_key(client: usize) -> usize {
    KEYS + client
}

/// What a client is about to do in one go.
struct Plan {
    /// Keys that are watched and read before.
    watched: Vec<usize>,
    steps: Vec<(usize, Option<Element>)>,
}

impl Plan {
    fn draw(prng: &mut Prng, client: usize, next: &mut Element) -> Plan {
        let mut watched = Vec::new();
        match prng.below(4) {
            0 => watched.extend((0..1 + prng.below(2)).map(|_| prng.below(KEYS))),
            1 => watched.push(own_key(client)),
            _ => {}
        }
        let steps = (0..1 + prng.below(4)).map(|_| {
            let key = match prng.below(8) {
                0 => own_key(client),
                _ => prng.below(KEYS),
            };
            let element = prng.percent(50).then(|| {
                *next += 1;
                *next
            });
            (key, element)
        });
        let steps = steps.collect();
        Plan { watched, steps }
    }

    fn commands(&self) -> Vec<String> {
        let body = self.steps.iter().map(|(key, element)| match element {
            Some(element) => append_to(*key, *element),
            None => read_of(*key),
        });
        let head = std::iter::once("MULTI".to_owned());
        head.chain(body).chain(["EXEC".to_owned()]).collect()
    }

    /// The commands before MULTI.
    fn preparation(&self) -> Vec<String> {
        if self.watched.is_empty() {
            return Vec::new();
        }
        let names: Vec<String> = self.watched.iter().map(|key| name(*key)).collect();
        let watch = format!("WATCH {}", names.join(" "));
        let reads = self.watched.iter().map(|key| read_of(*key));
        std::iter::once(watch).chain(reads).collect()
    }

    /// What became of it. What was read under WATCH still held when EXEC ran.
    fn outcome(&self, read: &[Reply], exec: &Reply, times: (u64, u64)) -> Transaction {
        let (called, returned) = times;
        let is_done = !exec.is_nil();
        let reads = self.watched.iter().zip(read);
        let mut steps: Vec<Step> = (reads)
            .map(|(key, reply)| Step::Read(*key, elements(reply)))
            .collect();
        for (at, (key, element)) in self.steps.iter().enumerate() {
            match element {
                Some(element) => steps.push(Step::Append(*key, *element)),
                None if is_done => {
                    steps.push(Step::Read(*key, elements(&exec.items()[at])));
                }
                None => {}
            }
        }
        Transaction {
            called,
            returned,
            steps,
            is_done,
        }
    }
}

fn elements(reply: &Reply) -> Vec<Element> {
    if reply.is_nil() {
        return Vec::new();
    }
    let parse = |number: &str| number.parse().unwrap();
    match reply {
        Reply::Array(numbers) => numbers.iter().map(|it| parse(&it.text())).collect(),
        text => text.text().split_terminator(',').map(parse).collect(),
    }
}

/// A transaction that sees everything at the end.
fn last_plan() -> Plan {
    let steps = (0..KEYS + CLIENTS).map(|key| (key, None)).collect();
    let watched = Vec::new();
    Plan { watched, steps }
}

/// A client of a local node, and where it is in its plan.
struct Player {
    client: LocalClient,
    number: usize,
    plan: Plan,
    /// Commands that were not sent yet.
    rest: Vec<String>,
    bytes: Vec<u8>,
    replies: Vec<Reply>,
    missing: usize,
    called: u64,
    left: usize,
}

impl Player {
    fn parse(&mut self) {
        while let Some((reply, taken)) = Reply::parse(&self.bytes) {
            self.bytes.drain(..taken);
            self.replies.push(reply);
            self.missing -= 1;
        }
    }
}

/// Commands as one packet.
fn packet(commands: &[String]) -> Vec<u8> {
    let lines = commands.iter().map(|command| format!("{command}\r\n"));
    lines.collect::<String>().into_bytes()
}

fn play_local(seed: u64) -> Vec<Transaction> {
    let shards = [1, 2, 3, 7][(seed % 4) as usize];
    let mut node = LocalNode::new(shards, seed);
    let mut prng = Prng::new(seed);
    let (mut next, mut clock, mut history) = (0, 0, Vec::new());
    let mut players: Vec<Player> = (0..CLIENTS)
        .map(|number| Player {
            client: node.connect(number % shards),
            number,
            plan: Plan::draw(&mut prng, number, &mut next),
            rest: Vec::new(),
            bytes: Vec::new(),
            replies: Vec::new(),
            missing: 0,
            called: 0,
            left: ROUNDS,
        })
        .collect();
    for player in &mut players {
        player.rest = [player.plan.preparation(), player.plan.commands()].concat();
    }
    while players.iter().any(|player| player.left > 0) {
        clock += 1;
        if prng.percent(60) && node.step() {
            // Something was delivered.
        }
        let player = &mut players[prng.below(CLIENTS)];
        let bytes = node.receive(player.client);
        player.bytes.extend(bytes);
        player.parse();
        if player.left == 0 || player.missing > 0 {
            continue;
        }
        if player.rest.is_empty() {
            history.push(judged(player, clock));
            player.left -= 1;
            player.plan = Plan::draw(&mut prng, player.number, &mut next);
            player.rest = [player.plan.preparation(), player.plan.commands()].concat();
            continue;
        }
        // One command at a time, or all that are left.
        let count = match prng.percent(50) {
            true => player.rest.len(),
            false => 1,
        };
        let commands: Vec<String> = player.rest.drain(..count).collect();
        player.missing += commands.len();
        // Only from EXEC on anything may happen.
        if player.rest.is_empty() {
            player.called = clock;
        }
        node.send(player.client, &packet(&commands));
    }
    node.run();
    history.push(read_all(&mut node, players[0].client, clock));
    assert!(node.cores.iter().all(|core| core.shard.locks.is_empty()));
    assert!(node.cores.iter().all(|core| core.execs.is_empty()));
    let is_clean = |space: &ringshard::keyspace::Keyspace| {
        space.common.watches.is_empty() && space.common.pins.is_empty()
    };
    assert!(node.cores.iter().all(|core| is_clean(&core.shard.space)));
    history
}

/// The transaction that a player has finished.
fn judged(player: &mut Player, clock: u64) -> Transaction {
    let replies = std::mem::take(&mut player.replies);
    let reads = match player.plan.watched.is_empty() {
        true => &[][..],
        false => &replies[1..=player.plan.watched.len()],
    };
    let exec = replies.last().unwrap();
    let times = (player.called, clock);
    let transaction = player.plan.outcome(reads, exec, times);
    let is_private = player.plan.watched == [own_key(player.number)];
    assert!(
        transaction.is_done || !is_private,
        "nobody else has changed what {transaction:?} has watched"
    );
    transaction
}

fn read_all(node: &mut LocalNode, client: LocalClient, clock: u64) -> Transaction {
    let plan = last_plan();
    let commands = plan.commands();
    let mut bytes = node.talk(client, &packet(&commands));
    let mut last = None;
    while let Some((reply, taken)) = Reply::parse(&bytes) {
        bytes.drain(..taken);
        last = Some(reply);
    }
    plan.outcome(&[], &last.unwrap(), (clock + 1, clock + 2))
}

#[test]
fn drawn_orders_of_messages() {
    let first = seed_from("APPEND_SEED");
    let mut outcomes = BTreeSet::new();
    for seed in first..first + histories(200) {
        let history = play_local(seed);
        let watching =
            |transaction: &&Transaction| matches!(transaction.steps.first(), Some(Step::Read(..)));
        outcomes.extend(history.iter().filter(watching).map(|it| it.is_done));
        if let Some(anomaly) = first_anomaly(&history) {
            panic!("APPEND_SEED={seed}: {anomaly}");
        }
    }
    assert_eq!(outcomes.len(), 2, "some watches break, some do not");
}

#[test]
fn real_clients_on_two_shards() {
    play_over_tcp(2);
}

#[test]
fn real_clients_on_seven_shards() {
    play_over_tcp(7);
}

fn play_over_tcp(shards: usize) {
    let seed = seed_from("APPEND_SEED");
    println!("{shards} shards, APPEND_SEED={seed}");
    let server = Server::ringshard(shards);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    for round in 0..histories(20) {
        clients[0].call("FLUSHALL");
        let epoch = Instant::now();
        let mut history: Vec<Transaction> = thread::scope(|scope| {
            let threads: Vec<_> = (clients.iter_mut().enumerate())
                .map(|(number, client)| {
                    let prng = Prng::new(seed ^ (round * CLIENTS as u64 + number as u64) << 20);
                    scope.spawn(move || play_one(client, number, prng, epoch))
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        let last = perform(&mut clients[0], &last_plan(), epoch);
        history.push(last);
        if let Some(anomaly) = first_anomaly(&history) {
            panic!("APPEND_SEED={seed}, round {round}: {anomaly}");
        }
    }
}

fn play_one(
    client: &mut Client,
    number: usize,
    mut prng: Prng,
    epoch: Instant,
) -> Vec<Transaction> {
    const TRANSACTIONS: usize = 25;
    let mut next = (number * 10_000) as Element;
    let mut play = || {
        let plan = Plan::draw(&mut prng, number, &mut next);
        let transaction = perform(client, &plan, epoch);
        let is_private = plan.watched == [own_key(number)];
        assert!(transaction.is_done || !is_private, "{transaction:?}");
        transaction
    };
    (0..TRANSACTIONS).map(|_| play()).collect()
}

fn perform(client: &mut Client, plan: &Plan, epoch: Instant) -> Transaction {
    let now = || epoch.elapsed().as_nanos() as u64;
    let read: Vec<Reply> = (plan.preparation().iter())
        .map(|command| client.call(command))
        .collect();
    let commands = plan.commands();
    let called = now();
    client.send_bytes(&packet(&commands));
    let exec = commands.iter().map(|_| client.receive()).last().unwrap();
    let returned = now();
    plan.outcome(read.get(1..).unwrap_or_default(), &exec, (called, returned))
}

/// A transaction of a hand-made history.
fn made(called: u64, returned: u64, steps: &[Step]) -> Transaction {
    let steps = steps.to_vec();
    Transaction {
        called,
        returned,
        steps,
        is_done: true,
    }
}

fn read(key: usize, elements: &[Element]) -> Step {
    Step::Read(key, elements.to_vec())
}

use Step::Append;

#[test]
fn the_checker_accepts_what_is_right() {
    let history = [
        made(0, 10, &[Append(0, 1), Append(1, 2), read(0, &[1])]),
        made(5, 15, &[read(1, &[2]), Append(0, 3)]),
        made(5, 9, &[read(0, &[]), read(1, &[])]),
        made(20, 30, &[read(0, &[1, 3]), read(1, &[2])]),
    ];
    assert_eq!(first_anomaly(&history), None);
}

#[test]
fn the_checker_finds_the_classical_anomalies() {
    let aborted = Transaction {
        is_done: false,
        ..made(0, 1, &[Append(0, 1)])
    };
    let bad: [(&str, Vec<Transaction>); 9] = [
        ("never done", vec![aborted, made(2, 3, &[read(0, &[1])])]),
        (
            "the middle",
            vec![
                made(0, 9, &[Append(0, 1), Append(0, 2)]),
                made(0, 9, &[read(0, &[1])]),
                made(10, 11, &[read(0, &[1, 2])]),
            ],
        ),
        (
            "is lost",
            vec![
                made(0, 9, &[Append(0, 1)]),
                made(0, 9, &[Append(0, 2)]),
                made(10, 11, &[read(0, &[2])]),
            ],
        ),
        (
            "was read as",
            vec![
                made(0, 9, &[Append(0, 1)]),
                made(0, 9, &[Append(0, 2)]),
                made(0, 9, &[read(0, &[1])]),
                made(10, 11, &[read(0, &[2, 1])]),
            ],
        ),
        (
            "its own",
            vec![
                made(0, 9, &[Append(0, 1), read(0, &[])]),
                made(10, 11, &[read(0, &[1])]),
            ],
        ),
        (
            // Write skew.
            "before",
            vec![
                made(0, 9, &[read(0, &[]), Append(1, 1)]),
                made(0, 9, &[read(1, &[]), Append(0, 2)]),
                made(10, 11, &[read(0, &[2]), read(1, &[1])]),
            ],
        ),
        (
            // Read skew.
            "before",
            vec![
                made(0, 9, &[Append(0, 1), Append(1, 2)]),
                made(0, 9, &[read(0, &[1]), read(1, &[])]),
                made(10, 11, &[read(0, &[1]), read(1, &[2])]),
            ],
        ),
        (
            // A long fork.
            "before",
            vec![
                made(0, 9, &[Append(0, 1)]),
                made(0, 9, &[Append(1, 2)]),
                made(0, 9, &[read(0, &[1]), read(1, &[])]),
                made(0, 9, &[read(0, &[]), read(1, &[2])]),
                made(10, 11, &[read(0, &[1]), read(1, &[2])]),
            ],
        ),
        (
            // Real time.
            "before",
            vec![
                made(0, 1, &[Append(0, 1)]),
                made(2, 3, &[read(0, &[])]),
                made(10, 11, &[read(0, &[1])]),
            ],
        ),
    ];
    for (expected, history) in bad {
        let found = first_anomaly(&history).unwrap_or_default();
        assert!(found.contains(expected), "{expected}: {found:?}");
    }
}
