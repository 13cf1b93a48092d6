//! A disk that is full: nothing is acknowledged that is not written, reads go on, and when there is
//! room again writes do.
//!
//! The disk is a small tmpfs, which takes the right to mount one.

use super::{ask, digest, kill, with_log};
use crate::support::server::Folder;
use crate::support::{Setup, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder on a file system of its own.
struct Disk<'f>(&'f Path);

impl Disk<'_> {
    fn mount(path: &Path) -> Option<Disk<'_>> {
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(path);
        let is_mounted = command.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(Disk(path))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    for policy in ["everysec", "no"] {
        let folder = Folder::create();
        let Some(disk) = Disk::mount(folder.path()) else {
            return println!("SKIPPED: no right to mount a tmpfs");
        };
        let ballast = disk.0.join("ballast");
        fs::write(&ballast, vec![0; 600 * 1024]).unwrap();
        let setup = with_log(Setup::ringshard(2), disk.0).arg("appendfsync", policy);
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
    let folder = Folder::create();
    let Some(disk) = Disk::mount(folder.path()) else {
        return println!("SKIPPED: no right to mount a tmpfs");
    };
    let setup = with_log(Setup::ringshard(2), disk.0).arg("appendfsync", "always");
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
    let log = fs::read_to_string(disk.0.join("log")).unwrap_or_default();
    println!("{log}");
    let mut count = None;
    Command::new("truncate")
        .args(["-s", "0"])
        .arg(disk.0.join("log"))
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
