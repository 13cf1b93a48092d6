//! Clients of several cores: who is listed, closed, paused and watched from where.
//!
//! Whole nodes in one thread; what one client alone can see is in the dialogues.

use crate::commands::local::{LocalClient, LocalNode};
use crate::config::Config;
use crate::session::Class;

const SHARDS: [usize; 3] = [1, 2, 7];

/// A node with one client per core and one more on the last.
fn crowd(shards: usize) -> (LocalNode, Vec<LocalClient>) {
    let mut node = LocalNode::new(shards, 7 + shards as u64);
    let clients = (0..=shards)
        .map(|n| node.connect(n.min(shards - 1)))
        .collect();
    (node, clients)
}

fn say(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8(reply).expect("these replies are text")
}

fn with(words: &[&str]) -> LocalNode {
    let words: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
    match Config::load(&words) {
        Ok(crate::config::Startup::Run { loaded, .. }) => LocalNode::with_config(loaded.config, 3),
        other => unreachable!("these words are a configuration: {other:?}"),
    }
}

#[test]
fn a_list_names_all_clients_by_ascending_number() {
    for shards in SHARDS {
        let (mut node, clients) = crowd(shards);
        say(&mut node, clients[0], "CLIENT SETNAME anna");
        let list = say(&mut node, clients[shards], "CLIENT LIST");
        let numbers: Vec<&str> = list
            .lines()
            .filter_map(|line| line.strip_prefix("id=")?.split(' ').next())
            .collect();
        let expected: Vec<String> = (1..=shards + 1).map(|n| n.to_string()).collect();
        assert_eq!(numbers, expected, "{list}");
        assert!(list.contains(" name=anna age=0 idle=0 flags=N db=0 sub=0"));
        assert!(list.contains(" cmd=client|list user=default redir=-1 resp=2"));
        let some = say(&mut node, clients[0], "CLIENT LIST ID 2 1 99 -5 2");
        let ids: Vec<&str> = some.split("id=").skip(1).map(|rest| &rest[..1]).collect();
        assert_eq!(ids, ["2", "1", "2"], "{some}");
        assert_eq!(
            say(&mut node, clients[0], "CLIENT LIST TYPE pubsub"),
            "$0\r\n\r\n"
        );
    }
}

#[test]
fn one_line_has_the_fields_in_order() {
    let (mut node, clients) = crowd(1);
    say(&mut node, clients[0], "CLIENT SETINFO lib-name lib");
    node.clock.advance_millis(2500);
    let line = say(&mut node, clients[0], "CLIENT INFO");
    let names: Vec<&str> = line
        .lines()
        .nth(1)
        .expect("a bulk reply")
        .split(' ')
        .filter_map(|field| Some(field.split_once('=')?.0))
        .collect();
    let expected = "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf \
                    qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user \
                    redir resp lib-name lib-ver";
    assert_eq!(names.join(" "), expected);
    assert!(line.contains(" age=2 idle=0 "), "{line}");
    assert!(line.ends_with("lib-name=lib lib-ver=\n\r\n"), "{line}");
}

#[test]
fn a_filter_closes_those_it_means_on_every_core() {
    for shards in SHARDS {
        let (mut node, clients) = crowd(shards);
        let me = clients[0];
        let address = format!("127.0.0.1:{}", 40_000 + shards as u64 + 1);
        assert_eq!(
            say(&mut node, me, &format!("CLIENT KILL {address}")),
            "+OK\r\n"
        );
        assert!(!node.is_open(clients[shards]));
        assert_eq!(
            say(&mut node, me, &format!("CLIENT KILL {address}")),
            "-ERR No such client\r\n"
        );
        let others = format!(":{}\r\n", shards - 1);
        assert_eq!(
            say(&mut node, me, "CLIENT KILL LADDR 127.0.0.1:6379"),
            others
        );
        assert!(clients[1..].iter().all(|client| !node.is_open(*client)));
        assert_eq!(
            say(&mut node, me, "CLIENT KILL TYPE normal SKIPME no"),
            ":1\r\n"
        );
        assert!(!node.is_open(me));
        assert_eq!(node.node.board.totals().connected_clients, 0);
    }
}

#[test]
fn age_is_a_condition_too() {
    let (mut node, clients) = crowd(2);
    node.clock.advance_millis(10_000);
    let young = node.connect(1);
    node.tick();
    let young = {
        // Connected before the core had looked at the clock: its age is that of its first turn.
        let now_ms = node.cores[1].now_ms;
        node.session(young).expect("open").created_ms = now_ms;
        young
    };
    assert_eq!(
        say(&mut node, young, "CLIENT KILL MAXAGE 5 USER default"),
        ":3\r\n"
    );
    assert!(node.is_open(young) && clients.iter().all(|it| !node.is_open(*it)));
    let too_small = say(&mut node, young, "CLIENT KILL MAXAGE 0");
    assert_eq!(too_small, "-ERR maxage should be greater than 0\r\n");
}

