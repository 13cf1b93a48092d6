//! What WAIT has promised holds when the master dies and the replica that acknowledged takes over.
//!
//! Clients write increasing numbers and wait for the one replica; then the master is killed at any
//! moment and the replica promoted: it must have at least the last number that was acknowledged to
//! each. `WAIT_ROUNDS=100` kills a hundred masters.

use crate::pair::{follow, number, prompt, rounds, wait_for_link};
use crate::support::server::Folder;
use crate::support::wait::holds_within;
use crate::support::{Client, Server, Setup, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

const CLIENTS: usize = 4;

/// Writes until the master is gone; the last number that was acknowledged is noted.
fn promise(port: u16, key: usize, acknowledged: Arc<AtomicU64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let Ok(mut client) = Client::try_connect(port) else {
            return;
        };
        let mut write = |value: u64| -> std::io::Result<()> {
            // Some of it spans shards.
            client.try_call(&format!("MSET n{key} {value} copy{key} {value}"))?;
            if client.try_call("WAIT 1 1000")?.integer() >= 1 {
                acknowledged.store(value, Relaxed);
            }
            Ok(())
        };
        let mut value = 0;
        while write(value).is_ok() {
            value += 1;
        }
    })
}

fn value(client: &mut Client, key: &str) -> u64 {
    let reply = client.call(&format!("GET {key}"));
    if reply.is_nil() {
        return 0;
    }
    reply.text().parse().unwrap()
}

/// One master dies; returns how many acknowledged writes are lost.
fn dies(mut master: Server, replica: &Server, after: u64) -> usize {
    follow(replica, &master);
    wait_for_link(replica);
    let promises: Vec<_> = (0..CLIENTS)
        .map(|key| {
            let acknowledged = Arc::new(AtomicU64::new(0));
            (
                promise(master.port(), key, acknowledged.clone()),
                acknowledged,
            )
        })
        .collect();
    wait_until("enough is acknowledged", || {
        promises.iter().all(|(_, it)| it.load(Relaxed) > after)
    });
    master.kill();
    let mut heir = replica.client();
    assert_eq!(heir.call("REPLICAOF NO ONE").text(), "OK");
    let mut lost = 0;
    for (key, (thread, acknowledged)) in promises.into_iter().enumerate() {
        thread.join().unwrap();
        let acknowledged = acknowledged.load(Relaxed);
        for name in [format!("n{key}"), format!("copy{key}")] {
            let found = value(&mut heir, &name);
            if found < acknowledged {
                eprintln!("{name}: {acknowledged} was acknowledged, {found} is there");
                lost += 1;
            }
        }
    }
    lost
}

#[test]
fn what_was_acknowledged_is_there() {
    let rounds = rounds("WAIT_ROUNDS", 2);
    let mut lost = 0;
    for round in 0..rounds {
        let shards = (1 + round % 4, 1 + round / 2 % 4);
        let master = prompt(Setup::ringshard(shards.0)).start();
        let replica = prompt(Setup::ringshard(shards.1)).start();
        lost += dies(master, &replica, (round * 7 % 50) as u64);
    }
    println!("{rounds} masters have died, {lost} acknowledged writes are lost");
    assert_eq!(lost, 0);
}

/// The two numbers of a reply of WAITAOF.
fn copies(client: &mut Client, line: &str) -> (i64, i64) {
    let reply = client.call(line);
    let items = reply.items();
    (items[0].integer(), items[1].integer())
}

fn with_log(shards: usize, folder: &Folder, policy: &str) -> Setup {
    prompt(Setup::ringshard(shards))
        .arg("appendonly", "yes")
        .arg("appendfsync", policy)
        .arg("dir", folder.path().to_str().unwrap())
}

