//! Fuzzers of RDB: payloads of all types with some damage, sealed again, and the commands of
//! whatever came out of them; and whole files.
//!
//! A payload that was accepted is a value like any other, so every command of its type has to do
//! something sensible with it.

use super::support::client::encode;
use super::support::prng::Prng;
use super::{Fuzzer, old};
use ringshard::base::prng::Prng as Random;
use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::keyspace::{Keyspace, ShardId, SlotMap};
use ringshard::object::Packing;
use ringshard::persistence::{Batch, Fed, Loader, Rules};
use ringshard::rdb::{Decoder, FileReader, Input, Item, Skim, crc64};

const SNAPSHOT: &[u8] = include_bytes!("../golden/rdb/redis-7.0.rdb");

/// Commands by type; KEY, OTHER, A, B and N are filled in.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "string",
        &[
            "GET KEY",
            "APPEND KEY A",
            "INCR KEY",
            "SETRANGE KEY N A",
            "BITCOUNT KEY",
            "STRLEN KEY",
        ],
    ),
    (
        "list",
        &[
            "LRANGE KEY 0 -1",
            "LPUSH KEY A",
            "RPUSH KEY A B",
            "LINDEX KEY N",
            "LSET KEY N B",
            "LINSERT KEY BEFORE A B",
            "LREM KEY N A",
            "LTRIM KEY 1 -2",
            "LPOP KEY",
            "RPOP KEY N",
            "LMOVE KEY OTHER LEFT RIGHT",
            "LPOS KEY A",
            "SORT KEY ALPHA",
        ],
    ),
    (
        "hash",
        &[
            "HGETALL KEY",
            "HSET KEY A B",
            "HDEL KEY A",
            "HINCRBY KEY A 1",
            "HRANDFIELD KEY -5",
            "HSCAN KEY 0",
            "HEXPIRE KEY 100 FIELDS 1 A",
            "HPERSIST KEY FIELDS 1 A",
            "HKEYS KEY",
            "HEXPIRE KEY 0 FIELDS 1 A",
            "HPTTL KEY FIELDS 2 A B",
            "HLEN KEY",
        ],
    ),
    (
        "set",
        &[
            "SMEMBERS KEY",
            "SADD KEY A",
            "SREM KEY A",
            "SPOP KEY",
            "SRANDMEMBER KEY -5",
            "SISMEMBER KEY A",
            "SSCAN KEY 0",
            "SINTER KEY KEY",
            "SUNIONSTORE OTHER KEY",
            "SADD KEY N",
        ],
    ),
    (
        "zset",
        &[
            "ZRANGE KEY 0 -1 WITHSCORES",
            "ZADD KEY N A",
            "ZREM KEY A",
            "ZPOPMIN KEY",
            "ZPOPMAX KEY 2",
            "ZRANK KEY A",
            "ZRANGEBYSCORE KEY -inf +inf",
            "ZINCRBY KEY N A",
            "ZRANGEBYLEX KEY - +",
            "ZREMRANGEBYRANK KEY 0 1",
            "ZSCAN KEY 0",
            "ZCOUNT KEY (1 N",
        ],
    ),
    (
        "stream",
        &[
            "XRANGE KEY - +",
            "XREVRANGE KEY + -",
            "XADD KEY * A B",
            "XDEL KEY 1-1",
            "XLEN KEY",
            "XTRIM KEY MAXLEN 1",
            "XREADGROUP GROUP group A STREAMS KEY >",
            "XPENDING KEY group",
            "XACK KEY group 1-1",
            "XINFO STREAM KEY FULL",
            "XGROUP DELCONSUMER KEY group consumer",
            "XAUTOCLAIM KEY group A 0 0",
            "XREADGROUP GROUP group consumer STREAMS KEY 0",
            "XPENDING KEY group - + 10",
            "XCLAIM KEY group A 0 1-1",
            "XSETID KEY 5-5",
            "XGROUP DESTROY KEY group",
            "XREAD STREAMS KEY 0",
            "XINFO GROUPS KEY",
        ],
    ),
];

