//! Values that travel: DUMP here and RESTORE there, with redis-server in both directions.
//!
//! Values of every type and encoding are made on redis-server, brought here, and brought back;
//! DEBUG DIGEST-VALUE has to be the same at every station. What no server of today writes (the
//! formats of Redis 1 to 6) is put together by hand and given to both. Redis 7.4's and Valkey's
//! expiring fields have no counterpart in redis-server 7.0 and are checked by their content.
//! Whole files, RDB and AOF, are in `interchange/`.
#![allow(clippy::unwrap_used)]

#[path = "interchange/datasets.rs"]
mod datasets;
#[path = "interchange/files.rs"]
mod files;
#[path = "interchange/old.rs"]
mod old;
mod support;

use ringshard::rdb::crc64;
use support::prng::{Prng, seed_from};
use support::values::{STYLES, configure, make, make_stream};
use support::{Client, Reply, Server, Setup};

const SHARDS: [usize; 3] = [1, 2, 7];

/// A payload of these bytes as a server of this version seals it.
fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [body, &version.to_le_bytes()].concat();
    payload.extend(crc64(&payload).to_le_bytes());
    payload
}

fn call(client: &mut Client, words: &[&[u8]]) -> Reply {
    client.call_args(words)
}

fn payload_of(client: &mut Client, key: &str) -> Vec<u8> {
    match call(client, &[b"DUMP", key.as_bytes()]) {
        Reply::Bulk(bytes) => bytes,
        other => panic!("DUMP {key}: {other:?}"),
    }
}

fn restore(client: &mut Client, key: &str, payload: &[u8]) -> String {
    call(
        client,
        &[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"],
    )
    .text()
}

fn digest(client: &mut Client, key: &str) -> String {
    client.call(&format!("DEBUG DIGEST-VALUE {key}")).items()[0].text()
}

fn servers(shards: usize) -> Option<(Server, Server)> {
    let Some(oracle) = Setup::oracle() else {
        println!("SKIPPED: no redis-server on this machine");
        return None;
    };
    let debug = |setup: Setup| setup.arg("enable-debug-command", "yes").start();
    Some((debug(oracle), debug(Setup::ringshard(shards))))
}

#[test]
fn values_travel_both_ways() {
    let seed = seed_from("INTERCHANGE_SEED");
    println!("INTERCHANGE_SEED={seed}");
    for shards in SHARDS {
        let Some((oracle, own)) = servers(shards) else {
            return;
        };
        let (mut oracle, mut own) = (oracle.client(), own.client());
        let mut random = Prng::new(seed);
        for style in STYLES {
            configure(&mut oracle, style);
            configure(&mut own, style);
            for number in 0..40 {
                for kind in ["SET", "RPUSH", "SADD", "ZADD", "HSET", "XADD"] {
                    let key = format!("{kind}{number}");
                    oracle.call(&format!("DEL {key}"));
                    match kind {
                        "XADD" => make_stream(&mut oracle, &key, &mut random),
                        _ => make(&mut oracle, kind, &key, &mut random),
                    }
                    there_and_back(&mut oracle, &mut own, &key);
                }
            }
        }
    }
}

fn there_and_back(oracle: &mut Client, own: &mut Client, key: &str) {
    let wanted = digest(oracle, key);
    let payload = payload_of(oracle, key);
    assert_eq!(restore(own, key, &payload), "OK", "{key} from redis-server");
    assert_eq!(digest(own, key), wanted, "{key} here");
    let payload = payload_of(own, key);
    assert_eq!(restore(oracle, "back", &payload), "OK", "{key} back");
    assert_eq!(digest(oracle, "back"), wanted, "{key} there again");
    assert_eq!(restore(own, key, &payload), "OK", "{key} to ourselves");
    assert_eq!(digest(own, key), wanted, "{key} here again");
    if oracle.call(&format!("TYPE {key}")).text() == "stream" {
        let facts = stream_facts(oracle, key);
        assert_eq!(stream_facts(own, key), facts, "{key} here");
        assert_eq!(stream_facts(oracle, "back"), facts, "{key} there again");
    }
}

/// What a digest leaves out: ids and counters of a stream, its groups and what is pending.
fn stream_facts(client: &mut Client, key: &str) -> Vec<String> {
    let facts = client.call(&format!("XINFO STREAM {key}"));
    let named = |name: &str| {
        let at = facts.items().iter().position(|item| word(item) == name);
        word(&facts.items()[at.expect("a field of XINFO") + 1])
    };
    let names = [
        "length",
        "last-generated-id",
        "max-deleted-entry-id",
        "entries-added",
        "recorded-first-entry-id",
    ];
    let mut all: Vec<String> = names.iter().map(|name| named(name)).collect();
    let groups = client.call(&format!("XINFO GROUPS {key}"));
    for group in groups.items() {
        all.extend(group.items().iter().map(word));
        let name = group.items()[1].text();
        let pending = client.call(&format!("XPENDING {key} {name} - + 1000"));
        for entry in pending.items() {
            let texts: Vec<String> = entry.items().iter().map(word).collect();
            all.push([&texts[0][..], &texts[1], &texts[3]].join(" "));
        }
        let consumers = client.call(&format!("XINFO CONSUMERS {key} {name}"));
        for consumer in consumers.items() {
            all.extend(consumer.items()[..4].iter().map(word));
        }
    }
    all
}

#[test]
fn formats_of_old_servers() {
    let Some((oracle, own)) = servers(2) else {
        return;
    };
    let (mut oracle, mut own) = (oracle.client(), own.client());
    for (name, version, body) in old::values() {
        let payload = sealed(&body, version);
        assert_eq!(restore(&mut oracle, name, &payload), "OK", "{name} there");
        assert_eq!(restore(&mut own, name, &payload), "OK", "{name} here");
        there_and_back(&mut oracle, &mut own, name);
        let there = digest(&mut oracle, name);
        assert_eq!(restore(&mut own, name, &payload), "OK");
        assert_eq!(digest(&mut own, name), there, "{name}");
    }
}

#[test]
fn formats_of_newer_servers() {
    let own = Setup::ringshard(2)
        .arg("enable-debug-command", "yes")
        .start();
    let mut own = own.client();
    for (name, version, body) in old::newer() {
        let payload = sealed(&body, version);
        assert_eq!(restore(&mut own, name, &payload), "OK", "{name}");
        for (question, answer) in old::answers(name) {
            let reply = own.call(&question.replace("KEY", name));
            assert_eq!(show(&reply), *answer, "{name}: {question}");
        }
        let again = payload_of(&mut own, name);
        assert_eq!(restore(&mut own, "again", &again), "OK", "{name}");
        assert_eq!(digest(&mut own, "again"), digest(&mut own, name), "{name}");
    }
}

/// A reply that is no array, whatever it is.
fn word(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        Reply::Array(_) => String::from("..."),
        reply if reply.is_nil() => String::from("nil"),
        reply => reply.text(),
    }
}

