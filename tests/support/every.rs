//! A dataset with every type in every encoding, and what a digest does not say of it.
//!
//! Made by ordinary commands on any server with default limits, in several databases, some of it
//! with expiries far away. [`facts`] are the encodings, the moments keys go at, and ids, counters,
//! groups and pending entries of streams.

use super::client::encode;
use super::{Client, Reply};

/// Databases that are filled.
const DATABASES: [usize; 3] = [0, 3, 15];
/// From so many elements on a snapshot takes a value in pieces.
const LONG: usize = 3000;

/// A key, the encoding it has in Ringshard, and the one in redis-server 7.0.
const KEYS: [(&str, &str, &str); 21] = [
    ("int", "int", "int"),
    ("embstr", "embstr", "embstr"),
    ("raw", "raw", "raw"),
    ("large", "raw", "raw"),
    ("sparse", "raw", "raw"),
    ("dense", "raw", "raw"),
    ("list:small", "listpack", "quicklist"),
    ("list:nodes", "quicklist", "quicklist"),
    ("list:giant", "quicklist", "quicklist"),
    ("hash:small", "listpack", "listpack"),
    ("hash:table", "hashtable", "hashtable"),
    ("hash:wide", "hashtable", "hashtable"),
    ("set:ints", "intset", "intset"),
    ("set:small", "listpack", "hashtable"),
    ("set:table", "hashtable", "hashtable"),
    ("zset:small", "listpack", "listpack"),
    ("zset:table", "skiplist", "skiplist"),
    ("stream:small", "stream", "stream"),
    ("stream:nodes", "stream", "stream"),
    ("stream:empty", "stream", "stream"),
    ("stream:fresh", "stream", "stream"),
];

fn done(reply: &Reply, what: &str) {
    assert!(!reply.is_error(), "{what}: {}", reply.text());
}

fn call(client: &mut Client, line: &str) {
    let reply = client.call(line);
    done(&reply, line);
}

/// One command with elements that are made from numbers.
fn add(client: &mut Client, verb: &str, count: usize, element: impl Fn(usize) -> Vec<String>) {
    let mut words: Vec<String> = verb.split(' ').map(str::to_owned).collect();
    words.extend((0..count).flat_map(element));
    let reply = client.call_args(&words);
    done(&reply, verb);
}

/// Fills all databases.
pub fn make(client: &mut Client) {
    for db in DATABASES {
        call(client, &format!("SELECT {db}"));
        strings(client);
        collections(client);
        streams(client);
        for (number, (key, ..)) in KEYS
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 3 == 0)
        {
            call(
                client,
                &format!("PEXPIREAT {key} {}", 4_000_000_000_123 + number as i64),
            );
        }
    }
    call(client, "SELECT 0");
}

fn strings(client: &mut Client) {
    call(client, "SET int -1234567");
    call(client, "SET embstr short");
    call(client, &format!("SET raw {}", "long".repeat(20)));
    let text: Vec<u8> = (0..300_000u32)
        .map(|n| (n % 251 * 7 + n / 1000) as u8)
        .collect();
    let reply = client.call_args(&[&b"SET"[..], b"large", &text]);
    done(&reply, "SET large");
    add(client, "PFADD sparse", 100, |n| vec![format!("e{n}")]);
    add(client, "PFADD dense", 5000, |n| vec![format!("e{n}")]);
}

fn collections(client: &mut Client) {
    call(client, "RPUSH list:small a 1 -70000 bcd");
    add(client, "RPUSH list:nodes", LONG, |n| {
        vec![format!("{n:060}")]
    });
    let giant = vec![b'g'; 100_000];
    let reply = client.call_args(&[&b"RPUSH"[..], b"list:giant", b"1", &giant, b"2"]);
    done(&reply, "RPUSH list:giant");
    call(client, "HSET hash:small f 1 g two");
    add(client, "HSET hash:table", LONG, |n| {
        vec![format!("f{n}"), n.to_string()]
    });
    call(client, &format!("HSET hash:wide f {}", "w".repeat(100)));
    call(client, "SADD set:ints 1 -2 30000 4000000000");
    call(client, "SADD set:small a b 3");
    add(client, "SADD set:table", LONG, |n| vec![format!("m{n}")]);
    call(client, "ZADD zset:small 1 a 1.5 b -inf c 2 3");
    add(client, "ZADD zset:table", LONG, |n| {
        let score = (n as f64 - 7.0) / 3.0 * 10f64.powi(n as i32 % 60 - 30);
        vec![score.to_string(), format!("m{n}")]
    });
    call(client, "ZADD zset:table inf top -inf bottom 1e300 far");
}

