//! Fuzzers of commands: every option in every place, with numbers, scores, ids and ranges at the
//! edges of what is allowed and beyond.
//!
//! A row of `templates` is a command with choices in brackets and blanks in capitals. The data
//! stays small, because a reply may be as long as the data; so whatever a command reserves besides
//! comes from a number that somebody sent. Every reply has to be one well-formed reply, in RESP2
//! and in RESP3.

use super::support::Reply;
use super::support::client::encode;
use super::support::prng::Prng;
use super::{Fuzzer, noise};
use ringshard::commands::local::{LocalClient, LocalNode};

const SCORES: &[&str] = &[
    "ZADD KEY [NX|XX|][ GT| LT|][ CH|][ INCR|] SCORE ELEMENT[ SCORE ELEMENT|]",
    "ZADD KEY SCORE ELEMENT SCORE ELEMENT SCORE ELEMENT SCORE ELEMENT",
    "ZADD KEY 0 ELEMENT 0 ELEMENT 0 ELEMENT 0 ELEMENT",
    "ZINCRBY KEY SCORE ELEMENT",
    "ZRANGE KEY [INT INT|BOUND BOUND BYSCORE|LEX LEX BYLEX][ REV|][ LIMIT INT INT|][ WITHSCORES|]",
    "ZRANGESTORE KEY KEY [INT INT|BOUND BOUND BYSCORE|LEX LEX BYLEX][ REV|][ LIMIT INT INT|]",
    "[ZRANGEBYSCORE|ZREVRANGEBYSCORE] KEY BOUND BOUND[ WITHSCORES|][ LIMIT INT INT|]",
    "[ZRANGEBYLEX|ZREVRANGEBYLEX] KEY LEX LEX[ LIMIT INT INT|]",
    "[ZCOUNT|ZREMRANGEBYSCORE] KEY BOUND BOUND",
    "[ZLEXCOUNT|ZREMRANGEBYLEX] KEY LEX LEX",
    "[ZREMRANGEBYRANK|ZREVRANGE|ZRANGE] KEY INT INT",
    "[ZRANK|ZREVRANK|ZSCORE|ZREM] KEY ELEMENT",
    "[ZPOPMIN|ZPOPMAX] KEY[ INT|]",
    "ZMPOP NUMKEYS KEY[ KEY|] [MIN|MAX][ COUNT INT|]",
    "ZRANDMEMBER KEY[ DRAWS| DRAWS WITHSCORES|]",
    "[ZUNION|ZINTER] NUMKEYS KEY KEY[ WEIGHTS SCORE SCORE|][ AGGREGATE [SUM|MIN]|][ WITHSCORES|]",
    "[ZUNIONSTORE|ZINTERSTORE] KEY NUMKEYS KEY KEY[ WEIGHTS SCORE SCORE|][ AGGREGATE MAX|]",
    "[ZDIFF NUMKEYS|ZDIFFSTORE KEY NUMKEYS] KEY KEY",
    "ZINTERCARD NUMKEYS KEY KEY[ LIMIT INT|]",
    "ZSCAN KEY CURSOR[ COUNT INT|][ MATCH a*|]",
    "ZMSCORE KEY ELEMENT ELEMENT",
];

const STREAM_IDS: &[&str] = &[
    "XADD KEY[ NOMKSTREAM|][ [MAXLEN|MINID][ ~| =|] [ID|INT][ LIMIT INT|]|] ID ELEMENT ELEMENT",
    "XADD KEY * ELEMENT ELEMENT",
    "XADD KEY SMALL-SMALL ELEMENT ELEMENT ELEMENT ELEMENT",
    "XADD KEY SMALL-* ELEMENT ELEMENT",
    "[XRANGE|XREVRANGE] KEY IDEND IDEND[ COUNT INT|]",
    "XREAD[ COUNT INT|] STREAMS [KEY ID|KEY KEY ID ID|KEY $]",
    "XREADGROUP GROUP [g|h] [c|d][ COUNT INT|][ NOACK|] STREAMS KEY [>|ID]",
    "XTRIM KEY [MAXLEN|MINID][ ~| =|] [ID|INT][ LIMIT INT|]",
    "XDEL KEY ID[ ID|]",
    "XSETID KEY ID[ ENTRIESADDED INT|][ MAXDELETEDID ID|]",
    "XGROUP CREATE KEY [g|h] [ID|$|0][ MKSTREAM|][ ENTRIESREAD INT|]",
    "XGROUP SETID KEY [g|h] [ID|$][ ENTRIESREAD INT|]",
    "XGROUP [DESTROY KEY g|DELCONSUMER KEY g c|CREATECONSUMER KEY h d]",
    "XACK KEY [g|h] ID ID",
    "XCLAIM KEY g [c|d] INT ID[ ID|][ IDLE INT|][ TIME INT|][ RETRYCOUNT INT|][ FORCE|][ JUSTID|]",
    "XAUTOCLAIM KEY [g|h] d INT IDEND[ COUNT INT|][ JUSTID|]",
    "XPENDING KEY g[[ IDLE INT|] IDEND IDEND INT[ c|]|]",
    "XINFO [STREAM KEY|STREAM KEY FULL COUNT INT|GROUPS KEY|CONSUMERS KEY g]",
    "XLEN KEY",
];

