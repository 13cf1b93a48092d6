//! Masters and replicas that end in good order and come back: they go on where they were.
//!
//! Name and offset of the history are in the snapshot, as with Redis 7, and at the end of the log,
//! which Redis does not do. Nobody gets more than one full resync.

use crate::pair::{
    field, fill, follow, number, prompt, stock, wait_for_equality, wait_for_link, write,
};
use crate::support::prng::Prng;
use crate::support::{Server, Setup, wait_until};

/// How a server ends and keeps its data.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Shutdown,
    Signal,
    Log,
}

fn ours(shards: usize, way: Way) -> Setup {
    let setup = prompt(Setup::ringshard(shards));
    match way {
        Way::Log => setup.arg("appendonly", "yes"),
        Way::Shutdown | Way::Signal => setup,
    }
}

/// Ends a server in good order.
fn end(server: &mut Server, way: Way) {
    let mut client = server.client();
    match way {
        Way::Shutdown => client.send_args(&["SHUTDOWN", "SAVE"]),
        Way::Log => client.send_args(&["SHUTDOWN", "NOSAVE"]),
        Way::Signal => {
            let reply = client.call_args(&["CONFIG", "SET", "save", "3600 1"]);
            assert_eq!(reply.text(), "OK");
            server.signal(libc::SIGTERM);
        }
    }
    assert!(server.wait_for_exit().success());
}

/// Ends a server and starts it again as the replica of another.
fn restart_below(server: &mut Server, setup: &Setup, master: &Server, way: Way) {
    end(server, way);
    write(&mut master.client(), &mut Prng::new(11), 50);
    let name = format!("127.0.0.1 {}", master.port());
    server.start_again(&setup.clone().arg("replicaof", &name));
    wait_for_link(server);
    wait_for_equality(master, server);
}

fn a_replica_returns(master: &Server, setup: &Setup, way: Way) {
    let mut replica = setup.start();
    let mut there = master.client();
    fill(&mut there);
    follow(&replica, master);
    wait_for_link(&replica);
    write(&mut there, &mut Prng::new(1), 100);
    // The stream is in another database than the first one when the replica goes.
    there.call("SELECT 3");
    there.call("SET in-three 1");
    wait_for_equality(master, &replica);
    let full = number(&mut there, "sync_full");
    if way == Way::Log {
        // The log on disk is another dataset's until what came from the master is its new base.
        wait_until("the log has the new base", || {
            let info = replica.client().call("INFO persistence").text();
            info.contains("aof_rewrites:1\r\n") && info.contains("aof_rewrite_in_progress:0")
        });
    }
    restart_below(&mut replica, setup, master, way);
    there.call("SET in-three 2");
    wait_for_equality(master, &replica);
    assert_eq!(number(&mut there, "sync_full"), full, "{way:?}");
}

#[test]
fn a_replica_that_was_restarted_goes_on() {
    for (way, shards) in [(Way::Shutdown, 2), (Way::Signal, 1), (Way::Log, 3)] {
        let master = ours(2, Way::Shutdown).start();
        a_replica_returns(&master, &ours(shards, way), way);
        let Some(stock) = stock() else { continue };
        a_replica_returns(&stock.start(), &ours(shards, way), way);
        if way != Way::Log {
            a_replica_returns(&master, &stock, way);
        }
    }
}

/// A master ends and comes back: its replicas go on, and keys that expire meanwhile go there too.
fn a_master_returns(setup: &Setup, replicas: &[&Server], way: Way) {
    let mut master = setup.start();
    let mut there = master.client();
    fill(&mut there);
    for replica in replicas {
        follow(replica, &master);
        wait_for_link(replica);
    }
    write(&mut there, &mut Prng::new(2), 100);
    there.call("SET soon gone PX 150");
    end(&mut master, way);
    for replica in replicas {
        wait_until("it has expired", || {
            replica.client().call("GET soon").is_nil()
        });
    }
    master.start_again(setup);
    let mut there = master.client();
    write(&mut there, &mut Prng::new(3), 100);
    for replica in replicas {
        wait_for_link(replica);
        wait_for_equality(&master, replica);
        let keys = |server: &Server| server.client().call("DBSIZE").integer();
        wait_until("it has been deleted", || keys(replica) == keys(&master));
    }
    assert_eq!(number(&mut there, "sync_full"), 0, "{way:?}");
    let partial = number(&mut there, "sync_partial_ok");
    assert_eq!(partial, replicas.len() as i64);
    assert!(number(&mut there, "second_repl_offset") > 0);
}

