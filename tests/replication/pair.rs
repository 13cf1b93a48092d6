//! What the tests of replication share: data of all types, and waiting until two servers agree.
//!
//! Nothing here knows who is the master of whom.

use crate::load::lasting_command;
use crate::support::prng::Prng;
use crate::support::{Client, Server, Setup, wait_until};
use std::time::{SystemTime, UNIX_EPOCH};

/// A stock server, if there is one on this machine.
pub fn stock() -> Option<Setup> {
    let setup = Setup::oracle();
    if setup.is_none() {
        eprintln!("SKIPPED: redis-server is not installed");
    }
    Some(prompt(setup?))
}

/// A server of so many shards.
pub fn ringshard(shards: usize) -> Server {
    prompt(Setup::ringshard(shards)).start()
}

/// Nobody waits for more replicas.
pub fn prompt(setup: Setup) -> Setup {
    setup
        .arg("repl-diskless-sync-delay", "0")
        .arg("enable-debug-command", "yes")
}

/// The same of another version: the old ones know no such directive, and let everybody debug.
pub fn prompt_unless_old(setup: Setup, version: &str) -> Setup {
    let is_old = version.starts_with('5') || version.starts_with('6');
    match is_old {
        true => setup.arg("repl-diskless-sync-delay", "0"),
        false => prompt(setup),
    }
}

/// How many rounds a test makes: as many as this environment variable says.
pub fn rounds(name: &str, usual: usize) -> usize {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().expect("a number"))
}

/// Commands that leave something of every type in several databases.
pub const DATA: &[&str] = &[
    "SET string value",
    "SET number 12345",
    "SET volatile soon PX 100000000",
    "SETRANGE sparse 30000 end",
    "RPUSH list a b c 1 2 3",
    "SADD ints 1 2 3 500000",
    "SADD words alpha beta gamma",
    "HSET hash field value other 17",
    "ZADD zset 1 one 2.5 two -inf least",
    "XADD stream 1-1 field value",
    "XADD stream 2-1 field value other 1",
    "XGROUP CREATE stream group 1-1",
    "XREADGROUP GROUP group me COUNT 1 STREAMS stream >",
    "PFADD hll a b c d e",
    "SETBIT bits 1000 1",
    "GEOADD geo 13.361389 38.115556 Palermo",
    "SELECT 3",
    "SET elsewhere 1",
    "SELECT 0",
];

/// Fills a server with values of all types, large ones too.
pub fn fill(client: &mut Client) {
    client.call("FLUSHALL");
    for line in DATA {
        let reply = client.call(line);
        assert!(!reply.is_error(), "{line}: {}", reply.text());
    }
    for number in 0..300 {
        client.call(&format!("HSET large-hash field{number} {number}"));
        client.call(&format!("ZADD large-zset {number} member{number}"));
        client.call(&format!("RPUSH large-list element-{number}"));
        client.call(&format!("SADD large-set member-{number}"));
        client.call(&format!("SET key:{number} value-{number}"));
    }
    client.call_args(&["SET", "big", &"x".repeat(300_000)]);
}

/// Random writes whose effects are not the commands as they came.
pub fn write(client: &mut Client, random: &mut Prng, count: usize) {
    for _ in 0..count {
        client.call(&lasting_command(random));
    }
    client.call("MULTI");
    client.call("SET in-multi-a 1");
    client.call("INCR in-multi-b");
    client.call("LPUSH in-multi-c x");
    client.call("EXEC");
}

/// Makes a server the replica of another.
pub fn follow(replica: &Server, master: &Server) {
    let port = master.port();
    let reply = replica
        .client()
        .call(&format!("REPLICAOF 127.0.0.1 {port}"));
    assert_eq!(reply.text(), "OK");
}

/// A field of INFO replication.
pub fn field(client: &mut Client, name: &str) -> String {
    let info = client.call("INFO").text();
    let prefix = format!("{name}:");
    let line = info.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_default().to_owned()
}

/// A number of INFO.
pub fn number(client: &mut Client, name: &str) -> i64 {
    field(client, name).parse().unwrap_or(-1)
}

/// Waits until a replica's link to its master is up.
pub fn wait_for_link(replica: &Server) {
    let mut client = replica.client();
    wait_until("the link to the master is up", || {
        field(&mut client, "master_link_status") == "up"
    });
}

pub fn digest(server: &Server) -> String {
    server.client().call("DEBUG DIGEST").text()
}

/// Waits until a replica has all its master has, expiries apart.
pub fn wait_for_data(master: &Server, replica: &Server) {
    let (mut one, mut other) = (master.client(), replica.client());
    wait_until("the replica has the master's offset", || {
        let offset = number(&mut one, "master_repl_offset");
        offset >= 0 && offset == number(&mut other, "slave_repl_offset")
    });
    wait_until("both have the same data", || {
        digest(master) == digest(replica)
    });
}

/// Waits until a replica has all its master has, and the same.
pub fn wait_for_equality(master: &Server, replica: &Server) {
    wait_for_data(master, replica);
    let (mut one, mut other) = (master.client(), replica.client());
    // Of an expiry the digest knows only that there is one. What expires soon may be gone already.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let soon_ms = now.as_millis() as i64 + 5000;
    assert_eq!(expiries(&mut one, soon_ms), expiries(&mut other, soon_ms));
}

/// When the keys of [`crate::load`] expire that do so later than this, in Unix milliseconds.
fn expiries(client: &mut Client, soon_ms: i64) -> Vec<(String, i64)> {
    let keys = ["k", "v"].map(|kind| (0..=50).map(move |number| format!("{kind}{number}")));
    let expiry = |key: String| {
        let at = client.call(&format!("PEXPIRETIME {key}")).integer();
        (at > soon_ms).then_some((key, at))
    };
    keys.into_iter().flatten().filter_map(expiry).collect()
}
