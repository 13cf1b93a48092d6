//! The journals of all shards, merged, are the node's history: replayed they give its data.
//!
//! Clients on all cores talk at once to a node in one thread, over parcels that arrive in a drawn
//! order, and the shards' journals are taken at drawn moments. What the merge makes of them runs on
//! a node of one shard; whenever nothing is on its way both have the same digest, and nowhere in
//! the stream is an operation over several shards half done. `JOURNAL_SEED=` repeats a run.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "differential/generate.rs"]
mod generate;
mod support;

use generate::{Command, Generator};
use ringshard::command::{ArgStore, Group};
use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::commands::table;
use support::Merged;
use support::client::encode;
use support::merged::requests;
use support::prng::{Prng, seed_from};

const SHARDS: [usize; 3] = [1, 2, 7];

fn digest(node: &mut LocalNode, client: LocalClient) -> String {
    String::from_utf8(node.talk(client, b"DEBUG DIGEST\r\n")).unwrap()
}

/// A node under observation, and one that follows its stream.
struct Pair {
    node: LocalNode,
    clients: Vec<LocalClient>,
    /// Asks, and never waits for an element.
    observer: LocalClient,
    merged: Merged,
    follower: LocalNode,
    applier: LocalClient,
    random: Prng,
}

impl Pair {
    fn new(shards: usize, seed: u64) -> Pair {
        let mut node = LocalNode::new(shards, seed);
        let merged = Merged::of(&mut node);
        let clients = (0..4).map(|n| node.connect(n % shards)).collect();
        let observer = node.connect(0);
        let mut follower = LocalNode::new(1, seed);
        let applier = follower.connect(0);
        Pair {
            node,
            clients,
            observer,
            merged,
            follower,
            applier,
            random: Prng::new(seed ^ 0x6a6f_7572),
        }
    }

    fn send(&mut self, client: usize, commands: &[Command]) {
        let mut bytes = Vec::new();
        for command in commands {
            encode(command, &mut bytes);
        }
        self.node.send(self.clients[client], &bytes);
    }

    /// Lets some parcels arrive, and takes some journals.
    fn jiggle(&mut self) {
        for _ in 0..self.random.below(6) {
            self.node.step();
            if self.random.percent(30) {
                let shard = self.random.below(self.node.cores.len());
                self.merged.drain(&mut self.node, shard);
            }
        }
    }

    /// Lets everything happen; the stream since the last time, replayed.
    fn quiesce(&mut self) -> Vec<u8> {
        self.node.run();
        self.merged.drain_all(&mut self.node);
        for client in &self.clients {
            self.node.receive(*client);
        }
        let stream = self.merged.take();
        self.follower.talk(self.applier, &stream);
        let errors = self.follower.node.board.totals().error_replies;
        assert_eq!(errors, 0, "{}", String::from_utf8_lossy(&stream));
        stream
    }

    fn check(&mut self, what: &str) {
        // Of what expires both know at the same time.
        let now_ms = self.node.clock.clock().millis().0;
        let behind = now_ms - self.follower.clock.clock().millis().0;
        self.follower.clock.advance_millis(behind);
        let (observer, applier) = (self.observer, self.applier);
        // Who has waited long enough for an element goes on, with all that it has sent since.
        digest(&mut self.node, observer);
        self.quiesce();
        let ours = digest(&mut self.node, observer);
        // Looking may have expired keys.
        self.quiesce();
        let theirs = digest(&mut self.follower, applier);
        assert_eq!(ours, theirs, "{what}");
    }
}

