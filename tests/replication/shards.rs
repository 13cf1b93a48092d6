//! Two servers of our own kind, which talk shard by shard.
//!
//! Full synchronizations of a master that is written meanwhile, over all mixtures of shard counts;
//! what is not whole or not right is not taken, and nobody holds a master up.

use crate::pair::{
    field, fill, follow, number, ringshard, wait_for_equality, wait_for_link, write,
};
use crate::support::prng::Prng;
use crate::support::{Client, Server, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Values that are walked in pieces, and texts that are sent as they are.
fn fill_large(master: &Server) {
    let mut client = master.client();
    for key in 0..4 {
        for number in 0..30 {
            let members: Vec<String> = (0..100)
                .map(|it| format!("m{}", number * 100 + it))
                .collect();
            client.call(&format!("SADD huge-set{key} {}", members.join(" ")));
            client.call(&format!("RPUSH huge-list{key} {}", members.join(" ")));
        }
        client.call_args(&["SET", &format!("text{key}"), &"x".repeat(700_000)]);
    }
    for number in 0..5000 {
        client.call(&format!("SET filler:{number} {}", "y".repeat(number % 200)));
    }
}

/// A replica gets all of a master, shard by shard, while it is written.
fn comes_shard_by_shard(shards: (usize, usize)) {
    let (master, replica) = (ringshard(shards.0), ringshard(shards.1));
    let mut there = master.client();
    let mut random = Prng::new(shards.0 as u64 * 10 + shards.1 as u64);
    fill(&mut there);
    fill_large(&master);
    replica.client().call("SET own-key 1");
    follow(&replica, &master);
    write(&mut there, &mut random, 500);
    wait_for_link(&replica);
    write(&mut there, &mut random, 200);
    wait_for_equality(&master, &replica);
    assert_eq!(there.call("WAIT 1 5000").integer(), 1);
    assert_eq!(field(&mut there, "connected_slaves"), "1");
    let offer = format!(
        "Master offers a connection for each of its {} shards",
        shards.0
    );
    assert!(replica.log().contains(&offer));
    assert!(master.log().contains("with target: replicas sockets"));
    wait_until("only the first connection stays", || {
        there
            .call("CLIENT LIST TYPE replica")
            .text()
            .lines()
            .count()
            == 1
    });
    assert!(there.call("CLIENT KILL TYPE replica").integer() >= 1);
    wait_until("the replica has come back", || {
        number(&mut there, "sync_partial_ok") >= 1
    });
    wait_for_equality(&master, &replica);
}

#[test]
fn a_dataset_comes_shard_by_shard() {
    for shards in [(1, 2), (2, 1), (2, 7), (7, 2)] {
        comes_shard_by_shard(shards);
    }
}

const COUNTERS: u64 = 50_000;

/// Increments many counters, those that `pick` says, in one go.
fn increment(client: &mut Client, pick: impl Fn(u64) -> u64, count: u64) {
    for number in 0..count {
        client.send_args(&["INCR", &format!("counter:{}", pick(number))]);
    }
    for _ in 0..count {
        client.receive();
    }
}

#[test]
fn what_changes_during_the_walk_counts_once() {
    let master = ringshard(2);
    let mut there = master.client();
    for start in (0..COUNTERS).step_by(1000) {
        increment(&mut there, |number| start + number, 1000);
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let write = |seed| {
            let (master, is_over) = (&master, &is_over);
            move || {
                let (mut client, mut at) = (master.client(), seed);
                while !is_over.load(Relaxed) {
                    increment(&mut client, |number| (at + number * 7919) % COUNTERS, 50);
                    at += 31;
                }
            }
        };
        for seed in 0..3 {
            scope.spawn(write(seed));
        }
        let replica = ringshard(3);
        follow(&replica, &master);
        wait_for_link(&replica);
        is_over.store(true, Relaxed);
        wait_for_equality(&master, &replica);
    });
}

#[test]
fn several_replicas_share_a_snapshot() {
    let master = ringshard(2);
    fill_large(&master);
    master
        .client()
        .call("CONFIG SET repl-diskless-sync-delay 2");
    let replicas = [ringshard(1), ringshard(2), ringshard(3)];
    for replica in &replicas {
        follow(replica, &master);
    }
    for replica in &replicas {
        wait_for_link(replica);
        wait_for_equality(&master, replica);
    }
    let starts = master
        .log()
        .matches("with target: replicas sockets")
        .count();
    assert!(starts < 3, "{starts} snapshots");
}

