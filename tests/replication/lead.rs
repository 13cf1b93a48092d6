//! Ringshard as the master of stock replicas, and of its own kind; chains of both.
//!
//! Full synchronizations while clients write, links that break, promotion, and what `redis-cli`
//! makes of it.

use crate::pair::{field, fill, follow, number, ringshard, stock, wait_for_equality};
use crate::pair::{wait_for_link, write};
use crate::support::prng::Prng;
use crate::support::{Server, wait_until};

/// A replica gets everything of a master of so many shards, and then the stream.
fn gives_all(master: &Server, replica: &Server) {
    let mut there = master.client();
    let mut random = Prng::new(u64::from(master.port()));
    fill(&mut there);
    follow(replica, master);
    write(&mut there, &mut random, 300);
    wait_for_link(replica);
    write(&mut there, &mut random, 300);
    wait_for_equality(master, replica);
    let line = field(&mut there, "slave0");
    let expected = format!("ip=127.0.0.1,port={},state=online,", replica.port());
    assert!(line.starts_with(&expected), "{line}");
    assert_eq!(field(&mut there, "connected_slaves"), "1");
    write(&mut there, &mut random, 100);
    assert_eq!(there.call("WAIT 1 5000").integer(), 1);
    wait_for_equality(master, replica);
}

#[test]
fn a_stock_replica_gets_everything() {
    let Some(setup) = stock() else { return };
    for shards in [1, 2, 5] {
        gives_all(&ringshard(shards), &setup.start());
    }
}

#[test]
fn so_does_one_of_our_own() {
    for (master, replica) in [(1, 3), (3, 1), (2, 2)] {
        gives_all(&ringshard(master), &ringshard(replica));
    }
}

/// A replica whose link breaks while the master is written goes on where it was.
fn comes_back(replica: &Server) {
    let master = ringshard(2);
    let mut there = master.client();
    let mut random = Prng::new(3);
    fill(&mut there);
    follow(replica, &master);
    wait_for_link(replica);
    for _ in 0..5 {
        write(&mut there, &mut random, 50);
        let before = number(&mut there, "sync_partial_ok");
        // A quick one is back on another core before that has looked, and goes twice.
        assert!(there.call("CLIENT KILL TYPE replica").integer() >= 1);
        write(&mut there, &mut random, 50);
        wait_until("the replica has come back", || {
            number(&mut there, "sync_partial_ok") > before
        });
        wait_for_equality(&master, replica);
    }
    assert_eq!(number(&mut there, "sync_full"), 1);
}

#[test]
fn a_stock_replica_comes_back() {
    let Some(setup) = stock() else { return };
    comes_back(&setup.start());
}

#[test]
fn one_of_our_own_comes_back() {
    comes_back(&ringshard(3));
}

/// Follows a chain of three, breaks it in the middle, and promotes what was there.
fn chain(servers: [&Server; 3]) {
    let [master, middle, last] = servers;
    let mut there = master.client();
    let mut random = Prng::new(5);
    fill(&mut there);
    follow(middle, master);
    wait_for_link(middle);
    follow(last, middle);
    wait_for_link(last);
    write(&mut there, &mut random, 200);
    wait_for_equality(master, middle);
    wait_for_equality(master, last);
    let mut end = last.client();
    let id = field(&mut there, "master_replid");
    assert_eq!(field(&mut end, "master_replid"), id);
    // The middle becomes a master, and its replica goes on without a full resync.
    let before = number(&mut middle.client(), "sync_full");
    assert_eq!(middle.client().call("REPLICAOF NO ONE").text(), "OK");
    write(&mut middle.client(), &mut random, 100);
    wait_for_link(last);
    wait_for_equality(middle, last);
    assert_eq!(field(&mut end, "master_replid2"), id);
    assert_eq!(number(&mut middle.client(), "sync_full"), before);
    // The old master comes back below it.
    follow(master, middle);
    wait_for_link(master);
    write(&mut middle.client(), &mut random, 100);
    wait_for_equality(middle, master);
    wait_for_equality(middle, last);
    assert_eq!(number(&mut middle.client(), "sync_full"), before);
}

#[test]
fn chains_of_our_own() {
    chain([&ringshard(2), &ringshard(3), &ringshard(1)]);
}

#[test]
fn chains_with_stock_servers() {
    let Some(setup) = stock() else { return };
    chain([&setup.start(), &ringshard(2), &setup.start()]);
    chain([&ringshard(2), &setup.start(), &ringshard(2)]);
}

#[test]
fn roles_change_by_failover() {
    let (master, replica) = (ringshard(2), ringshard(2));
    let mut there = master.client();
    fill(&mut there);
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    assert_eq!(there.call("FAILOVER").text(), "OK");
    wait_until("the roles have changed", || {
        field(&mut there, "role") == "slave" && field(&mut replica.client(), "role") == "master"
    });
    wait_for_link(&master);
    assert_eq!(field(&mut there, "master_failover_state"), "no-failover");
    assert_eq!(replica.client().call("SET a 1").text(), "OK");
    wait_for_equality(&replica, &master);
}

#[test]
fn too_few_replicas_forbid_writes() {
    let (master, replica) = (ringshard(2), ringshard(1));
    let mut there = master.client();
    there.call("CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10");
    assert_eq!(
        there.call("SET a 1").text(),
        "NOREPLICAS Not enough good replicas to write."
    );
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_until("writes are allowed", || {
        there.call("SET a 1").text() == "OK"
    });
    assert_eq!(field(&mut there, "min_slaves_good_slaves"), "1");
    replica.client().call("REPLICAOF NO ONE");
    wait_until("writes are refused", || there.call("SET a 1").is_error());
    assert_eq!(there.call("WAIT 1 50").integer(), 0);
}

#[test]
fn redis_cli_takes_a_snapshot() {
    let master = ringshard(2);
    fill(&mut master.client());
    let file = master.dir().join("taken.rdb");
    let taken = std::process::Command::new("redis-cli")
        .args(["-p", &master.port().to_string(), "--rdb"])
        .arg(&file)
        .output();
    let Ok(taken) = taken else {
        eprintln!("SKIPPED: redis-cli is not installed");
        return;
    };
    assert!(taken.status.success(), "{taken:?}");
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"REDIS0"));
}
