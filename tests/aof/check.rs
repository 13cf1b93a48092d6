//! `--check-aof` on whole logs, damaged ones, and those of redis-server.
//!
//! What it says, what it mends, and that it changes nothing unless told so.

use super::{INCREMENT, MANIFEST, ask, digest, kill, log_file, stop, with_log};
use crate::support::Setup;
use crate::support::server::{Folder, binary};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the check; whether it is content, and what it says.
pub fn check(options: &[&str], file: &Path, answer: &str) -> (bool, String) {
    let mut command = Command::new(binary());
    command.arg("--check-aof").args(options).arg(file);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(answer.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

fn make_log(setup: Setup, folder: &Path) -> String {
    let server = with_log(setup, folder).arg("appendfsync", "always").start();
    let mut client = server.client();
    for number in 0..20 {
        client.call(&format!("MSET a {number} b {number} c {number}"));
    }
    let digest = digest(&server);
    kill(server);
    digest
}

#[test]
fn whole_logs_are_valid_and_damaged_ones_say_where() {
    let folder = Folder::create();
    let expected = make_log(Setup::ringshard(2), folder.path());
    let (manifest, file) = (
        log_file(folder.path(), MANIFEST),
        log_file(folder.path(), INCREMENT),
    );
    let (is_valid, text) = check(&[], &manifest, "");
    assert!(is_valid, "{text}");
    assert!(
        text.contains("All AOF files and manifest are valid"),
        "{text}"
    );
    assert!(text.contains("checksums verified"), "{text}");
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(&file, &flipped).unwrap();
    let (is_valid, text) = check(&[], &manifest, "");
    assert!(!is_valid, "{text}");
    assert!(
        text.contains("Use the --fix option to try fixing it."),
        "{text}"
    );
    fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    let (is_valid, text) = check(&["--fix"], &manifest, "n\n");
    assert!(!is_valid && text.contains("Aborting..."), "{text}");
    let (is_valid, text) = check(&["--fix"], &manifest, "y\n");
    assert!(
        is_valid && text.contains("Successfully truncated AOF"),
        "{text}"
    );
    assert!(check(&[], &manifest, "").0);
    let server = with_log(Setup::ringshard(3), folder.path())
        .arg("aof-load-truncated", "no")
        .start();
    // The last MSET was a transaction over the shards, which is whole or not there.
    assert_ne!(digest(&server), expected);
    assert_eq!(ask(&mut server.client(), "MGET a b c"), "18 18 18");
}

#[test]
fn logs_of_stock_servers_are_checked_too() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    let folder = Folder::create();
    make_log(oracle, folder.path());
    let (is_valid, text) = check(&[], &log_file(folder.path(), MANIFEST), "");
    assert!(is_valid && text.contains("RDB preamble is OK"), "{text}");
    assert!(!check(&[], &folder.path().join("nothing.manifest"), "").0);
}

#[test]
fn what_is_too_late_is_cut_off() {
    let folder = Folder::create();
    let setup = with_log(Setup::ringshard(2), folder.path()).arg("aof-timestamp-enabled", "yes");
    let server = setup.start();
    server.client().call("SET a 1");
    stop(server);
    let file = log_file(folder.path(), INCREMENT);
    let mut bytes = fs::read(&file).unwrap();
    let len = bytes.len();
    bytes.extend_from_slice(b"#TS:32503680000\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2\r\n");
    fs::write(&file, &bytes).unwrap();
    let manifest = log_file(folder.path(), MANIFEST);
    let (is_valid, text) = check(&["--truncate-to-timestamp", "32503670000"], &manifest, "");
    assert!(
        is_valid && text.contains("Successfully truncated AOF"),
        "{text}"
    );
    assert_eq!(fs::read(&file).unwrap().len(), len);
    let server = setup.start();
    assert_eq!(server.client().call("GET a").text(), "1");
}
