//! A disk that is full or cannot sync: nothing is acknowledged that is not written, reads go on,
//! and when there is room again writes do.
//!
//! The disks are file systems of the tests' own, which takes the right to mount them.

use super::check::check;
use super::volume::{Volume, Zeros};
use super::{MANIFEST, ask, digest, kill, log_file, with_log};
use crate::support::{Client, Setup, wait_until};
use std::fs;
use std::process::Command;

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    for policy in ["everysec", "no"] {
        let Some(disk) = Volume::tmpfs("1m") else {
            return println!("SKIPPED: no right to mount a tmpfs");
        };
        let ballast = disk.path().join("ballast");
        fs::write(&ballast, vec![0; 600 * 1024]).unwrap();
        let setup = with_log(Setup::ringshard(2), &disk.path()).arg("appendfsync", policy);
        let server = setup.start();
        let value = "x".repeat(10_000);
        // One client's write is kept back until there is room; another one is refused.
        let port = server.port();
        let writer = std::thread::spawn(move || {
            let mut client = crate::support::Client::connect(port);
            for number in 0..60 {
                let reply = client.call(&format!("SET key:{number} {value}"));
                if reply.is_error() {
                    return (number, reply.text());
                }
            }
            panic!("the disk never got full");
        });
        let mut client = server.client();
        wait_until("writes are refused", || {
            client
                .call("INFO persistence")
                .text()
                .contains("aof_last_write_status:err")
        });
        let refused = client.call("SET a 1").text();
        assert_eq!(
            refused,
            "MISCONF Errors writing to the AOF file: No space left on device"
        );
        assert!(client.call("PING").text().starts_with("MISCONF"));
        assert!(!client.call("GET key:0").is_error(), "reads go on");
        fs::remove_file(&ballast).unwrap();
        wait_until("writes are taken again", || {
            client.call("SET a 1").text() == "OK"
        });
        let (written, error) = writer.join().unwrap_or((60, String::new()));
        assert!(written == 60 || error.starts_with("MISCONF"), "{error}");
        let log = server.log();
        assert!(
            log.contains("Error writing to the AOF file: No space left"),
            "{log}"
        );
        assert!(log.contains("AOF write error looks solved."), "{log}");
        let expected = digest(&server);
        kill(server);
        assert_eq!(digest(&setup.start()), expected, "{policy}");
    }
}

#[test]
fn a_full_disk_ends_a_server_that_has_promised_to_sync() {
    let Some(disk) = Volume::tmpfs("1m") else {
        return println!("SKIPPED: no right to mount a tmpfs");
    };
    let setup = with_log(Setup::ringshard(2), &disk.path()).arg("appendfsync", "always");
    let mut server = setup.start();
    let (mut client, value) = (server.client(), "x".repeat(10_000));
    let mut acknowledged = 0;
    for number in 0..200 {
        match client.try_call(&format!("SET key:{number} {value}")) {
            Ok(reply) if reply.text() == "OK" => acknowledged = number + 1,
            _ => break,
        }
    }
    assert!((1..200).contains(&acknowledged));
    assert!(!server.wait_for_exit().success());
    drop(server);
    let log = fs::read_to_string(disk.path().join("log")).unwrap_or_default();
    println!("{log}");
    let mut count = None;
    Command::new("truncate")
        .args(["-s", "0"])
        .arg(disk.path().join("log"))
        .status()
        .unwrap();
    let server = setup.clone().arg("appendfsync", "everysec").start();
    let found = ask(&mut server.client(), "DBSIZE");
    count.replace(found.parse::<usize>().unwrap());
    let count = count.unwrap();
    assert!(
        count == acknowledged || count == acknowledged + 1,
        "{count}, {acknowledged}"
    );
}

/// Sets keys until the server does not take them any more; how many it has taken.
fn fill_up(client: &mut Client) -> usize {
    let value = "x".repeat(10_000);
    for number in 0..10_000 {
        match client.try_call(&format!("SET key:{number} {value}")) {
            Ok(reply) if reply.text() == "OK" => {}
            _ => return number,
        }
    }
    panic!("the disk never got full");
}

/// The log of a server under test says so.
fn says(client: &mut Client, line: &str) -> bool {
    client.call("INFO persistence").text().contains(line)
}

#[test]
fn after_a_failed_fsync_the_log_is_rewritten_when_there_is_room() {
    let Some(disk) = Volume::thin("12m", Zeros::AreWritten) else {
        return println!("SKIPPED: no right to mount an ext4");
    };
    let setup = with_log(Setup::ringshard(2), &disk.path()).arg("appendfsync", "everysec");
    let server = setup.start();
    let mut client = server.client();
    let taken = fill_up(&mut client);
    assert!(says(&mut client, "aof_last_write_status:err"));
    let refused = client.call("SET a 1").text();
    assert!(
        refused.starts_with("MISCONF Errors writing to the AOF file: "),
        "{refused}"
    );
    assert_eq!(client.call("GET key:0").text().len(), 10_000, "reads go on");
    assert_eq!(ask(&mut client, "DBSIZE"), taken.to_string());
    wait_until("a rewrite is tried in vain", || {
        server.log().contains("AOF rewrite terminated by")
    });
    assert!(client.call("SET a 1").text().starts_with("MISCONF"));
    disk.widen("200m");
    wait_until("writes are taken again", || {
        client.call("SET a 1").text() == "OK"
    });
    let log = server.log();
    assert!(log.contains("Fail to fsync the AOF file: "), "{log}");
    assert!(log.contains("AOF write error looks solved."), "{log}");
    let expected = digest(&server);
    kill(server);
    assert_eq!(digest(&setup.start()), expected);
}

#[test]
fn a_failed_fsync_ends_a_server_that_has_promised_to_sync() {
    let Some(mut disk) = Volume::thin("12m", Zeros::AreHoles) else {
        return println!("SKIPPED: no right to mount an ext4");
    };
    let setup = with_log(Setup::ringshard(2), &disk.path());
    let mut server = setup.clone().arg("appendfsync", "always").start();
    let acknowledged = fill_up(&mut server.client());
    assert!(!server.wait_for_exit().success());
    assert!(server.log().contains("fsync error"), "{}", server.log());
    drop(server);
    // What the disk has not taken is not there, or not what was written.
    disk.widen("200m");
    disk.start_again();
    check(&["--fix"], &log_file(&disk.path(), MANIFEST), "y\n");
    let server = setup.start();
    let found: usize = ask(&mut server.client(), "DBSIZE").parse().unwrap();
    assert!(
        (acknowledged..=acknowledged + 1).contains(&found),
        "{found}, {acknowledged}"
    );
}
