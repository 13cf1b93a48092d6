//! What operators' tutorials do with masters and replicas, line by line.
//!
//! | expected | shown by |
//! |---|---|
//! | masters with several slaves, slaves under slaves, `SLAVEOF NO ONE` | `lead.rs`, `follow.rs` |
//! | full synchronization under writes | `lead.rs` |
//! | log lines of both sides | [`log_lines_are_those_that_people_tail`] |
//! | INFO replication of master and slave | [`info_has_all_fields`] |
//! | READONLY, MASTERDOWN, a wrong or missing masterauth | `follow.rs` |
//! | partial resync after a clean restart of either side | `restart.rs` |
//! | a slave that dies, a master that dies | `chaos.rs`, `links.rs` |
//! | WAIT, CLIENT UNBLOCK | `waiting.rs` |
//! | FAILOVER, min-replicas-to-write, `redis-cli --rdb` | `lead.rs` |
//! | `redis-cli --replica`, a replica that reads slowly, PUBLISH, the backlog's end | here |
//! | CONFIG REWRITE after a role change | here, and by Sentinel in `sentinel.rs` |
//! | Sentinel's events, reconfiguration, the old master's return | `sentinel.rs` |
//! | keepalived with the files as delivered | `keepalived.rs` |
//! | keepalived's scripts as in the tutorials | [`roles_flip_and_nothing_is_lost`] |
//! | starting, stopping, configuration, authentication | tests/process, tests/config_*.rs |

use crate::pair::wait_for_link;
use crate::pair::{field, fill, follow, number, prompt, ringshard, stock, wait_for_equality};
use crate::support::{Client, Server, Setup, wait_until};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn info_has_all_fields() {
    let (master, replica) = (ringshard(2), ringshard(1));
    fill(&mut master.client());
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    let shown = |server: &Server, line: &str| {
        let info = server.client().call("INFO replication").text();
        assert!(info.lines().any(|it| it == line), "{line} in {info}");
    };
    for line in [
        "role:master",
        "connected_slaves:1",
        "master_failover_state:no-failover",
        "master_replid2:0000000000000000000000000000000000000000",
        "second_repl_offset:-1",
        "repl_backlog_active:1",
        "repl_backlog_size:1048576",
        "repl_backlog_first_byte_offset:1",
    ] {
        shown(&master, line);
    }
    for line in [
        "role:slave",
        "master_host:127.0.0.1",
        &format!("master_port:{}", master.port()),
        "master_link_status:up",
        "master_sync_in_progress:0",
        "slave_priority:100",
        "slave_read_only:1",
        "replica_announced:1",
        "connected_slaves:0",
    ] {
        shown(&replica, line);
    }
    for name in ["master_replid", "master_repl_offset"] {
        let both = [&master, &replica].map(|it| field(&mut it.client(), name));
        assert_eq!(both[0], both[1]);
    }
    let mut here = replica.client();
    assert_eq!(
        number(&mut here, "slave_repl_offset"),
        number(&mut here, "master_repl_offset")
    );
    assert_eq!(
        here.call("CONFIG GET dbfilename").items()[1].text(),
        "dump.rdb"
    );
    assert_eq!(here.call("GET string").text(), "value");
}

#[test]
fn log_lines_are_those_that_people_tail() {
    let (master, replica) = (ringshard(2), ringshard(1));
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_until("the replica is online", || {
        master.log().contains("succeeded")
    });
    master.client().call("CLIENT KILL TYPE replica");
    wait_until("the replica is back", || {
        master
            .log()
            .contains("Partial resynchronization request from")
    });
    let name = format!("127.0.0.1:{}", replica.port());
    for line in [
        format!("Replica {name} asks for synchronization"),
        format!("Full resync requested by replica {name}"),
        "Starting BGSAVE for SYNC with target: ".into(),
        "Background saving started by ".into(),
        "terminated with success".into(),
        format!("Synchronization with replica {name} succeeded"),
        "bytes of backlog starting from offset".into(),
    ] {
        assert!(master.log().contains(&line), "{line} in {}", master.log());
    }
    assert_eq!(replica.client().call("REPLICAOF NO ONE").text(), "OK");
    for line in [
        "Connecting to MASTER 127.0.0.1:",
        "MASTER <-> REPLICA sync started",
        "Discarding previously cached master state.",
        "Setting secondary replication ID to ",
        ". New replication ID is ",
        "MASTER MODE enabled (user request from '",
    ] {
        assert!(replica.log().contains(line), "{line} in {}", replica.log());
    }
}

