//! Clients that wait, on one shard and on several, in one thread with parcels in a drawn order.
//!
//! Whatever happens in whichever order - clients that come, give up, are unblocked or run out of
//! time while elements arrive - every element is handed over once or still there, nobody waits
//! while there is something for it, and nothing is left behind. Beside that, what dialogues cannot
//! say: places in the queue, times to the millisecond, statistics. `BLOCKING_SEED=` repeats a run,
//! `BLOCKING_RUNS=` says how many.
#![allow(clippy::unwrap_used)]

mod support;

use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::session::Question;
use std::collections::BTreeMap;
use support::Reply;
use support::prng::{Prng, seed_from};

const SHARDS: [usize; 3] = [1, 2, 5];
const QUEUES: [&str; 6] = ["q0", "q1", "q2", "q3", "q4", "q5"];

fn replies(mut bytes: Vec<u8>) -> Vec<Reply> {
    let mut all = Vec::new();
    while let Some((reply, taken)) = Reply::parse(&bytes) {
        bytes.drain(..taken);
        all.push(reply);
    }
    assert!(bytes.is_empty(), "half a reply");
    all
}

fn say(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8(reply).unwrap()
}

fn heard(node: &mut LocalNode, client: LocalClient) -> String {
    String::from_utf8(node.receive(client)).unwrap()
}

fn blocked(node: &LocalNode) -> u64 {
    node.node.board.totals().blocked_clients
}

fn assert_clean(node: &LocalNode, what: &str) {
    for core in &node.cores {
        assert!(core.shard.locks.is_empty(), "{what}: something is locked");
        assert!(core.shard.waiters.is_empty(), "{what}: somebody waits");
        assert!(core.router.next_deadline_ms().is_none(), "{what}: deadline");
        let awaited = &core.shard.space.common.watches.awaited;
        assert!(awaited.is_empty() && awaited.touched() == 0, "{what}: keys");
    }
    assert_eq!(blocked(node), 0, "{what}");
}

/// The numbers in a reply, wherever they stand; names of keys are none.
fn numbers(reply: &Reply, into: &mut Vec<u64>) {
    if let Reply::Bulk(text) = reply {
        into.extend(std::str::from_utf8(text).unwrap().parse::<u64>().ok());
    }
    for item in reply.items() {
        numbers(item, into);
    }
}

struct Consumer {
    client: LocalClient,
    /// The keys it waits for, if its last command is not answered.
    awaits: Vec<&'static str>,
    /// What it gets stays in a list of the server.
    is_moving: bool,
}

struct Market {
    node: LocalNode,
    random: Prng,
    consumers: Vec<Consumer>,
    producers: Vec<LocalClient>,
    pushed: u64,
    taken: Vec<u64>,
}

impl Market {
    fn new(shards: usize, seed: u64) -> Market {
        let mut node = LocalNode::new(shards, seed);
        let producers = (0..3).map(|n| node.connect(n % shards)).collect();
        let mut market = Market {
            node,
            random: Prng::new(seed),
            consumers: Vec::new(),
            producers,
            pushed: 0,
            taken: Vec::new(),
        };
        for _ in 0..8 {
            let consumer = market.newcomer();
            market.consumers.push(consumer);
        }
        market
    }

    fn newcomer(&mut self) -> Consumer {
        let core = self.random.below(self.node.cores.len());
        Consumer {
            client: self.node.connect(core),
            awaits: Vec::new(),
            is_moving: false,
        }
    }

    /// Takes in what consumers have been sent.
    fn listen(&mut self) {
        for consumer in &mut self.consumers {
            for reply in replies(self.node.receive(consumer.client)) {
                consumer.awaits.clear();
                if !consumer.is_moving {
                    numbers(&reply, &mut self.taken);
                }
            }
        }
    }