fn words(line: &str) -> Command {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// Commands of which the outcome is in the keys alone.
fn next_command(generator: &mut Generator) -> Command {
    const OTHERS: [Group; 4] = [
        Group::Connection,
        Group::PubSub,
        Group::Transactions,
        Group::Scripting,
    ];
    loop {
        let command = generator.command();
        let found = table().find(&command[0]);
        if found.is_some_and(|found| !OTHERS.contains(&found.spec.group)) {
            return command;
        }
    }
}

fn rare(generator: &mut Generator) -> Option<Command> {
    let line = match generator.prng.below(120) {
        0 => "FLUSHDB",
        1 => "SWAPDB 0 1",
        2 => "FLUSHALL",
        3 => "SELECT 1",
        4 => "SELECT 0",
        5 => "SORT l1 BY w:* GET w:* STORE l2",
        6 => "CLIENT LIST",
        7 => "DEBUG POPULATE 5 pop",
        8..12 => "SET near x PX 30",
        12..16 => "SET far:away y PX 50",
        16..20 => "GET near",
        20..24 => "MSET near 1 far:away 2 third 3",
        24..30 => "RENAME third near",
        _ => return None,
    };
    Some(words(line))
}

fn transaction(generator: &mut Generator) -> Vec<Command> {
    let len = 1 + generator.prng.below(5);
    let mut all = vec![words("MULTI")];
    all.extend((0..len).map(|_| rare(generator).unwrap_or_else(|| next_command(generator))));
    all.push(words("EXEC"));
    all
}

#[test]
fn the_merged_stream_replays_to_the_same_data() {
    let seed = seed_from("JOURNAL_SEED");
    for shards in SHARDS {
        println!("JOURNAL_SEED={seed}, {shards} shards");
        let mut generator = Generator::new(seed);
        let mut pair = Pair::new(shards, seed);
        for round in 0..250 {
            let mut sent = Vec::new();
            for client in 0..4 {
                let commands = match generator.prng.percent(30) {
                    true => transaction(&mut generator),
                    false => (0..5)
                        .map(|_| {
                            rare(&mut generator).unwrap_or_else(|| next_command(&mut generator))
                        })
                        .collect(),
                };
                pair.send(client, &commands);
                sent.extend(commands);
                pair.jiggle();
            }
            pair.node
                .clock
                .advance_millis(generator.prng.below(20) as i64);
            pair.quiesce();
            let lines: Vec<_> = sent.iter().map(|it| it.join(&b" "[..])).collect();
            let lines: Vec<_> = lines.iter().map(|it| String::from_utf8_lossy(it)).collect();
            pair.check(&format!("round {round}: {lines:#?}"));
        }
    }
}

/// At every place in the stream at which no MULTI is open the four keys have one value.
fn check_whole(stream: &[u8], values: &mut [String; 4]) {
    let mut is_open = false;
    for request in requests(stream) {
        let args = request.args();
        match args.get(0) {
            b"MULTI" => is_open = true,
            b"EXEC" => is_open = false,
            b"SELECT" => {}
            _ => note(&request, values),
        }
        if !is_open {
            let first = &values[0];
            assert!(values.iter().all(|value| value == first), "{values:?}");
        }
    }
}

fn note(request: &ArgStore, values: &mut [String; 4]) {
    let words: Vec<_> = request
        .args()
        .from(0)
        .map(String::from_utf8_lossy)
        .collect();
    let place = |key: &str| {
        ["x", "y", "z", "q"]
            .iter()
            .position(|name| *name == key)
            .unwrap()
    };
    match &*words[0] {
        "MSET" | "SET" => {
            for pair in words[1..].chunks_exact(2) {
                values[place(&pair[0])] = pair[1].to_string();
            }
        }
        "BITOP" => {
            let from = place(&words[3]);
            values[place(&words[2])] = values[from].clone();
        }
        other => panic!("{other} is not among the effects of this test"),
    }
}

#[test]
fn nowhere_in_the_stream_is_an_operation_half_done() {
    for seed in 0..60 {
        let mut pair = Pair::new(3, seed);
        let mut values = [const { String::new() }; 4];
        for round in 0..20 {
            for client in 0..4 {
                let number = round * 4 + client;
                let lines: &[&str] = match client {
                    0 => &["MSET x N y N z N q N"],
                    1 => &["MULTI", "SET x N", "MSET y N z N", "SET q N", "EXEC"],
                    2 => &[
                        "MULTI",
                        "SET x N",
                        "BITOP OR y x",
                        "SET z N",
                        "BITOP OR q z",
                        "EXEC",
                    ],
                    _ => &[
                        "MULTI",
                        "MSET x N y N",
                        "CLIENT LIST",
                        "MSET z N q N",
                        "EXEC",
                    ],
                };
                let number = number.to_string();
                let commands = lines.iter().map(|line| words(&line.replace('N', &number)));
                let commands: Vec<_> = commands.collect();
                pair.send(client, &commands);
                pair.jiggle();
            }
            let stream = pair.quiesce();
            check_whole(&stream, &mut values);
            pair.check(&format!("seed {seed}, round {round}"));
        }
        assert!(!values[0].is_empty());
    }
}

/// An EXEC on one shard that has to wait in the middle is whole all the same.
#[test]
fn a_transaction_that_waits_in_the_middle_is_one_unit() {
    for shards in SHARDS {
        let mut pair = Pair::new(shards, 7);
        let lines = [
            "MULTI",
            "SET a 1",
            "CLIENT LIST",
            "SET a 2",
            "DBSIZE",
            "INCR a",
            "EXEC",
        ];
        let commands: Vec<_> = lines.map(words).to_vec();
        pair.send(0, &commands);
        let stream = pair.quiesce();
        let names: Vec<_> = requests(&stream)
            .iter()
            .map(|it| String::from_utf8_lossy(it.args().get(0)).into_owned())
            .collect();
        assert_eq!(
            names,
            ["SELECT", "MULTI", "SET", "SET", "INCR", "EXEC"],
            "{shards} shards"
        );
        pair.check("waiting");
    }
}

/// What a command on one key changes without an event is no change of whole databases: FLUSHDB
/// stands where it stood, between what came before and what came behind.
#[test]
fn a_quiet_change_beside_flushdb_keeps_the_order() {
    for shards in SHARDS {
        let mut pair = Pair::new(shards, 7);
        pair.send(0, &[words("PFADD h1 a b c")]);
        pair.quiesce();
        let lines = [
            "MULTI",
            "PFCOUNT h1",
            "SET x 1",
            "FLUSHDB",
            "SET n2 behind",
            "EXEC",
        ];
        pair.send(0, &lines.map(words));
        let stream = pair.quiesce();
        let flushes = requests(&stream);
        let flushes = flushes.iter().filter(|it| it.args().get(0) == b"FLUSHDB");
        assert_eq!(flushes.count(), 1, "{shards} shards");
        pair.check("quiet");
    }
}

/// A key that turns out to have expired in the middle of a transaction is in the database that has
/// its number by then.
#[test]
fn what_expires_behind_swapdb_is_in_the_swapped_database() {
    for shards in SHARDS {
        let mut pair = Pair::new(shards, 7);
        let lines = [
            "SET near x PX 5",
            "SET third 3",
            "SELECT 1",
            "SET near kept",
        ];
        pair.send(0, &lines.map(words));
        pair.quiesce();
        pair.node.clock.advance_millis(10);
        let lines = ["MULTI", "SWAPDB 0 1", "RENAMENX third near", "EXEC"];
        pair.send(0, &lines.map(words));
        pair.check("swapped");
    }
}