#[test]
fn redis_cli_shows_the_stream() {
    let master = ringshard(2);
    fill(&mut master.client());
    let mut tool = Command::new("redis-cli");
    tool.args(["-p", &master.port().to_string(), "--replica"]);
    let spawned = tool.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut tool) = spawned else {
        return eprintln!("SKIPPED: redis-cli is not installed");
    };
    let mut client = master.client();
    wait_until("it is online", || {
        field(&mut client, "slave0").contains("state=online")
    });
    client.call("SET seen in-the-stream");
    let lines = BufReader::new(tool.stdout.take().unwrap()).lines();
    let is_seen = lines
        .map_while(Result::ok)
        .any(|line| line.contains("in-the-stream"));
    let _ = tool.kill();
    let _ = tool.wait();
    assert!(is_seen);
}

/// Becomes a replica that never reads.
fn deaf_replica(master: &Server) -> Client {
    let mut client = master.client();
    client.send_args(&["PSYNC", "?", "-1"]);
    let mut other = master.client();
    wait_until("it is a replica", || {
        number(&mut other, "connected_slaves") == 1
    });
    client
}

#[test]
fn who_does_not_read_is_dropped() {
    const LIMIT: usize = 4 << 20;
    let setup = prompt(Setup::ringshard(2)).arg("repl-backlog-size", "1048576");
    let master = setup.start();
    let mut client = master.client();
    let limits = format!("replica {LIMIT} 0 0");
    client.call_args(&["CONFIG", "SET", "client-output-buffer-limit", &limits]);
    let value = "x".repeat(100_000);
    client.call_args(&["SET", "key", &value]);
    let _deaf = deaf_replica(&master);
    wait_until("it is fed", || {
        field(&mut client, "slave0").contains("state=online")
    });
    let before = master.resident_bytes();
    let (mut most, mut sent) = (0, 0);
    // What the kernel takes does not count: a few megabytes on either side.
    while number(&mut client, "connected_slaves") == 1 {
        client.call_args(&["SET", "key", &value]);
        sent += value.len();
        most = most.max(master.resident_bytes().saturating_sub(before));
        assert!(sent < 40 * LIMIT, "it is never dropped");
    }
    assert!(most < 4 * LIMIT, "it cost {most} bytes");
    assert!(master.log().contains("overcoming of output buffer limits"));
}

#[test]
fn a_replica_is_no_client() {
    let master = ringshard(1);
    let mut replica = deaf_replica(&master);
    let mut client = master.client();
    client.call("SET a 1");
    replica.send_args(&["GET", "a"]);
    let mut seen = Vec::new();
    wait_until("it is told so", || {
        seen.extend_from_slice(&replica.read_some());
        let text = String::from_utf8_lossy(&seen);
        text.contains("-ERR Replica can't interact with the keyspace")
    });
    assert_eq!(client.call("GET a").text(), "1");
}

#[test]
fn messages_reach_clients_of_replicas() {
    let (master, middle, last) = (ringshard(2), ringshard(2), ringshard(1));
    follow(&middle, &master);
    wait_for_link(&middle);
    follow(&last, &middle);
    wait_for_link(&last);
    let mut listeners = [&middle, &last].map(Server::client);
    for listener in &mut listeners {
        listener.call("SUBSCRIBE news");
    }
    master.client().call("PUBLISH news hello");
    for listener in &mut listeners {
        assert_eq!(listener.receive().items()[2].text(), "hello");
    }
}

#[test]
fn a_backlog_that_nobody_needs_goes() {
    let setup = prompt(Setup::ringshard(2)).arg("repl-backlog-ttl", "1");
    let (master, replica) = (setup.start(), ringshard(1));
    follow(&replica, &master);
    wait_for_link(&replica);
    let mut client = master.client();
    let id = field(&mut client, "master_replid");
    replica.client().call("REPLICAOF NO ONE");
    wait_until("it is freed", || {
        number(&mut client, "repl_backlog_active") == 0
    });
    assert!(
        field(&mut client, "master_replid") != id,
        "nobody may go on from there"
    );
    assert!(
        master
            .log()
            .contains("Replication backlog freed after 1 seconds")
    );
    assert_eq!(client.call("SET a 1").text(), "OK");
}

#[test]
fn a_link_has_the_address_that_was_named() {
    let setup = prompt(Setup::ringshard(1)).arg("bind-source-addr", "127.0.0.2");
    let master = prompt(Setup::ringshard(2))
        .arg("repl-disable-tcp-nodelay", "yes")
        .start();
    let replica = setup.start();
    follow(&replica, &master);
    wait_for_link(&replica);
    let line = field(&mut master.client(), "slave0");
    assert!(line.starts_with("ip=127.0.0.2,"), "{line}");
    master.client().call("SET a 1");
    wait_for_equality(&master, &replica);
}

#[test]
fn a_replica_leaves_eviction_to_its_master() {
    let setup = prompt(Setup::ringshard(2));
    let replica = setup.arg("maxmemory-policy", "allkeys-random").start();
    let master = ringshard(2);
    follow(&replica, &master);
    wait_for_link(&replica);
    replica.client().call("CONFIG SET maxmemory 1");
    fill(&mut master.client());
    wait_for_equality(&master, &replica);
    assert_eq!(number(&mut replica.client(), "evicted_keys"), 0);
}

