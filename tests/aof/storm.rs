//! Kill -9 while clients write: nothing that was acknowledged is lost, nothing is half there.
//!
//! Each client writes growing numbers, to one key and, with MSET or a transaction, to several keys
//! that lie on different shards. After the crash each key holds the last number that was
//! acknowledged, or the one that was on its way.

use super::{ask, digest, kill, stop, with_log};
use crate::support::prng::{Prng, seed_from};
use crate::support::server::Folder;
use crate::support::wait::holds_within;
use crate::support::{Client, Server, Setup};
use std::path::Path;
use std::time::Duration;

const CLIENTS: usize = 8;
const WIDE: usize = 4;

fn rounds(everyday: usize) -> usize {
    let asked = std::env::var("AOF_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(everyday)
}

/// What a client has been told: the last number for its one key, and for its several keys.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    one: u64,
    several: u64,
    /// The highest that was sent.
    sent: u64,
}

fn several(client: usize) -> Vec<String> {
    (0..WIDE).map(|n| format!("several:{client}:{n}")).collect()
}

fn write(client: &mut Client, number: usize, value: u64) -> std::io::Result<bool> {
    let keys = several(number);
    match value % 3 {
        0 => {
            let reply = client.try_call(&format!("SET one:{number} {value}"))?;
            Ok(reply.text() == "OK")
        }
        1 => {
            let pairs: Vec<String> = keys.iter().map(|key| format!("{key} {value}")).collect();
            let reply = client.try_call(&format!("MSET {}", pairs.join(" ")))?;
            Ok(reply.text() == "OK")
        }
        _ => {
            client.try_call("MULTI")?;
            for key in &keys {
                client.try_call(&format!("SET {key} {value}"))?;
            }
            let reply = client.try_call("EXEC")?;
            Ok(!reply.is_error())
        }
    }
}

/// Writes until the server is gone.
fn storm(port: u16, number: usize, first: u64) -> Told {
    let mut told = Told::default();
    let Ok(mut client) = Client::try_connect(port) else {
        return told;
    };
    for value in first.. {
        told.sent = value;
        match write(&mut client, number, value) {
            Ok(true) if value % 3 == 0 => told.one = value,
            Ok(true) => told.several = value,
            _ => return told,
        }
    }
    told
}

fn number_at(client: &mut Client, key: &str) -> u64 {
    ask(client, &format!("GET {key}")).parse().unwrap_or(0)
}

/// What was told holds; of what was on its way there is all or nothing.
fn check(client: &mut Client, number: usize, told: Told, what: &str) {
    let one = number_at(client, &format!("one:{number}"));
    let is_right = |found: u64, told_of: u64| found == told_of || found == told.sent;
    assert!(is_right(one, told.one), "{what}: one is {one}, {told:?}");
    let keys = several(number);
    let found: Vec<u64> = keys.iter().map(|key| number_at(client, key)).collect();
    assert!(
        found.iter().all(|value| *value == found[0]),
        "{what}: {found:?} is half done"
    );
    assert!(
        is_right(found[0], told.several),
        "{what}: several are {found:?}, {told:?}"
    );
}

fn start(shards: usize, policy: &str, folder: &Path) -> Server {
    with_log(Setup::ringshard(shards), folder)
        .arg("appendfsync", policy)
        .start()
}

fn run(policy: &str, everyday: usize) {
    let seed = seed_from("AOF_SEED");
    println!("AOF_SEED={seed}");
    let mut random = Prng::new(seed);
    let folder = Folder::create();
    let (mut told, mut acknowledged) = ([Told::default(); CLIENTS], 0);
    for round in 0..rounds(everyday) {
        let shards = *random.pick(&[1, 2, 3]);
        let server = start(shards, policy, folder.path());
        let what = format!("{policy}, round {round}, {shards} shards");
        for (number, told) in told.iter().enumerate() {
            check(&mut server.client(), number, *told, &what);
        }
        let port = server.port();
        let first = 1 + told.iter().map(|told| told.sent).max().unwrap_or(0);
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| std::thread::spawn(move || storm(port, number, first)))
            .collect();
        let pause = Duration::from_millis(50 + random.below(1450) as u64);
        holds_within(pause, &mut || false);
        kill(server);
        for (old, thread) in told.iter_mut().zip(threads) {
            let new = thread.join().unwrap();
            acknowledged += new.sent.saturating_sub(first);
            *old = Told {
                one: new.one.max(old.one),
                several: new.several.max(old.several),
                sent: new.sent.max(old.sent),
            };
        }
    }
    println!("{policy}: {acknowledged} operations acknowledged");
    let server = start(2, policy, folder.path());
    for (number, told) in told.iter().enumerate() {
        check(&mut server.client(), number, *told, policy);
    }
    let before = digest(&server);
    stop(server);
    assert_eq!(digest(&start(1, policy, folder.path())), before);
}

#[test]
fn nothing_acknowledged_is_lost_with_always() {
    run("always", 3);
}

#[test]
fn nothing_acknowledged_is_lost_with_everysec() {
    run("everysec", 2);
}

#[test]
fn nothing_acknowledged_is_lost_without_fsync() {
    run("no", 1);
}
