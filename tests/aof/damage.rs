//! Logs that end early or are damaged: the longest valid prefix, or a refusal that says where.
//!
//! Every cut and every flipped bit of a real log, read in process; some of them by a real start.

use super::{INCREMENT, digest, kill, log_file, with_log};
use crate::support::merged::requests;
use crate::support::server::{Folder, free_port};
use crate::support::{Server, Setup};
use ringshard::persistence::aof::scan::{Ending, Scanner};
use std::fs;
use std::path::Path;

/// How many writes of each kind the log is of; `AOF_WRITES=400` makes more than 64 KiB.
fn writes() -> usize {
    let asked = std::env::var("AOF_WRITES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// A log of some writes, of several shards.
fn real_log(folder: &Path) -> Vec<u8> {
    let server = with_log(Setup::ringshard(2), folder)
        .arg("appendfsync", "always")
        .start();
    let mut client = server.client();
    for number in 0..writes() {
        client.call(&format!("SET key:{number} {number}"));
        client.call(&format!("MSET a {number} b {number} c {number} d {number}"));
    }
    for line in [
        "MULTI",
        "SET x 1",
        "SET y 2",
        "SET z 3",
        "EXEC",
        "SET last 1",
    ] {
        client.call(line);
    }
    kill(server);
    fs::read(log_file(folder, INCREMENT)).unwrap()
}

/// The ends of the commands outside of transactions, without the lines between.
fn whole_commands(bytes: &[u8]) -> Vec<usize> {
    let mut scanner = Scanner::default();
    scanner.feed(bytes).unwrap();
    assert_eq!(scanner.end().unwrap(), Ending::Whole);
    let ready = scanner.take_ready();
    let (mut is_open, mut count, mut whole) = (false, 0, vec![0]);
    for request in requests(&ready) {
        count += 1;
        match request.args().get(0) {
            b"MULTI" => is_open = true,
            b"EXEC" => is_open = false,
            _ => {}
        }
        if !is_open {
            whole.push(count);
        }
    }
    whole
}

#[test]
fn every_cut_gives_the_longest_valid_prefix() {
    let folder = Folder::create();
    let bytes = real_log(folder.path());
    let whole = whole_commands(&bytes);
    let mut before = 0;
    for len in 0..=bytes.len() {
        let mut scanner = Scanner::default();
        scanner.feed(&bytes[..len]).unwrap();
        let ending = scanner.end().unwrap();
        let count = requests(&scanner.take_ready()).len();
        assert!(whole.contains(&count), "cut at {len}: {count} commands");
        assert!(
            count >= before,
            "cut at {len}: {count} commands, {before} before"
        );
        assert!(scanner.safe() <= len as u64);
        assert_eq!(
            ending == Ending::Whole,
            scanner.safe() == len as u64,
            "cut at {len}"
        );
        before = count;
    }
    assert_eq!(before, *whole.last().unwrap());
}

#[test]
fn every_flipped_bit_is_found() {
    let folder = Folder::create();
    let bytes = real_log(folder.path());
    let first = bytes.len().saturating_sub(4096);
    for bit in first * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut scanner = Scanner::default();
        let read = scanner.feed(&flipped).and_then(|()| scanner.end());
        assert!(read.is_err(), "bit {bit}: {read:?}");
    }
}

fn start_fails(setup: &Setup, folder: &Path) -> String {
    let mut command = setup.command(folder, free_port());
    let status = command.status().unwrap();
    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

#[test]
fn a_start_cuts_off_what_is_not_whole_if_that_is_allowed() {
    let folder = Folder::create();
    let bytes = real_log(folder.path());
    let file = log_file(folder.path(), INCREMENT);
    let setup = with_log(Setup::ringshard(2), folder.path());
    let strict = setup.clone().arg("aof-load-truncated", "no");
    for cut in [3, 20, 45, 90, 140, 200] {
        let len = bytes.len() - cut;
        fs::write(&file, &bytes[..len]).unwrap();
        let log = start_fails(&strict, folder.path());
        assert!(
            log.contains("Unexpected end of file reading the append only file"),
            "{log}"
        );
        assert_eq!(
            fs::read(&file).unwrap(),
            &bytes[..len],
            "nothing is changed"
        );
        let server: Server = setup.start();
        let found = digest(&server);
        let log = server.log();
        assert!(
            log.contains("!!! Warning: short read while loading the AOF file"),
            "{log}"
        );
        assert_eq!(server.client().call("SET after 1").text(), "OK");
        server.client().call("DEL after");
        kill(server);
        // Now it is whole, and the same.
        let server = strict.start();
        assert_eq!(digest(&server), found, "cut of {cut} bytes");
        kill(server);
    }
}

/// After a loss of power a file may be as long as it was going to be, with zeros at its end.
#[test]
fn zeros_at_the_end_were_never_written() {
    let folder = Folder::create();
    let bytes = real_log(folder.path());
    let file = log_file(folder.path(), INCREMENT);
    let setup = with_log(Setup::ringshard(2), folder.path());
    let strict = setup.clone().arg("aof-load-truncated", "no");
    for cut in [0, 3, 45, 140] {
        let mut short = bytes[..bytes.len() - cut].to_vec();
        fs::write(&file, &short).unwrap();
        let server = setup.start();
        let expected = digest(&server);
        kill(server);
        short.resize(bytes.len() + 5000, 0);
        fs::write(&file, &short).unwrap();
        let log = start_fails(&strict, folder.path());
        assert!(log.contains("Unexpected end of file"), "{log}");
        let server = setup.start();
        assert_eq!(digest(&server), expected, "cut of {cut} bytes");
        kill(server);
        assert_ne!(fs::read(&file).unwrap().last(), Some(&0));
        kill(strict.start());
    }
}

#[test]
fn a_start_refuses_what_is_damaged() {
    let folder = Folder::create();
    let bytes = real_log(folder.path());
    let file = log_file(folder.path(), INCREMENT);
    let setup = with_log(Setup::ringshard(2), folder.path());
    let middle = bytes.len() / 2;
    let mut flipped = bytes.clone();
    flipped[middle] ^= 4;
    fs::write(&file, &flipped).unwrap();
    let log = start_fails(&setup, folder.path());
    assert!(
        log.contains("Bad file format reading the append only file"),
        "{log}"
    );
    assert!(log.contains("At offset "), "{log}");
    let unknown = [&bytes[..], b"*1\r\n$6\r\nnosuch\r\n"].concat();
    fs::write(&file, &unknown).unwrap();
    let log = start_fails(&setup, folder.path());
    assert!(
        log.contains("Unknown command 'nosuch' reading the append only file"),
        "{log}"
    );
    fs::remove_file(&file).unwrap();
    let log = start_fails(&setup, folder.path());
    assert!(
        log.contains("The AOF file appendonly.aof.1.incr.aof doesn't exist"),
        "{log}"
    );
    fs::write(log_file(folder.path(), super::MANIFEST), "file x seq 1\n").unwrap();
    let log = start_fails(&setup, folder.path());
    assert!(
        log.contains("*** FATAL AOF MANIFEST FILE ERROR ***"),
        "{log}"
    );
    assert!(
        log.contains("Reading the manifest file, at line 1"),
        "{log}"
    );
}
