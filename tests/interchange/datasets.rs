//! Whole datasets travel between Ringshard and redis-server, as RDB and as AOF, in both directions.
//!
//! ```text
//!   RDB                        ours on 1, 2, 7 shards -> redis-server -> ours on 1, 2, 7 shards
//!   AOF with a base of RDB     the same, as it grows, and rewritten with more behind it
//!   AOF with a base of commands    the same
//!   AOF of a single file       as servers before 7.0 wrote it, with and without RDB in it
//! ```
//!
//! Every station has the same DEBUG DIGEST and the same [`facts`]. By default each kind of file is
//! made on one number of shards; `INTERCHANGE_ALL=1` makes each on all of them.

use super::SHARDS;
use crate::support::every::{facts, make};
use crate::support::prng::{Prng, seed_from};
use crate::support::server::Folder;
use crate::support::values::fill;
use crate::support::{Client, Server, Setup, wait_until};
use std::fs;
use std::path::Path;

/// How a log is written.
#[derive(Clone, Copy, Debug)]
struct Log {
    has_preamble: bool,
    is_rewritten: bool,
}

const LOGS: [Log; 4] = [
    Log::new(true, false),
    Log::new(true, true),
    Log::new(false, false),
    Log::new(false, true),
];

impl Log {
    const fn new(has_preamble: bool, is_rewritten: bool) -> Log {
        Log {
            has_preamble,
            is_rewritten,
        }
    }

    /// The base in its folder after so many rewrites, with this end.
    fn base(self) -> String {
        let number = if self.is_rewritten { 2 } else { 1 };
        let end = if self.has_preamble { "rdb" } else { "aof" };
        format!("appendonly.aof.{number}.base.{end}")
    }
}

fn is_thorough() -> bool {
    std::env::var("INTERCHANGE_ALL").is_ok()
}

/// The numbers of shards on which the test of this number makes or loads files.
fn shards_of(number: usize) -> Vec<usize> {
    match is_thorough() {
        true => SHARDS.to_vec(),
        false => vec![SHARDS[number % SHARDS.len()]],
    }
}

fn in_folder(setup: Setup, folder: &Path) -> Setup {
    setup
        .arg("dir", &folder.to_string_lossy())
        .arg("enable-debug-command", "yes")
}

fn with_log(setup: Setup, folder: &Path, log: Log) -> Setup {
    let preamble = if log.has_preamble { "yes" } else { "no" };
    in_folder(setup, folder)
        .arg("appendonly", "yes")
        .arg("aof-use-rdb-preamble", preamble)
}

/// What a server has.
struct Dataset {
    digest: String,
    facts: Vec<String>,
}

impl Dataset {
    fn of(server: &Server) -> Dataset {
        let mut client = server.client();
        Dataset {
            digest: client.call("DEBUG DIGEST").text(),
            facts: facts(&mut client),
        }
    }
}

impl Dataset {
    fn has_to_be(&self, expected: &Dataset, what: &str) {
        for (found, expected) in self.facts.iter().zip(&expected.facts) {
            assert_eq!(found, expected, "{what}");
        }
        assert_eq!(self.facts.len(), expected.facts.len(), "{what}");
        assert_eq!(self.digest, expected.digest, "{what}");
    }
}

/// Every type and encoding, and random values besides.
fn populate(client: &mut Client) {
    let seed = seed_from("INTERCHANGE_SEED");
    println!("INTERCHANGE_SEED={seed}");
    fill(client, 60, &mut Prng::new(seed));
    for default in [
        "hash-max-listpack-entries 128",
        "hash-max-listpack-value 64",
        "zset-max-listpack-entries 128",
        "zset-max-listpack-value 64",
        "set-max-intset-entries 512",
        "list-max-listpack-size -2",
        "stream-node-max-entries 100",
    ] {
        client.call(&format!("CONFIG SET {default}"));
    }
    make(client);
}

fn rewrite(client: &mut Client) {
    let reply = client.call("BGREWRITEAOF");
    assert!(!reply.is_error(), "{}", reply.text());
    wait_until("the log is rewritten", || {
        let info = client.call("INFO persistence").text();
        info.contains("aof_rewrites:1\r\n") && info.contains("aof_rewrite_in_progress:0")
    });
}

