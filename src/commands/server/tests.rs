//! The server family over whole nodes: what a client reads after what it did, on one, two and
//! seven shards, and the fields of INFO beside those recorded from a Redis.
//!
//! No sockets; what depends on them (rates, addresses) is not looked at.

use crate::commands::local::{LocalClient, LocalNode};
use crate::observe::log::Level;
use std::collections::BTreeMap;

fn node(shards: usize) -> (LocalNode, LocalClient) {
    let mut node = LocalNode::new(shards, 11);
    let client = node.connect(shards - 1);
    (node, client)
}

fn talk(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8_lossy(&reply).into_owned()
}

fn check(dialogue: &[(&str, &str)]) {
    for shards in [1, 2, 7] {
        let (mut node, client) = node(shards);
        for (line, expected) in dialogue {
            let reply = talk(&mut node, client, line);
            assert_eq!(reply, *expected, "{shards} shards: {line}");
        }
    }
}

/// The text of INFO with these arguments.
fn info(node: &mut LocalNode, client: LocalClient, arguments: &str) -> String {
    let reply = talk(node, client, &format!("INFO {arguments}"));
    let (head, text) = reply.split_once("\r\n").expect("a bulk string");
    assert_eq!(head[1..].parse(), Ok(text.len() - 2), "{head}");
    text[..text.len() - 2].to_owned()
}

fn field(text: &str, name: &str) -> String {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}

fn number(text: &str, name: &str) -> u64 {
    field(text, name).parse().expect("a number")
}

/// Headings with the names of their fields.
fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("# "), line.split_once(':')) {
            (Some(heading), _) => sections.push((heading.to_owned(), Vec::new())),
            (None, Some((name, _))) => {
                let (_, fields) = sections.last_mut().expect("a heading comes first");
                fields.push(name.to_owned());
            }
            (None, None) => panic!("neither heading nor field: {line}"),
        }
    }
    sections
}

/// Fields that Redis 7.2 has and the recorded 7.0 has not, or that are ours.
const ADDED: &[(&str, &[&str])] = &[
    // Ours: who is behind redis_version. Redis 7.2: where it listens.
    ("Server", &["server_name", "ringshard_version", "listener0"]),
    // Redis 7.2: keys that clients wait for.
    (
        "Clients",
        &["total_blocking_keys", "total_blocking_keys_on_nokey"],
    ),
    // Redis 7.2: the event loop, and what ACLs have refused.
    (
        "Stats",
        &[
            "eventloop_cycles",
            "eventloop_duration_sum",
            "eventloop_duration_cmd_sum",
            "instantaneous_eventloop_cycles_per_sec",
            "instantaneous_eventloop_duration_usec",
            "acl_access_denied_auth",
            "acl_access_denied_cmd",
            "acl_access_denied_key",
            "acl_access_denied_channel",
        ],
    ),
];

/// Sections of ours alone.
const OURS: &[&str] = &["Shards", "Replication_shards"];

/// Sections whose fields depend on what has been run.
const VARIABLE: &[&str] = &["Commandstats", "Latencystats"];

#[test]
fn sections_and_fields_are_those_of_redis_in_its_order() {
    let recorded = sections(include_str!("../../../tests/golden/info-7.0.txt"));
    let (mut node, client) = node(2);
    talk(&mut node, client, "SET a 1");
    talk(&mut node, client, "MSET a");
    let mut ours = sections(&info(&mut node, client, "everything"));
    ours.retain(|(heading, _)| !OURS.contains(&heading.as_str()));
    let headings = |sections: &[(String, Vec<String>)]| -> Vec<String> {
        sections
            .iter()
            .map(|(heading, _)| heading.clone())
            .collect()
    };
    assert_eq!(headings(&ours), headings(&recorded));
    let added: BTreeMap<_, _> = ADDED.iter().copied().collect();
    for ((heading, mut fields), (_, expected)) in ours.into_iter().zip(recorded) {
        if VARIABLE.contains(&heading.as_str()) {
            assert_eq!(fields.is_empty(), expected.is_empty(), "{heading}");
            continue;
        }
        let added = added.get(heading.as_str()).copied().unwrap_or_default();
        for name in added {
            assert!(fields.iter().any(|field| field == name), "no {name}");
        }
        fields.retain(|field| !added.contains(&field.as_str()));
        assert_eq!(fields, expected, "{heading}");
    }
}

