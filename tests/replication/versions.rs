//! Other versions: masters of Redis 5.0 and 6.2, and Valkey 9.1 on either side. What they send is
//! not what 7.0 sends: older formats of the snapshot and relative expiries from the old ones, news
//! from the new one. Old replicas are of no use: they cannot read our version of the snapshot.
//!
//! `tests/support/versions.sh` gets them; those that are not there are skipped by name.

use crate::pair::{
    DATA, field, fill, follow, number, prompt_unless_old, ringshard, wait_for_data, wait_for_link,
    write,
};
use crate::support::prng::Prng;
use crate::support::{Client, Server, Setup, wait_until};
use std::path::Path;

const VERSIONS: [&str; 3] = ["5.0", "6.2", "valkey-9.1"];
/// Two looks at the time to live of a key are no further apart, in milliseconds.
const LOOKS_APART_MS: i64 = 5000;

/// A server of each of the versions that are there.
fn servers() -> impl Iterator<Item = (&'static str, Server)> {
    VERSIONS.into_iter().filter_map(|version| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
        let binary = folder.join(version).join("redis-server");
        if !binary.is_file() {
            eprintln!("SKIPPED: there is no server of version {version}");
            return None;
        }
        let setup = prompt_unless_old(Setup::of(&binary), version);
        Some((version, setup.start()))
    })
}

fn agree(version: &str, master: &Server, replica: &Server) {
    wait_for_data(master, replica);
    let (mut one, mut other) = (master.client(), replica.client());
    // Of an expiry the digest knows only that there is one.
    for number in 0..50 {
        for kind in ["k", "v"] {
            let pttl = format!("PTTL {kind}{number}");
            let (there, here) = (one.call(&pttl).integer(), other.call(&pttl).integer());
            let is_same = (there - here).abs() < LOOKS_APART_MS;
            assert!(
                is_same,
                "{version}: {pttl} is {there} there and {here} here"
            );
        }
    }
}

/// What lasts on every version, with effects that are not the commands as they came.
fn change(client: &mut Client, random: &mut Prng) {
    write(client, random, 300);
    for line in [
        "SET relative x PX 100000000",
        "SETEX v1 1000 x",
        "PSETEX v2 1000000 x",
        "EXPIRE k3 1000",
        "SPOP words 2",
        "XADD stream * a b",
        "SELECT 2",
        "SET there 1 EX 1000",
        "SELECT 0",
    ] {
        client.call(line);
    }
}

#[test]
fn masters_of_other_versions_are_followed() {
    for (version, master) in servers() {
        for (shards, diskless) in [(2, "no"), (3, "yes")] {
            let mut there = master.client();
            there.call(&format!("CONFIG SET repl-diskless-sync {diskless}"));
            there.call("FLUSHALL");
            for line in DATA {
                let reply = there.call(line);
                assert!(!reply.is_error(), "{version}: {line}: {}", reply.text());
            }
            let replica = ringshard(shards);
            let full = number(&mut there, "sync_full");
            follow(&replica, &master);
            wait_for_link(&replica);
            let mut random = Prng::new(shards as u64);
            change(&mut there, &mut random);
            agree(version, &master, &replica);
            // A link that breaks goes on where it was.
            for round in 1..=3 {
                let partial = number(&mut there, "sync_partial_ok");
                assert_eq!(there.call("CLIENT KILL TYPE slave").integer(), 1, "{round}");
                change(&mut there, &mut random);
                wait_until("the replica has come back", || {
                    number(&mut there, "sync_partial_ok") > partial
                });
                agree(version, &master, &replica);
            }
            assert_eq!(number(&mut there, "sync_full"), full + 1, "{version}");
            let mut here = replica.client();
            assert_eq!(here.call("REPLICAOF NO ONE").text(), "OK");
            assert_eq!(field(&mut here, "role"), "master");
            assert_eq!(here.call("SET mine 1").text(), "OK");
        }
    }
}

#[test]
fn a_new_server_follows() {
    for (version, replica) in servers().filter(|(version, _)| version.starts_with("valkey")) {
        for shards in [1, 3] {
            let master = ringshard(shards);
            let mut there = master.client();
            fill(&mut there);
            follow(&replica, &master);
            wait_for_link(&replica);
            let mut random = Prng::new(shards as u64);
            for _ in 0..3 {
                change(&mut there, &mut random);
                agree(version, &master, &replica);
                let partial = number(&mut there, "sync_partial_ok");
                there.call("CLIENT KILL TYPE replica");
                change(&mut there, &mut random);
                wait_until("the replica has come back", || {
                    number(&mut there, "sync_partial_ok") > partial
                });
                agree(version, &master, &replica);
            }
            assert_eq!(number(&mut there, "sync_full"), 1, "{version}");
        }
    }
}
