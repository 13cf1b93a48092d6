//! Channels on a whole node in one thread: 1, 2 and 7 cores, parcels in random order.
//!
//! What a listener gets and what a publisher is told, whatever the order in which cores hear of
//! each other.

use crate::base::prng::Prng;
use crate::commands::local::{LocalClient, LocalNode};

const SHARDS: [usize; 3] = [1, 2, 7];

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("these replies are text")
}

fn ask(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    text(node.talk(client, format!("{line}\r\n").as_bytes()))
}

fn message(channel: &str, payload: &str) -> String {
    let (c, p) = (channel.len(), payload.len());
    format!("*3\r\n$7\r\nmessage\r\n${c}\r\n{channel}\r\n${p}\r\n{payload}\r\n")
}

/// As many clients as that, on all cores in turn.
fn connect(node: &mut LocalNode, count: usize) -> Vec<LocalClient> {
    let cores = node.cores.len();
    (0..count)
        .map(|number| node.connect(number % cores))
        .collect()
}

#[test]
fn everybody_who_listens_gets_it_and_the_count_is_exact() {
    for shards in SHARDS {
        let mut node = LocalNode::new(shards, 1);
        let clients = connect(&mut node, 9);
        for (number, client) in clients.iter().enumerate().take(6) {
            let line = ["SUBSCRIBE ch", "PSUBSCRIBE c* *", "SSUBSCRIBE ch"][number % 3];
            ask(&mut node, *client, line);
        }
        assert_eq!(ask(&mut node, clients[6], "PUBLISH ch hi"), ":6\r\n");
        assert_eq!(ask(&mut node, clients[7], "SPUBLISH ch hi"), ":2\r\n");
        assert_eq!(ask(&mut node, clients[8], "PUBLISH other hi"), ":2\r\n");
        assert_eq!(text(node.receive(clients[3])), message("ch", "hi"));
        let by_pattern = text(node.receive(clients[1]));
        assert_eq!(by_pattern.matches("pmessage").count(), 3, "{by_pattern}");
        let sharded = text(node.receive(clients[5]));
        assert_eq!(sharded, message("ch", "hi").replace("$7\r\nm", "$8\r\nsm"));
        let numbers = ask(&mut node, clients[6], "PUBSUB NUMSUB ch nosuch ch");
        assert_eq!(
            numbers,
            "*6\r\n$2\r\nch\r\n:2\r\n$6\r\nnosuch\r\n:0\r\n$2\r\nch\r\n:2\r\n"
        );
        assert_eq!(ask(&mut node, clients[6], "PUBSUB NUMPAT"), ":2\r\n");
        let channels = ask(&mut node, clients[6], "PUBSUB CHANNELS");
        assert_eq!(channels, "*1\r\n$2\r\nch\r\n");
        let info = ask(&mut node, clients[7], "INFO");
        let figures = "pubsub_channels:1\r\npubsub_patterns:2\r\npubsubshard_channels:1\r\n";
        assert!(info.contains(figures), "{shards} shards: {info}");
        assert_eq!(node.node.board.totals().pubsub_clients, 6);
        for client in &clients[..6] {
            node.send(*client, b"QUIT\r\n");
            node.receive(*client);
        }
        node.tick();
        assert_eq!(ask(&mut node, clients[6], "PUBLISH ch hi"), ":0\r\n");
        let channels = ask(&mut node, clients[6], "PUBSUB CHANNELS");
        assert_eq!(channels, "*0\r\n");
        assert_eq!(node.node.board.totals().pubsub_clients, 0);
    }
}