#[test]
fn a_master_that_was_restarted_keeps_its_replicas() {
    for (way, shards) in [(Way::Shutdown, 3), (Way::Signal, 2), (Way::Log, 2)] {
        let own = ours(1, Way::Shutdown).start();
        match stock() {
            Some(stock) => a_master_returns(&ours(shards, way), &[&own, &stock.start()], way),
            None => a_master_returns(&ours(shards, way), &[&own], way),
        }
    }
    if let Some(stock) = stock() {
        let own = ours(2, Way::Shutdown).start();
        a_master_returns(&stock, &[&own], Way::Shutdown);
    }
}

/// The one in the middle ends and comes back: nobody below it begins anew.
fn a_middle_returns(last: &Server, way: Way) {
    let (master, setup) = (ours(2, Way::Shutdown).start(), ours(2, way));
    let mut middle = setup.start();
    let mut there = master.client();
    fill(&mut there);
    follow(&middle, &master);
    wait_for_link(&middle);
    // Whoever comes now joins a stream that is in this database.
    there.call("SELECT 5");
    there.call("SET in-five 1");
    wait_for_equality(&master, &middle);
    follow(last, &middle);
    wait_for_link(last);
    there.call("SET in-five 2");
    wait_for_equality(&master, last);
    restart_below(&mut middle, &setup, &master, way);
    wait_for_link(last);
    write(&mut there, &mut Prng::new(5), 100);
    wait_for_equality(&master, last);
    assert_eq!(number(&mut there, "sync_full"), 1, "{way:?}");
    assert_eq!(number(&mut middle.client(), "sync_full"), 0, "{way:?}");
}

#[test]
fn a_middle_that_was_restarted_keeps_its_replicas() {
    for way in [Way::Shutdown, Way::Log] {
        a_middle_returns(&ours(1, Way::Shutdown).start(), way);
    }
    if let Some(stock) = stock() {
        a_middle_returns(&stock.start(), Way::Signal);
    }
}

#[test]
fn a_crash_is_no_good_order() {
    let setup = ours(2, Way::Log);
    let (mut master, replica) = (setup.start(), ours(1, Way::Shutdown).start());
    let mut there = master.client();
    fill(&mut there);
    follow(&replica, &master);
    wait_for_link(&replica);
    write(&mut there, &mut Prng::new(7), 100);
    let id = field(&mut there, "master_replid");
    master.kill();
    master.start_again(&setup);
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    let mut there = master.client();
    assert!(field(&mut there, "master_replid") != id);
    assert_eq!(number(&mut there, "sync_full"), 1);
}

/// A replica is one from its first moment: what was over while it was away is not its to delete,
/// because its master may have kept it, and nobody may write to it.
#[test]
fn a_replica_that_comes_back_is_no_master_in_between() {
    for way in [Way::Signal, Way::Log] {
        let (master, setup) = (ours(2, Way::Shutdown).start(), ours(2, way));
        let mut replica = setup.start();
        let mut there = master.client();
        follow(&replica, &master);
        wait_for_link(&replica);
        for number in 0..100 {
            there.call(&format!("SET k{number} kept PX 3000"));
        }
        there.call("SET last gone PX 3000");
        wait_for_equality(&master, &replica);
        let full = number(&mut there, "sync_full");
        end(&mut replica, way);
        for number in 0..100 {
            let reply = there.call(&format!("PEXPIRE k{number} 1000000"));
            assert_eq!(reply.integer(), 1, "this machine is too slow");
        }
        wait_until("they would be over", || there.call("GET last").is_nil());
        let name = format!("127.0.0.1 {}", master.port());
        replica.start_again(&setup.clone().arg("replicaof", &name));
        let mut here = replica.client();
        let role = here.call("ROLE");
        assert_eq!(role.items()[0].text(), "slave", "{way:?}");
        let refused = here.call("SET key value").text();
        assert!(refused.starts_with("READONLY"), "{refused}");
        wait_for_link(&replica);
        wait_for_equality(&master, &replica);
        assert_eq!(here.call("DBSIZE").integer(), 100, "{way:?}");
        assert_eq!(number(&mut there, "sync_full"), full, "{way:?}");
    }
}
