//! Generic commands over several shards, in what dialogues cannot say: iterations to their end,
//! draws, values that move to another shard with their expiry. A whole node in one thread, so
//! that the clock can be turned.
#![allow(clippy::unwrap_used)]

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
        assert_eq!(say(&mut node, client, "EXISTS x1 x50 x51 k51"), ":1\r\n");
        say(&mut node, client, "SWAPDB 0 3");
        assert_eq!(say(&mut node, client, "EXISTS y1 y50 y51"), ":1\r\n");
        assert_eq!(say(&mut node, client, "TTL y60"), ":10\r\n");
    }
}