const BITFIELDS: &[&str] = &[
    "BITFIELD KEY[ OVERFLOW [WRAP|SAT|FAIL]|] [SET|INCRBY] WIDTH OFFSET INT",
    "BITFIELD KEY GET u8 INT INCRBY i64 OFFSET INT OVERFLOW SAT SET u5 #SMALL INT",
    "[BITFIELD|BITFIELD_RO] KEY GET WIDTH INT[ GET WIDTH OFFSET|]",
    "SETBIT KEY OFFSET [0|1|INT]",
    "GETBIT KEY INT",
    "BITCOUNT KEY[ INT INT[ BIT| BYTE|]|]",
    "BITPOS KEY [0|1][ INT[ INT[ BIT| BYTE|]|]|]",
    "BITOP [AND|OR|XOR|NOT] KEY KEY[ KEY|]",
    "SET KEY ELEMENT",
    "GETRANGE KEY INT INT",
    "[SETRANGE KEY FAR ELEMENT|SETRANGE KEY SMALL ELEMENT]",
    "STRLEN KEY",
];

const GEO: &[&str] = &[
    "GEOADD KEY[ NX| XX|][ CH|] LONGITUDE LATITUDE ELEMENT[ LONGITUDE LATITUDE ELEMENT|]",
    "GEOADD KEY 13.4 52.5 a 2.35 48.85 b 13.361 38.115 c",
    "GEODIST KEY ELEMENT ELEMENT[ UNIT|]",
    "[GEOHASH|GEOPOS] KEY ELEMENT[ ELEMENT|]",
    "GEOSEARCH KEY AREA[ ASC| DESC|][ COUNT INT[ ANY|]|][ WITHCOORD|][ WITHDIST|][ WITHHASH|]",
    "GEOSEARCHSTORE KEY KEY AREA[ ASC| DESC|][ COUNT INT[ ANY|]|][ STOREDIST|]",
    "[GEORADIUS|GEORADIUS_RO] KEY LONGITUDE LATITUDE RADIUS UNIT[ WITHDIST|][ COUNT INT|][ ASC|]",
    "GEORADIUSBYMEMBER KEY ELEMENT RADIUS UNIT[ STORE KEY| STOREDIST KEY|][ COUNT INT|]",
    "ZADD KEY SCORE ELEMENT",
    "ZRANGE KEY 0 -1 WITHSCORES",
];

const SORT: &[&str] = &[
    "[SORT|SORT_RO] KEY[ BY PATTERN|][ LIMIT INT INT|][ GET PATTERN[ GET PATTERN|]|][ ASC| DESC|][ \
     ALPHA|]",
    "SORT KEY[ BY PATTERN|][ LIMIT INT INT|][ GET PATTERN|][ ALPHA|] STORE KEY",
    "RPUSH KEY [SCORE|INT|ELEMENT] [SCORE|INT|ELEMENT]",
    "SADD KEY [SCORE|INT|ELEMENT] INT",
    "ZADD KEY SCORE ELEMENT SCORE INT",
    "SET {k}w_[ELEMENT|INT] [SCORE|INT|ELEMENT]",
    "HSET {k}h_[ELEMENT|INT] f [SCORE|ELEMENT]",
];

