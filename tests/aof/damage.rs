//! Logs that end early or are damaged: the longest valid prefix, or a refusal that says where.
//!
//! Every cut in the last 64 KiB of a real log and every flipped bit of its last 4 KiB, read in
//! process; some of them by a real start.

use super::{INCREMENT, digest, kill, log_file, with_log};
use crate::support::server::{Folder, free_port};
use crate::support::{Server, Setup};
use ringshard::persistence::aof::scan::{Ending, Scanner};
use std::fs;
use std::path::Path;

/// A log of so many writes of each kind, of several shards.
fn real_log(folder: &Path, writes: usize) -> Vec<u8> {
    let server = with_log(Setup::ringshard(2), folder)
        .arg("appendfsync", "no")
        .start();
    let mut client = server.client();
    for number in 0..writes {
        client.call(&format!("SET key:{number} {number}"));
        client.call(&format!("MSET a {number} b {number} c {number} d {number}"));
        // What comes at once is written as one stretch.
        let together = (0..number % 7).map(|n| format!("RPUSH list:{n} {number}\r\n"));
        client.send_bytes(together.collect::<String>().as_bytes());
        (0..number % 7).for_each(|_| drop(client.receive()));
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

/// Writes that make a log of a few stretches, and one of more than `SWEPT` bytes.
const FEW: usize = 12;
const MANY: usize = 300;
/// So many bytes at the end are cut off one by one, and so many have their bits flipped.
const SWEPT: usize = 64 * 1024;
const FLIPPED: usize = 4 * 1024;

/// What may run of a log that ends at a given place, told without a scanner.
struct Units {
    /// The commands, without the lines between.
    bytes: Vec<u8>,
    /// Where commands outside of transactions, and transactions, end: in the file and in `bytes`.
    ends: Vec<(usize, usize)>,
}

impl Units {
    fn of(file: &[u8]) -> Units {
        let (mut bytes, mut ends, mut is_open) = (Vec::new(), vec![(0, 0)], false);
        let mut at = 0;
        while at < file.len() {
            if file[at] == b'#' {
                at += line(&file[at..]).len();
                continue;
            }
            let request = &file[at..at + request_len(&file[at..])];
            at += request.len();
            bytes.extend_from_slice(request);
            is_open = (is_open || request.ends_with(b"$5\r\nMULTI\r\n"))
                && !request.ends_with(b"$4\r\nEXEC\r\n");
            if !is_open {
                ends.push((at, bytes.len()));
            }
        }
        Units { bytes, ends }
    }

    /// What is whole in the first bytes of the file.
    fn within(&self, len: usize) -> &[u8] {
        let whole = self.ends.partition_point(|(end, _)| *end <= len);
        &self.bytes[..self.ends[whole - 1].1]
    }
}

fn line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    &bytes[..=end]
}

fn number(line: &[u8]) -> usize {
    let text = std::str::from_utf8(&line[1..line.len() - 2]).unwrap();
    text.parse().unwrap()
}

fn request_len(bytes: &[u8]) -> usize {
    let head = line(bytes);
    let mut at = head.len();
    for _ in 0..number(head) {
        let head = line(&bytes[at..]);
        at += head.len() + number(head) + 2;
    }
    at
}

#[test]
fn every_cut_gives_the_longest_valid_prefix() {
    let folder = Folder::create();
    let bytes = real_log(folder.path(), MANY);
    assert!(bytes.len() > SWEPT, "only {} bytes", bytes.len());
    let units = Units::of(&bytes);
    let first = bytes.len() - SWEPT;
    let (mut scanner, mut given) = (Scanner::default(), 0);
    scanner.feed(&bytes[..first]).unwrap();
    for len in first..=bytes.len() {
        // Up to here the bytes have come; now the file ends.
        let mut cut = scanner.clone();
        let ending = cut.end().unwrap();
        let (before, behind) = (&units.bytes[..given], cut.take_ready());
        let expected = units.within(len);
        assert!(expected.starts_with(before), "cut at {len}");
        assert_eq!(behind, expected[given..], "cut at {len}");
        assert!(cut.safe() <= len as u64);
        let is_whole = cut.safe() == len as u64;
        assert_eq!(ending == Ending::Whole, is_whole, "cut at {len}");
        if let Some(next) = bytes.get(len..=len) {
            // What runs before the file ends counts as well.
            let ready = scanner.take_ready();
            assert_eq!(ready, units.bytes[given..given + ready.len()]);
            given += ready.len();
            scanner.feed(next).unwrap();
        }
    }
    println!("{} cuts of a log of {} bytes", SWEPT + 1, bytes.len());
}

#[test]
fn every_flipped_bit_is_found() {
    let folder = Folder::create();
    let bytes = real_log(folder.path(), MANY);
    let first = bytes.len() - FLIPPED;
    let mut before = Scanner::default();
    before.feed(&bytes[..first]).unwrap();
    for bit in 0..FLIPPED * 8 {
        let mut flipped = bytes[first..].to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut scanner = before.clone();
        let read = scanner.feed(&flipped).and_then(|()| scanner.end());
        assert!(read.is_err(), "bit {bit}: {read:?}");
    }
    println!("{} flips in a log of {} bytes", FLIPPED * 8, bytes.len());
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
    let bytes = real_log(folder.path(), FEW);
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
    let bytes = real_log(folder.path(), FEW);
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
    let bytes = real_log(folder.path(), FEW);
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
