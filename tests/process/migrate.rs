//! MIGRATE: keys leave for another server, Redis or Ringshard, and nobody else waits.
//!
//! Keys lie on several shards. What the other side refuses stays here; a target that never
//! answers, or is gone, is an error after exactly the time that was given.

use crate::support::notation::split_line;
use crate::support::{Client, Reply, Server, Setup, wait_until};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const KEYS: &[&str] = &["a", "b", "c", "list", "hash"];

fn fill(source: &mut Client) {
    for key in ["a", "b", "c"] {
        assert_eq!(source.call(&format!("SET {key} value-{key}")).text(), "OK");
    }
    assert_eq!(source.call("RPUSH list 1 two 3.5").integer(), 3);
    assert_eq!(source.call("HSET hash f v").integer(), 1);
    assert_eq!(source.call("PEXPIRE b 100000").integer(), 1);
}

fn migrate(source: &mut Client, port: u16, rest: &str) -> Reply {
    let line = format!("MIGRATE 127.0.0.1 {port} {rest}");
    source.call_args(&split_line(&line).expect("quotes that balance"))
}

/// Moves keys to a server and checks that they are there, and here no more.
fn moves_to(target: &Server) {
    let server = Server::ringshard(3);
    let (mut source, mut there) = (server.client(), target.client());
    fill(&mut source);
    let all = format!("\"\" 2 5000 KEYS {} nosuch", KEYS.join(" "));
    let copied = migrate(&mut source, target.port(), "\"\" 2 5000 COPY KEYS a");
    assert_eq!(copied.text(), "OK");
    assert_eq!(source.call("GET a").text(), "value-a");
    let busy = migrate(&mut source, target.port(), &all);
    assert_eq!(
        busy.text(),
        "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    );
    assert_eq!(
        source.call("DBSIZE").integer(),
        1,
        "only what was refused stays"
    );
    let replaced = migrate(&mut source, target.port(), "a 2 5000 REPLACE");
    assert_eq!(replaced.text(), "OK");
    assert_eq!(source.call("DBSIZE").integer(), 0);
    assert_eq!(migrate(&mut source, target.port(), &all).text(), "NOKEY");
    assert_eq!(there.call("SELECT 2").text(), "OK");
    assert_eq!(there.call("DBSIZE").integer(), KEYS.len() as i64);
    assert_eq!(there.call("GET c").text(), "value-c");
    assert_eq!(there.call("LRANGE list 0 -1").items().len(), 3);
    assert_eq!(there.call("HGET hash f").text(), "v");
    let ttl = there.call("PTTL b").integer();
    assert!((1..=100_000).contains(&ttl), "{ttl}");
    assert_eq!(there.call("PTTL a").integer(), -1);
}

#[test]
fn keys_move_to_ringshard() {
    moves_to(&Server::ringshard(2));
}

#[test]
fn keys_move_to_redis() {
    match Setup::oracle() {
        Some(setup) => moves_to(&setup.start()),
        None => eprintln!("SKIPPED: redis-server is not installed"),
    }
}

#[test]
fn a_target_with_a_password_wants_it() {
    let setup = Setup::oracle().unwrap_or_else(|| Setup::ringshard(2));
    let target = setup.arg("requirepass", "secret").start();
    let server = Server::ringshard(3);
    let mut source = server.client();
    fill(&mut source);
    let refused = migrate(&mut source, target.port(), "a 0 5000");
    assert_eq!(
        refused.text(),
        "ERR Target instance replied with error: NOAUTH Authentication required."
    );
    let wrong = migrate(&mut source, target.port(), "a 0 5000 AUTH wrong");
    assert!(wrong.text().contains("error: WRONGPASS"), "{wrong:?}");
    assert_eq!(source.call("EXISTS a").integer(), 1);
    let right = migrate(&mut source, target.port(), "a 0 5000 AUTH secret");
    assert_eq!(right.text(), "OK");
    let named = migrate(&mut source, target.port(), "b 0 5000 AUTH2 default secret");
    assert_eq!(named.text(), "OK");
    assert_eq!(source.call("EXISTS a b").integer(), 0);
}

/// A target that takes connections and never says anything.
fn deaf() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    (listener, port)
}

