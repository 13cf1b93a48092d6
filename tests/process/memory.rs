//! Memory limits of a real server: maxmemory under every policy, maxmemory-clients, lazy freeing.
//!
//! What a policy keeps is measured in perf (`cargo compare full-allkeys-lru` and its siblings);
//! here a small server has to keep to its limit, and to say what it does.

use crate::refusals::allowed_cpus;
use crate::support::client::encode;
use crate::support::{Client, Server, Setup, wait_until};

const LIMIT: u64 = 16 << 20;
/// A batch on its way, its replies, and the watcher's own buffers.
const SLACK: u64 = 512 << 10;
const BATCH: usize = 100;

/// A field of INFO.
fn field(client: &mut Client, section: &str, name: &str) -> u64 {
    let text = client.call(&format!("INFO {section}")).text();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect(name).parse().expect("a number")
}

/// Stores a batch of values; says how many were refused.
fn store(client: &mut Client, from: usize, len: usize) -> usize {
    let (mut request, value) = (Vec::new(), "x".repeat(len));
    for number in from..from + BATCH {
        let key = format!("key:{number}");
        encode(&["SET", &key, &value, "EX", "1000"], &mut request);
    }
    client.send_bytes(&request);
    let replies: Vec<_> = (0..BATCH).map(|_| client.receive()).collect();
    let refused = replies.iter().filter(|reply| reply.is_error());
    refused.count()
}

fn full(policy: &str) -> Server {
    Setup::ringshard(2)
        .arg("maxmemory", &LIMIT.to_string())
        .arg("maxmemory-policy", policy)
        .start()
}

#[test]
fn a_full_server_keeps_to_its_limit() {
    for policy in [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let server = full(policy);
        let (mut client, mut other) = (server.client(), server.client());
        for batch in 0..400 {
            let len = 200 + batch * 7;
            assert_eq!(store(&mut client, batch * BATCH, len), 0, "{policy}");
            assert_eq!(store(&mut other, (batch * 31 % 500) * BATCH, 100), 0);
            let used = field(&mut client, "memory", "used_memory");
            assert!(used <= LIMIT + SLACK, "{policy}: {used}");
        }
        assert!(
            field(&mut client, "stats", "evicted_keys") > 1000,
            "{policy}"
        );
        assert!(client.call("DBSIZE").integer() > 1000, "{policy}");
    }
}

#[test]
fn a_full_server_without_eviction_reads_and_deletes() {
    let server = full("noeviction");
    let mut client = server.client();
    let mut refused = 0;
    for batch in 0..300 {
        refused += store(&mut client, batch * BATCH, 1000);
        let used = field(&mut client, "memory", "used_memory");
        assert!(used <= LIMIT + SLACK, "{used}");
    }
    assert!(refused > 0);
    assert_eq!(client.call("STRLEN key:1").integer(), 1000);
    assert_eq!(client.call("DEL key:1").integer(), 1);
    assert_eq!(field(&mut client, "stats", "evicted_keys"), 0);
    assert!(field(&mut client, "stats", "current_eviction_exceeded_time") < 60_000);
    client.call("FLUSHALL");
    wait_until("there is room again", || store(&mut client, 0, 1000) == 0);
}

#[test]
fn a_lower_limit_is_reached_by_eviction_that_is_told() {
    let server = Server::ringshard(2);
    let (mut client, mut listener) = (server.client(), server.client());
    client.call("CONFIG SET maxmemory-policy allkeys-lru notify-keyspace-events Ee");
    listener.call("SUBSCRIBE __keyevent@0__:evicted");
    for batch in 0..200 {
        store(&mut client, batch * BATCH, 1000);
    }
    let limit = field(&mut client, "memory", "used_memory") / 2;
    client.call(&format!("CONFIG SET maxmemory {limit}"));
    wait_until("memory is below the limit", || {
        field(&mut client, "memory", "used_memory") <= limit
    });
    let evicted = field(&mut client, "stats", "evicted_keys");
    assert!(evicted > 5000, "{evicted}");
    for _ in 0..evicted {
        assert_eq!(
            listener.receive().items()[1].text(),
            "__keyevent@0__:evicted"
        );
    }
}

/// Sends the beginning of a big value; whether the server takes it all.
fn weigh_down(client: &mut Client) {
    client.send_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000000\r\n");
    // The server may hang up in the middle.
    let _ = client.try_send_bytes(&vec![b'x'; 3_000_000]);
}