#[test]
fn paused_writes_wait_on_all_cores_and_run_in_order() {
    for shards in SHARDS {
        let (mut node, clients) = crowd(shards);
        let (me, other) = (clients[0], clients[shards]);
        assert_eq!(say(&mut node, me, "CLIENT PAUSE 60000 WRITE"), "+OK\r\n");
        assert_eq!(
            say(&mut node, other, "GET a\r\nSET a 1\r\nGET a"),
            "$-1\r\n"
        );
        assert_eq!(say(&mut node, other, "MSET a 2 b 3"), "", "{shards} shards");
        let list = say(&mut node, me, "CLIENT LIST");
        assert!(list.contains(" flags=b "), "{list}");
        assert_eq!(node.node.board.totals().blocked_clients, 1);
        assert_eq!(say(&mut node, me, "CLIENT UNPAUSE"), "+OK\r\n");
        let replies = String::from_utf8(node.receive(other)).expect("text");
        assert_eq!(replies, "+OK\r\n$1\r\n1\r\n+OK\r\n", "{shards} shards");
        assert_eq!(node.node.board.totals().blocked_clients, 0);
    }
}

#[test]
fn a_pause_ends_by_itself() {
    let (mut node, clients) = crowd(2);
    say(&mut node, clients[0], "CLIENT PAUSE 1000");
    say(&mut node, clients[1], "");
    assert_eq!(say(&mut node, clients[0], "CLIENT UNPAUSE"), "");
    assert_eq!(say(&mut node, clients[2], "GET"), wrong_arity("get"));
    assert_eq!(say(&mut node, clients[2], "PING"), "");
    let due_ms = node.cores[1].next_unpause_ms().expect("somebody waits");
    assert_eq!(due_ms, node.cores[1].now_ms + 1000);
    node.clock.advance_millis(999);
    node.tick();
    assert_eq!(node.receive(clients[2]), b"");
    node.clock.advance_millis(1);
    node.tick();
    assert_eq!(node.receive(clients[2]), b"+PONG\r\n");
    assert_eq!(node.receive(clients[0]), b"+OK\r\n");
    assert_eq!(node.cores[1].next_unpause_ms(), None);
}

fn wrong_arity(name: &str) -> String {
    format!("-ERR wrong number of arguments for '{name}' command\r\n")
}

#[test]
fn a_second_pause_makes_the_first_neither_shorter_nor_milder() {
    let (mut node, clients) = crowd(1);
    say(&mut node, clients[0], "CLIENT PAUSE 1000 WRITE");
    say(&mut node, clients[0], "CLIENT PAUSE 10 WRITE");
    say(&mut node, clients[0], "CLIENT PAUSE 500 ALL");
    let now_ms = node.cores[0].now_ms;
    let pause = node.node.pause(now_ms).expect("paused");
    assert_eq!(
        (pause.until_ms, pause.is_writes_only),
        (now_ms + 1000, false)
    );
    assert_eq!(node.node.pause(now_ms + 1000), None);
}

#[test]
fn who_leaves_while_paused_is_forgotten() {
    let (mut node, clients) = crowd(2);
    say(&mut node, clients[0], "CLIENT PAUSE 60000 WRITE");
    say(&mut node, clients[1], "SET a 1");
    assert_eq!(say(&mut node, clients[0], "CLIENT KILL ID 2"), ":1\r\n");
    assert_eq!(node.node.board.totals().blocked_clients, 0);
    say(&mut node, clients[0], "CLIENT UNPAUSE");
    assert_eq!(say(&mut node, clients[0], "GET a"), "$-1\r\n");
}

#[test]
fn monitors_of_all_cores_see_commands_of_all_cores_but_no_secrets() {
    for shards in SHARDS {
        let (mut node, clients) = crowd(shards);
        for watcher in [clients[0], clients[shards]] {
            assert_eq!(say(&mut node, watcher, "MONITOR"), "+OK\r\n");
            assert_eq!(say(&mut node, watcher, "MONITOR"), "");
        }
        assert_eq!(
            node.node
                .monitors
                .load(std::sync::atomic::Ordering::Relaxed),
            2
        );
        let actor = node.connect(shards / 2);
        for line in [
            "SELECT 3",
            "SET a \"x\\ny\\\"z\\\\\\x01\\xff\"",
            "GET",
            "NOSUCH",
            "CLIENT LIST",
            "AUTH default secret",
            "HELLO 2 AUTH default secret SETNAME b",
            "SET a b XX GET EX",
        ] {
            say(&mut node, actor, line);
        }
        let port = 40_000 + shards + 2;
        let head = format!("+1700000000.000000 [3 127.0.0.1:{port}]");
        let expected = [
            r#""SELECT" "3""#,
            r#""SET" "a" "x\ny\"z\\\x01\xff""#,
            r#""AUTH" "(redacted)" "(redacted)""#,
            r#""HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "b""#,
            r#""SET" "a" "b" "XX" "GET" "EX""#,
        ]
        .map(|words| format!("{head} {words}\r\n"));
        for watcher in [clients[0], clients[shards]] {
            let mut lines: Vec<String> = String::from_utf8(node.receive(watcher))
                .expect("text")
                .split_inclusive("\r\n")
                .map(String::from)
                .collect();
            lines.retain(|line| !line.contains("\"MONITOR\""));
            assert_eq!(lines, expected, "{shards} shards");
        }
        assert_eq!(say(&mut node, clients[0], "RESET"), "+RESET\r\n");
        say(&mut node, actor, "PING");
        assert_eq!(node.receive(clients[0]), b"");
    }
}

