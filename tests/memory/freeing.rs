//! Memory given back: big values go in steps, whatever removes them.
//!
//! A node of several shards in one thread, on a clock that is turned by hand. How long a step may
//! take is measured elsewhere (perf/scenarios/big-delete.toml); here it is about what is freed
//! where, and that all of it is.

use crate::talk;
use ringshard::commands::local::{LocalClient, LocalNode};

/// More elements than are freed in one go by anything.
const MANY: usize = 3000;
/// More than lazy freeing leaves alone, fewer than must not be freed in one go.
const SOME: usize = 300;

/// A value of so many elements, by the start of the command that adds one.
const VALUES: [(&str, &str); 5] = [
    ("RPUSH list", "V"),
    ("HSET hash", "f V"),
    ("SADD set", "V"),
    ("ZADD zset", "1 V"),
    ("XADD stream", "* f V"),
];

/// Adds elements to the value that a command builds.
fn fill(node: &mut LocalNode, client: LocalClient, (start, element): (&str, &str), len: usize) {
    for number in 0..len {
        let value = format!("{number}{}", "x".repeat(70));
        let element = match element.split_once(' ') {
            Some(("f", rest)) => format!("f{number} {rest}"),
            _ => element.to_string(),
        };
        let line = format!("{start} {}", element.replace('V', &value));
        assert!(!talk(node, client, &line).starts_with('-'), "{line}");
    }
}

/// Keys and values that are gone and still take memory.
fn buried(node: &LocalNode) -> usize {
    let cores = node.cores.iter();
    cores.map(|core| core.shard.space.buried()).sum()
}

fn freed(node: &LocalNode) -> u64 {
    let cores = node.cores.iter();
    cores.map(|core| core.shard.space.freed_in_steps()).sum()
}

fn build(node: &mut LocalNode, client: LocalClient, len: usize) -> Vec<&'static str> {
    // A node of a list or stream is one piece.
    for directive in ["list-max-listpack-size", "stream-node-max-entries"] {
        talk(node, client, &format!("CONFIG SET {directive} 1"));
    }
    for value in VALUES {
        fill(node, client, value, len);
    }
    VALUES
        .map(|(start, _)| start.split(' ').nth(1).unwrap())
        .into()
}

/// Lets every value go in this way; all are freed in steps, and only then.
fn check(len: usize, config: &str, remove: impl Fn(&mut LocalNode, LocalClient, &str)) {
    for shards in [1, 2] {
        let mut node = LocalNode::new(shards, 1);
        let client = node.connect(0);
        if !config.is_empty() {
            talk(&mut node, client, &format!("CONFIG SET {config} yes"));
        }
        for (number, key) in build(&mut node, client, len).into_iter().enumerate() {
            remove(&mut node, client, key);
            assert_eq!(buried(&node), 1, "{shards} shards: {key}");
            node.tick();
            assert_eq!(
                (buried(&node), freed(&node)),
                (0, number as u64 + 1),
                "{key}"
            );
        }
    }
}

fn del(node: &mut LocalNode, client: LocalClient, key: &str) {
    assert_eq!(talk(node, client, &format!("DEL {key}")), ":1");
    assert_eq!(talk(node, client, &format!("EXISTS {key}")), ":0");
}

#[test]
fn whatever_removes_a_big_value_leaves_it_to_the_steps() {
    check(MANY, "", del);
    check(MANY, "", |node, client, key| {
        assert_eq!(talk(node, client, &format!("SET {key} v")), "+OK");
    });
    check(MANY, "", |node, client, key| {
        talk(node, client, &format!("SET {{{key}}}other v"));
        assert_eq!(
            talk(node, client, &format!("RENAME {{{key}}}other {key}")),
            "+OK"
        );
    });
    check(MANY, "", |node, client, key| {
        talk(node, client, &format!("PEXPIRE {key} 5"));
        node.clock.advance_millis(10);
        assert_eq!(talk(node, client, &format!("EXISTS {key}")), ":0");
    });
}

#[test]
fn smaller_values_go_in_steps_where_that_is_wished() {
    check(SOME, "", |node, client, key| {
        assert_eq!(talk(node, client, &format!("UNLINK {key}")), ":1");
    });
    check(SOME, "lazyfree-lazy-user-del", del);
    check(SOME, "lazyfree-lazy-server-del", |node, client, key| {
        assert_eq!(talk(node, client, &format!("SET {key} v")), "+OK");
    });
    check(SOME, "lazyfree-lazy-expire", |node, client, key| {
        talk(node, client, &format!("PEXPIRE {key} 5"));
        node.clock.advance_millis(10);
        assert_eq!(talk(node, client, &format!("EXISTS {key}")), ":0");
    });
}

#[test]
fn a_small_value_goes_at_once() {
    let mut node = LocalNode::new(1, 1);
    let client = node.connect(0);
    for key in build(&mut node, client, 3) {
        del(&mut node, client, key);
        assert_eq!(buried(&node), 0);
    }
    for key in build(&mut node, client, SOME) {
        del(&mut node, client, key);
        assert_eq!(buried(&node), 0, "{key}");
    }
}

#[test]
fn big_values_of_a_flushed_database_go_in_steps() {
    let mut node = LocalNode::new(1, 1);
    let client = node.connect(0);
    build(&mut node, client, MANY);
    assert_eq!(talk(&mut node, client, "FLUSHALL"), "+OK");
    assert_eq!(buried(&node), VALUES.len());
    let space = &mut node.cores[0].shard.space;
    let mut steps = 0;
    while space.bury_step() {
        steps += 1;
    }
    assert!(steps > VALUES.len() * MANY / 512, "{steps} steps");
}