#[test]
fn sections_are_chosen_as_redis_chooses_them() {
    let (mut node, client) = node(1);
    let mut headings = |arguments: &str| -> Vec<String> {
        let chosen = sections(&info(&mut node, client, arguments));
        chosen.into_iter().map(|(heading, _)| heading).collect()
    };
    assert_eq!(headings("module_list"), ["Modules"]);
    assert_eq!(headings("nosuch"), Vec::<String>::new());
    assert_eq!(headings("KEYSPACE server"), ["Server", "Keyspace"]);
    assert_eq!(headings("").len(), 12);
    assert_eq!(headings("all").len(), 15);
}

#[test]
fn what_was_just_written_is_counted_wherever_it_lies() {
    for shards in [1, 2, 7] {
        let (mut node, client) = node(shards);
        for number in 0..20 {
            talk(&mut node, client, &format!("SET key{number} x"));
        }
        talk(&mut node, client, "SET t x PX 4000");
        talk(&mut node, client, "SET u x PX 2000");
        talk(&mut node, client, "SELECT 3");
        talk(&mut node, client, "SET v x");
        talk(&mut node, client, "MGET v nosuch nosuch2");
        let text = info(&mut node, client, "keyspace stats clients persistence");
        assert_eq!(field(&text, "db0"), "keys=22,expires=2,avg_ttl=3000");
        assert_eq!(field(&text, "db3"), "keys=1,expires=0,avg_ttl=0");
        assert_eq!(number(&text, "keyspace_hits"), 1);
        assert_eq!(number(&text, "keyspace_misses"), 2);
        assert_eq!(number(&text, "total_connections_received"), 1);
        assert_eq!(number(&text, "connected_clients"), 1);
        assert_eq!(number(&text, "rdb_changes_since_last_save"), 23);
        node.clock.advance_millis(2500);
        talk(&mut node, client, "SELECT 0");
        talk(&mut node, client, "GET u");
        let text = info(&mut node, client, "keyspace stats");
        assert_eq!(field(&text, "db0"), "keys=21,expires=1,avg_ttl=1500");
        assert_eq!(number(&text, "expired_keys"), 1);
    }
}

#[test]
fn commands_and_errors_are_counted_and_reset() {
    for shards in [1, 2, 7] {
        let (mut node, client) = node(shards);
        for line in ["SET a 1", "SET b 2", "SET a 1 NX XX", "GET", "GET a"] {
            talk(&mut node, client, line);
        }
        let text = info(
            &mut node,
            client,
            "commandstats errorstats stats latencystats",
        );
        let set = field(&text, "cmdstat_set");
        assert!(set.starts_with("calls=3,usec="), "{set}");
        assert!(set.ends_with(",rejected_calls=0,failed_calls=1"), "{set}");
        let get = field(&text, "cmdstat_get");
        assert!(get.ends_with(",rejected_calls=1,failed_calls=0"), "{get}");
        assert_eq!(field(&text, "errorstat_ERR"), "count=2");
        assert_eq!(number(&text, "total_error_replies"), 2);
        assert!(field(&text, "latency_percentiles_usec_get").starts_with("p50="));
        assert_eq!(talk(&mut node, client, "CONFIG RESETSTAT"), "+OK\r\n");
        let text = info(
            &mut node,
            client,
            "commandstats errorstats stats latencystats",
        );
        assert!(!text.contains("cmdstat_set"), "{text}");
        assert!(!text.contains("usec_set"), "{text}");
        assert!(!text.contains("errorstat_ERR"), "{text}");
        for name in ["total_error_replies", "keyspace_hits", "expired_keys"] {
            assert_eq!(number(&text, name), 0, "{name}");
        }
    }
}

#[test]
fn shards_have_a_line_each() {
    let (mut node, client) = node(7);
    let text = info(&mut node, client, "shards");
    assert_eq!(number(&text, "shards"), 7);
    assert!(
        field(&text, "shard6").starts_with("keys=0,clients=1,"),
        "{text}"
    );
}