#[test]
fn a_password_is_asked_for_as_long_as_there_is_one() {
    let mut node = with(&["--shards", "2", "--requirepass", "secret"]);
    let client = node.connect(1);
    let refused = "-NOAUTH Authentication required.\r\n";
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    for (line, reply) in [
        ("GET a", refused),
        ("CLIENT ID", refused),
        ("GET", &wrong_arity("get")[..]),
        ("AUTH wrong", wrong),
        ("AUTH nobody secret", wrong),
        ("AUTH a b c", "-ERR syntax error\r\n"),
        ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
        ("AUTH secret", "+OK\r\n"),
        ("GET a", "$-1\r\n"),
        ("RESET", "+RESET\r\n"),
        ("GET a", refused),
    ] {
        assert_eq!(say(&mut node, client, line), reply, "{line}");
    }
    let hello = say(&mut node, client, "HELLO 3 AUTH default secret");
    assert!(
        hello.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"),
        "{hello}"
    );
    assert_eq!(say(&mut node, client, "GET a"), "_\r\n");
    assert_eq!(node.node.board.totals().acl_access_denied_auth, 2);
}

#[test]
fn replies_can_be_switched_off_and_on() {
    let (mut node, clients) = crowd(2);
    let me = clients[1];
    let lines = "CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\nCLIENT REPLY OFF\r\nGET a\r\nCLIENT \
                 LIST\r\nMGET a b c\r\nNOSUCH\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET a";
    assert_eq!(say(&mut node, me, lines), "$1\r\n1\r\n+OK\r\n$1\r\n1\r\n");
}

/// Lets a client have so many bytes of replies waiting.
fn fill(node: &mut LocalNode, client: LocalClient, bytes: usize) {
    let session = node.session(client).expect("open");
    session.output.clear();
    session.output.buffer().resize(bytes, b'x');
}

#[test]
fn who_does_not_read_is_closed_at_the_hard_limit_or_after_the_soft_time() {
    let limit = "normal 1000 100 3";
    let mut node = with(&["--shards", "2", "--client-output-buffer-limit", limit]);
    let (hard, soft, good) = (node.connect(0), node.connect(1), node.connect(1));
    fill(&mut node, hard, 1000);
    fill(&mut node, soft, 100);
    fill(&mut node, good, 99);
    node.tick();
    assert!(!node.is_open(hard) && node.is_open(soft));
    assert!(node.cores[1].needs_ticks() && !node.cores[0].needs_ticks());
    for second in 1..=4 {
        assert!(node.is_open(soft), "after {second} seconds");
        node.clock.advance_millis(1000);
        (0..10).for_each(|_| node.tick());
    }
    assert!(!node.is_open(soft) && node.is_open(good));
    let closed = node
        .node
        .board
        .totals()
        .client_output_buffer_limit_disconnections;
    assert_eq!(closed, 2);
}

#[test]
fn a_soft_limit_forgets_who_has_read_in_between() {
    let limit = "normal 0 100 3";
    let mut node = with(&["--shards", "1", "--client-output-buffer-limit", limit]);
    let client = node.connect(0);
    for bytes in [100, 99, 100] {
        fill(&mut node, client, bytes);
        node.clock.advance_millis(3000);
        node.tick();
    }
    node.clock.advance_millis(3000);
    node.tick();
    assert!(node.is_open(client));
}

#[test]
fn idle_clients_are_closed_but_those_who_listen_are_not() {
    let mut node = with(&["--shards", "2", "--timeout", "5"]);
    let (idle, watcher, listener) = (node.connect(0), node.connect(0), node.connect(1));
    say(&mut node, watcher, "MONITOR");
    node.session(listener).expect("open").subscriptions.channels = 1;
    assert_eq!(
        node.session(listener).map(|session| session.class()),
        Some(Class::PubSub)
    );
    say(&mut node, idle, "PING");
    node.clock.advance_millis(5999);
    (0..10).for_each(|_| node.tick());
    assert!(node.is_open(idle) && node.cores[0].needs_ticks());
    node.clock.advance_millis(1);
    (0..10).for_each(|_| node.tick());
    assert!(!node.is_open(idle));
    assert!(node.is_open(watcher) && node.is_open(listener));
}
