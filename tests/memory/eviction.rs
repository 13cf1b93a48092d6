//! Which keys go when there is too much, how many, and which stay whatever happens.
//!
//! Sampling is approximate, so the properties are about shares: of what goes, nearly all is what
//! the policy wants gone.

use crate::talk;
use ringshard::base::prng::Prng;
use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::keyspace::{DbIndex, Key, Lookup};
use ringshard::shard::{Intents, Lock, Ticket};

const SHARDS: [usize; 3] = [1, 2, 7];
const POLICIES: [&str; 7] = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];
const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

fn node(shards: usize, policy: &str) -> (LocalNode, LocalClient) {
    let mut node = LocalNode::new(shards, 5);
    let client = node.connect(0);
    let line = format!("CONFIG SET maxmemory-policy {policy}");
    assert_eq!(talk(&mut node, client, &line), "+OK");
    (node, client)
}

/// Bytes in use, as each core knows of itself.
fn used(node: &LocalNode) -> u64 {
    node.node.used_memory_bytes()
}

fn evicted(node: &LocalNode) -> u64 {
    let cores = node.cores.iter();
    cores
        .map(|core| core.shard.space.common.stats.evicted)
        .sum()
}

/// Whether a key is there, without a trace.
fn has(node: &mut LocalNode, key: &str) -> bool {
    let key = Key::new(key.as_bytes());
    let owner = node.node.map.shard(key.slot);
    let space = &mut node.cores[owner.0 as usize].shard.space;
    space.door(DbIndex(0)).find(&key, Lookup::Write).is_some()
}

fn fill(node: &mut LocalNode, client: LocalClient, keys: std::ops::Range<u32>, end: &str) {
    for number in keys {
        let line = format!("SET k{number} {}{end}", "x".repeat(100));
        assert_eq!(talk(node, client, &line), "+OK");
    }
}

/// Takes away so many bytes of what may be used, and waits until they are given back.
fn squeeze(node: &mut LocalNode, client: LocalClient, bytes: u64) {
    node.tick();
    let limit = used(node) - bytes;
    let line = format!("CONFIG SET maxmemory {limit}");
    assert_eq!(talk(node, client, &line), "+OK");
    for _ in 0..1000 {
        node.tick();
        if used(node) <= limit {
            return;
        }
    }
    panic!("{} of {limit} bytes in use", used(node));
}

/// Time enough for what is done in steps: how much one does is up to the real clock.
fn ticks(node: &mut LocalNode) {
    for _ in 0..100 {
        node.tick();
    }
}

/// How many of the keys that are gone are among those.
fn gone(node: &mut LocalNode, keys: std::ops::Range<u32>) -> usize {
    keys.filter(|number| !has(node, &format!("k{number}")))
        .count()
}

#[test]
fn the_least_recently_used_go_first() {
    for shards in SHARDS {
        let (mut node, client) = node(shards, "allkeys-lru");
        fill(&mut node, client, 0..4000, "");
        node.clock.advance_millis(100_000);
        for number in 0..2000 {
            talk(&mut node, client, &format!("GET k{number}"));
        }
        node.clock.advance_millis(5_000);
        squeeze(&mut node, client, 100_000);
        let (used, unused) = (gone(&mut node, 0..2000), gone(&mut node, 2000..4000));
        assert!(unused > 300, "{shards} shards: {unused}");
        assert!(used * 50 < unused, "{shards} shards: {used} and {unused}");
    }
}

#[test]
fn the_least_frequently_used_go_first() {
    for shards in SHARDS {
        let (mut node, client) = node(shards, "allkeys-lfu");
        fill(&mut node, client, 0..4000, "");
        for number in 0..2000 {
            for _ in 0..20 {
                talk(&mut node, client, &format!("GET k{number}"));
            }
        }
        squeeze(&mut node, client, 100_000);
        let (often, never) = (gone(&mut node, 0..2000), gone(&mut node, 2000..4000));
        assert!(never > 300, "{shards} shards: {never}");
        assert!(often * 50 < never, "{shards} shards: {often} and {never}");
    }
}