#[test]
fn who_does_not_want_it_gets_a_file() {
    for (master, replica) in [("yes", "no"), ("no", "yes")] {
        let (one, other) = (ringshard(2), ringshard(2));
        let set = |server: &Server, value: &str| {
            let line = format!("CONFIG SET repl-shard-streams {value}");
            assert_eq!(server.client().call(&line).text(), "OK");
        };
        set(&one, master);
        set(&other, replica);
        fill(&mut one.client());
        follow(&other, &one);
        wait_for_link(&other);
        wait_for_equality(&one, &other);
        assert!(one.log().contains("with target: disk"));
    }
}

#[test]
fn nobody_joins_who_does_not_know_the_token() {
    let master = ringshard(2);
    let mut stranger = master.client();
    let reply = stranger.call("REPLCONF flow 0123456789012345678901234567890123456789:0");
    assert_eq!(reply.text(), "ERR no replica waits for this connection");
}

/// What a proxy does to one connection, and where.
#[derive(Clone, Copy)]
enum Fault {
    Flip(usize),
    Stall(usize),
}

/// Between a replica and its master: passes on what comes, but for a fault on one connection.
fn faulty_proxy(master: &Server, fault: Fault) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, target) = (listener.local_addr().unwrap().port(), master.port());
    std::thread::spawn(move || {
        for (number, replica) in listener.incoming().flatten().enumerate() {
            let Ok(master) = TcpStream::connect(("127.0.0.1", target)) else {
                return;
            };
            // The first connection talks, the second one is that of the first shard.
            let fault = (number == 1).then_some(fault);
            let (from, to) = (master.try_clone().unwrap(), replica.try_clone().unwrap());
            std::thread::spawn(move || pass(from, to, fault));
            std::thread::spawn(move || pass(replica, master, None));
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, fault: Option<Fault>) {
    let (mut buffer, mut passed) = (vec![0; 16 * 1024], 0);
    while let Ok(got) = from.read(&mut buffer) {
        match fault {
            Some(Fault::Flip(at)) if (passed..passed + got).contains(&at) => {
                buffer[at - passed] ^= 4;
            }
            Some(Fault::Stall(at)) if passed >= at => {
                // Until the replica hangs up.
                while to.read(&mut buffer).is_ok_and(|got| got > 0) {}
                break;
            }
            _ => {}
        }
        passed += got;
        if got == 0 || to.write_all(&buffer[..got]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_flipped_bit_is_found_and_everything_comes_anew() {
    let (master, replica) = (ringshard(2), ringshard(2));
    fill(&mut master.client());
    fill_large(&master);
    let port = faulty_proxy(&master, Fault::Flip(100_000));
    let mut here = replica.client();
    here.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_until("the damage is found", || {
        let log = replica.log();
        log.contains("Bad data from MASTER: a frame with a wrong checksum")
            || log.contains("Bad data from MASTER: a frame of another shape than agreed")
    });
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    assert_eq!(number(&mut master.client(), "sync_full"), 2);
}

#[test]
fn a_part_that_stops_coming_is_not_waited_for() {
    let (master, replica) = (ringshard(2), ringshard(2));
    fill(&mut master.client());
    fill_large(&master);
    let port = faulty_proxy(&master, Fault::Stall(100_000));
    let mut here = replica.client();
    here.call("CONFIG SET repl-timeout 1");
    here.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_until("the replica has had enough", || {
        let log = replica.log();
        log.contains("Timeout receiving bulk data from MASTER")
    });
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
}

/// Connections of a replica that takes nothing.
fn deaf_replica(master: &Server) -> Vec<Client> {
    let mut main = master.client();
    assert_eq!(main.call("REPLCONF capa flows").text(), "OK");
    let offer = main.call("PSYNC ? -1").text();
    let words: Vec<&str> = offer.split(' ').collect();
    assert_eq!((words[0], words[2]), ("FLOWS", "2"), "{offer}");
    let mut all = vec![main];
    for shard in 0..2 {
        let mut flow = master.client();
        let reply = flow.call(&format!("REPLCONF flow {}:{shard}", words[1]));
        assert_eq!(reply.text(), "OK");
        all.push(flow);
    }
    all
}

#[test]
fn what_clients_overwrite_counts_against_the_limit() {
    let master = ringshard(2);
    let mut there = master.client();
    let mut set_all = |letter: &str| {
        for number in 0..80 {
            there.call_args(&["SET", &format!("text{number}"), &letter.repeat(700_000)]);
        }
    };
    set_all("x");
    let limit = [
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "replica 20mb 0 0",
    ];
    assert_eq!(master.client().call_args(&limit).text(), "OK");
    let deaf = deaf_replica(&master);
    wait_until("it has begun", || {
        master.log().contains("with target: replicas sockets")
    });
    set_all("y");
    wait_until("it is dropped", || {
        master.log().contains("overcoming of output buffer limits")
    });
    wait_until("it is gone", || {
        field(&mut master.client(), "connected_slaves") == "0"
    });
    drop(deaf);
}

#[test]
fn who_takes_a_byte_a_second_costs_no_more_than_the_limit() {
    const LIMIT: usize = 8 << 20;
    let master = ringshard(2);
    let mut there = master.client();
    for number in 0..80 {
        there.call_args(&["SET", &format!("text{number}"), &"x".repeat(700_000)]);
    }
    let limits = format!("replica {LIMIT} 0 0");
    there.call_args(&["CONFIG", "SET", "client-output-buffer-limit", &limits]);
    let mut slow = deaf_replica(&master);
    let is_over = AtomicBool::new(false);
    let used = |client: &mut Client| {
        usize::try_from(number(client, "used_memory")).expect("INFO says how much is used")
    };
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            // A byte of the connection of each shard, then a second without any.
            let flows = &mut slow[1..];
            while !is_over.load(Relaxed) && flows.iter_mut().all(|flow| flow.sip().is_some()) {
                std::thread::park_timeout(std::time::Duration::from_secs(1));
            }
        });
        wait_until("it has begun", || {
            master.log().contains("with target: replicas sockets")
        });
        let before = used(&mut there);
        let (mut most, mut turn) = (0, 0);
        while number(&mut there, "connected_slaves") == 1 {
            // What is overwritten is written down for the replica first.
            let name = format!("text{}", turn % 80);
            let letter = ["y", "z"][turn / 80 % 2];
            there.call_args(&["SET", &name, &letter.repeat(700_000)]);
            most = most.max(used(&mut there).saturating_sub(before));
            turn += 1;
            assert!(turn < 2000, "it is never dropped");
        }
        is_over.store(true, Relaxed);
        slow.thread().unpark();
        assert!(most < 3 * LIMIT, "it cost {most} bytes");
    });
    let log = master.log();
    assert!(log.contains("overcoming of output buffer limits"), "{log}");
}

#[test]
fn who_takes_nothing_is_dropped_and_holds_up_nobody() {
    let master = ringshard(2);
    let mut there = master.client();
    for number in 0..80 {
        there.call_args(&["SET", &format!("text{number}"), &"x".repeat(700_000)]);
    }
    there.call("CONFIG SET repl-timeout 1");
    let deaf = deaf_replica(&master);
    wait_until("it has begun", || {
        master.log().contains("with target: replicas sockets")
    });
    assert_eq!(there.call("SET text0 small").text(), "OK");
    wait_until("it is dropped", || {
        master
            .log()
            .contains("Disconnecting timedout replica (full sync)")
    });
    wait_until("it is gone", || {
        field(&mut there, "connected_slaves") == "0"
    });
    wait_until("another snapshot may begin", || {
        there.call("SAVE").text() == "OK"
    });
    drop(deaf);
    let replica = ringshard(2);
    follow(&replica, &master);
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
}

#[test]
fn a_replica_that_dies_meanwhile_holds_up_nobody() {
    let master = ringshard(2);
    fill_large(&master);
    for at in 0..3 {
        let mut connections = deaf_replica(&master);
        drop(connections.remove(at));
        wait_until("all of it is gone", || {
            field(&mut master.client(), "connected_slaves") == "0"
        });
    }
    wait_until("another snapshot may begin", || {
        master.client().call("SAVE").text() == "OK"
    });
    let mut client = master.client();
    wait_until("only this client is left", || {
        client.call("CLIENT LIST").text().lines().count() == 1
    });
}

/// The lines of a server's section about the streams of shards.
fn streams(client: &mut Client) -> Vec<(String, String)> {
    let text = client.call("INFO replication_shards").text();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The offset that such a line names.
fn offset_of(streams: &[(String, String)], name: &str) -> u64 {
    let found = streams.iter().find(|(it, _)| it == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {streams:?}"));
    let offset = found.1.split(',').next().unwrap();
    offset.strip_prefix("offset=").unwrap().parse().unwrap()
}

fn set_many(client: &mut Client, round: u64) {
    for number in 0..2000 {
        client.send_args(&["SET", &format!("key:{number}"), &format!("{round}")]);
    }
    for _ in 0..2000 {
        client.receive();
    }
}

#[test]
fn each_shard_has_a_stream_that_a_chain_passes_on() {
    let (master, middle, leaf) = (ringshard(2), ringshard(2), ringshard(2));
    let (mut there, mut between, mut here) = (master.client(), middle.client(), leaf.client());
    follow(&middle, &master);
    wait_for_link(&middle);
    follow(&leaf, &middle);
    wait_for_link(&leaf);
    set_many(&mut there, 1);
    wait_for_equality(&master, &leaf);
    let own = streams(&mut there);
    for shard in ["shard0", "shard1"] {
        let offset = offset_of(&own, shard);
        // A good half of the keys each.
        assert!(offset > 20_000, "{own:?}");
        wait_until("the replica has acknowledged the shard's stream", || {
            offset_of(&streams(&mut there), &format!("slave0_{shard}")) == offset
        });
        assert_eq!(offset_of(&streams(&mut between), shard), offset);
        assert_eq!(offset_of(&streams(&mut here), shard), offset);
    }
    // The survivors go on where they are, with the streams of the new master's shards.
    let full = number(&mut between, "sync_full");
    drop(master);
    assert_eq!(between.call("REPLICAOF NO ONE").text(), "OK");
    set_many(&mut between, 2);
    wait_for_link(&leaf);
    wait_for_equality(&middle, &leaf);
    assert_eq!(number(&mut between, "sync_full"), full);
    set_many(&mut between, 3);
    wait_for_equality(&middle, &leaf);
    let own = streams(&mut between);
    for shard in ["shard0", "shard1"] {
        let offset = offset_of(&own, shard);
        assert_eq!(offset_of(&streams(&mut here), shard), offset, "{own:?}");
    }
}

/// What is about one shard and what is about several come in the order in which they happened,
/// whatever way they take, on any number of shards.
#[test]
fn mixed_writes_keep_their_order() {
    for (shards, own) in [(2, 3), (4, 1), (3, 3)] {
        let (master, replica) = (ringshard(shards), ringshard(own));
        follow(&replica, &master);
        wait_for_link(&replica);
        let mut there = master.client();
        for round in 0..30 {
            for number in 0..100 {
                let (key, value) = (format!("k{}", number % 10), format!("{round}.{number} "));
                there.send_args(&["APPEND", &key, &value]);
                let rare = number == round;
                match rare {
                    true => there.send_args(&["RENAME", &key, &format!("k{}", round % 7)]),
                    false => there.send_args(&["APPEND", "k0", &value]),
                }
                if number == 50 && round % 5 == 0 {
                    there.send_args(&["MSET", "k1", "a", "k2", "b", "k3", "c"]);
                }
                if number == 70 && round % 9 == 0 {
                    there.send_args(&["SWAPDB", "0", "1"]);
                }
            }
            let extra = u64::from(round % 5 == 0) + u64::from(round % 9 == 0);
            for _ in 0..200 + extra {
                there.receive();
            }
        }
        wait_for_equality(&master, &replica);
    }
}

#[test]
fn a_stream_that_stops_coming_is_not_waited_for() {
    let (master, replica) = (ringshard(2), ringshard(2));
    let port = faulty_proxy(&master, Fault::Stall(60_000));
    // Writes go on until the stall is found: they have to fit.
    let size = "CONFIG SET repl-backlog-size 268435456";
    assert_eq!(master.client().call(size).text(), "OK");
    let mut here = replica.client();
    here.call("CONFIG SET repl-timeout 1");
    here.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_for_link(&replica);
    let mut there = master.client();
    let mut round = 0;
    wait_until("the replica has had enough", || {
        round += 1;
        set_many(&mut there, round);
        replica
            .log()
            .contains("no data received on the connection of a shard")
    });
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    assert_eq!(number(&mut there, "sync_full"), 1);
}

#[test]
fn a_damaged_stream_of_a_shard_is_not_applied() {
    let (master, replica) = (ringshard(2), ringshard(2));
    let port = faulty_proxy(&master, Fault::Flip(60_000));
    let size = "CONFIG SET repl-backlog-size 268435456";
    assert_eq!(master.client().call(size).text(), "OK");
    let mut here = replica.client();
    here.call(&format!("REPLICAOF 127.0.0.1 {port}"));
    wait_for_link(&replica);
    let mut there = master.client();
    let mut round = 0;
    wait_until("the damage is found", || {
        round += 1;
        set_many(&mut there, round);
        let log = replica.log();
        log.contains("Bad data from MASTER: a frame with a wrong checksum")
            || log.contains("Bad data from MASTER: a frame of another shape than agreed")
            || log.contains("Protocol error")
            || log.contains("Connection with master lost")
    });
    wait_for_link(&replica);
    wait_for_equality(&master, &replica);
    assert_eq!(number(&mut there, "sync_full"), 1);
}
