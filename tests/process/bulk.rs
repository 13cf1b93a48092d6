//! Much at once: big values among small ones, long pipelines, crowds, readers that do not read.
//!
//! Everything is checked by its content; a reply that does not come within the client's patience
//! is a hang. Limits are elsewhere (`limits`).

use crate::support::client::encode;
use crate::support::prng::Prng;
use crate::support::{Client, Reply, Server, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

const BIG: usize = 10 << 20;

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut prng = Prng::new(seed);
    (0..len / 8)
        .flat_map(|_| prng.next().to_le_bytes())
        .collect()
}

fn only_one_client_is_left(client: &mut Client) {
    wait_until("only one client is left", || {
        let info = client.call("INFO clients").text();
        info.lines().any(|line| line == "connected_clients:1")
    });
}

#[test]
fn big_values_travel_among_small_ones() {
    for shards in [1, 2] {
        let server = Server::ringshard(shards);
        let mut client = server.client();
        let (one, two) = (noise(1, BIG), noise(2, BIG));
        let mut request = Vec::new();
        for value in [&one, &two, &one] {
            for key in ["x", "y", "z"] {
                encode(&[b"SET", key.as_bytes(), value], &mut request);
                encode(&["INCR", "small"], &mut request);
            }
        }
        client.send_bytes(&request);
        for count in 1..=9 {
            assert_eq!(client.receive(), Reply::Simple(b"OK".to_vec()));
            assert_eq!(client.receive().integer(), count);
        }
        assert_eq!(
            client
                .call_args(&[b"APPEND", b"y".as_slice(), &two])
                .integer(),
            2 * BIG as i64
        );
        let values = client.call("MGET x y z nosuch x").items().to_vec();
        let both = [one.as_slice(), &two].concat();
        assert!(values[0] == Reply::Bulk(one.clone()) && values[4] == values[0]);
        assert!(values[1] == Reply::Bulk(both), "an appended value is whole");
        assert!(values[2] == values[0]);
        assert_eq!(client.call("DEL x y z").integer(), 3);
    }
}

#[test]
fn clients_vanish_amid_big_values() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    let value = noise(3, BIG);
    assert_eq!(
        client.call_args(&[b"SET", b"x".as_slice(), &value]).text(),
        "OK"
    );
    let mut request = Vec::new();
    encode(&[b"SET", b"y".as_slice(), &value], &mut request);
    for round in 0..20 {
        server.client().send_bytes(&request[..1 << round]);
        server.client().send_bytes(b"GET x\r\nGET x\r\n");
    }
    only_one_client_is_left(&mut client);
    assert_eq!(client.call("EXISTS y").integer(), 0);
    assert!(client.call("GET x") == Reply::Bulk(value));
}

#[test]
fn a_value_outlives_its_deletion_on_the_way_to_a_slow_reader() {
    let server = Server::ringshard(2);
    let (mut slow, mut other) = (server.client(), server.client());
    let value = noise(4, 5 * BIG);
    assert_eq!(
        other.call_args(&[b"SET", b"x".as_slice(), &value]).text(),
        "OK"
    );
    slow.send_bytes(b"GET x\r\n");
    wait_until("the reply is on its way", || {
        let list = other.call("CLIENT LIST").text();
        list.lines().any(|line| line.contains("cmd=get"))
    });
    assert_eq!(other.call("FLUSHALL").text(), "OK");
    assert_eq!(other.call("DBSIZE").integer(), 0);
    assert!(slow.receive() == Reply::Bulk(value));
}

#[test]
fn a_hundred_thousand_operations_in_one_write() {
    const COUNT: usize = 100_000;
    let server = Server::ringshard(2);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    let mut request = Vec::new();
    for i in 0..COUNT {
        let value = i.to_string();
        encode(
            &["MSET", "a", &value, "b", &value, "c", &value],
            &mut request,
        );
    }
    let mut writer = stream.try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || {
        writer.write_all(&request).expect("written");
        writer.shutdown(Shutdown::Write).expect("half closed");
    });
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the server hangs up when all is answered");
    writer.join().expect("no panic");
    assert!(answer == b"+OK\r\n".repeat(COUNT), "{} bytes", answer.len());
    assert_eq!(
        server.client().call("GET c").text(),
        (COUNT - 1).to_string()
    );
}