#[test]
fn what_expires_first_goes_first() {
    for shards in SHARDS {
        let (mut node, client) = node(shards, "volatile-ttl");
        fill(&mut node, client, 0..2000, " EX 10000");
        fill(&mut node, client, 2000..4000, " EX 1000");
        squeeze(&mut node, client, 100_000);
        let (later, sooner) = (gone(&mut node, 0..2000), gone(&mut node, 2000..4000));
        assert!(sooner > 300, "{shards} shards: {sooner}");
        assert!(later * 50 < sooner, "{shards} shards: {later} and {sooner}");
    }
}

#[test]
fn chance_takes_from_all() {
    let (mut node, client) = node(2, "allkeys-random");
    fill(&mut node, client, 0..4000, "");
    squeeze(&mut node, client, 200_000);
    let halves = [gone(&mut node, 0..2000), gone(&mut node, 2000..4000)];
    assert!(halves.iter().all(|half| *half > 300), "{halves:?}");
}

#[test]
fn keys_without_an_expiry_stay_under_volatile_policies() {
    for policy in POLICIES
        .into_iter()
        .filter(|policy| policy.starts_with("volatile"))
    {
        for shards in SHARDS {
            let (mut node, client) = node(shards, policy);
            fill(&mut node, client, 0..1000, "");
            fill(&mut node, client, 1000..1100, " EX 1000");
            node.tick();
            let limit = used(&node) - 100_000;
            talk(&mut node, client, &format!("CONFIG SET maxmemory {limit}"));
            ticks(&mut node);
            let name = format!("{policy} on {shards} shards");
            assert_eq!(gone(&mut node, 0..1000), 0, "{name}");
            assert_eq!(gone(&mut node, 1000..1100), 100, "{name}");
            assert_eq!(talk(&mut node, client, "SET k0 v"), OOM, "{name}");
            assert_eq!(talk(&mut node, client, "GET nosuch"), "$-1", "{name}");
            assert_eq!(talk(&mut node, client, "DEL k1"), ":1", "{name}");
        }
    }
}

#[test]
fn no_command_leaves_more_than_its_own_above_the_limit() {
    /// What a command may take besides its value: its own copies on the way, buffers, tables.
    const SLACK: u64 = 40_000;
    for policy in POLICIES {
        for shards in SHARDS {
            let (mut node, client) = node(shards, policy);
            // Far more than what the cores may come to need besides (their histograms grow with
            // the times that they see), or that would leave no room for keys.
            fill(&mut node, client, 0..3000 * shards as u32, " EX 1000");
            node.tick();
            let limit = used(&node);
            talk(&mut node, client, &format!("CONFIG SET maxmemory {limit}"));
            let mut random = Prng::from_seed(3);
            for step in 0..4000 {
                let len = random.below(2000) as usize + 1;
                let key = random.below(100_000);
                let line = format!("SET n{key} {} EX 1000", "y".repeat(len));
                let name = format!("{policy} on {shards} shards, step {step}");
                assert_eq!(talk(&mut node, client, &line), "+OK", "{name}");
                let used = used(&node);
                assert!(used <= limit + SLACK, "{name}: {}", used - limit);
            }
            assert!(evicted(&node) > 1000, "{policy} on {shards} shards");
        }
    }
}

#[test]
fn a_shard_that_had_nothing_to_evict_says_when_it_has() {
    let (mut node, client) = node(2, "volatile-lru");
    let owner = |node: &LocalNode, key: &str| node.node.map.shard(Key::new(key.as_bytes()).slot).0;
    let mut keys = (0..).map(|number| format!("k{number}"));
    let here = keys.find(|key| owner(&node, key) == 0).unwrap();
    let there = keys.find(|key| owner(&node, key) == 1).unwrap();
    // Both find nothing that may go, and say so.
    talk(&mut node, client, "CONFIG SET maxmemory 1");
    for key in [&here, &there] {
        assert_eq!(talk(&mut node, client, &format!("SET {key} v")), OOM);
    }
    talk(&mut node, client, "CONFIG SET maxmemory 0");
    let line = format!("SETRANGE {there} 500000 x");
    assert_eq!(talk(&mut node, client, &line), ":500001");
    assert_eq!(
        talk(&mut node, client, &format!("EXPIRE {there} 1000")),
        ":1"
    );
    node.tick();
    let limit = used(&node) + 5_000;
    talk(&mut node, client, &format!("CONFIG SET maxmemory {limit}"));
    for len in 0..100 {
        let line = format!("SETRANGE {here} {} x", len * 1000);
        assert_eq!(
            talk(&mut node, client, &line),
            format!(":{}", len * 1000 + 1)
        );
    }
    assert_eq!(evicted(&node), 1);
}

