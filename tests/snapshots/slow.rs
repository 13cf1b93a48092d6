//! A disk that takes nothing while all keys are overwritten.
//!
//! Old values are kept for the snapshot up to a limit, then writes wait; reads go on, and nothing
//! of the snapshot is lost. The disk is an ext4 of the test's own that is frozen.

use super::loading::{debug, digest, with_file};
use crate::support::{Client, Setup, wait_until};
use crate::volume::Volume;
use std::fs;

const KEYS: usize = 150_000;
const ROOM: usize = 112 << 20;

/// Overwrites all keys.
fn overwrite(port: u16) {
    const BATCH: usize = 1000;
    let (mut client, value) = (Client::connect(port), "y".repeat(1000));
    for first in (0..KEYS).step_by(BATCH) {
        for number in first..first + BATCH {
            client.send_args(&["SET", &format!("key:{number}"), &value]);
        }
        for _ in 0..BATCH {
            assert_eq!(client.receive().text(), "OK");
        }
    }
}

#[test]
fn writes_wait_when_the_disk_does_not_take_old_values() {
    let Some(volume) = Volume::ext4() else {
        return println!("SKIPPED: no right to mount an ext4");
    };
    let server = debug(Setup::ringshard(2))
        .arg("dir", &volume.path().to_string_lossy())
        .arg("rdbcompression", "no")
        .start();
    let mut client = server.client();
    client.call(&format!("DEBUG POPULATE {KEYS} key 1000"));
    let (expected, before) = (digest(&server), server.resident_bytes());
    if !volume.freeze() {
        return println!("SKIPPED: no fsfreeze on this machine");
    }
    client.call("BGSAVE");
    let port = server.port();
    let writer = std::thread::spawn(move || overwrite(port));
    wait_until("writes wait", || {
        server.log().contains("The disk is too slow")
    });
    assert_eq!(client.call("GET key:1").text().len(), 1000, "reads go on");
    let more = server.resident_bytes() - before;
    volume.thaw();
    writer.join().unwrap();
    wait_until("the snapshot ends", || {
        let text = client.call("INFO persistence").text();
        text.contains("rdb_bgsave_in_progress:0")
    });
    let copy = server.dir().join("copy.rdb");
    fs::copy(volume.path().join("dump.rdb"), &copy).unwrap();
    assert_eq!(
        digest(&with_file(debug(Setup::ringshard(1)), &copy)),
        expected
    );
    assert!(more < ROOM, "{more} bytes more");
}
