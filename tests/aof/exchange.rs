//! Logs go from server to server: ours to redis-server and to other shard counts, its to us.
//!
//! DEBUG DIGEST of both has to be the same.

use super::{INCREMENT, ask, digest, kill, log_file, stop, with_log};
use crate::support::Setup;
use crate::support::prng::{Prng, seed_from};
use crate::support::server::Folder;
use crate::support::values::fill;
use crate::support::{Client, wait_until};
use std::fs;

const SHARDS: [usize; 3] = [1, 2, 7];

/// What `fill` does not do: transactions, whole databases, and what time does.
fn stir(client: &mut Client) {
    for line in [
        "SET volatile 1 PX 1",
        "SET later 1 EX 1000",
        "MSET m1 1 m2 2 m3 3 m4 4 m5 5",
        "RENAME m1 m6",
        "MULTI",
        "SET t1 1",
        "INCR t1",
        "SADD t2 a b c",
        "SPOP t2",
        "BITOP OR t3 m2 m3",
        "EXEC",
        "SELECT 5",
        "MSET a 1 b 2 c 3 d 4",
        "SWAPDB 5 6",
        "SET e 5",
        "FLUSHDB",
        "RPUSH l 1 2 3 4",
        "LMOVE l k LEFT RIGHT",
        "SELECT 0",
        "HSET h f 1 g 2",
        "HINCRBYFLOAT h f 1.5",
        "XADD s * f v",
        "GETEX later PERSIST",
        "COPY later later2",
        "MOVE later2 3",
        "DEL nothing m2 m3",
    ] {
        let reply = client.call(line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
    wait_until("a key expires", || ask(client, "EXISTS volatile") == "0");
}

#[test]
fn our_log_is_loaded_by_redis_server_and_by_any_number_of_shards() {
    let seed = seed_from("AOF_SEED");
    println!("AOF_SEED={seed}");
    for (shards, policy) in SHARDS.into_iter().zip(["always", "everysec", "no"]) {
        let folder = Folder::create();
        let setup = with_log(Setup::ringshard(shards), folder.path())
            .arg("appendfsync", policy)
            .arg("aof-timestamp-enabled", "yes");
        let server = setup.start();
        let mut client = server.client();
        fill(&mut client, 150, &mut Prng::new(seed));
        stir(&mut client);
        let expected = digest(&server);
        kill(server);
        for others in SHARDS {
            let server = with_log(Setup::ringshard(others), folder.path()).start();
            assert_eq!(digest(&server), expected, "{shards} shards, then {others}");
            assert!(server.log().contains("DB loaded from append only file"));
            stop(server);
        }
        let Some(oracle) = Setup::oracle() else {
            return println!("SKIPPED: no redis-server on this machine");
        };
        let server = with_log(oracle, folder.path()).start();
        assert_eq!(
            digest(&server),
            expected,
            "{shards} shards, then redis-server"
        );
        // It goes on with our file, and we with its.
        server.client().call("SET by stock");
        let expected = digest(&server);
        stop(server);
        let server = with_log(Setup::ringshard(2), folder.path()).start();
        assert_eq!(digest(&server), expected, "redis-server, then 2 shards");
    }
}

#[test]
fn logs_of_redis_server_are_loaded_by_any_number_of_shards() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    let seed = seed_from("AOF_SEED");
    println!("AOF_SEED={seed}");
    for preamble in ["yes", "no"] {
        let folder = Folder::create();
        let setup = with_log(oracle.clone(), folder.path())
            .arg("aof-use-rdb-preamble", preamble)
            .arg("aof-timestamp-enabled", "yes");
        let server = setup.start();
        let mut client = server.client();
        fill(&mut client, 150, &mut Prng::new(seed));
        client.call("BGREWRITEAOF");
        wait_until("the log is rewritten", || {
            let info = client.call("INFO persistence").text();
            info.contains("aof_rewrites:1") && info.contains("aof_rewrite_in_progress:0")
        });
        stir(&mut client);
        let expected = digest(&server);
        stop(server);
        for shards in SHARDS {
            let server = with_log(Setup::ringshard(shards), folder.path()).start();
            assert_eq!(
                digest(&server),
                expected,
                "preamble {preamble}, {shards} shards"
            );
            stop(server);
        }
    }
}

#[test]
fn a_log_of_one_file_moves_into_the_folder() {
    let commands = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let snapshot = {
        let mut bytes = b"REDIS0010\xfe\x00\x00\x01b\x012\xff".to_vec();
        bytes.extend_from_slice(&ringshard::rdb::crc64(&bytes).to_le_bytes());
        bytes
    };
    let cases = [
        (commands.as_bytes().to_vec(), "1"),
        ([snapshot, commands.as_bytes().to_vec()].concat(), "2"),
    ];
    for (bytes, keys) in cases {
        let folder = Folder::create();
        fs::write(folder.path().join("appendonly.aof"), &bytes).unwrap();
        for _ in 0..2 {
            let server = with_log(Setup::ringshard(2), folder.path()).start();
            assert_eq!(ask(&mut server.client(), "DBSIZE"), keys);
            assert_eq!(server.client().call("GET a").text(), "1");
            stop(server);
        }
        assert!(!folder.path().join("appendonly.aof").exists());
        assert_eq!(
            fs::read(log_file(folder.path(), "appendonly.aof")).unwrap(),
            bytes
        );
        assert!(log_file(folder.path(), INCREMENT).exists());
    }
}