#[test]
fn silence_is_an_error_after_the_timeout_and_others_are_served() {
    let (_listener, port) = deaf();
    let server = Server::ringshard(3);
    let (mut source, mut other) = (server.client(), server.client());
    fill(&mut source);
    let start = Instant::now();
    source.send_args(&[
        "MIGRATE",
        "127.0.0.1",
        &port.to_string(),
        "",
        "0",
        "700",
        "KEYS",
        "a",
        "b",
    ]);
    wait_until("another thread talks", || {
        assert_eq!(other.call("GET c").text(), "value-c");
        start.elapsed() > Duration::from_millis(300)
    });
    // Whoever wants a key that is on its way waits for it.
    other.send_args(&["APPEND", "a", "!"]);
    let reply = source.receive();
    let took = start.elapsed();
    assert_eq!(
        reply.text(),
        "IOERR error or timeout reading to target instance"
    );
    assert!(took >= Duration::from_millis(700), "{took:?}");
    assert_eq!(other.receive().integer(), 8);
    assert_eq!(source.call("GET a").text(), "value-a!");
}

#[test]
fn a_migration_goes_on_without_its_client() {
    let (listener, port) = deaf();
    let server = Server::ringshard(3);
    let (mut source, mut other) = (server.client(), server.client());
    fill(&mut source);
    source.send_args(&["MIGRATE", "127.0.0.1", &port.to_string(), "a", "0", "20000"]);
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut request = [0; 16];
    stream.read_exact(&mut request).expect("a request");
    let killed = other.call("CLIENT KILL TYPE normal SKIPME yes");
    assert!(killed.integer() >= 1, "{killed:?}");
    wait_until("the client has gone", || {
        other
            .call("INFO clients")
            .text()
            .contains("connected_clients:1\r")
    });
    std::io::Write::write_all(&mut stream, b"+OK\r\n+OK\r\n").expect("an answer");
    assert_eq!(
        other.call("EXISTS a b").integer(),
        1,
        "waits until a is gone"
    );
}

#[test]
fn a_transaction_waits_for_its_migration() {
    let target = Server::ringshard(2);
    for shards in [1, 3] {
        let server = Server::ringshard(shards);
        let mut source = server.client();
        source.call("MULTI");
        source.call("SET a 1");
        let port = target.port();
        migrate(&mut source, port, "\"\" 0 5000 REPLACE KEYS a b");
        source.call("EXISTS a");
        let replies = source.call("EXEC");
        assert_eq!(replies.items()[1].text(), "OK", "{replies:?}");
        assert_eq!(replies.items()[2].integer(), 0);
        assert_eq!(target.client().call("GET a").text(), "1");
    }
}

#[test]
fn a_connection_that_was_kept_and_closed_is_opened_again() {
    let server = Server::ringshard(2);
    let mut source = server.client();
    fill(&mut source);
    let target = Server::ringshard(2);
    let port = target.port();
    assert_eq!(migrate(&mut source, port, "a 0 5000").text(), "OK");
    let killed = target.client().call("CLIENT KILL TYPE normal SKIPME yes");
    assert!(killed.integer() >= 1, "the connection was kept");
    assert_eq!(migrate(&mut source, port, "b 0 5000").text(), "OK");
    drop(target);
    // The kernel takes a ring apart after its process has gone; until then its port listens.
    wait_until("nobody listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    let gone = migrate(&mut source, port, "c 0 5000");
    assert_eq!(
        gone.text(),
        "IOERR error or timeout writing to target instance"
    );
    assert_eq!(source.call("GET c").text(), "value-c");
}