    fn some_queues(&mut self) -> Vec<&'static str> {
        let count = 1 + self.random.below(3);
        (0..count).map(|_| *self.random.pick(&QUEUES)).collect()
    }

    fn ask(&mut self, at: usize) {
        let queues = self.some_queues();
        let timeout = *self.random.pick(&["0", "0", "0.005"]);
        let (first, keys, count) = (queues[0], queues.join(" "), queues.len());
        let (line, awaits, is_moving) = match self.random.below(5) {
            0 => (format!("BLPOP {keys} {timeout}"), queues, false),
            1 => (format!("BRPOP {keys} {timeout}"), queues, false),
            2 => {
                let most = 1 + self.random.below(3);
                let line = format!("BLMPOP {timeout} {count} {keys} LEFT COUNT {most}");
                (line, queues, false)
            }
            3 => {
                let line = format!("BLMOVE {first} done LEFT RIGHT {timeout}");
                (line, vec![first], true)
            }
            _ => {
                let to = self.random.pick(&QUEUES);
                let line = format!("BRPOPLPUSH {first} {to} {timeout}");
                (line, vec![first], true)
            }
        };
        let consumer = &mut self.consumers[at];
        consumer.awaits = awaits;
        consumer.is_moving = is_moving;
        self.node
            .send(consumer.client, format!("{line}\r\n").as_bytes());
    }

    fn bring(&mut self) {
        let (one, other) = (*self.random.pick(&QUEUES), *self.random.pick(&QUEUES));
        let mut next = || {
            self.pushed += 1;
            self.pushed
        };
        let line = match self.random.below(5) {
            0 => format!("RPUSH {one} {} {} {}", next(), next(), next()),
            1 => format!(
                "MULTI\r\nRPUSH {one} {}\r\nLPUSH {other} {}\r\nEXEC",
                next(),
                next()
            ),
            2 => format!("LMOVE {one} {other} LEFT RIGHT"),
            _ => format!("LPUSH {one} {}", next()),
        };
        let producer = *self.random.pick(&self.producers);
        self.node.send(producer, format!("{line}\r\n").as_bytes());
    }

    fn disturb(&mut self) {
        let at = self.random.below(self.consumers.len());
        let client = self.consumers[at].client;
        match self.random.below(4) {
            0 => {
                let number = self.node.session(client).unwrap().id;
                let why = *self.random.pick(&["TIMEOUT", "ERROR"]);
                let line = format!("CLIENT UNBLOCK {number} {why}\r\n");
                let producer = *self.random.pick(&self.producers);
                self.node.send(producer, line.as_bytes());
            }
            1 => {
                self.node.clock.advance_millis(3);
                self.node.tick();
            }
            _ => self.replace(at),
        }
    }

    /// A consumer hangs up; another one comes once it has been sent what it was given.
    fn replace(&mut self, at: usize) {
        let client = self.consumers[at].client;
        self.node.hang_up(client);
        for _ in 0..self.random.below(4) {
            self.node.step();
        }
        while self.node.is_open(client) {
            self.listen();
            self.node.step();
        }
        self.listen();
        self.consumers[at] = self.newcomer();
    }

    fn round(&mut self) {
        match self.random.below(10) {
            0..5 => {
                let at = self.random.below(self.consumers.len());
                if self.consumers[at].awaits.is_empty() {
                    self.ask(at);
                }
            }
            5..9 => self.bring(),
            _ => self.disturb(),
        }
        for _ in 0..self.random.below(5) {
            self.node.step();
        }
        self.listen();
    }

    fn len(&mut self, key: &str) -> String {
        say(&mut self.node, self.producers[0], &format!("LLEN {key}"))
    }

    /// When nothing is on its way, nobody waits for what is there.
    fn assert_all_served(&mut self, seed: u64) {
        self.node.run();
        self.listen();
        for producer in &self.producers {
            self.node.receive(*producer);
        }
        for at in 0..self.consumers.len() {
            for key in self.consumers[at].awaits.clone() {
                assert_eq!(self.len(key), ":0\r\n", "seed {seed}: waits for {key}");
            }
        }
        let waiting = self.consumers.iter().filter(|it| !it.awaits.is_empty());
        assert_eq!(blocked(&self.node), waiting.count() as u64, "seed {seed}");
    }

    fn finish(mut self, seed: u64) {
        for at in 0..self.consumers.len() {
            self.replace(at);
        }
        self.node.run();
        let mut all = std::mem::take(&mut self.taken);
        for key in QUEUES.iter().chain(&["done"]) {
            let line = format!("LRANGE {key} 0 -1\r\n");
            let left = self.node.talk(self.producers[0], line.as_bytes());
            numbers(&replies(left)[0], &mut all);
        }
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for number in all {
            *times.entry(number).or_default() += 1;
        }
        let lost: Vec<u64> = (1..=self.pushed)
            .filter(|number| !times.contains_key(number))
            .collect();
        let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(lost.is_empty(), "seed {seed}: lost {lost:?}");
        assert!(doubled.is_empty(), "seed {seed}: doubled {doubled:?}");
        assert_clean(&self.node, &format!("seed {seed}"));
    }
}