/// What every value is asked.
const ALWAYS: &[&str] = &[
    "DUMP KEY",
    "OBJECT ENCODING KEY",
    "MEMORY USAGE KEY SAMPLES 0",
    "DEBUG DIGEST-VALUE KEY",
    "COPY KEY OTHER REPLACE",
];

fn ask(node: &mut LocalNode, client: LocalClient, words: &[&[u8]]) -> (usize, Vec<u8>) {
    let mut bytes = Vec::new();
    encode(words, &mut bytes);
    (bytes.len(), node.talk(client, &bytes))
}

/// A command with its blanks filled in.
fn fill(line: &str, prng: &mut Prng) -> Vec<Vec<u8>> {
    let mut word = |word: &str| match word {
        "KEY" => b"{k}".to_vec(),
        "OTHER" => b"{k}other".to_vec(),
        "A" => prng
            .pick(&["a", "f", "one", "low", "7", "m1"])
            .as_bytes()
            .to_vec(),
        "B" => vec![b'x'; prng.below(100)],
        "N" => (prng.below(12) as i64 - 4).to_string().into_bytes(),
        other => other.as_bytes().to_vec(),
    };
    line.split(' ').map(&mut word).collect()
}

/// Payloads without their seals, with the versions they are sealed with.
fn corpus(node: &mut LocalNode, client: LocalClient) -> Vec<(u16, Vec<u8>)> {
    let mut all: Vec<(u16, Vec<u8>)> = Vec::new();
    all.extend(
        old::values()
            .into_iter()
            .map(|(_, version, body)| (version, body)),
    );
    all.extend(
        old::newer()
            .into_iter()
            .map(|(_, version, body)| (version, body)),
    );
    let numbers = |count: usize| (0..count).map(|n| n.to_string());
    let mut lines: Vec<String> = vec!["SET KEY text".into(), "RPUSH KEY a b 7".into()];
    for (command, step, count) in [
        ("RPUSH", 1, 40),
        ("SADD", 1, 30),
        ("SADD x", 1, 140),
        ("HSET", 2, 20),
        ("HSET", 2, 1100),
        ("ZADD", 2, 20),
        ("ZADD", 2, 280),
    ] {
        let (command, first) = command.split_once(' ').unwrap_or((command, ""));
        let words: Vec<String> = numbers(count * step / step).collect();
        lines.push(format!("{command} KEY {first} {}", words.join(" ")).replace("  ", " "));
    }
    for line in lines {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let words: Vec<&[u8]> = words
            .into_iter()
            .map(|word| if word == b"KEY" { b"{k}" } else { word })
            .collect();
        ask(node, client, &words);
        let (_, reply) = ask(node, client, &[b"DUMP", b"{k}"]);
        let start = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        all.push((10, reply[start..reply.len() - 12].to_vec()));
        ask(node, client, &[b"DEL", b"{k}"]);
    }
    all
}

