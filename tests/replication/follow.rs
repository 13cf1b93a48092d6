//! Ringshard as the replica of a stock master.
//!
//! Snapshots from disk and from a socket, the stream behind them, links that break, masters that
//! want a password, and what clients of a replica may do.

use crate::pair::{field, fill, follow, number, ringshard, stock, wait_for_equality};
use crate::pair::{wait_for_link, write};
use crate::support::prng::Prng;
use crate::support::{Server, wait_until};

/// A replica of so many shards gets everything of a stock master, and then the stream.
fn takes_all(master: &Server, shards: usize) {
    let replica = ringshard(shards);
    let mut there = master.client();
    let mut random = Prng::new(shards as u64);
    fill(&mut there);
    replica.client().call("SET own-key 1");
    follow(&replica, master);
    wait_for_link(&replica);
    wait_for_equality(master, &replica);
    write(&mut there, &mut random, 500);
    wait_for_equality(master, &replica);
    let mut here = replica.client();
    assert_eq!(here.call("EXISTS own-key").integer(), 0);
    assert_eq!(
        here.call("SET a 1").text(),
        "READONLY You can't write against a read only replica."
    );
    assert_eq!(field(&mut here, "role"), "slave");
    assert_eq!(
        field(&mut here, "master_replid"),
        field(&mut there, "master_replid")
    );
    assert_eq!(here.call("ROLE").items()[3].text(), "connected");
    let line = field(&mut there, "slave0");
    assert!(
        line.contains(&format!("port={},state=online", replica.port())),
        "{line}"
    );
    assert_eq!(there.call("WAIT 1 5000").integer(), 1);
}

#[test]
fn everything_comes_through_a_socket() {
    let Some(setup) = stock() else { return };
    let master = setup.start();
    for shards in [1, 2, 5] {
        takes_all(&master, shards);
    }
}

#[test]
fn everything_comes_from_a_file() {
    let Some(setup) = stock() else { return };
    takes_all(&setup.arg("repl-diskless-sync", "no").start(), 2);
}

#[test]
fn a_broken_link_goes_on_where_it_was() {
    let Some(setup) = stock() else { return };
    let master = setup.start();
    let replica = ringshard(2);
    let mut there = master.client();
    fill(&mut there);
    follow(&replica, &master);
    wait_for_link(&replica);
    let mut random = Prng::new(7);
    for round in 1..=5 {
        write(&mut there, &mut random, 100);
        assert_eq!(there.call("CLIENT KILL TYPE replica").integer(), 1);
        write(&mut there, &mut random, 100);
        wait_until("the replica has come back", || {
            number(&mut there, "sync_partial_ok") == round
        });
        wait_for_equality(&master, &replica);
    }
    assert_eq!(number(&mut there, "sync_full"), 1);
    // From this side too.
    assert_eq!(
        replica.client().call("CLIENT KILL TYPE master").integer(),
        1
    );
    wait_until("the replica has come back", || {
        number(&mut there, "sync_partial_ok") == 6
    });
    wait_for_equality(&master, &replica);
    assert!(
        replica
            .log()
            .contains("Successful partial resynchronization with master.")
    );
}

#[test]
fn a_promoted_replica_is_a_master_with_a_past() {
    let Some(setup) = stock() else { return };
    let master = setup.start();
    let replica = ringshard(2);
    let (mut here, mut there) = (replica.client(), master.client());
    fill(&mut there);
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    let (id, offset) = (
        field(&mut here, "master_replid"),
        number(&mut here, "master_repl_offset"),
    );
    assert_eq!(here.call("REPLICAOF NO ONE").text(), "OK");
    assert_eq!(field(&mut here, "role"), "master");
    assert_eq!(field(&mut here, "master_replid2"), id);
    assert_eq!(number(&mut here, "second_repl_offset"), offset + 1);
    assert!(field(&mut here, "master_replid") != id);
    assert_eq!(here.call("SET a 1").text(), "OK");
    assert!(
        replica
            .log()
            .contains("MASTER MODE enabled (user request from 'id=")
    );
}

#[test]
fn a_master_with_a_password_wants_it() {
    let Some(setup) = stock() else { return };
    let master = setup.arg("requirepass", "secret").start();
    let replica = ringshard(2);
    follow(&replica, &master);
    wait_until("the log says why", || {
        replica.log().contains("Unable to AUTH to MASTER") || replica.log().contains("NOAUTH")
    });
    assert_eq!(
        replica.client().call("CONFIG SET masterauth secret").text(),
        "OK"
    );
    wait_for_link(&replica);
}

#[test]
fn without_its_master_a_replica_says_so_if_it_is_told_to() {
    let replica = ringshard(2);
    let mut here = replica.client();
    here.call("SET a 1");
    let port = crate::support::server::free_port();
    assert_eq!(
        here.call(&format!("REPLICAOF 127.0.0.1 {port}")).text(),
        "OK"
    );
    assert_eq!(here.call("GET a").text(), "1");
    here.call("CONFIG SET replica-serve-stale-data no");
    assert_eq!(
        here.call("GET a").text(),
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
    );
    assert!(here.call("PING").text().starts_with("MASTERDOWN"));
    assert!(here.call("INFO server").text().contains("redis_version"));
    assert_eq!(field(&mut here, "master_link_status"), "down");
    wait_until("the log says why", || {
        replica
            .log()
            .contains("Error condition on socket for SYNC: Connection refused")
    });
    assert_eq!(here.call("REPLICAOF NO ONE").text(), "OK");
    assert_eq!(here.call("GET a").text(), "1");
}

#[test]
fn what_has_expired_goes_when_the_master_says_so() {
    let Some(setup) = stock() else { return };
    let master = setup.start();
    let replica = ringshard(2);
    let (mut here, mut there) = (replica.client(), master.client());
    follow(&replica, &master);
    wait_for_link(&replica);
    there.call("DEBUG SET-ACTIVE-EXPIRE 0");
    for key in ["a", "b", "c"] {
        there.call(&format!("SET {key} 1 PX 50"));
    }
    there.call("SADD set x y");
    there.call("PEXPIRE set 50");
    wait_until("the replica has all of it", || {
        here.call("DBSIZE").integer() == 4
    });
    wait_until("clients of the replica do not see it any more", || {
        here.call("EXISTS a b c set").integer() == 0
    });
    assert!(here.call("GET a").is_nil());
    assert_eq!(here.call("DBSIZE").integer(), 4);
    // The master has not looked yet; when it does, all of it goes on both sides.
    assert!(there.call("GET b").is_nil());
    there.call("SUNIONSTORE union set other");
    wait_until("the replica is told", || here.call("DBSIZE").integer() == 2);
    assert_eq!(here.call("REPLICAOF NO ONE").text(), "OK");
    wait_until("a master lets go itself", || {
        here.call("DBSIZE").integer() == 0
    });
}