#[test]
fn config_is_read_and_changed() {
    check(&[
        (
            "CONFIG GET maxmemory",
            "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n",
        ),
        ("CONFIG SET maxmemory 100mb maxmemory-samples 7", "+OK\r\n"),
        (
            "CONFIG GET maxmemory maxmemory-s*",
            "*4\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n$17\r\nmaxmemory-samples\r\n$1\r\n7\r\n",
        ),
        ("CONFIG GET nosuch", "*0\r\n"),
        ("CONFIG SET a b c", "-ERR syntax error\r\n"),
        (
            "CONFIG SET maxmemory 1 nosuch 1",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n",
        ),
        (
            "CONFIG GET maxmemory",
            "*2\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n",
        ),
        (
            "CONFIG SET databases 3",
            "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set \
             immutable config\r\n",
        ),
        ("CONFIG SET port 6379", "+OK\r\n"),
        (
            "CONFIG SET port 6380",
            "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on \
             this port. Check server logs.\r\n",
        ),
        (
            "CONFIG SET bind 1.2.3.4",
            "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to \
             specified addresses.\r\n",
        ),
        (
            "CONFIG REWRITE",
            "-ERR The server is running without a config file\r\n",
        ),
        (
            "CONFIG",
            "-ERR wrong number of arguments for 'config' command\r\n",
        ),
        (
            "CONFIG FOO",
            "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n",
        ),
    ]);
}

#[test]
fn values_that_act_elsewhere_take_effect() {
    let (mut node, client) = node(2);
    let line = "CONFIG SET loglevel debug latency-monitor-threshold 7 latency-tracking no";
    assert_eq!(talk(&mut node, client, line), "+OK\r\n");
    assert_eq!(node.node.log.level(), Level::Debug);
    assert_eq!(node.node.latency.threshold_ms(), 7);
    talk(&mut node, client, "CONFIG RESETSTAT");
    talk(&mut node, client, "PING");
    assert_eq!(talk(&mut node, client, "LATENCY HISTOGRAM ping"), "*0\r\n");
    assert_eq!(
        talk(&mut node, client, "CONFIG SET requirepass secret"),
        "+OK\r\n"
    );
    assert_eq!(talk(&mut node, client, "PING"), "+PONG\r\n");
    let stranger = node.connect(0);
    assert_eq!(
        talk(&mut node, stranger, "GET a"),
        "-NOAUTH Authentication required.\r\n"
    );
    talk(&mut node, client, "CONFIG SET requirepass \"\"");
    assert_eq!(talk(&mut node, stranger, "PING"), "+PONG\r\n");
}

#[test]
fn slow_commands_are_logged_without_secrets() {
    let (mut node, client) = node(1);
    talk(&mut node, client, "CONFIG SET slowlog-log-slower-than 0");
    talk(&mut node, client, "CONFIG SET requirepass pw");
    talk(&mut node, client, "SET a 1");
    let log = talk(&mut node, client, "SLOWLOG GET 1");
    assert!(
        log.starts_with("*1\r\n*6\r\n:2\r\n:1700000000\r\n:"),
        "{log}"
    );
    assert!(
        log.contains("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"),
        "{log}"
    );
    let log = talk(&mut node, client, "SLOWLOG GET -1");
    assert!(
        log.contains("$11\r\nrequirepass\r\n$10\r\n(redacted)\r\n"),
        "{log}"
    );
    assert!(!log.contains("pw"), "{log}");
    assert_eq!(talk(&mut node, client, "SLOWLOG RESET"), "+OK\r\n");
    // The reset itself is logged, as in Redis.
    assert_eq!(talk(&mut node, client, "SLOWLOG LEN"), ":1\r\n");
    let refused = "-ERR count should be greater than or equal to -1\r\n";
    assert_eq!(talk(&mut node, client, "SLOWLOG GET -2"), refused);
    assert_eq!(talk(&mut node, client, "SLOWLOG GET x"), refused);
    assert_eq!(
        talk(&mut node, client, "SLOWLOG GET 1 2"),
        "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.\r\n"
    );
}

#[test]
fn latency_events_are_shown() {
    let (mut node, client) = node(2);
    node.node.latency.add("command", 12, 1_700_000_000);
    node.node.latency.add("command", 10, 1_700_000_001);
    for (line, expected) in [
        (
            "LATENCY LATEST",
            "*1\r\n*4\r\n$7\r\ncommand\r\n:1700000001\r\n:10\r\n:12\r\n",
        ),
        (
            "LATENCY HISTORY command",
            "*2\r\n*2\r\n:1700000000\r\n:12\r\n*2\r\n:1700000001\r\n:10\r\n",
        ),
        ("LATENCY HISTORY nosuch", "*0\r\n"),
        (
            "LATENCY GRAPH nosuch",
            "-ERR No samples available for event 'nosuch'\r\n",
        ),
        ("LATENCY RESET nosuch command", ":1\r\n"),
        ("LATENCY LATEST", "*0\r\n"),
        ("LATENCY HISTOGRAM nosuch", "*0\r\n"),
    ] {
        assert_eq!(talk(&mut node, client, line), expected, "{line}");
    }
    let all = talk(&mut node, client, "LATENCY HISTOGRAM latency");
    let begin = "$14\r\nlatency|latest\r\n*4\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n";
    assert!(all.contains(begin), "{all}");
    let report = talk(&mut node, client, "LATENCY DOCTOR");
    assert!(
        report.contains("Latency monitoring is disabled"),
        "{report}"
    );
}