fn mutate(bytes: &mut Vec<u8>, prng: &mut Prng) {
    for _ in 0..prng.below(4) {
        let at = prng.below(bytes.len());
        match prng.below(8) {
            0 => bytes[at] = prng.next() as u8,
            1 => bytes[at] ^= 1 << prng.below(8),
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => bytes[at] = *prng.pick(&[0, 1, 0x7f, 0x80, 0x81, 0xc3, 0xfe, 0xff]),
            4 => bytes.insert(at, prng.next() as u8),
            5 if bytes.len() > 2 => drop(bytes.remove(at)),
            6 => bytes.truncate(at.max(1)),
            _ => {
                let piece: Vec<u8> = bytes[at..].iter().copied().take(prng.below(20)).collect();
                let to = prng.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}

/// RESTORE of damaged payloads, and the commands of the value's type.
pub fn restore() -> Fuzzer {
    let mut node = LocalNode::new(1, 1);
    let client = node.connect(0);
    let corpus = corpus(&mut node, client);
    Box::new(move |prng| {
        let (version, mut body) = prng.pick(&corpus).clone();
        mutate(&mut body, prng);
        body.extend(version.to_le_bytes());
        body.extend(crc64(&body).to_le_bytes());
        let words = [&b"RESTORE"[..], b"{k}", b"0", &body, b"REPLACE"];
        let (mut sent, reply) = ask(&mut node, client, &words);
        if reply != b"+OK\r\n" {
            assert!(reply.starts_with(b"-ERR "), "{}", reply.escape_ascii());
            return sent;
        }
        let (_, kind) = ask(&mut node, client, &[b"TYPE", b"{k}"]);
        let kind = std::str::from_utf8(&kind[1..kind.len() - 2]).unwrap();
        let own = COMMANDS.iter().find(|row| row.0 == kind).expect("a type").1;
        for number in 0..8 {
            let line = if number % 3 == 2 {
                prng.pick(ALWAYS)
            } else {
                prng.pick(own)
            };
            let words = fill(line, prng);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            sent += ask(&mut node, client, &words).0;
        }
        sent + ask(&mut node, client, &[b"DEL", b"{k}", b"{k}other"]).0
    })
}

/// Damaged files, read in pieces; values that come out are thrown away.
pub fn file() -> Fuzzer {
    let packing = Packing::default();
    Box::new(move |prng| {
        let from = prng.below(SNAPSHOT.len() - 9);
        let to = from + prng.below((SNAPSHOT.len() - from).min(3000));
        let mut rest = SNAPSHOT[from..to].to_vec();
        if !rest.is_empty() {
            mutate(&mut rest, prng);
        }
        let mut file = b"REDIS0010".to_vec();
        if prng.percent(50) {
            file = SNAPSHOT[..4000].to_vec();
        }
        file.extend(rest);
        let mut reader = FileReader::new(false);
        let mut input = Input::new(&file);
        while let Ok(item) = reader.next(&mut input) {
            let Item::Key(head) = item else {
                if item == Item::End {
                    break;
                }
                continue;
            };
            let mut ahead = input;
            let mut decoder = Decoder::new(head.code, &packing);
            let Ok(Some(_)) = reader.value(&mut decoder, &mut input, usize::MAX) else {
                break;
            };
            // Whoever only skims has to come to the same end.
            let ended = Skim::new(head.code).step(&mut ahead, usize::MAX);
            assert_eq!((ended, ahead.position()), (Ok(true), input.position()));
        }
        file.len()
    })
}

/// Damaged files, in pieces, into shards: what a start or a replica would do with them.
pub fn loader() -> Fuzzer {
    Box::new(move |prng| {
        let from = prng.below(SNAPSHOT.len() - 9);
        let to = from + prng.below((SNAPSHOT.len() - from).min(3000));
        let mut file = SNAPSHOT[..4000].to_vec();
        let mut rest = SNAPSHOT[from..to].to_vec();
        if !rest.is_empty() {
            mutate(&mut rest, prng);
        }
        file.extend(rest);
        let map = SlotMap::new(3);
        let rules = Rules {
            map,
            databases: 16,
            verifies: prng.percent(50),
            expired_by_ms: prng.percent(50).then_some(0),
            merges: prng.percent(50),
            packing: Packing::default(),
        };
        let mut spaces: Vec<Keyspace> = (0..3)
            .map(|shard| Keyspace::new(map.range(ShardId(shard)), 16, Random::from_seed(1)))
            .collect();
        let mut loader = Loader::new(rules);
        let mut install = |shard: ShardId, batch: Batch| {
            batch.install(&mut spaces[usize::from(shard.0)]).map(drop)
        };
        for piece in file.chunks(1 + prng.below(2000)) {
            if !matches!(loader.feed(piece, &mut install), Ok(Fed::More)) {
                break;
            }
        }
        file.len()
    })
}
