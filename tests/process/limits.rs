//! Limits: clients, idle time, buffers in both directions, descriptors.
//!
//! A limit that is reached is a clear word to the one who reached it and no harm to others, so each
//! test also looks whether a well-behaved client is still served.

use crate::support::server::is_stand_in;
use crate::support::{Client, Server, Setup, wait_until};

fn still_serves(server: &Server) {
    assert_eq!(server.client().call("PING").text(), "PONG");
}

#[test]
fn maxclients_turns_the_next_one_away() {
    let server = Setup::ringshard(2).arg("maxclients", "10").start();
    let mut clients: Vec<Client> = Vec::new();
    wait_until("ten clients are in", || {
        // The one that asked whether the server is up may not be gone yet.
        let mut client = server.client();
        if client
            .try_call("PING")
            .is_ok_and(|reply| reply.text() == "PONG")
        {
            clients.push(client);
        }
        clients.len() == 10
    });
    let mut refused = server.client();
    let said = refused.read_to_end();
    assert_eq!(
        String::from_utf8_lossy(&said),
        "-ERR max number of clients reached\r\n"
    );
    clients.pop();
    wait_until("a place is free again", || {
        server
            .client()
            .try_call("PING")
            .is_ok_and(|reply| reply.text() == "PONG")
    });
}

#[test]
fn maxclients_can_change_while_running() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    assert_eq!(client.call("CONFIG SET maxclients 1").text(), "OK");
    wait_until("others are turned away", || {
        server
            .client()
            .try_call("PING")
            .is_ok_and(|reply| reply.is_error())
    });
    assert_eq!(client.call("CONFIG SET maxclients 100").text(), "OK");
    still_serves(&server);
}

#[test]
fn idle_clients_are_hung_up_on() {
    let server = Setup::ringshard(2).arg("timeout", "1").start();
    let (mut idle, mut busy) = (server.client(), server.client());
    assert_eq!(idle.call("PING").text(), "PONG");
    let watcher = std::thread::spawn(move || idle.read_to_end());
    wait_until("the idle client is hung up on", || {
        assert_eq!(busy.call("PING").text(), "PONG");
        watcher.is_finished()
    });
    assert!(watcher.join().expect("no panic").is_empty());
}

#[test]
fn strangers_may_send_little() {
    let server = Setup::ringshard(2).arg("requirepass", "secret").start();
    for (request, answer) in [
        (
            "*11\r\n",
            "-ERR Protocol error: unauthenticated multibulk length\r\n",
        ),
        (
            "*2\r\n$16385\r\n",
            "-ERR Protocol error: unauthenticated bulk length\r\n",
        ),
    ] {
        let mut client = server.client();
        client.send_bytes(request.as_bytes());
        assert_eq!(String::from_utf8_lossy(&client.read_to_end()), answer);
    }
    let mut client = server.client();
    assert_eq!(client.call("AUTH secret").text(), "OK");
    let value = "x".repeat(100_000);
    assert_eq!(client.call_args(&["SET", "a", &value]).text(), "OK");
}

#[test]
fn inline_requests_and_counts_have_a_length() {
    let server = Server::ringshard(2);
    for (start, answer) in [
        ("", "-ERR Protocol error: too big inline request\r\n"),
        ("*", "-ERR Protocol error: too big mbulk count string\r\n"),
        (
            "*1\r\n$",
            "-ERR Protocol error: too big bulk count string\r\n",
        ),
    ] {
        let mut client = server.client();
        client.send_bytes(format!("{start}{}", "1".repeat(70_000)).as_bytes());
        assert_eq!(String::from_utf8_lossy(&client.read_to_end()), answer);
    }
    still_serves(&server);
}

#[test]
fn query_buffer_has_a_limit() {
    let server = Setup::ringshard(2)
        .arg("client-query-buffer-limit", "1mb")
        .start();
    let mut client = server.client();
    client.send_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000000\r\n");
    // The server may hang up in the middle, which is then the end of the test.
    let _ = client.try_send_bytes(&vec![b'x'; 8_000_000]);
    assert!(client.receive_with_bytes().is_none(), "8 MB were taken");
    still_serves(&server);
}

#[test]
fn output_buffer_has_a_limit() {
    let setup = Setup::ringshard(2);
    let server = setup
        .arg("client-output-buffer-limit", "normal 1mb 0 0")
        .start();
    let mut client = server.client();
    let value = "x".repeat(100_000);
    assert_eq!(client.call_args(&["SET", "a", &value]).text(), "OK");
    let asked = 5_000;
    let _ = client.try_send_bytes(&b"GET a\r\n".repeat(asked));
    let mut watcher = server.client();
    wait_until("the greedy client is hung up on", || {
        watcher
            .call("INFO clients")
            .text()
            .lines()
            .any(|line| line == "connected_clients:1")
    });
    let limit = 200 << 20;
    assert!(
        server.resident_bytes() < limit,
        "{} bytes resident",
        server.resident_bytes()
    );
    still_serves(&server);
}

#[test]
fn few_descriptors_mean_fewer_clients() {
    let server = Setup::ringshard(2).prelude("ulimit -n 200").start();
    let mut client = server.client();
    let maxclients = client.call("CONFIG GET maxclients").items()[1].text();
    let maxclients: usize = maxclients.parse().expect("a number");
    assert!((1..200).contains(&maxclients), "{maxclients}");
    let crowd: Vec<_> = (0..250)
        .map(|_| Client::try_connect(server.port()))
        .collect();
    assert_eq!(client.call("PING").text(), "PONG");
    drop(crowd);
    wait_until("new clients are served again", || {
        server
            .client()
            .try_call("PING")
            .is_ok_and(|reply| reply.text() == "PONG")
    });
}

#[test]
fn announcements_cost_no_memory() {
    // redis-server reserves what is announced; the address space for a thousand is not there.
    let count = if is_stand_in() { 20 } else { 1000 };
    raise_descriptor_limit();
    let server = Server::ringshard(2);
    let before = server.resident_bytes();
    let mut clients: Vec<Client> = (0..count).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\nonly this much");
    }
    still_serves(&server);
    wait_until("all are in", || {
        let info = server.client().call("INFO clients").text();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("connected_clients:"));
        line.is_some_and(|count_now| count_now.parse::<usize>().is_ok_and(|now| now > count))
    });
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(
        grown < 128 << 20,
        "{count} announcements took {grown} bytes"
    );
}

fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a local of the right type, for the length of the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(result, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
}