#[test]
fn memory_is_accounted() {
    for shards in [1, 2, 7] {
        let (mut node, client) = node(shards);
        assert_eq!(talk(&mut node, client, "MEMORY USAGE nosuch"), "$-1\r\n");
        talk(&mut node, client, "SET a 1");
        let small = talk(&mut node, client, "MEMORY USAGE a SAMPLES 0");
        talk(&mut node, client, &format!("SET a {}", "x".repeat(1000)));
        let large = talk(&mut node, client, "MEMORY USAGE a");
        let bytes = |reply: &str| reply[1..].trim().parse::<u64>().expect("an integer");
        assert!((16..100).contains(&bytes(&small)), "{small}");
        assert!((1000..1300).contains(&bytes(&large)), "{large}");
        let stats = talk(&mut node, client, "MEMORY STATS");
        assert!(
            stats.starts_with("*56\r\n$14\r\npeak.allocated\r\n:"),
            "{stats}"
        );
        assert!(stats.contains("\r\n$4\r\ndb.0\r\n*6\r\n"), "{stats}");
        let text = info(&mut node, client, "memory");
        assert!(number(&text, "used_memory_peak") >= number(&text, "used_memory"));
        assert!(field(&text, "mem_allocator").starts_with("jemalloc-5"));
        assert_eq!(field(&text, "maxmemory_policy"), "noeviction");
        for line in [
            "MEMORY USAGE a SAMPLES",
            "MEMORY USAGE a SAMPLES -1",
            "MEMORY USAGE a b c",
        ] {
            assert_eq!(
                talk(&mut node, client, line),
                "-ERR syntax error\r\n",
                "{line}"
            );
        }
        assert_eq!(talk(&mut node, client, "MEMORY PURGE"), "+OK\r\n");
        let report = talk(&mut node, client, "MEMORY MALLOC-STATS");
        assert!(report.contains("jemalloc statistics"), "{report}");
    }
}

#[test]
fn debug_has_its_forms() {
    check(&[
        ("DEBUG SLEEP 0", "+OK\r\n"),
        ("DEBUG ERROR \"ERR a\\nb\"", "-ERR a b\r\n"),
        ("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n"),
        ("DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "+OK\r\n"),
        (
            "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb",
            "-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n",
        ),
        (
            "DEBUG nosuch",
            "-ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG \
             HELP.\r\n",
        ),
        (
            "DEBUG SLEEP",
            "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.\r\n",
        ),
        (
            "DEBUG SET-ACTIVE-EXPIRE",
            "-ERR unknown subcommand or wrong number of arguments for 'SET-ACTIVE-EXPIRE'. Try \
             DEBUG HELP.\r\n",
        ),
        (
            "DEBUG PROTOCOL map",
            "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
        ),
        (
            "DEBUG PROTOCOL push",
            "-ERR RESP2 is not supported by this command\r\n",
        ),
        (
            "DEBUG RELOAD OTHER",
            "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.\r\n",
        ),
    ]);
    let (mut node, client) = node(3);
    let before = field(&info(&mut node, client, "replication"), "master_replid");
    talk(&mut node, client, "DEBUG CHANGE-REPL-ID");
    let replid = field(&info(&mut node, client, "replication"), "master_replid");
    assert!(replid.len() == 40 && replid != before);
    talk(&mut node, client, "DEBUG SET-ACTIVE-EXPIRE 0");
    let is_off = |core: &crate::session::Core| !core.shard.space.common.active_expire;
    assert!(node.cores.iter().all(is_off));
}

#[test]
#[should_panic(expected = "DEBUG PANIC was called")]
fn debug_panic_panics() {
    let (mut node, client) = node(1);
    talk(&mut node, client, "DEBUG PANIC");
}
