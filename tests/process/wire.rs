//! Bytes as networks deliver them: in crumbs, in floods, half closed, and large.
//!
//! What replies say is for the dialogues; here it is how they travel. Nothing depends on where the
//! kernel cuts packets.

use crate::support::client::encode;
use crate::support::prng::Prng;
use crate::support::{Reply, Server};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

#[test]
fn requests_arrive_byte_by_byte() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    let mut request = Vec::new();
    encode(&["SET", "key", "value\r\nwith lines"], &mut request);
    encode(&["GET", "key"], &mut request);
    request.extend_from_slice(b"PING\r\n");
    for byte in &request {
        client.send_bytes(&[*byte]);
    }
    assert_eq!(client.receive(), Reply::Simple(b"OK".to_vec()));
    assert_eq!(
        client.receive(),
        Reply::Bulk(b"value\r\nwith lines".to_vec())
    );
    assert_eq!(client.receive(), Reply::Simple(b"PONG".to_vec()));
}

#[test]
fn requests_are_cut_anywhere() {
    let server = Server::ringshard(7);
    let mut client = server.client();
    let mut prng = Prng::new(11);
    let mut request = Vec::new();
    for i in 0..500 {
        encode(
            &["SET", &format!("key:{i}"), &"x".repeat(prng.below(300))],
            &mut request,
        );
        encode(&["STRLEN", &format!("key:{i}")], &mut request);
    }
    let mut rest = request.as_slice();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.len().min(1 + prng.below(700)));
        client.send_bytes(piece);
        rest = tail;
    }
    let mut prng = Prng::new(11);
    for _ in 0..500 {
        let len = prng.below(300);
        assert_eq!(client.receive(), Reply::Simple(b"OK".to_vec()));
        assert_eq!(client.receive().integer(), len as i64);
    }
}

#[test]
fn replies_of_a_flood_keep_their_order() {
    let server = Server::ringshard(7);
    let mut client = server.client();
    let mut request = Vec::new();
    for i in 0..50_000 {
        encode(
            &["SET".to_owned(), format!("key:{}", i % 100), i.to_string()],
            &mut request,
        );
        encode(
            &["GET".to_owned(), format!("key:{}", i % 100)],
            &mut request,
        );
    }
    client.send_bytes(&request);
    for i in 0..50_000 {
        assert_eq!(client.receive(), Reply::Simple(b"OK".to_vec()));
        assert_eq!(client.receive(), Reply::Bulk(i.to_string().into_bytes()));
    }
}

#[test]
fn large_values_come_back_whole() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    let mut prng = Prng::new(5);
    for (i, len) in [16_383, 16_384, 65_536, 1 << 20, 64 << 20]
        .into_iter()
        .enumerate()
    {
        let value: Vec<u8> = (0..len / 8)
            .flat_map(|_| prng.next().to_le_bytes())
            .collect();
        let key = format!("big:{i}");
        assert_eq!(
            client.call_args(&[b"SET", key.as_bytes(), &value]).text(),
            "OK"
        );
        let reply = client.call_args(&["GET", &key]);
        assert!(reply == Reply::Bulk(value), "{len} bytes come back changed");
        client.call_args(&["DEL", &key]);
    }
}

#[test]
fn half_closed_clients_still_get_their_answers() {
    let server = Server::ringshard(2);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream.write_all(b"SET a 1\r\nGET a\r\n").expect("written");
    stream.shutdown(Shutdown::Write).expect("half closed");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the server hangs up");
    // Redis drops what it has not sent when it sees the end; whatever comes must be right.
    assert!(b"+OK\r\n$1\r\n1\r\n".starts_with(&answer), "{answer:?}");
    assert_eq!(server.client().call("GET a").text(), "1");
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = Server::ringshard(7);
    for i in 0..200 {
        let mut client = server.client();
        client.send_bytes(format!("SET key:{i} 1\r\nGET key:{i}\r\n*2\r\n$3\r\nGE").as_bytes());
    }
    let mut client = server.client();
    crate::support::wait_until("only one client is left", || {
        let info = client.call("INFO clients").text();
        info.lines().any(|line| line == "connected_clients:1")
    });
}