#[test]
fn a_thousand_connections_come_and_go() {
    let server = Server::ringshard(7);
    for round in 0..1000 {
        let mut client = server.client();
        match round % 3 {
            0 => assert_eq!(client.call("PING").text(), "PONG"),
            1 => client.send_bytes(b"MSET a 1 b 2 c 3\r\n"),
            _ => {}
        }
    }
    let mut client = server.client();
    only_one_client_is_left(&mut client);
}

#[test]
fn paused_clients_of_all_cores_go_on_or_are_killed() {
    let server = Server::ringshard(7);
    let mut boss = server.client();
    let mut clients: Vec<Client> = (0..14).map(|_| server.client()).collect();
    assert_eq!(boss.call("CLIENT PAUSE 600000 WRITE").text(), "OK");
    for (i, client) in clients.iter_mut().enumerate() {
        client.send_bytes(format!("SET key:{i} {i}\r\nMSET x {i} y {i}\r\n").as_bytes());
    }
    wait_until("all wait", || {
        let info = boss.call("INFO clients").text();
        info.lines().any(|line| line == "blocked_clients:14")
    });
    assert_eq!(boss.call("DBSIZE").integer(), 0);
    assert_eq!(boss.call("CLIENT UNPAUSE").text(), "OK");
    for client in &mut clients {
        assert_eq!(client.receive().text(), "OK");
        assert_eq!(client.receive().text(), "OK");
    }
    assert_eq!(boss.call("CLIENT KILL TYPE normal").integer(), 14);
    for client in &mut clients {
        assert!(client.read_to_end().is_empty());
    }
    only_one_client_is_left(&mut boss);
}

/// A core that runs all that has come from one client before it turns to the next one lets others
/// wait for as many commands as sockets hold. What it has run when another client's command is run
/// says how it goes on.
#[test]
fn nobody_waits_for_all_that_others_have_sent() {
    const WRITERS: usize = 8;
    /// What a core receives at once, in bytes.
    const PIECE: usize = 16 * 1024;
    let server = Server::ringshard(1);
    let mut request = Vec::new();
    encode(&["INCR", "count"], &mut request);
    let in_a_piece = (PIECE / request.len() + 1) as i64;
    let commands = 8 * in_a_piece;
    let batch = request.repeat(commands as usize);
    let mut writers: Vec<Client> = (0..WRITERS).map(|_| server.client()).collect();
    let mut other = server.client();
    let mut run_before = Vec::new();
    for round in 0..5 {
        let before = round * commands * WRITERS as i64;
        server.signal(libc::SIGSTOP);
        wait_until("the server stands still", || is_stopped(server.pid()));
        std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.send_bytes(&batch));
            }
            wait_until("all sockets are full", || {
                let bytes = waiting_bytes(server.port());
                bytes >= WRITERS * 3 * PIECE
            });
            other.send_bytes(b"INCRBY count 0\r\n");
            server.signal(libc::SIGCONT);
            let seen = other.receive().integer();
            run_before.push(seen - before);
        });
        for writer in &mut writers {
            let mut last = before;
            for _ in 0..commands {
                let count = writer.receive().integer();
                assert!(count > last, "{count} after {last}");
                last = count;
            }
        }
    }
    let all = commands * WRITERS as i64;
    assert_eq!(other.call("GET count").text(), (5 * all).to_string());
    // Who is heard first differs from time to time.
    run_before.sort_unstable();
    let fair = 2 * WRITERS as i64 * in_a_piece;
    assert!(
        run_before[2] <= fair,
        "run before, of {all}: {run_before:?}"
    );
}

/// Whether all threads of a process have stopped.
fn is_stopped(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().unwrap_or_default();
        state.starts_with('T')
    })
}

/// What lies in the receive queues of a port's connections, in bytes.
fn waiting_bytes(port: u16) -> usize {
    let local = format!(":{port:04X} ");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table of sockets");
    let queue = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_ours = format!("{} ", fields.get(1)?).ends_with(&local);
        let (_, bytes) = fields.get(4)?.split_once(':')?;
        let bytes = usize::from_str_radix(bytes, 16).ok()?;
        is_ours.then_some(bytes)
    };
    table.lines().filter_map(queue).sum()
}
