//! Logs and manifests that nobody wrote: mutated, cut, doubled, and read in any pieces.
//!
//! Whatever the bytes are, reading them in pieces says the same as reading them at once, nothing is
//! called safe that lies behind the end, and what may run consists of whole commands.

use crate::Fuzzer;
use crate::support::client::encode;
use crate::support::prng::Prng;
use ringshard::persistence::aof::frame::{checksum_line, timestamp_line};
use ringshard::persistence::aof::manifest::Manifest;
use ringshard::persistence::aof::scan::{Damage, Ending, Scanner};

/// A log as a server writes it, of a few stretches with and without checksums.
fn written(prng: &mut Prng) -> Vec<u8> {
    let mut log = Vec::new();
    for _ in 0..1 + prng.below(4) {
        let mut stretch = Vec::new();
        if prng.percent(20) {
            stretch.extend_from_slice(timestamp_line(prng.below(1 << 40) as i64).as_bytes());
        }
        let is_multi = prng.percent(30);
        if is_multi {
            encode(&["MULTI"], &mut stretch);
        }
        for _ in 0..1 + prng.below(4) {
            let value = vec![b'v'; prng.below(40)];
            encode(&[&b"SET"[..], b"key", &value], &mut stretch);
        }
        if is_multi {
            encode(&["EXEC"], &mut stretch);
        }
        if prng.percent(70) {
            log.extend_from_slice(checksum_line(&stretch).as_bytes());
        }
        log.extend_from_slice(&stretch);
    }
    log
}

/// Changes, removes or doubles a few bytes.
fn mutate(bytes: &mut Vec<u8>, prng: &mut Prng) {
    for _ in 0..prng.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = prng.below(bytes.len());
        match prng.below(5) {
            0 => bytes[at] ^= 1 << prng.below(8),
            1 => bytes[at] = *prng.pick(b"*$#\r\n0123456789-RTS: \xff"),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {
                let end = (at + prng.below(30)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}

fn read(bytes: &[u8], pieces: usize) -> (Result<Ending, Damage>, Vec<u8>, u64) {
    let mut scanner = Scanner::default();
    let mut ready = Vec::new();
    for piece in bytes.chunks(pieces) {
        let fed = scanner.feed(piece);
        ready.append(&mut scanner.take_ready());
        if let Err(damage) = fed {
            return (Err(damage), ready, scanner.safe());
        }
    }
    let ending = scanner.end();
    ready.append(&mut scanner.take_ready());
    (ending, ready, scanner.safe())
}

pub fn aof() -> Fuzzer {
    Box::new(|prng| {
        let mut bytes = written(prng);
        mutate(&mut bytes, prng);
        let whole = read(&bytes, bytes.len().max(1));
        let pieces = read(&bytes, 1 + prng.below(50));
        assert_eq!(whole.0.is_ok(), pieces.0.is_ok(), "{whole:?} {pieces:?}");
        assert_eq!((&whole.1, whole.2), (&pieces.1, pieces.2));
        assert!(whole.2 <= bytes.len() as u64);
        // What may run is whole by itself.
        assert_eq!(read(&whole.1, whole.1.len().max(1)).0, Ok(Ending::Whole));
        bytes.len()
    })
}

pub fn manifest() -> Fuzzer {
    Box::new(|prng| {
        let mut manifest = Manifest::default();
        for _ in 0..prng.below(4) {
            match prng.below(3) {
                0 => drop(manifest.add_base("log", prng.percent(50))),
                1 => drop(manifest.add_increment("a log")),
                _ => manifest.keep_increments(1 + prng.below(3)),
            }
        }
        let mut bytes = manifest.text();
        if !bytes.is_empty() {
            assert_eq!(Manifest::parse(&bytes).as_ref(), Ok(&manifest));
        }
        mutate(&mut bytes, prng);
        // One of comments alone names nothing, and nothing is no manifest.
        let found = Manifest::parse(&bytes).ok();
        if let Some(found) = found.filter(|found| !found.text().is_empty()) {
            assert_eq!(
                Manifest::parse(&found.text()).map(|it| it.text()),
                Ok(found.text())
            );
        }
        bytes.len()
    })
}