fn streams(client: &mut Client) {
    for (key, count) in [("stream:small", 10), ("stream:nodes", LONG)] {
        let mut bytes = Vec::new();
        for number in 1..=count {
            let id = format!("{}-{number}", 1000 + number / 3);
            let value = number.to_string();
            encode(
                &["XADD", key, &id, "field", &value, "other", "x"],
                &mut bytes,
            );
        }
        client.send_bytes(&bytes);
        for _ in 0..count {
            done(&client.receive(), key);
        }
        for line in [
            "XGROUP CREATE KEY first 0",
            "XGROUP CREATE KEY second $",
            "XREADGROUP GROUP first one COUNT 4 STREAMS KEY >",
            "XREADGROUP GROUP first two COUNT 3 STREAMS KEY >",
            "XREADGROUP GROUP first one STREAMS KEY 0",
            "XGROUP CREATECONSUMER KEY first idle",
            "XGROUP CREATECONSUMER KEY second idle",
            "XDEL KEY 1003-10",
        ] {
            call(client, &line.replace("KEY", key));
        }
    }
    call(client, "XADD stream:empty 77-7 f v");
    call(client, "XDEL stream:empty 77-7");
    call(client, "XGROUP CREATE stream:fresh group $ MKSTREAM");
}

/// What a digest leaves out, a line each; every key has the encoding it ought to have.
pub fn facts(client: &mut Client) -> Vec<String> {
    let is_own = client
        .call("INFO server")
        .text()
        .contains("ringshard_version");
    let mut all = Vec::new();
    for db in DATABASES {
        call(client, &format!("SELECT {db}"));
        for (key, own, stock) in KEYS {
            let encoding = client.call(&format!("OBJECT ENCODING {key}")).text();
            assert_eq!(encoding, if is_own { own } else { stock }, "{key}");
            let goes_at = client.call(&format!("PEXPIRETIME {key}")).integer();
            all.push(format!("{db} {key} {goes_at}"));
            if encoding == "stream" {
                all.extend(stream_facts(client, key));
            }
        }
    }
    call(client, "SELECT 0");
    all
}

fn stream_facts(client: &mut Client, key: &str) -> Vec<String> {
    let facts = client.call(&format!("XINFO STREAM {key}"));
    let names = [
        "length",
        "last-generated-id",
        "max-deleted-entry-id",
        "entries-added",
        "groups",
    ];
    let named = |name: &str| {
        let at = facts.items().iter().position(|item| word(item) == name);
        format!(
            "{key} {name} {}",
            word(&facts.items()[at.expect("a field") + 1])
        )
    };
    let mut all: Vec<String> = names.iter().map(|name| named(name)).collect();
    for group in client.call(&format!("XINFO GROUPS {key}")).items() {
        all.push(line(group));
        let name = group.items()[1].text();
        let pending = client.call(&format!("XPENDING {key} {name} - + 100"));
        for entry in pending.items() {
            let entry = entry.items();
            all.push([word(&entry[0]), word(&entry[1]), word(&entry[3])].join(" "));
        }
        let consumers = client.call(&format!("XINFO CONSUMERS {key} {name}"));
        all.extend(consumers.items().iter().map(|it| word(&it.items()[1])));
    }
    all
}

fn word(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        Reply::Array(_) => String::from("..."),
        reply if reply.is_nil() => String::from("nil"),
        reply => reply.text(),
    }
}

fn line(reply: &Reply) -> String {
    let words: Vec<String> = reply.items().iter().map(word).collect();
    words.join(" ")
}
