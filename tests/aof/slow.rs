//! A disk that takes nothing for a while: writes wait at a limit, reads go on, and of what expires
//! meanwhile the log hears later.
//!
//! The disk is an ext4 of the test's own that is frozen. Whatever waits for a frozen disk cannot
//! even be killed, so this is run when it is asked for: `FREEZE=1`.

use super::volume::Volume;
use super::{ask, with_log};
use crate::support::{Client, Setup, wait_until};

/// Keys that expire while the disk takes nothing.
const SOON: u64 = 5_000;
const SOON_MS: u64 = 4_000;
/// What waits for the log at most before writes wait.
const QUEUED_BYTES_MAX: u64 = 64 << 20;
const VALUE_BYTES: usize = 1 << 20;
const WRITES: usize = 100;

fn field(client: &mut Client, name: &str) -> u64 {
    let info = client.call("INFO").text();
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a field of INFO").parse().unwrap()
}

fn expired(client: &mut Client) -> u64 {
    field(client, "expired_keys:")
}

fn now_ms(client: &mut Client) -> u64 {
    let time = client.call("TIME");
    let part = |index: usize| time.items()[index].text().parse::<u64>().unwrap();
    part(0) * 1000 + part(1) / 1000
}

/// More writes than may wait for the log.
fn write_much(port: u16) {
    let (mut client, value) = (Client::connect(port), vec![b'v'; VALUE_BYTES]);
    for number in 0..WRITES {
        let key = format!("large:{}", number % 4);
        client.send_args(&[&b"SET"[..], key.as_bytes(), &value]);
    }
    // Replies are kept back as long as the log is behind.
    for _ in 0..WRITES {
        assert_eq!(client.receive().text(), "OK");
    }
}

/// A file system that is frozen.
struct Thaw<'v>(&'v Volume);

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        self.0.thaw();
    }
}

#[test]
fn nothing_expires_into_a_log_that_has_to_wait() {
    if std::env::var_os("FREEZE").is_none() {
        return println!("SKIPPED: freezes a file system; FREEZE=1 runs it");
    }
    let Some(volume) = Volume::ext4() else {
        return println!("SKIPPED: no right to mount an ext4");
    };
    let setup = with_log(Setup::ringshard(2), &volume.path()).arg("appendfsync", "no");
    let server = setup.start();
    let mut client = server.client();
    client.call("SET here 1");
    let deadline_ms = now_ms(&mut client) + SOON_MS;
    for number in 0..SOON {
        let left_ms = deadline_ms - now_ms(&mut client).min(deadline_ms - 1);
        client.call(&format!("SET soon:{number} 1 PX {left_ms}"));
    }
    if !volume.freeze() {
        return println!("SKIPPED: no fsfreeze on this machine");
    }
    // Goes first, also when the test fails: nobody can end who waits for a frozen disk.
    let thaw = Thaw(&volume);
    // One that has written may have to wait for the log.
    let mut client = server.client();
    let port = server.port();
    let writer = std::thread::spawn(move || write_much(port));
    wait_until("as much waits as may", || {
        field(&mut client, "aof_buffer_length:") > QUEUED_BYTES_MAX
    });
    let before = expired(&mut client);
    wait_until("their time is over", || {
        now_ms(&mut client) > deadline_ms + 1000
    });
    let meanwhile = expired(&mut client);
    assert_eq!(ask(&mut client, "GET here"), "1", "reads go on");
    drop(thaw);
    writer.join().unwrap();
    assert_eq!(meanwhile, before, "keys were swept");
    wait_until("they go", || expired(&mut client) == SOON);
}
