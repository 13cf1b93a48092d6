//! Generic commands over several shards, in what dialogues cannot say: iterations to their end,
//! draws, values that move to another shard with their expiry. A whole node in one thread, so
//! that the clock can be turned.
#![allow(clippy::unwrap_used)]

use ringshard::base::prng::Prng;
use ringshard::commands::local::{LocalClient, LocalNode};
use std::collections::BTreeSet;

fn say(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8(reply).unwrap()
}

fn filled(shards: usize, keys: usize) -> (LocalNode, LocalClient) {
    let mut node = LocalNode::new(shards, 3);
    let client = node.connect(shards / 2);
    for number in 0..keys {
        say(&mut node, client, &format!("SET k{number} {number}"));
    }
    (node, client)
}

/// Bulk strings of a reply, in order.
fn bulks(reply: &str) -> Vec<String> {
    let lines: Vec<&str> = reply.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].starts_with('$'));
    pairs.map(|pair| pair[1].to_string()).collect()
}

#[test]
fn a_whole_scan_returns_each_key_and_ends() {
    for shards in [1, 2, 7] {
        let (mut node, client) = filled(shards, 500);
        let (mut cursor, mut seen, mut calls) = (String::from("0"), BTreeSet::new(), 0);
        loop {
            let reply = say(&mut node, client, &format!("SCAN {cursor} COUNT 7"));
            let mut page = bulks(&reply);
            cursor = page.remove(0);
            assert!(page.len() <= 100, "{shards} shards: {} at once", page.len());
            seen.extend(page);
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 500, "{shards} shards");
        assert!(calls > 10, "{shards} shards: {calls} pages");
        let page = bulks(&say(&mut node, client, "SCAN 0 COUNT 10000"));
        assert_eq!(
            (page[0].as_str(), page.len()),
            ("0", 501),
            "{shards} shards"
        );
        let expected = "-ERR syntax error\r\n";
        assert_eq!(say(&mut node, client, "SCAN 0 COUNT 0"), expected);
    }
}

#[test]
fn keys_of_all_shards_are_drawn() {
    for shards in [1, 2, 7] {
        let (mut node, client) = filled(shards, 20);
        let mut drawn = BTreeSet::new();
        for _ in 0..2_000 {
            drawn.extend(bulks(&say(&mut node, client, "RANDOMKEY")));
        }
        assert_eq!(drawn.len(), 20, "{shards} shards");
        say(&mut node, client, "FLUSHDB");
        assert_eq!(say(&mut node, client, "RANDOMKEY"), "$-1\r\n");
    }
}

#[test]
fn values_move_between_shards_with_their_expiry() {
    for shards in [1, 2, 7] {
        let (mut node, client) = filled(shards, 100);
        for number in 0..100 {
            let lines = [
                format!("PEXPIREAT k{number} 17000000{number:02}000"),
                format!("RENAME k{number} x{number}"),
                format!("COPY x{number} y{number} DB 3"),
            ];
            let replies = lines.map(|line| say(&mut node, client, &line));
            let is_due = number == 0;
            let expected = match is_due {
                true => [":1\r\n", "-ERR no such key\r\n", ":0\r\n"],
                false => [":1\r\n", "+OK\r\n", ":1\r\n"],
            };
            assert_eq!(replies, expected, "{shards} shards, {number}");
        }
        assert_eq!(say(&mut node, client, "DBSIZE"), ":99\r\n");
        let at = say(&mut node, client, "PEXPIRETIME x42");
        assert_eq!(at, ":1700000042000\r\n");
        node.clock.advance_millis(50_000);
        // In the very millisecond a key is still there.
        assert_eq!(say(&mut node, client, "EXISTS x1 x50 x51 k51"), ":2\r\n");
        assert_eq!(say(&mut node, client, "PTTL x50"), ":0\r\n");
        node.clock.advance_millis(1);
        assert_eq!(say(&mut node, client, "EXISTS x1 x50 x51 k51"), ":1\r\n");
        say(&mut node, client, "SWAPDB 0 3");
        assert_eq!(say(&mut node, client, "EXISTS y1 y50 y51"), ":1\r\n");
        assert_eq!(say(&mut node, client, "TTL y60"), ":10\r\n");
    }
}

/// Sorting by keys that others write meanwhile, on all shards: it sees one moment.
#[test]
fn a_sort_sees_the_keys_of_its_patterns_at_one_moment() {
    for seed in 0..60 {
        let mut node = LocalNode::new(3, seed);
        let clients: Vec<_> = (0..6).map(|n| node.connect(n % 3)).collect();
        say(&mut node, clients[0], "RPUSH ids 1 2 3 4 5 6");
        say(
            &mut node,
            clients[0],
            "MSET w_1 0 w_2 0 w_3 0 w_4 0 w_5 0 w_6 0",
        );
        let mut random = Prng::from_seed(seed);
        for round in 0..15 {
            for (n, client) in clients.iter().enumerate() {
                let pairs = (1..=6).map(|id| format!(" w_{id} {round}"));
                let line = match n % 3 {
                    0 => format!("MSET{}", pairs.collect::<String>()),
                    1 => "SORT ids BY w_* GET w_*".to_owned(),
                    _ => "SORT ids GET w_* STORE out\r\nLRANGE out 0 -1".to_owned(),
                };
                node.send(*client, format!("{line}\r\n").as_bytes());
                for _ in 0..random.below(5) {
                    node.step();
                }
            }
            node.run();
            for (n, client) in clients.iter().enumerate() {
                let reply = String::from_utf8(node.receive(*client)).unwrap();
                let values = bulks(&reply);
                assert_eq!(
                    values.len(),
                    if n % 3 == 0 { 0 } else { 6 },
                    "seed {seed}: {reply}"
                );
                let first = values.first().cloned().unwrap_or_default();
                assert!(
                    values.iter().all(|value| *value == first),
                    "seed {seed}: {reply}"
                );
            }
        }
        assert!(
            node.cores.iter().all(|core| core.shard.locks.is_empty()),
            "seed {seed}"
        );
    }
}

/// Elements that go from list to list, over all shards, from several clients at once.
#[test]
fn moved_elements_are_neither_lost_nor_doubled() {
    for seed in 0..60 {
        let mut node = LocalNode::new(3, seed);
        let clients: Vec<_> = (0..6).map(|n| node.connect(n % 3)).collect();
        for number in 0..30 {
            say(
                &mut node,
                clients[0],
                &format!("RPUSH l{} {number}", number % 5),
            );
        }
        let mut random = Prng::from_seed(seed);
        for _ in 0..40 {
            for client in &clients {
                let (from, to) = (random.below(6), random.below(6));
                let sides = ["LEFT LEFT", "LEFT RIGHT", "RIGHT LEFT"];
                let sides = sides[random.below(3) as usize];
                let line = format!("LMOVE l{from} l{to} {sides}\r\n");
                node.send(*client, line.as_bytes());
                node.step();
            }
        }
        node.run();
        node.receive(clients[0]);
        let lines = (0..6).map(|list| say(&mut node, clients[0], &format!("LRANGE l{list} 0 -1")));
        let mut all: Vec<u32> = Vec::new();
        for reply in lines.collect::<Vec<_>>() {
            all.extend(
                bulks(&reply)
                    .iter()
                    .map(|value| value.parse::<u32>().unwrap()),
            );
        }
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<_>>(), "seed {seed}");
    }
}