#[test]
fn messages_of_a_publisher_keep_their_order() {
    for seed in 0..100 {
        let mut random = Prng::from_seed(seed);
        let mut node = LocalNode::new(3, seed);
        let clients = connect(&mut node, 9);
        for listener in &clients[..6] {
            ask(&mut node, *listener, "SUBSCRIBE a b");
        }
        let mut sent = [0; 3];
        for _ in 0..30 {
            let publisher = random.below(3) as usize;
            let lines: Vec<String> = (0..random.below(5))
                .map(|_| {
                    sent[publisher] += 1;
                    let channel = ["a", "b"][random.below(2) as usize];
                    format!("PUBLISH {channel} {publisher}:{}\r\n", sent[publisher])
                })
                .collect();
            node.send(clients[6 + publisher], lines.concat().as_bytes());
            for _ in 0..random.below(6) {
                node.step();
            }
        }
        node.run();
        for listener in &clients[..6] {
            let got = text(node.receive(*listener));
            let mut next = [0; 3];
            for line in got.lines().filter(|line| line.contains(':')) {
                let (publisher, number) = line.split_once(':').expect("just seen");
                let publisher: usize = publisher.parse().expect("a number");
                next[publisher] += 1;
                assert_eq!(number, next[publisher].to_string(), "seed {seed}");
            }
            assert_eq!(next, sent, "seed {seed}: some are lost");
        }
        for (publisher, count) in sent.iter().enumerate() {
            let replies = text(node.receive(clients[6 + publisher]));
            assert_eq!(replies, ":6\r\n".repeat(*count), "seed {seed}");
        }
    }
}

#[test]
fn whoever_gets_a_message_sees_what_was_set_before_it() {
    for seed in 0..200 {
        let mut node = LocalNode::new(3, seed);
        let clients = connect(&mut node, 3);
        ask(&mut node, clients[1], "SUBSCRIBE ch");
        node.send(
            clients[0],
            b"SET a 1\r\nSET b 1\r\nSET c 1\r\nPUBLISH ch go\r\n",
        );
        while !text(node.receive(clients[1])).contains("go") {
            assert!(node.step(), "seed {seed}: the message is lost");
        }
        let values = ask(&mut node, clients[2], "MGET a b c");
        assert_eq!(
            values.matches("$1\r\n1").count(),
            3,
            "seed {seed}: {values}"
        );
    }
}

#[test]
fn subscribing_holds_at_once_and_ends_with_the_client() {
    for seed in 0..100 {
        let mut node = LocalNode::new(3, seed);
        let clients = connect(&mut node, 3);
        node.send(clients[1], b"SUBSCRIBE ch\r\n");
        // No parcel has gone anywhere, and yet the client knows that it listens.
        assert!(text(node.receive(clients[1])).contains("subscribe"));
        assert_eq!(ask(&mut node, clients[0], "PUBLISH ch 1"), ":1\r\n");
        node.send(clients[1], b"UNSUBSCRIBE\r\n");
        assert_eq!(ask(&mut node, clients[2], "PUBLISH ch 2"), ":0\r\n");
    }
}

#[test]
fn a_message_to_oneself_comes_behind_its_reply() {
    for shards in SHARDS {
        for others in [0, 3] {
            let mut node = LocalNode::new(shards, 5);
            let clients = connect(&mut node, 1 + others);
            for other in &clients[1..] {
                ask(&mut node, *other, "SUBSCRIBE ch");
            }
            let me = clients[0];
            ask(&mut node, me, "HELLO 3");
            ask(&mut node, me, "SUBSCRIBE ch");
            let replies = ask(&mut node, me, "PUBLISH ch a\r\nPUBLISH ch b");
            let pushed = |payload| message("ch", payload).replacen('*', ">", 1);
            let count = 1 + others;
            let expected = format!(":{count}\r\n{}:{count}\r\n{}", pushed("a"), pushed("b"));
            assert_eq!(replies, expected, "{shards} shards, {others} others");
        }
    }
}

#[test]
fn large_messages_are_shared_by_all_who_get_them() {
    let payload = "x".repeat(100_000);
    for shards in SHARDS {
        let mut node = LocalNode::new(shards, 5);
        let clients = connect(&mut node, 20);
        for listener in &clients[1..] {
            ask(&mut node, *listener, "SUBSCRIBE ch");
        }
        let request = format!("*3\r\n$7\r\nPUBLISH\r\n$2\r\nch\r\n$100000\r\n{payload}\r\n");
        assert_eq!(text(node.talk(clients[0], request.as_bytes())), ":19\r\n");
        for listener in &clients[1..] {
            let session = node.session(*listener).expect("it is there");
            assert!(
                session.output.capacity() < 10_000,
                "the payload is not copied"
            );
            assert_eq!(text(node.receive(*listener)), message("ch", &payload));
        }
    }
}