#[test]
fn what_is_on_disks_of_replicas_survives_them() {
    for (shards, own, policy) in [(1, 2, "everysec"), (3, 2, "always"), (2, 2, "everysec")] {
        let folder = Folder::create();
        let master = prompt(Setup::ringshard(shards)).start();
        let setup = with_log(own, &folder, policy);
        let mut replica = setup.start();
        let unsafe_replica = prompt(Setup::ringshard(1)).start();
        for replica in [&replica, &unsafe_replica] {
            follow(replica, &master);
            wait_for_link(replica);
        }
        let mut client = master.client();
        for round in 0..2 {
            for number in 0..20 {
                client.call(&format!("MSET k{number} {round} l{number} {round}"));
            }
            let found = copies(&mut client, "WAITAOF 0 1 10000");
            let name = format!("{shards} to {own} shards, {policy}, round {round}");
            assert_eq!(found, (0, 1), "{name}: the other replica has no log");
        }
        replica.kill();
        drop(replica);
        let restarted = setup.arg("replicaof", "no one").start();
        let mut client = restarted.client();
        for key in (0..20).flat_map(|number| [format!("k{number}"), format!("l{number}")]) {
            assert_eq!(value(&mut client, &key), 1, "{key}");
        }
    }
}

/// What came with a snapshot is on disk when the log has got its base, and not before.
#[test]
fn a_snapshot_counts_when_the_log_has_its_base() {
    let master = prompt(Setup::ringshard(2)).start();
    let mut client = master.client();
    assert_eq!(client.call("DEBUG POPULATE 300000 key 100").text(), "OK");
    let folder = Folder::create();
    let setup = with_log(2, &folder, "everysec");
    let mut replica = setup.start();
    follow(&replica, &master);
    wait_for_link(&replica);
    assert_eq!(copies(&mut client, "WAITAOF 0 1 20000"), (0, 1));
    replica.kill();
    drop(replica);
    let restarted = setup.start();
    assert_eq!(restarted.client().call("DBSIZE").integer(), 300_000);
}

#[test]
fn a_log_is_waited_for_here_and_there() {
    let folders = [Folder::create(), Folder::create()];
    let master = with_log(2, &folders[0], "everysec").start();
    let replica = with_log(2, &folders[1], "no").start();
    follow(&replica, &master);
    wait_for_link(&replica);
    let (mut one, mut other) = (master.client(), master.client());
    one.call("SET a 1");
    let found = copies(&mut one, "WAITAOF 1 1 300");
    assert_eq!(
        found,
        (1, 0),
        "the replica never says that it is on its disk"
    );
    replica.client().call("CONFIG SET appendfsync everysec");
    one.call("SET a 2");
    assert_eq!(copies(&mut one, "WAITAOF 1 1 10000"), (1, 1));
    // Who waits for the log that ends meanwhile hears of it.
    replica.client().call("CONFIG SET appendfsync no");
    one.call("SET a 3");
    one.send_args(&["WAITAOF", "1", "1", "0"]);
    wait_until("it waits", || number(&mut other, "blocked_clients") == 1);
    other.call("CONFIG SET appendonly no");
    let reply = one.receive();
    assert_eq!(
        reply.text(),
        "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    );
    let id = one.call("CLIENT ID").integer();
    one.send_args(&["WAITAOF", "0", "1", "0"]);
    wait_until("it waits", || {
        other.call(&format!("CLIENT UNBLOCK {id}")).integer() == 1
    });
    assert_eq!(one.receive().items()[1].integer(), 0);
}

#[test]
fn who_waits_can_be_let_go() {
    let master = prompt(Setup::ringshard(2)).start();
    let (mut one, mut other) = (master.client(), master.client());
    for (way, expected) in [
        ("", "0"),
        (" TIMEOUT", "0"),
        (" ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        let id = one.call("CLIENT ID").integer();
        one.send_args(&["WAIT", "1", "0"]);
        wait_until("it waits", || {
            other.call(&format!("CLIENT UNBLOCK {id}{way}")).integer() == 1
        });
        let reply = one.receive();
        let text = match reply.is_error() {
            true => reply.text(),
            false => reply.integer().to_string(),
        };
        assert_eq!(text, expected, "CLIENT UNBLOCK{way}");
    }
    let id = one.call("CLIENT ID").integer();
    assert_eq!(other.call(&format!("CLIENT UNBLOCK {id}")).integer(), 0);
    one.send_args(&["WAIT", "1", "0"]);
    assert!(
        holds_within(Duration::from_secs(5), &mut || {
            number(&mut other, "blocked_clients") == 1
        }),
        "INFO counts who waits"
    );
}