/// Has a server write a log; what is in it.
fn write_log(setup: Setup, folder: &Path, log: Log) -> Dataset {
    let server = with_log(setup, folder, log).start();
    let mut client = server.client();
    populate(&mut client);
    if log.is_rewritten {
        rewrite(&mut client);
    }
    for line in [
        "SET behind 1",
        "MSET behind:1 1 behind:2 2 behind:3 3",
        "RPUSH list:small behind",
        "SREM set:table m7",
        "XACK stream:nodes first 1000-1",
        "SELECT 3",
        "HSET hash:table behind 1",
        "DEL raw",
        "SET raw again-and-again-and-again-and-again-and-again",
    ] {
        let reply = client.call(line);
        assert!(!reply.is_error(), "{line}: {}", reply.text());
    }
    let dataset = Dataset::of(&server);
    stop(server);
    let base = folder.join("appendonlydir").join(log.base());
    assert!(base.exists(), "{log:?}: no {}", base.display());
    let begin = fs::read(&base).unwrap();
    let is_rdb = begin.starts_with(b"REDIS");
    assert_eq!(is_rdb, log.has_preamble, "{log:?}: {}", base.display());
    dataset
}

fn stop(mut server: Server) {
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit().success(), "{}", server.log());
}

/// Has a server load a log, and checks that it has got it all.
fn load_log(setup: Setup, folder: &Path, log: Log, (expected, what): (&Dataset, &str)) {
    let server = with_log(setup, folder, log).start();
    Dataset::of(&server).has_to_be(expected, &format!("{log:?}, {what}"));
    stop(server);
}

#[test]
fn our_logs_are_loaded_by_redis_server() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    for (number, log) in LOGS.into_iter().enumerate() {
        for shards in shards_of(number) {
            let folder = Folder::create();
            let what = format!("written on {shards} shards");
            let expected = write_log(Setup::ringshard(shards), folder.path(), log);
            for others in shards_of(number + 1) {
                let setup = Setup::ringshard(others);
                load_log(setup, folder.path(), log, (&expected, &what));
            }
            load_log(oracle.clone(), folder.path(), log, (&expected, &what));
        }
    }
}

#[test]
fn logs_of_redis_server_are_loaded() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    for (number, log) in LOGS.into_iter().enumerate() {
        let folder = Folder::create();
        let written = write_log(oracle.clone(), folder.path(), log);
        // Of pending entries its log says less than it knows: what counts is what it loads itself.
        let expected = Dataset::of(&with_log(oracle.clone(), folder.path(), log).start());
        assert_eq!(written.digest, expected.digest);
        for shards in shards_of(number) {
            let what = format!("loaded on {shards} shards");
            let setup = Setup::ringshard(shards);
            load_log(setup, folder.path(), log, (&expected, &what));
        }
        load_single_file(&oracle, folder.path(), log, &expected);
    }
}

/// Before 7.0 a log was a single file: a snapshot or commands, and what came behind.
fn load_single_file(oracle: &Setup, folder: &Path, log: Log, expected: &Dataset) {
    let part = |name: &str| fs::read(folder.join("appendonlydir").join(name)).unwrap();
    let increments = if log.is_rewritten { 2 } else { 1 };
    let increment = format!("appendonly.aof.{increments}.incr.aof");
    let single = [part(&log.base()), part(&increment)].concat();
    let setups = shards_of(increments + 1).into_iter().map(Setup::ringshard);
    for setup in setups.chain([oracle.clone()]) {
        let folder = Folder::create();
        fs::write(folder.path().join("appendonly.aof"), &single).unwrap();
        load_log(setup, folder.path(), log, (expected, "a single file"));
    }
}

fn save(server: &Server) -> Dataset {
    let mut client = server.client();
    populate(&mut client);
    assert_eq!(client.call("SAVE").text(), "OK");
    Dataset::of(server)
}

#[test]
fn snapshots_travel_both_ways() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    for shards in SHARDS {
        let folder = Folder::create();
        let own = in_folder(Setup::ringshard(shards), folder.path());
        let stock = in_folder(oracle.clone(), folder.path());
        let expected = save(&own.start());
        let server = stock.start();
        Dataset::of(&server).has_to_be(&expected, &format!("{shards} shards, there"));
        assert_eq!(server.client().call("SAVE").text(), "OK");
        drop(server);
        let back = Dataset::of(&own.start());
        back.has_to_be(&expected, &format!("back on {shards} shards"));
    }
}