#[test]
fn without_eviction_a_full_node_still_reads_and_deletes() {
    for shards in SHARDS {
        let (mut node, client) = node(shards, "noeviction");
        fill(&mut node, client, 0..100, "");
        talk(&mut node, client, "CONFIG SET maxmemory 1");
        for line in ["SET k1 v", "APPEND k1 v", "LPUSH l 1", "MSET a 1 b 2 c 3"] {
            assert_eq!(talk(&mut node, client, line), OOM, "{line}");
        }
        for (line, reply) in [
            ("STRLEN k1", ":100"),
            ("EXISTS k1 k2", ":2"),
            ("DEL k1 k2", ":2"),
            ("EXPIRE k3 100", ":1"),
            ("CONFIG SET maxmemory 0", "+OK"),
            ("SET k1 v", "+OK"),
        ] {
            assert_eq!(talk(&mut node, client, line), reply, "{line}");
        }
        assert_eq!(evicted(&node), 0);
    }
}

#[test]
fn what_is_locked_or_pinned_stays() {
    for policy in POLICIES {
        let (mut node, client) = node(1, policy);
        fill(&mut node, client, 0..500, " EX 1000");
        let hashes = |numbers: std::ops::Range<u32>| {
            let name = |number| format!("k{number}");
            let hash = |number| (Key::new(name(number).as_bytes()).hash, Lock::Shared);
            Intents::of_keys(numbers.map(hash).collect())
        };
        let shard = &mut node.cores[0].shard;
        shard.locks.ask(Ticket(1), hashes(0..10));
        shard.space.common.pins.pin(1, hashes(10..20).hashes());
        talk(&mut node, client, "CONFIG SET maxmemory 1");
        ticks(&mut node);
        assert_eq!(gone(&mut node, 0..20), 0, "{policy}");
        assert_eq!(gone(&mut node, 20..500), 480, "{policy}");
        // What could go but for its locks is no reason to refuse anything.
        assert_eq!(
            talk(&mut node, client, "SET k400 v EX 1000"),
            "+OK",
            "{policy}"
        );
        node.cores[0].shard.locks.release(Ticket(1));
        node.cores[0].shard.space.common.pins.unpin(1, false);
        ticks(&mut node);
        assert_eq!(gone(&mut node, 0..500), 500, "{policy}");
        assert_eq!(talk(&mut node, client, "SET k400 v"), OOM, "{policy}");
    }
}

#[test]
fn watched_keys_are_touched_and_replicas_told() {
    let (mut node, client) = node(1, "allkeys-random");
    node.cores[0].shard.record(true);
    fill(&mut node, client, 0..10, "");
    talk(&mut node, client, "WATCH k1");
    drop(node.cores[0].shard.effects.take_journal());
    let other = node.connect(0);
    talk(&mut node, other, "CONFIG SET maxmemory 1");
    ticks(&mut node);
    let journal = node.cores[0].shard.effects.take_journal();
    let records = journal.records.iter();
    let mut said: Vec<Vec<u8>> = records.map(|(_, bytes)| bytes.to_vec()).collect();
    said.sort_unstable();
    let del = |n| format!("*2\r\n$3\r\nDEL\r\n$2\r\nk{n}\r\n").into_bytes();
    assert_eq!(said, (0..10).map(del).collect::<Vec<_>>());
    talk(&mut node, other, "CONFIG SET maxmemory 0");
    assert_eq!(
        talk(&mut node, client, "MULTI\r\nPING\r\nEXEC"),
        "+OK\r\n+QUEUED\r\n*-1"
    );
}

#[test]
fn a_pause_keeps_everything() {
    let (mut node, client) = node(2, "allkeys-lru");
    fill(&mut node, client, 0..100, "");
    talk(&mut node, client, "CLIENT PAUSE 1000 WRITE");
    talk(&mut node, client, "CONFIG SET maxmemory 1");
    node.tick();
    assert_eq!(evicted(&node), 0);
    node.clock.advance_millis(2000);
    node.tick();
    assert_eq!(evicted(&node), 100);
}