#[test]
fn every_element_is_handed_over_once_and_to_whoever_waits() {
    /// Found once that a grant was called back before its coordinator had heard of it.
    const FOUND: u64 = 1_795_932_790_169_407_821;
    let first = seed_from("BLOCKING_SEED");
    let runs = std::env::var("BLOCKING_RUNS").map_or(60, |runs| runs.parse().unwrap());
    for seed in [FOUND]
        .into_iter()
        .chain((0..runs).map(|n| first.wrapping_add(n)))
    {
        for shards in SHARDS {
            let mut market = Market::new(shards, seed);
            for _ in 0..6 {
                for _ in 0..50 {
                    market.round();
                }
                market.assert_all_served(seed);
            }
            market.finish(seed);
        }
    }
}

#[test]
fn who_waited_longest_comes_first_whatever_else_it_waits_for() {
    for (shards, seed) in SHARDS
        .iter()
        .flat_map(|shards| (0..40).map(|s| (*shards, s)))
    {
        let mut node = LocalNode::new(shards, seed);
        let mut random = Prng::new(seed);
        let mut waiting = Vec::new();
        for number in 0..12 {
            let client = node.connect(random.below(shards));
            let others = match random.below(3) {
                0 => "",
                1 => "other",
                _ => "other more evenmore",
            };
            assert_eq!(say(&mut node, client, &format!("BLPOP {others} x 0")), "");
            assert_eq!(blocked(&node), number + 1);
            waiting.push(client);
        }
        let pusher = node.connect(random.below(shards));
        for (number, client) in waiting.iter().enumerate() {
            if number % 3 == 2 {
                // Woken in vain, nobody loses its place.
                let line = "MULTI\r\nRPUSH x 1\r\nSET y 1\r\nDEL x\r\nEXEC";
                say(&mut node, pusher, line);
            }
            say(&mut node, pusher, &format!("LPUSH x {number}"));
            let expected = format!(
                "*2\r\n$1\r\nx\r\n${}\r\n{number}\r\n",
                number.to_string().len()
            );
            assert_eq!(heard(&mut node, *client), expected, "seed {seed}");
        }
        assert_clean(&node, "all are served");
    }
}

/// One that waits on several shards is woken and finds nothing; those behind it do.
#[test]
fn who_is_woken_in_vain_holds_nobody_up() {
    for (shards, seed) in SHARDS
        .iter()
        .flat_map(|shards| (0..20).map(|s| (*shards, s)))
    {
        let mut node = LocalNode::new(shards, seed);
        let waiting = [
            "XREAD BLOCK 0 STREAMS t a b c d 5-0 0 0 0 0",
            "XREAD BLOCK 0 STREAMS t a b c d $ 0 0 0 0",
            "XREAD BLOCK 0 STREAMS t 0",
        ];
        let waiting = waiting.map(|line| {
            let client = node.connect(seed as usize % shards);
            assert_eq!(say(&mut node, client, line), "");
            client
        });
        let other = node.connect(0);
        say(&mut node, other, "XADD t 3-0 a 1");
        assert_eq!(heard(&mut node, waiting[0]), "", "seed {seed}");
        assert_ne!(heard(&mut node, waiting[1]), "", "seed {seed}");
        assert_ne!(heard(&mut node, waiting[2]), "", "seed {seed}");
        say(&mut node, other, "XADD t 6-0 a 1");
        assert_ne!(heard(&mut node, waiting[0]), "", "seed {seed}");
        assert_clean(&node, "all are served");
    }
}