const COLLECTIONS: &[&str] = &[
    "[LPUSH|RPUSH|LPUSHX|RPUSHX] LISTKEY ELEMENT[ ELEMENT ELEMENT|]",
    "[LRANGE|LTRIM] LISTKEY INT INT",
    "LRANGE LISTKEY [0|-1000000000|FAR] [1000000000|-1|FAR]",
    "[LINDEX LISTKEY INT|LSET LISTKEY INT ELEMENT|LREM LISTKEY INT ELEMENT]",
    "LINSERT LISTKEY [BEFORE|AFTER] ELEMENT ELEMENT",
    "[LPOP|RPOP] LISTKEY[ INT|]",
    "LPOS LISTKEY ELEMENT[ RANK INT|][ COUNT INT|][ MAXLEN INT|]",
    "[LMOVE LISTKEY LISTKEY [LEFT|RIGHT] [LEFT|RIGHT]|RPOPLPUSH LISTKEY LISTKEY]",
    "LMPOP NUMKEYS LISTKEY[ LISTKEY|] [LEFT|RIGHT][ COUNT INT|]",
    "HSET HASHKEY ELEMENT ELEMENT[ ELEMENT INT|]",
    "[HGETALL|HKEYS|HVALS|HLEN] HASHKEY",
    "[HINCRBY HASHKEY ELEMENT INT|HINCRBYFLOAT HASHKEY ELEMENT SCORE]",
    "[HDEL|HGET|HMGET|HSTRLEN|HEXISTS] HASHKEY ELEMENT",
    "HRANDFIELD HASHKEY[ DRAWS[ WITHVALUES|]|]",
    "HSCAN HASHKEY CURSOR[ COUNT INT|][ MATCH ELEMENT|][ NOVALUES|]",
    "[HEXPIRE|HPEXPIRE|HEXPIREAT|HPEXPIREAT] HASHKEY INT[ NX| XX| GT| LT|] FIELDS NUMKEYS ELEMENT",
    "[HTTL|HPTTL|HEXPIRETIME|HPEXPIRETIME|HPERSIST] HASHKEY FIELDS NUMKEYS ELEMENT[ ELEMENT|]",
    "[SADD|SREM|SISMEMBER|SMISMEMBER] SETKEY ELEMENT[ INT ELEMENT|]",
    "[SPOP|SRANDMEMBER] SETKEY[ DRAWS|]",
    "[SINTER|SUNION|SDIFF|SINTERSTORE SETKEY|SUNIONSTORE SETKEY|SDIFFSTORE SETKEY] SETKEY SETKEY",
    "SINTERCARD NUMKEYS SETKEY SETKEY[ LIMIT INT|]",
    "[SMOVE SETKEY SETKEY ELEMENT|SMEMBERS SETKEY|SCARD SETKEY]",
    "SSCAN SETKEY CURSOR[ COUNT INT|][ MATCH a*|]",
    "[EXPIRE|PEXPIRE] [LISTKEY|HASHKEY|SETKEY] INT",
    "COPY [LISTKEY LISTKEY|HASHKEY HASHKEY|SETKEY SETKEY][ REPLACE|]",
];

/// Sixty-four-bit edges, and a few that a small value really has.
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "-2",
    "3",
    "5",
    "7",
    "-7",
    "10",
    "100",
    "-100",
    "255",
    "256",
    "65536",
    "1000000000",
    "2147483647",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "-0",
    "+1",
    "01",
    "1.5",
    "",
    "x",
    "4611686018427387904",
    "-9223372036854775807",
];

const FLOATS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "1.5",
    "3",
    "inf",
    "-inf",
    "+inf",
    "nan",
    "1e308",
    "-1e308",
    "1e400",
    "5e-324",
    "0x1p3",
    "1e-5",
    "9007199254740993",
    "17976931348623157e292",
    "",
    " 1",
    "1 ",
    "x",
    "0.1",
    "2",
    "7",
    "9223372036854775807",
];

const IDS: &[&str] = &[
    "0",
    "0-0",
    "0-1",
    "1-1",
    "1",
    "2-0",
    "3-18446744073709551615",
    "18446744073709551615",
    "18446744073709551615-18446744073709551615",
    "18446744073709551615-0",
    "18446744073709551616-1",
    "1-18446744073709551616",
    "-1-1",
    "1--1",
    "1-",
    "-",
    "+",
    "$",
    ">",
    "*",
    "5-*",
    "18446744073709551615-*",
    "",
    "x",
    "01-01",
    "1700000000000-0",
];