/// A replica that cannot save any more, and a master that writes.
fn cannot_save(ignores: &str) -> (Server, Server) {
    let setup = prompt(Setup::ringshard(1))
        .arg("enable-protected-configs", "yes")
        .arg("replica-ignore-disk-write-errors", ignores);
    let (master, replica) = (ringshard(1), setup.start());
    follow(&replica, &master);
    wait_for_link(&replica);
    let mut here = replica.client();
    here.call_args(&["CONFIG", "SET", "save", "3600 1000000"]);
    let away = replica.dir().join("away");
    std::fs::create_dir(&away).unwrap();
    let moved = here.call_args(&["CONFIG", "SET", "dir", &away.display().to_string()]);
    assert_eq!(moved.text(), "OK");
    std::fs::remove_dir(&away).unwrap();
    here.call("BGSAVE");
    wait_until("saving has failed", || {
        field(&mut here, "rdb_last_bgsave_status") == "err"
    });
    master.client().call("SET a 1");
    (master, replica)
}

#[test]
fn a_replica_that_cannot_keep_what_it_gets_ends() {
    let (_master, mut replica) = cannot_save("no");
    assert!(!replica.wait_for_exit().success());
    assert!(
        replica
            .log()
            .contains("Replica was unable to write command to disk.")
    );
    let (master, replica) = cannot_save("yes");
    wait_for_equality(&master, &replica);
}

#[test]
fn a_changed_role_is_rewritten() {
    let (folder, master) = (crate::support::server::Folder::create(), ringshard(1));
    let file = folder.path().join("redis.conf");
    std::fs::write(&file, "# Mine.\nmasterauth \"pw\"\n").unwrap();
    let replica = prompt(Setup::ringshard(1)).file(&file).start();
    let text = || std::fs::read_to_string(&file).unwrap();
    follow(&replica, &master);
    let mut here = replica.client();
    assert_eq!(here.call("CONFIG REWRITE").text(), "OK");
    let line = format!("replicaof 127.0.0.1 {}", master.port());
    assert!(text().contains(&line), "{}", text());
    assert_eq!(here.call("SLAVEOF NO ONE").text(), "OK");
    assert_eq!(here.call("CONFIG REWRITE").text(), "OK");
    assert!(!text().contains("replicaof"), "{}", text());
    assert!(
        text().starts_with("# Mine.\nmasterauth \"pw\"\n"),
        "{}",
        text()
    );
    assert!(
        replica
            .log()
            .contains("CONFIG REWRITE executed with success.")
    );
}

#[test]
fn who_has_not_caught_up_does_not_offer_itself() {
    let (old, new) = (ringshard(2), ringshard(1));
    let port = crate::support::server::free_port();
    let mut client = old.client();
    client.call("SET only-here 1");
    client.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    assert_eq!(field(&mut client, "slave_priority"), "0");
    follow(&old, &new);
    wait_for_link(&old);
    assert_eq!(field(&mut client, "slave_priority"), "100");
    // Who has caught up once may take over when its master is away.
    client.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    assert_eq!(field(&mut client, "slave_priority"), "100");
}

/// What the tutorials' scripts for keepalived say to the local server.
fn script(server: &Server, words: &str) {
    let said = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string()])
        .args(words.split(' '))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.success() && text.starts_with("OK"),
        "{words}: {text}"
    );
}

/// The scripts of the tutorials: whoever gets the address follows the other one for a moment, then
/// leads; whoever loses it follows. At first both follow each other.
fn flips(pair: [&Server; 2], rounds: usize) {
    let follow_other = |own: &Server, other: &Server| {
        script(own, &format!("SLAVEOF 127.0.0.1 {}", other.port()));
    };
    pair[0].client().call("SET from-the-start 1");
    follow_other(pair[1], pair[0]);
    follow_other(pair[0], pair[1]);
    for round in 0..rounds {
        let (new, old) = (pair[round % 2], pair[(round + 1) % 2]);
        // notify_master
        follow_other(new, old);
        if round > 0 {
            // It has all that the other one was told; see the sleep in the scripts.
            wait_for_link(new);
            wait_for_equality(old, new);
        }
        script(new, "SLAVEOF NO ONE");
        // notify_backup
        follow_other(old, new);
        wait_for_link(old);
        new.client().call(&format!("SET round:{round} 1"));
        wait_for_equality(new, old);
    }
    for server in pair {
        assert_eq!(server.client().call("GET from-the-start").text(), "1");
        assert_eq!(server.client().call("DBSIZE").integer(), rounds as i64 + 1);
    }
}

#[test]
fn roles_flip_and_nothing_is_lost() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: redis-cli is not installed");
    }
    flips([&ringshard(2), &ringshard(1)], 4);
    if let Some(stock) = stock() {
        flips([&ringshard(2), &stock.start()], 2);
    }
}