#[test]
fn time_is_up_to_the_millisecond() {
    for shards in SHARDS {
        for line in [
            "BLPOP a 1.5",
            "BZPOPMIN a b c d e f 1.5",
            "XREAD BLOCK 1500 STREAMS a b 0 0",
        ] {
            let mut node = LocalNode::new(shards, 5);
            let client = node.connect(shards - 1);
            node.tick();
            assert_eq!(say(&mut node, client, line), "");
            let due = node
                .cores
                .iter()
                .filter_map(|core| core.next_waking_ms())
                .min();
            assert_eq!(due, Some(node.cores[0].now_ms + 1500), "{line}");
            node.clock.advance_millis(1499);
            node.tick();
            assert_eq!(heard(&mut node, client), "", "{line}");
            assert_eq!(blocked(&node), 1);
            node.clock.advance_millis(1);
            node.tick();
            assert_eq!(heard(&mut node, client), "*-1\r\n", "{line}");
            assert_clean(&node, line);
        }
    }
}

#[test]
fn a_client_is_unblocked_as_if_by_time_or_by_an_error() {
    for shards in SHARDS {
        for keys in ["a", "a b c d"] {
            let mut node = LocalNode::new(shards, 9);
            let (client, other) = (node.connect(0), node.connect(shards - 1));
            let number = node.session(client).unwrap().id;
            let unblock = format!("CLIENT UNBLOCK {number}");
            assert_eq!(say(&mut node, other, &unblock), ":0\r\n");
            for (word, text) in [
                ("", "*-1\r\n+PONG\r\n"),
                (" TIMEOUT", "*-1\r\n+PONG\r\n"),
                (
                    " ERROR",
                    "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n",
                ),
            ] {
                assert_eq!(
                    say(&mut node, client, &format!("BLPOP {keys} 0\r\nPING")),
                    ""
                );
                assert!(say(&mut node, other, "CLIENT LIST").contains(" flags=b "));
                assert_eq!(say(&mut node, other, &format!("{unblock}{word}")), ":1\r\n");
                assert_eq!(heard(&mut node, client), text);
                assert_eq!(say(&mut node, other, &format!("{unblock}{word}")), ":0\r\n");
            }
            let stats = say(&mut node, other, "INFO commandstats");
            let stats = stats.lines().find(|line| line.contains("blpop")).unwrap();
            assert!(stats.contains("calls=1,"), "{stats}");
            assert!(stats.contains("rejected_calls=0,failed_calls=1"), "{stats}");
            assert!(
                say(&mut node, other, "INFO errorstats").contains("errorstat_UNBLOCKED:count=1")
            );
            assert_eq!(say(&mut node, other, "RPUSH a 1"), ":1\r\n");
            assert_clean(&node, keys);
        }
    }
}

#[test]
fn nobody_waits_on_a_replica() {
    for shards in SHARDS {
        for keys in ["a", "a b c d"] {
            let mut node = LocalNode::new(shards, 6);
            let client = node.connect(shards - 1);
            assert_eq!(say(&mut node, client, &format!("BLPOP {keys} 0")), "");
            node.cores[0].tell_all(&Question::StopWaiting);
            node.tick();
            let reply = heard(&mut node, client);
            assert!(reply.starts_with("-UNBLOCKED force unblock"), "{reply}");
            assert!(!node.is_open(client));
            assert_clean(&node, keys);
        }
    }
}