/// A reply in one line, the elements of an array in order.
fn show(reply: &Reply) -> String {
    if !matches!(reply, Reply::Array(_)) {
        return word(reply);
    }
    let mut texts: Vec<String> = reply.items().iter().map(word).collect();
    texts.sort();
    texts.join(" ")
}

#[test]
fn damaged_payloads_are_refused_as_there() {
    let Some((oracle, own)) = servers(1) else {
        return;
    };
    let (mut oracle, mut own) = (oracle.client(), own.client());
    oracle.call("CONFIG SET sanitize-dump-payload yes");
    let good = sealed(b"\x00\x03abc", 10);
    let cases = [
        b"".to_vec(),
        b"short".to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"x"].concat(),
        sealed(b"\x00\x03abc", 13),
        sealed(b"\x00\x03abc", 79),
        sealed(b"", 10),
        sealed(b"\x00", 10),
        sealed(b"\x08\x03abc", 10),
        sealed(b"\xff\x03abc", 10),
        sealed(b"\x06\x03abc", 10),
        sealed(b"\x01\x00", 10),
        sealed(b"\x04\x02\x01a\x01b\x01a\x01c", 10),
        sealed(b"\x02\x02\x01a\x01a", 10),
        sealed(b"\x0b\x08\x02\0\0\0\0\0\0\0", 10),
        sealed(b"\x00\x03abctrailing", 10),
        good,
    ];
    for (number, payload) in cases.iter().enumerate() {
        let there = restore(&mut oracle, "k", payload);
        assert_eq!(restore(&mut own, "k", payload), there, "case {number}");
    }
}
