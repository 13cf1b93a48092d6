//! Rewriting while clients write: the new base and what comes behind it are the dataset, in every
//! moment, whoever loads them and whenever the process dies.
//!
//! Also what turns the log on and off while the server runs, and WAITAOF.

use super::{MANIFEST, ask, digest, kill, log_file, rounds, stop, with_log};
use crate::support::prng::{Prng, seed_from};
use crate::support::server::Folder;
use crate::support::values::fill;
use crate::support::{Client, Server, Setup, wait_until};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn is_rewritten(client: &mut Client, times: usize) -> bool {
    let info = client.call("INFO persistence").text();
    info.contains(&format!("aof_rewrites:{times}\r\n"))
        && info.contains("aof_rewrite_in_progress:0")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("appendonlydir")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Clients that write as fast as they can until they are told to stop.
fn writers(server: &Server, is_over: &Arc<AtomicBool>) -> Vec<std::thread::JoinHandle<()>> {
    let port = server.port();
    let start = |number: usize| {
        let is_over = is_over.clone();
        std::thread::spawn(move || {
            let mut client = Client::connect(port);
            let mut value = 0;
            while !is_over.load(Relaxed) {
                value += 1;
                let pairs: Vec<String> = (0..4)
                    .map(|n| format!("w:{number}:{}:{n} {value}", value % 50))
                    .collect();
                client.call(&format!("MSET {}", pairs.join(" ")));
                client.call(&format!("RPUSH list:{number} {value}"));
                client.call(&format!("LTRIM list:{number} -20 -1"));
            }
        })
    };
    (0..4).map(start).collect()
}

#[test]
fn a_log_is_rewritten_while_clients_write() {
    let seed = seed_from("AOF_SEED");
    println!("AOF_SEED={seed}");
    for shards in [1, 3] {
        let folder = Folder::create();
        let server = with_log(Setup::ringshard(shards), folder.path()).start();
        let mut client = server.client();
        fill(&mut client, 150, &mut Prng::new(seed));
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = writers(&server, &is_over);
        for times in 1..4 {
            let started = "Background append only file rewriting started";
            assert_eq!(client.call("BGREWRITEAOF").text(), started);
            wait_until("the log is rewritten", || is_rewritten(&mut client, times));
        }
        is_over.store(true, Relaxed);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let expected = digest(&server);
        assert_eq!(
            files(folder.path()),
            [
                "appendonly.aof.4.base.rdb",
                "appendonly.aof.4.incr.aof",
                MANIFEST
            ]
        );
        kill(server);
        for others in [1, 2] {
            let server = with_log(Setup::ringshard(others), folder.path()).start();
            assert_eq!(digest(&server), expected, "{shards} shards, then {others}");
            stop(server);
        }
        if let Some(oracle) = Setup::oracle() {
            let server = with_log(oracle, folder.path()).start();
            assert_eq!(
                digest(&server),
                expected,
                "{shards} shards, then redis-server"
            );
        }
    }
}

#[test]
fn a_log_that_grows_is_rewritten_by_itself() {
    let folder = Folder::create();
    let server = with_log(Setup::ringshard(2), folder.path())
        .arg("auto-aof-rewrite-min-size", "64kb")
        .start();
    let (mut client, value) = (server.client(), "x".repeat(1000));
    wait_until("the log is rewritten by itself", || {
        client.call(&format!("SET key {value}"));
        client
            .call("INFO persistence")
            .text()
            .contains("aof_rewrites:1\r\n")
    });
    let log = server.log();
    assert!(
        log.contains("Starting automatic rewriting of AOF on "),
        "{log}"
    );
}

#[test]
fn a_log_is_turned_on_and_off_while_clients_write() {
    let seed = seed_from("AOF_SEED");
    for shards in [1, 3] {
        let folder = Folder::create();
        let setup = Setup::ringshard(shards)
            .arg("dir", &folder.path().to_string_lossy())
            .arg("enable-debug-command", "yes");
        let server = setup.start();
        let mut client = server.client();
        fill(&mut client, 50, &mut Prng::new(seed));
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = writers(&server, &is_over);
        for times in 1..4 {
            wait_until("the log is off", || {
                client
                    .call("INFO persistence")
                    .text()
                    .contains("aof_enabled:0")
            });
            assert_eq!(client.call("CONFIG SET appendonly yes").text(), "OK");
            wait_until("the log has a base", || is_rewritten(&mut client, times));
            if times < 3 {
                assert_eq!(client.call("CONFIG SET appendonly no").text(), "OK");
            }
        }
        is_over.store(true, Relaxed);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let expected = digest(&server);
        kill(server);
        let server = with_log(Setup::ringshard(2), folder.path()).start();
        assert_eq!(digest(&server), expected, "{shards} shards");
    }
}

#[test]
fn a_rewrite_that_outlives_its_log_has_not_failed() {
    let folder = Folder::create();
    let server = with_log(Setup::ringshard(2), folder.path()).start();
    let mut client = server.client();
    client.call("DEBUG POPULATE 200000 key 100");
    let (mut other, started) = (
        server.client(),
        "Background append only file rewriting started",
    );
    assert_eq!(client.call("BGREWRITEAOF").text(), started);
    assert_eq!(client.call("CONFIG SET appendonly no").text(), "OK");
    let said = |client: &mut Client, line: &str| {
        let info = client.call("INFO persistence").text();
        info.lines().any(|it| it == line)
    };
    wait_until("it is over", || {
        said(&mut other, "aof_rewrite_in_progress:0")
    });
    for line in [
        "aof_last_bgrewrite_status:ok",
        "aof_rewrites:0",
        "aof_enabled:0",
    ] {
        assert!(said(&mut client, line), "{line}");
    }
    let log = server.log();
    assert!(
        log.contains("The AOF was turned off during its rewrite"),
        "{log}"
    );
    assert_eq!(client.call("CONFIG SET appendonly yes").text(), "OK");
    wait_until("the next log is there", || is_rewritten(&mut client, 1));
}

/// Waits until there is a file that was not there before and has this in its name.
fn wait_for_file(folder: &Path, before: &[String], part: &str) -> bool {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (start, mut is_there) = (Instant::now(), false);
    while !is_there && start.elapsed() < PATIENCE {
        let is_new = |name: &String| name.contains(part) && !before.contains(name);
        is_there = files(folder).iter().any(is_new);
    }
    is_there
}

/// Kills at any moment of a rewrite, and just when files change: the old ones or the new ones, and
/// nothing left over.
#[test]
fn a_rewrite_that_is_killed_changes_nothing() {
    /// A draft, the next increment, the next manifest before it has its name, the next base.
    const CHANGES: [&str; 4] = ["temp-", ".incr.", ".manifest.", ".base."];
    let seed = seed_from("AOF_SEED");
    println!("AOF_SEED={seed}");
    let (mut random, mut seen) = (Prng::new(seed), [0; CHANGES.len()]);
    let folder = Folder::create();
    let preamble = *random.pick(&["yes", "no"]);
    let setup = with_log(Setup::ringshard(2), folder.path())
        .arg("appendfsync", "always")
        .arg("aof-use-rdb-preamble", preamble);
    let server = setup.start();
    fill(&mut server.client(), 100, &mut Prng::new(seed));
    let expected = digest(&server);
    kill(server);
    for round in 0..rounds(6) {
        let server = setup.start();
        assert_eq!(digest(&server), expected, "round {round}");
        let names = files(folder.path());
        assert!(
            !names.iter().any(|name| name.starts_with("temp-")),
            "{names:?}"
        );
        server.client().call("BGREWRITEAOF");
        if round % 2 == 0 {
            let pause = Duration::from_micros(random.below(30_000) as u64);
            crate::support::wait::holds_within(pause, &mut || false);
        } else {
            let change = round / 2 % CHANGES.len();
            let is_seen = wait_for_file(folder.path(), &names, CHANGES[change]);
            seen[change] += usize::from(is_seen);
        }
        kill(server);
    }
    assert_eq!(digest(&setup.start()), expected);
    println!("preamble {preamble}, killed at {CHANGES:?}: {seen:?}");
}

/// Of next to no data a base is made before the last shard has told the log of its cut.
#[test]
fn a_base_that_is_sooner_than_its_cut_is_taken() {
    let folder = Folder::create();
    let setup = with_log(Setup::ringshard(3), folder.path());
    let mut server = setup.start();
    let mut client = server.client();
    for round in 1..=30 {
        client.call("CONFIG SET appendonly no");
        client.call(&format!("MSET a {round} b {round} c {round}"));
        client.call("CONFIG SET appendonly yes");
        wait_until("the first base is there", || {
            is_rewritten(&mut client, 2 * round - 1)
        });
        let begun = client.call("BGREWRITEAOF");
        assert!(!begun.is_error(), "{begun:?}");
        wait_until("another base is there", || {
            is_rewritten(&mut client, 2 * round)
        });
        assert_eq!(ask(&mut client, "WAITAOF 1 0 5000"), "1 0");
    }
    assert!(!server.log().contains("rewrite failed"));
    server.kill();
    let server = setup.start();
    let mut client = server.client();
    assert_eq!(client.call("MGET a b c").items()[2].text(), "30");
}

#[test]
fn waitaof_says_when_writes_are_on_disk() {
    let folder = Folder::create();
    let server = with_log(Setup::ringshard(2), folder.path())
        .arg("appendfsync", "everysec")
        .start();
    let mut client = server.client();
    for number in 0..5 {
        client.call(&format!("SET key:{number} 1"));
    }
    assert_eq!(ask(&mut client, "WAITAOF 1 0 0"), "1 0");
    assert_eq!(ask(&mut client, "WAITAOF 0 0 0").split(' ').count(), 2);
    assert_eq!(
        ask(&mut client, "WAITAOF 1 1 50"),
        "1 0",
        "no replica has it"
    );
    assert!(client.call("WAITAOF 2 0 0").is_error());
    client.call("CONFIG SET appendonly no");
    wait_until("the log is off", || {
        let reply = ask(&mut client, "WAITAOF 1 0 0");
        reply.starts_with("ERR WAITAOF cannot be used when numlocal is set but")
    });
    let manifest = fs::read_to_string(log_file(folder.path(), MANIFEST)).unwrap();
    assert!(manifest.contains("seq 1 type i"), "{manifest}");
}
