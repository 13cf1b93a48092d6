//! SAVE, BGSAVE, save points and the last snapshot before the end, on the real server.
//!
//! What is written is loaded by redis-server and by Ringshard with other shards; what fails leaves
//! the old file, says so and stops writes where that is wanted.

use super::loading::{debug, digest, with_file};
use crate::support::prng::{Prng, seed_from};
use crate::support::values::fill;
use crate::support::{Client, Server, Setup, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

fn info(client: &mut Client, field: &str) -> String {
    let text = client.call("INFO persistence").text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{field} in {text}"))
        .to_owned()
}

fn background_save(client: &mut Client) {
    let saves = info(client, "rdb_saves");
    assert_eq!(client.call("BGSAVE").text(), "Background saving started");
    wait_until("the snapshot ends", || {
        info(client, "rdb_bgsave_in_progress") == "0"
    });
    assert_ne!(info(client, "rdb_saves"), saves);
}

#[test]
fn snapshots_are_loaded_by_redis_server_and_by_other_shards() {
    let seed = seed_from("SNAPSHOT_SEED");
    println!("SNAPSHOT_SEED={seed}");
    for shards in [1, 2, 7] {
        let server = debug(Setup::ringshard(shards)).start();
        let mut client = server.client();
        fill(&mut client, 300, &mut Prng::new(seed + shards as u64));
        for number in 0..20_000 {
            client.send_args(&["HSET", "large", &format!("f{number}"), &number.to_string()]);
        }
        for _ in 0..20_000 {
            client.receive();
        }
        client.call_args(&["SET", "long", &"a long text ".repeat(20_000)]);
        background_save(&mut client);
        assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
        let (expected, file) = (digest(&server), server.dir().join("dump.rdb"));
        for others in [1, 2, 7] {
            let other = with_file(debug(Setup::ringshard(others)), &file);
            assert_eq!(digest(&other), expected, "{shards} to {others} shards");
        }
        let Some(oracle) = Setup::oracle() else {
            println!("SKIPPED: no redis-server on this machine");
            continue;
        };
        let oracle = with_file(debug(oracle), &file);
        assert_eq!(digest(&oracle), expected, "{shards} shards to redis-server");
        let log = server.log();
        assert!(log.contains("Background saving started by pid"), "{log}");
        assert!(log.contains("DB saved on disk"), "{log}");
        assert!(
            log.contains("Background saving terminated with success"),
            "{log}"
        );
    }
}

#[test]
fn a_dataset_is_reloaded_from_the_snapshot_and_from_the_log() {
    let seed = seed_from("SNAPSHOT_SEED");
    for shards in [1, 3] {
        let server = debug(Setup::ringshard(shards))
            .arg("appendonly", "yes")
            .start();
        let mut client = server.client();
        fill(&mut client, 200, &mut Prng::new(seed));
        let expected = digest(&server);
        for command in ["DEBUG RELOAD", "DEBUG LOADAOF", "DEBUG RELOAD NOSAVE"] {
            assert_eq!(client.call(command).text(), "OK", "{command}");
            assert_eq!(digest(&server), expected, "{command} on {shards} shards");
        }
        let refused = client.call("DEBUG RELOAD NOSAVE NOFLUSH").text();
        assert!(
            refused.starts_with("ERR Error trying to load the RDB"),
            "{refused}"
        );
        client.call("SET later 1");
        let changed = digest(&server);
        assert_eq!(client.call("DEBUG LOADAOF").text(), "OK");
        assert_eq!(digest(&server), changed);
        assert!(client.call("DEBUG RELOAD NONSENSE").is_error());
        // The file's keys take the place of those that are there; others stay.
        assert_eq!(client.call("SAVE").text(), "OK");
        client.call("SET key:0 changed");
        client.call("SET apart 1");
        let merged = client.call("DEBUG RELOAD NOSAVE NOFLUSH MERGE").text();
        assert_eq!(merged, "OK", "on {shards} shards");
        assert_eq!(client.call("GET apart").text(), "1");
        client.call("DEL apart");
        assert_eq!(digest(&server), changed, "merged on {shards} shards");
    }
}

#[test]
fn save_replies_when_the_file_is_there() {
    let server = Server::ringshard(2);
    let mut client = server.client();
    client.call("SET a 1");
    let before = client.call("LASTSAVE").integer();
    assert_eq!(client.call("SAVE").text(), "OK");
    assert!(server.dir().join("dump.rdb").exists());
    assert!(client.call("LASTSAVE").integer() >= before);
    assert_eq!(client.call("BGSAVE nonsense").text(), "ERR syntax error");
    client.call("MULTI");
    client.call("BGSAVE");
    client.call("SET a 2");
    let replies = client.call("EXEC");
    assert_eq!(replies.items()[0].text(), "Background saving scheduled");
    wait_until("the scheduled snapshot", || {
        info(&mut client, "rdb_saves") == "2"
    });
}

#[test]
fn save_points_and_the_end_save_by_themselves() {
    for signal in [None, Some(libc::SIGTERM)] {
        let mut server = Setup::ringshard(2).start();
        let mut client = server.client();
        client.call("SET a 1");
        client.call_args(&["CONFIG", "SET", "save", "1 1"]);
        client.call("SET b 2");
        wait_until("the save point", || info(&mut client, "rdb_saves") == "1");
        client.call_args(&["CONFIG", "SET", "save", "3600 1"]);
        client.call("SET c 3");
        match signal {
            Some(signal) => server.signal(signal),
            None => client.send_args(&["SHUTDOWN"]),
        }
        assert_eq!(server.wait_for_exit().code(), Some(0));
        let file = server.dir().join("dump.rdb");
        let again = with_file(Setup::ringshard(1), &file);
        assert_eq!(again.client().call("GET c").text(), "3");
        let left = fs::read_dir(server.dir()).unwrap().flatten();
        let temporary =
            left.filter(|entry| entry.file_name().to_string_lossy().starts_with("temp"));
        assert_eq!(temporary.count(), 0);
    }
}

/// A server whose folder may be changed.
fn movable() -> Setup {
    Setup::ringshard(2).arg("enable-protected-configs", "yes")
}

#[test]
fn a_failed_snapshot_stops_writes_and_keeps_the_server() {
    let mut server = movable().start();
    let mut client = server.client();
    client.call("SET a 1");
    assert_eq!(client.call("SAVE").text(), "OK");
    let folder = server.dir().join("gone");
    fs::create_dir(&folder).unwrap();
    client.call_args(&["CONFIG", "SET", "dir", &folder.to_string_lossy()]);
    client.call_args(&["CONFIG", "SET", "save", "3600 1000000"]);
    fs::remove_dir(&folder).unwrap();
    assert_eq!(client.call("SAVE").text(), "ERR");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "err");
    let refused = client.call("SET a 2").text();
    assert!(
        refused.starts_with("MISCONF Redis is configured to save RDB snapshots"),
        "{refused}"
    );
    assert!(client.call("PING").text().starts_with("MISCONF "));
    assert_eq!(client.call("GET a").text(), "1");
    let stays = client.call("SHUTDOWN").text();
    assert_eq!(stays, "ERR Errors trying to SHUTDOWN. Check logs.");
    fs::create_dir(&folder).unwrap();
    assert_eq!(client.call("SAVE").text(), "OK");
    assert_eq!(client.call("SET a 2").text(), "OK");
    client.send_args(&["SHUTDOWN", "NOSAVE"]);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let server = movable().start();
    let mut client = server.client();
    let disk = server.dir().join("disk");
    fs::create_dir(&disk).unwrap();
    let Some(disk) = Disk::mount(&disk, "1m") else {
        return println!("SKIPPED: this user may not mount a tmpfs");
    };
    client.call_args(&["CONFIG", "SET", "dir", &disk.0.to_string_lossy()]);
    client.call("SET a 1");
    assert_eq!(client.call("SAVE").text(), "OK");
    let old = fs::read(disk.0.join("dump.rdb")).unwrap();
    client.call_args(&["CONFIG", "SET", "rdbcompression", "no"]);
    for number in 0..40 {
        client.call_args(&["SET", &format!("k{number}"), &"x".repeat(50_000)]);
    }
    assert_eq!(client.call("SAVE").text(), "ERR");
    assert_eq!(fs::read(disk.0.join("dump.rdb")).unwrap(), old);
    assert_eq!(
        fs::read_dir(&disk.0).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    client.call("FLUSHALL");
    assert_eq!(client.call("SAVE").text(), "OK");
    client.call_args(&["CONFIG", "SET", "dir", &server.dir().to_string_lossy()]);
}

/// A small tmpfs, as long as it lives.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(folder: &Path, size: &str) -> Option<Disk> {
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder);
        let is_done = mount.output().is_ok_and(|output| output.status.success());
        is_done.then(|| Disk(folder.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn kill_during_a_snapshot_leaves_the_old_or_the_new_file() {
    let rounds = rounds("SNAPSHOT_KILLS", 5);
    let mut random = Prng::new(seed_from("SNAPSHOT_SEED"));
    let mut old = 0;
    for _ in 0..rounds {
        let mut server = debug(Setup::ringshard(2)).start();
        let mut client = server.client();
        client.call("SET round old");
        assert_eq!(client.call("SAVE").text(), "OK");
        let populated = client.call("DEBUG POPULATE 20000 key 200").text();
        assert_eq!(populated, "OK");
        client.call("SET round new");
        client.call("BGSAVE");
        let deadline = std::time::Instant::now()
            + std::time::Duration::from_micros(random.below(60_000) as u64);
        while std::time::Instant::now() < deadline {
            std::hint::spin_loop();
        }
        server.signal(libc::SIGKILL);
        server.wait_for_exit();
        let again = with_file(Setup::ringshard(1), &server.dir().join("dump.rdb"));
        let (mut client, temporary) = (
            again.client(),
            fs::read_dir(server.dir()).unwrap().flatten(),
        );
        let keys = client.call("DBSIZE").integer();
        match client.call("GET round").text().as_str() {
            "old" => {
                assert_eq!(keys, 1);
                old += 1;
            }
            found => assert_eq!((found, keys), ("new", 20_001)),
        }
        let names = temporary.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert_eq!(names.filter(|name| name.starts_with("temp-")).count(), 0);
    }
    println!("{rounds} kills, {old} of them left the old file");
}

/// How often a test repeats itself: what the environment says, or a few times.
pub fn rounds(name: &str, few: usize) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(few, |text| text.parse().expect("a number"))
}