#[test]
fn who_leaves_gives_its_place_up() {
    for shards in SHARDS {
        for keys in ["a", "a b c d"] {
            let mut node = LocalNode::new(shards, 3);
            let other = node.connect(shards - 1);
            let victims: Vec<_> = (0..3).map(|n| node.connect(n % shards)).collect();
            let last = node.connect(0);
            for client in victims.iter().chain(&[last]) {
                assert_eq!(
                    say(&mut node, *client, &format!("BLPOP {keys} 0\r\nSET z 1")),
                    ""
                );
            }
            let number = node.session(victims[0]).unwrap().id;
            assert_eq!(
                say(&mut node, other, &format!("CLIENT KILL ID {number}")),
                ":1\r\n"
            );
            node.leave(victims[1]);
            node.hang_up(victims[2]);
            node.run();
            for victim in victims {
                assert_eq!(heard(&mut node, victim), "");
                assert!(!node.is_open(victim));
            }
            assert_eq!(blocked(&node), 1);
            assert_eq!(say(&mut node, other, "EXISTS z"), ":0\r\n");
            assert_eq!(say(&mut node, other, "RPUSH a 1"), ":1\r\n");
            assert_eq!(
                heard(&mut node, last),
                "*2\r\n$1\r\na\r\n$1\r\n1\r\n+OK\r\n"
            );
            assert_clean(&node, keys);
        }
    }
}

#[test]
fn leaving_commands_wait_behind_it_too() {
    for shards in SHARDS {
        let mut node = LocalNode::new(shards, 4);
        let (client, other) = (node.connect(0), node.connect(shards - 1));
        assert_eq!(
            say(
                &mut node,
                client,
                "BLPOP a b 0\r\nRESET\r\nBLPOP a 0\r\nQUIT"
            ),
            ""
        );
        assert_eq!(say(&mut node, other, "RPUSH b 1"), ":1\r\n");
        assert_eq!(
            heard(&mut node, client),
            "*2\r\n$1\r\nb\r\n$1\r\n1\r\n+RESET\r\n"
        );
        assert_eq!(say(&mut node, other, "RPUSH a 2"), ":1\r\n");
        assert_eq!(
            heard(&mut node, client),
            "*2\r\n$1\r\na\r\n$1\r\n2\r\n+OK\r\n"
        );
        assert!(!node.is_open(client));
        assert_clean(&node, "both are served");
    }
}

#[test]
fn what_happened_is_recorded_as_what_waits_for_nobody() {
    let cases = [
        ("BLPOP a b 0", "RPUSH b 1 2", "LPOP b"),
        ("BRPOP a b 0", "RPUSH b 1 2", "RPOP b"),
        ("BLMPOP 0 2 a b RIGHT COUNT 5", "RPUSH b 1 2", "RPOP b 2"),
        (
            "BLMOVE a b LEFT RIGHT 0",
            "RPUSH a 1",
            "LMOVE a b LEFT RIGHT",
        ),
        ("BRPOPLPUSH a b 0", "RPUSH a 1", "RPOPLPUSH a b"),
        ("BZPOPMIN a b 0", "ZADD a 1 x", "ZPOPMIN a"),
        ("BZPOPMAX a b 0", "ZADD a 1 x", "ZPOPMAX a"),
        ("BZMPOP 0 2 a b MAX COUNT 2", "ZADD b 1 x", "ZPOPMAX b 1"),
    ];
    for (shards, (wait, bring, effect)) in SHARDS.iter().flat_map(|n| cases.map(|it| (*n, it))) {
        let mut node = LocalNode::new(shards, 8);
        for core in &mut node.cores {
            core.shard.record(true);
        }
        let (client, other) = (node.connect(0), node.connect(shards - 1));
        assert_eq!(say(&mut node, client, wait), "");
        say(&mut node, other, bring);
        assert_ne!(heard(&mut node, client), "", "{wait}");
        let mut said = Vec::new();
        for core in &mut node.cores {
            let journal = core.shard.effects.take_journal();
            said.extend(journal.records.iter().map(|(_, bytes)| words(bytes)));
        }
        said.sort();
        let mut expected = vec![bring.to_owned(), effect.to_owned()];
        expected.sort();
        assert_eq!(said, expected, "{shards} shards: {wait}");
    }
}

/// A command as it was typed.
fn words(command: &[u8]) -> String {
    let (command, _) = Reply::parse(command).unwrap();
    let words = command.items().iter().map(Reply::text);
    words.collect::<Vec<_>>().join(" ")
}