#[test]
fn in_the_older_protocol_listeners_do_little_else() {
    for shards in SHARDS {
        let mut node = LocalNode::new(shards, 5);
        let client = connect(&mut node, 1)[0];
        ask(&mut node, client, "SUBSCRIBE ch");
        assert_eq!(
            ask(&mut node, client, "CLIENT LIST"),
            "-ERR Can't execute 'client|list': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
             QUIT / RESET are allowed in this context\r\n"
        );
        assert_eq!(
            ask(&mut node, client, "PING\r\nPING hi"),
            "*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$2\r\nhi\r\n"
        );
        assert_eq!(ask(&mut node, client, "RESET"), "+RESET\r\n");
        assert_eq!(ask(&mut node, client, "PUBLISH ch hi"), ":0\r\n");
        assert_eq!(
            ask(&mut node, client, "UNSUBSCRIBE"),
            "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
        );
    }
}

#[test]
fn whoever_wants_no_replies_still_gets_messages() {
    let mut node = LocalNode::new(2, 5);
    let clients = connect(&mut node, 2);
    assert_eq!(ask(&mut node, clients[0], "CLIENT REPLY OFF\r\nGET a"), "");
    let confirmed = ask(&mut node, clients[0], "SUBSCRIBE ch");
    assert_eq!(confirmed, "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
    ask(&mut node, clients[1], "PUBLISH ch hi");
    assert_eq!(text(node.receive(clients[0])), message("ch", "hi"));
}

/// A node that tells of keyspace events.
fn telling(shards: usize, seed: u64) -> LocalNode {
    let mut node = LocalNode::new(shards, seed);
    let client = node.connect(0);
    ask(&mut node, client, "CONFIG SET notify-keyspace-events EAn");
    node
}

#[test]
fn listeners_hear_of_a_key_in_the_order_in_which_it_changed() {
    for seed in 0..60 {
        let mut random = Prng::from_seed(seed);
        let mut node = telling(3, seed);
        let clients = connect(&mut node, 9);
        for listener in &clients[..3] {
            ask(&mut node, *listener, "PSUBSCRIBE __keyevent@0__:*");
        }
        for _ in 0..100 {
            let client = clients[3 + random.below(6) as usize];
            let key = ["a", "b", "c", "d"][random.below(4) as usize];
            let line = match random.below(5) {
                0 => format!("SET {key} 1"),
                1 => "MSET a 1 b 1 c 1 d 1".to_string(),
                2 => "DEL a b c d".to_string(),
                3 => format!("SET {key} 1 PX 3"),
                _ => format!("DEL {key}"),
            };
            node.send(client, format!("{line}\r\n").as_bytes());
            for _ in 0..random.below(4) {
                node.step();
            }
            node.clock.advance_millis(random.below(2) as i64);
        }
        node.run();
        for listener in &clients[..3] {
            let got = text(node.receive(*listener));
            let mut lives = std::collections::BTreeSet::new();
            let lines: Vec<&str> = got.lines().collect();
            for message in lines.chunks(9).map(|lines| [lines[6], lines[8]]) {
                let [event, key] = message;
                let is_sound = match event.rsplit(':').next() {
                    Some("new") => lives.insert(key),
                    Some("del" | "expired") => lives.remove(key),
                    _ => lives.contains(key),
                };
                assert!(is_sound, "seed {seed}: {message:?} of {lines:?}");
            }
        }
    }
}

#[test]
fn a_client_hears_of_its_commands_one_by_one() {
    for shards in SHARDS {
        let mut node = telling(shards, 3);
        let clients = connect(&mut node, 2);
        ask(&mut node, clients[1], "PSUBSCRIBE __keyevent@0__:set");
        for number in 0..20 {
            ask(&mut node, clients[0], &format!("SET key{number} 1"));
        }
        let got = text(node.receive(clients[1]));
        let keys: Vec<&str> = got.lines().filter(|line| line.starts_with("key")).collect();
        let expected: Vec<String> = (0..20).map(|number| format!("key{number}")).collect();
        assert_eq!(keys, expected, "{shards} shards");
    }
}
