//! Random values of every type and encoding, made on a running server by ordinary commands.
//!
//! What travels between servers, or through files, has to hold all of them. The same seed makes the
//! same values.

use super::Client;
use super::prng::Prng;

/// Directives that change what values look like, for both servers.
pub const STYLES: [&str; 5] = [
    "",
    "rdbcompression no",
    "hash-max-listpack-entries 4 zset-max-listpack-entries 4 set-max-intset-entries 4",
    "hash-max-listpack-value 4 zset-max-listpack-value 4 list-max-listpack-size 3",
    "list-max-listpack-size -1 stream-node-max-entries 3",
];

pub fn configure(client: &mut Client, style: &str) {
    let words: Vec<&str> = style.split_whitespace().collect();
    for pair in words.chunks(2) {
        client.call(&format!("CONFIG SET {} {}", pair[0], pair[1]));
    }
}

pub fn text(random: &mut Prng) -> Vec<u8> {
    match random.below(6) {
        0 => (random.next() as i64 >> random.below(64))
            .to_string()
            .into_bytes(),
        1 => b"the same again and again ".repeat(random.below(40)),
        2 => (0..random.below(300))
            .map(|_| random.next() as u8)
            .collect(),
        3 => random.below(20).to_string().into_bytes(),
        _ => format!("word-{}", random.below(1000)).into_bytes(),
    }
}

/// Makes a random value of a kind under a key.
pub fn make(client: &mut Client, kind: &str, key: &str, random: &mut Prng) {
    let count = *random.pick(&[1, 2, 5, 40, 140, 700]);
    let mut words: Vec<Vec<u8>> = vec![kind.into(), key.into()];
    match kind {
        "SET" => words.push(text(random)),
        "RPUSH" | "SADD" => words.extend((0..count).map(|_| text(random))),
        "ZADD" => {
            for _ in 0..count {
                let score = random.next() as i64 >> random.below(64);
                words.push(format!("{}", score as f64 / 8.0).into_bytes());
                words.push(text(random));
            }
        }
        _ => words.extend((0..2 * count).map(|_| text(random))),
    }
    let ints = kind == "SADD" && random.percent(40);
    if ints {
        words.truncate(2);
        words.extend((0..count).map(|_| (random.below(100_000)).to_string().into_bytes()));
    }
    let reply = client.call_args(&words);
    assert!(!reply.is_error(), "{kind} {key}: {}", reply.text());
}

/// A random stream with groups, consumers and entries that are pending or deleted.
pub fn make_stream(client: &mut Client, key: &str, random: &mut Prng) {
    let count = 1 + random.below(150);
    for number in 0..count {
        let mut words: Vec<Vec<u8>> = vec![b"XADD".to_vec(), key.into()];
        words.push(format!("{}-{}", 1000 + number * random.below(3), number + 1).into_bytes());
        words.truncate(3);
        let fields = 1 + random.below(3);
        words.extend((0..2 * fields).map(|_| text(random)));
        client.call_args(&words);
    }
    for group in 0..random.below(4) {
        client.call(&format!(
            "XGROUP CREATE {key} group{group} {}",
            ["0", "$"][group % 2]
        ));
        for consumer in 0..random.below(3) {
            client.call(&format!(
                "XREADGROUP GROUP group{group} consumer{consumer} COUNT 7 STREAMS {key} >"
            ));
        }
        client.call(&format!("XGROUP CREATECONSUMER {key} group{group} idle"));
    }
    for _ in 0..random.below(5) {
        let range = client.call(&format!("XRANGE {key} - + COUNT 20"));
        if let Some(entry) = range.items().last() {
            let id = entry.items()[0].text();
            client.call(&format!("XDEL {key} {id}"));
        }
    }
}

/// Fills some databases with random values, some of which expire in a day.
pub fn fill(client: &mut Client, keys: usize, random: &mut Prng) {
    for number in 0..keys {
        client.call(&format!("SELECT {}", [0, 0, 3, 15][number % 4]));
        let style: &&str = random.pick(&STYLES);
        configure(client, style);
        let key = format!("key:{number}");
        match *random.pick(&["SET", "RPUSH", "SADD", "ZADD", "HSET", "XADD"]) {
            "XADD" => make_stream(client, &key, random),
            kind => make(client, kind, &key, random),
        }
        if random.percent(30) {
            client.call(&format!("EXPIRE {key} 86400"));
        }
    }
    client.call("SELECT 0");
}