/// Words for a blank that are not drawn from a list alone.
fn blank(name: &str, prng: &mut Prng) -> Option<Vec<u8>> {
    let word = match name {
        "KEY" => format!("{{k}}{}", prng.below(3)),
        "LISTKEY" | "HASHKEY" | "SETKEY" if prng.percent(4) => "{k}0".into(),
        "LISTKEY" | "HASHKEY" | "SETKEY" => format!("{{k}}{name}{}", prng.below(2)),
        "ELEMENT" => return Some(element(prng)),
        "INT" => integer(prng),
        "SCORE" => (*prng.pick(FLOATS)).into(),
        "BOUND" => format!("{}{}", prng.pick(&["", "("]), prng.pick(FLOATS)),
        "LEX" => {
            let text = String::from_utf8_lossy(&element(prng)).into_owned();
            match prng.below(6) {
                0 => "-".into(),
                1 => "+".into(),
                2 => text,
                3 => format!("({text}"),
                _ => format!("[{text}"),
            }
        }
        "ID" if prng.percent(40) => format!("{}-{}", prng.below(12), prng.below(5)),
        "ID" => (*prng.pick(IDS)).into(),
        "IDEND" => match prng.below(5) {
            0 => "-".into(),
            1 => "+".into(),
            2 => format!("({}", prng.pick(IDS)),
            _ => return blank("ID", prng),
        },
        "SMALL" => prng.below(40).to_string(),
        "NUMKEYS" if prng.percent(70) => (1 + prng.below(2)).to_string(),
        "NUMKEYS" => integer(prng),
        "CURSOR" if prng.percent(60) => "0".into(),
        "CURSOR" => integer(prng),
        // A negative count that is granted is paid with a reply of that length.
        "DRAWS" if prng.percent(70) => (prng.below(300) as i64 - 150).to_string(),
        "DRAWS" => (*prng.pick(&[
            "-9223372036854775808",
            "-9223372036854775807",
            "-2147483648",
            "9223372036854775807",
            "2147483648",
            "x",
        ]))
        .into(),
        // What lies beyond all limits; what is allowed is reserved, as by Redis.
        "FAR" => (*prng.pick(&[
            "4294967296",
            "9223372036854775807",
            "-5",
            "-9223372036854775808",
        ]))
        .into(),
        "OFFSET" => match prng.below(4) {
            0 => blank("FAR", prng).map(|word| String::from_utf8(word).expect("ASCII"))?,
            1 => format!("#{}", prng.below(500)),
            2 => format!(
                "#{}",
                prng.pick(&["9223372036854775807", "-1", "288230376151711744"])
            ),
            _ => prng.below(40_000).to_string(),
        },
        "WIDTH" => format!(
            "{}{}",
            prng.pick(&["i", "u", "", "I", "x"]),
            prng.pick(&["1", "5", "8", "16", "31", "32", "63", "64", "65", "0", "-1"])
        ),
        "LONGITUDE" | "LATITUDE" if prng.percent(60) => {
            format!("{}.{}", prng.below(160) as i64 - 80, prng.below(100_000))
        }
        "LONGITUDE" => {
            (*prng.pick(&["180", "-180", "180.0001", "nan", "inf", "1e309", "x"])).into()
        }
        "LATITUDE" => (*prng.pick(&["85.05112878", "-85.05112878", "90", "-inf", "0"])).into(),
        "RADIUS" if prng.percent(50) => prng.below(30_000).to_string(),
        "RADIUS" => (*prng.pick(FLOATS)).into(),
        "UNIT" => (*prng.pick(&["m", "km", "mi", "ft", "KM", "x"])).into(),
        "PATTERN" => (*prng.pick(&[
            "#",
            "{k}w_*",
            "{k}h_*->f",
            "{k}h_*->",
            "*",
            "nosort",
            "{k}*->*",
            "->",
            "*->f",
            "",
        ]))
        .into(),
        _ => return None,
    };
    Some(word.into_bytes())
}

fn small(prng: &mut Prng) -> String {
    (prng.below(24) as i64 - 8).to_string()
}

fn integer(prng: &mut Prng) -> String {
    match prng.percent(40) {
        true => small(prng),
        false => (*prng.pick(INTEGERS)).into(),
    }
}

fn element(prng: &mut Prng) -> Vec<u8> {
    match prng.below(12) {
        0 => Vec::new(),
        1 => vec![b'x'; prng.below(100)],
        2 => prng.next().to_le_bytes().to_vec(),
        3 => integer(prng).into_bytes(),
        _ => vec![b'a' + prng.below(8) as u8],
    }
}

