//! Seed-driven fuzzing of the running server: bytes that no well-meaning client sends.
//!
//! Each fuzzer is a row in `FUZZERS`: a name and a function from a seed to a test of one server.
//! `FUZZ=<name> FUZZ_SEED=<seed>` repeats one. A server passes if it lives, serves others, and
//! answers the same however the bytes are cut. The canary at the end shows that a dead server is
//! noticed.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use support::client::encode;
use support::prng::{Prng, seed_from};
use support::{Server, wait_until};

type Fuzzer = fn(&Server, u64);

const FUZZERS: &[(&str, Fuzzer)] = &[
    ("noise", noise),
    ("mutation", mutation),
    ("cuts", cuts),
    ("lengths", lengths),
];

const ROUNDS: u64 = 60;
const SHARDS: [usize; 2] = [1, 7];

#[test]
fn servers_survive() {
    let chosen = std::env::var("FUZZ").unwrap_or_default();
    let first = seed_from("FUZZ_SEED");
    for shards in SHARDS {
        let server = Server::ringshard(shards);
        for (name, fuzzer) in FUZZERS.iter().filter(|(name, _)| name.contains(&chosen)) {
            for seed in first..first + ROUNDS {
                println!("FUZZ={name} FUZZ_SEED={seed} shards {shards}");
                fuzzer(&server, seed);
                assert_eq!(server.client().call("PING").text(), "PONG");
            }
        }
    }
}

/// Sends bytes, says there are no more, and reads until the server hangs up.
fn converse(server: &Server, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("it accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream.set_nodelay(true).expect("a socket");
    for piece in pieces {
        // After a protocol error the server hangs up while we still write.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Pure noise, with the bytes that mean something more frequent than chance.
fn noise(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let marks = b"*$\r\n0123456789-+:\"' \\x";
    let byte = |prng: &mut Prng| {
        if prng.percent(70) {
            *prng.pick(marks)
        } else {
            prng.next() as u8
        }
    };
    let bytes: Vec<u8> = (0..prng.below(5_000)).map(|_| byte(&mut prng)).collect();
    converse(server, &[&bytes]);
}

/// Good requests with a few bytes changed, removed or doubled.
fn mutation(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let mut bytes = requests(&mut prng, 50);
    for _ in 0..1 + prng.below(5) {
        let at = prng.below(bytes.len());
        match prng.below(3) {
            0 => bytes[at] = prng.next() as u8,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[at]),
        }
    }
    converse(server, &[&bytes]);
}

/// Lengths that are wrong, huge or negative, in front of some content.
fn lengths(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let odd = [
        "-1",
        "-2",
        "0",
        "1",
        "3",
        "99",
        "536870912",
        "536870913",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "18446744073709551616",
        "",
        "+3",
        "03",
        " 3",
        "3 ",
        "1e3",
    ];
    let mut bytes = requests(&mut prng, 3);
    for _ in 0..4 {
        let (count, length) = (*prng.pick(&odd), *prng.pick(&odd));
        bytes.extend(format!("*{count}\r\n${length}\r\nGET\r\n$1\r\na\r\n").bytes());
    }
    converse(server, &[&bytes]);
}

/// The same bytes in one piece and in many: the answers must be the same.
fn cuts(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let mut bytes = b"*1\r\n$8\r\nFLUSHALL\r\n".to_vec();
    bytes.extend(requests(&mut prng, 40));
    // Redis answers nothing more once it has seen the end, so the last word is the client's QUIT.
    bytes.extend(b"QUIT\r\n");
    let whole = converse_to_quit(server, &[&bytes]);
    let mut pieces = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.len().min(1 + prng.below(60)));
        pieces.push(piece);
        rest = tail;
    }
    let cut = converse_to_quit(server, &pieces);
    assert_eq!(
        String::from_utf8_lossy(&whole),
        String::from_utf8_lossy(&cut)
    );
    assert!(whole.ends_with(b"+OK\r\n"), "QUIT is answered");
}

/// As `converse`, but waits for the server to hang up first.
fn converse_to_quit(server: &Server, pieces: &[&[u8]]) -> Vec<u8> {
    let mut client = server.client();
    for piece in pieces {
        client.send_bytes(piece);
    }
    client.read_to_end()
}

/// Well-formed requests over a few keys, some of them inline.
fn requests(prng: &mut Prng, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        let (key, other) = (format!("k{}", prng.below(9)), format!("k{}", prng.below(9)));
        let value = prng.below(1000).to_string();
        match prng.below(9) {
            0 => encode(&["SET", &key, &value], &mut bytes),
            1 => encode(&["GET", &key], &mut bytes),
            2 => encode(&["MSET", &key, &value, &other, "x"], &mut bytes),
            3 => encode(&["MGET", &key, &other], &mut bytes),
            4 => encode(&["DEL", &key, &other], &mut bytes),
            5 => encode(&["APPEND", &key, &value], &mut bytes),
            6 => bytes.extend(format!("INCR {key}\r\n").bytes()),
            7 => bytes.extend(format!("EXISTS {key} \"{other}\"\n").bytes()),
            _ => encode(&["RENAME", &key, &other], &mut bytes),
        }
    }
    bytes
}

#[test]
fn canary_a_dead_server_is_noticed() {
    let mut server = Server::ringshard(1);
    server.signal(libc::SIGKILL);
    wait_until("the server is dead", || server.exit_status().is_some());
    let port = server.port();
    // The kernel takes a dead process's rings apart in its own time, and with them the listener.
    wait_until("its port is closed", || {
        support::Client::try_connect(port).is_err()
    });
}