#[test]
fn the_heaviest_clients_have_to_go() {
    let server = Server::ringshard(2);
    let mut watcher = server.client();
    assert_eq!(watcher.call("CLIENT NO-EVICT on").text(), "OK");
    let mut crowd: Vec<Client> = (0..6).map(|_| server.client()).collect();
    for client in &mut crowd {
        assert_eq!(client.call("PING").text(), "PONG");
    }
    watcher.call("CONFIG SET maxmemory-clients 2mb");
    let mut greedy = server.client();
    weigh_down(&mut greedy);
    wait_until("the greedy client is gone", || {
        field(&mut watcher, "stats", "evicted_clients") == 1
    });
    assert!(greedy.receive_with_bytes().is_none());
    for client in &mut crowd {
        assert_eq!(client.call("PING").text(), "PONG");
    }
    watcher.call("CONFIG SET maxmemory 10mb maxmemory-clients 10%");
    let mut greedy = server.client();
    weigh_down(&mut greedy);
    wait_until("so is one above a share of maxmemory", || {
        field(&mut watcher, "stats", "evicted_clients") == 2
    });
}

#[test]
fn who_must_not_go_stays() {
    let server = Server::ringshard(2);
    let (mut watcher, mut greedy) = (server.client(), server.client());
    for client in [&mut watcher, &mut greedy] {
        assert_eq!(client.call("CLIENT NO-EVICT on").text(), "OK");
    }
    watcher.call("CONFIG SET maxmemory-clients 1mb");
    weigh_down(&mut greedy);
    wait_until("its query has arrived", || {
        field(&mut watcher, "memory", "mem_clients_normal") > 1_500_000
    });
    greedy.send_bytes(&vec![b'x'; 5_000_000]);
    greedy.send_bytes(b"\r\n");
    assert_eq!(greedy.receive().text(), "OK");
    assert_eq!(field(&mut watcher, "stats", "evicted_clients"), 0);
}

#[test]
fn what_was_on_its_way_between_cores_is_no_longer_the_clients() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    let before = field(&mut client, "memory", "mem_clients_normal");
    for batch in 0..50 {
        assert_eq!(store(&mut client, batch * BATCH, 2000), 0);
    }
    wait_until("only idle clients are counted", || {
        field(&mut client, "memory", "mem_clients_normal") < before + (64 << 10)
    });
}

#[test]
fn what_is_unlinked_is_freed_later() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    for batch in 0..200 {
        let mut words = vec!["SADD".to_string(), "set".to_string()];
        words.extend((0..500).map(|member| format!("{batch}:{member}")));
        client.call_args(&words);
    }
    let before = field(&mut client, "memory", "used_memory");
    assert_eq!(client.call("UNLINK set").integer(), 1);
    wait_until("it is freed", || {
        field(&mut client, "memory", "lazyfreed_objects") == 1
    });
    assert_eq!(field(&mut client, "memory", "lazyfree_pending_objects"), 0);
    assert!(field(&mut client, "memory", "used_memory") + (2 << 20) < before);
}

/// Where the thread that purges may run, and by which policy, if there is one.
fn purger(pid: i32) -> Option<(String, i32)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let mut folders = threads.map(|thread| thread.expect("a thread").path());
    let named = |name: &str| name.trim() == "jemalloc_bg_thd";
    let folder = folders.find(|folder| {
        std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| named(&name))
    })?;
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let cpus = allowed_cpus(&status);
    let number = folder.file_name()?.to_str()?.parse().ok()?;
    // SAFETY: only asks.
    Some((cpus, unsafe { libc::sched_getscheduler(number) }))
}

#[test]
fn a_thread_beside_the_shards_gives_memory_back() {
    // Old after a second instead of ten.
    let server = Setup::ringshard(2)
        .arg("server_cpulist", "0")
        .env("_RJEM_MALLOC_CONF", "dirty_decay_ms:1000")
        .start();
    let own = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let unhurried = Some((allowed_cpus(&own), libc::SCHED_BATCH));
    let runs = || purger(server.pid()) == unhurried;
    wait_until("the thread runs", runs);
    let mut client = server.client();
    for batch in 0..400 {
        store(&mut client, batch * BATCH, 1000);
    }
    let full = server.resident_bytes();
    assert_eq!(client.call("FLUSHALL").text(), "OK");
    wait_until("memory is back though nobody asks for anything", || {
        server.resident_bytes() + (30 << 20) < full
    });
    client.call("CONFIG SET jemalloc-bg-thread no");
    wait_until("the thread has ended", || purger(server.pid()).is_none());
    client.call("CONFIG SET jemalloc-bg-thread yes");
    wait_until("there is one again, on all CPUs", runs);
}