/// The area of a search, which is made of several words.
const AREA: &str = "[FROMMEMBER ELEMENT|FROMLONLAT LONGITUDE LATITUDE] [BYRADIUS RADIUS UNIT|BYBOX \
                    RADIUS RADIUS UNIT]";

/// A command: choices made, blanks filled in, and now and then a word too few or too many.
fn command(template: &str, prng: &mut Prng) -> Vec<Vec<u8>> {
    let mut line = template.replace("AREA", AREA);
    while let Some(open) = line.rfind('[') {
        let close = open + line[open..].find(']').expect("brackets are closed");
        let choices: Vec<&str> = line[open + 1..close].split('|').collect();
        let choice = prng.pick(&choices).to_string();
        line.replace_range(open..=close, &choice);
    }
    let mut words: Vec<Vec<u8>> = line
        .split_ascii_whitespace()
        .map(|word| fill(word, prng))
        .collect();
    if prng.percent(5) {
        let at = prng.below(words.len());
        match prng.below(3) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, small(prng).into_bytes()),
            _ => words[at] = noise(prng, b"ax*$-+(", 9),
        }
    }
    words
}

/// A word with its blanks filled in, which may be parts of it: `SMALL-*`, `{k}w_ELEMENT`.
fn fill(word: &str, prng: &mut Prng) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let is_capital = |byte: &u8| byte.is_ascii_uppercase();
        let same = |byte: &u8| is_capital(byte) == rest.as_bytes().first().is_some_and(is_capital);
        let (piece, tail) = rest.split_at(rest.bytes().take_while(|byte| same(byte)).count());
        filled.extend(blank(piece, prng).unwrap_or_else(|| piece.as_bytes().to_vec()));
        rest = tail;
    }
    filled
}

/// Sends commands until the data has been used for a while, then throws it away.
fn of(templates: &'static [&'static str]) -> Fuzzer {
    let mut node = LocalNode::new(1, 1);
    let clients = [node.connect(0), node.connect(0)];
    node.talk(clients[1], b"HELLO 3\r\n");
    Box::new(move |prng| {
        let mut sent = 0;
        for _ in 0..10 {
            let template = *prng.pick(templates);
            let words = command(template, prng);
            if words.is_empty() {
                continue;
            }
            sent += ask(&mut node, *prng.pick(&clients), &words).0;
        }
        if prng.percent(30) {
            sent += ask(&mut node, clients[0], &[b"FLUSHALL".to_vec()]).0;
        }
        node.clock.advance_millis(prng.below(2_000) as i64);
        node.tick();
        sent
    })
}

/// The length of the request, and its reply, which is one and whole.
fn ask(node: &mut LocalNode, client: LocalClient, words: &[Vec<u8>]) -> (usize, Reply) {
    let mut bytes = Vec::new();
    encode(words, &mut bytes);
    let reply = node.talk(client, &bytes);
    match Reply::parse(&reply) {
        Some((parsed, used)) if used == reply.len() => (bytes.len(), parsed),
        _ => panic!("{}: {}", bytes.escape_ascii(), reply.escape_ascii()),
    }
}

pub fn scores() -> Fuzzer {
    of(SCORES)
}

pub fn stream_ids() -> Fuzzer {
    of(STREAM_IDS)
}

pub fn bitfields() -> Fuzzer {
    of(BITFIELDS)
}

pub fn geo() -> Fuzzer {
    of(GEO)
}

pub fn sort() -> Fuzzer {
    of(SORT)
}

pub fn collections() -> Fuzzer {
    of(COLLECTIONS)
}

/// A fuzzer that only meets refusals shows nothing.
#[test]
fn every_template_is_accepted_now_and_then() {
    for templates in [SCORES, STREAM_IDS, BITFIELDS, SORT, COLLECTIONS] {
        let mut node = LocalNode::new(1, 1);
        let client = node.connect(0);
        let mut prng = Prng::new(7);
        let mut accepted = vec![0; templates.len()];
        for number in 0..20_000 {
            let at = prng.below(templates.len());
            let words = command(templates[at], &mut prng);
            if words.is_empty() {
                continue;
            }
            let (_, reply) = ask(&mut node, client, &words);
            accepted[at] += usize::from(!reply.is_error() && !reply.is_nil());
            if number % 50 == 0 {
                ask(&mut node, client, &[b"FLUSHALL".to_vec()]);
            }
        }
        for (template, accepted) in templates.iter().zip(accepted) {
            assert!(accepted > 5, "{accepted}: {template}");
        }
    }
}
