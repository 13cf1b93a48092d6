//! Whole files of every version of the format, put together by hand as old and new servers did.
//!
//! ```text
//!   REDIS0006 | select | [expiry] type key value | ... | end | checksum, from version 5 on
//! ```
//!
//! redis-server and Ringshard on any number of shards load the same from those that both read; the
//! files of newer servers, and of Valkey, are checked by their content.

use super::old::{self, Old, text};
use super::{SHARDS, show};
use crate::support::server::Folder;
use crate::support::{Server, Setup};
use ringshard::rdb::crc64;
use std::fs;

/// A file of this version with these values, every third of them with an expiry.
fn file(version: u16, values: &[Old]) -> Vec<u8> {
    let mut bytes = match version {
        80.. => format!("VALKEY{version:03}").into_bytes(),
        _ => format!("REDIS{version:04}").into_bytes(),
    };
    if version >= 7 {
        bytes.extend([&[0xfa][..], &text(b"redis-ver"), &text(b"1.2.3")].concat());
    }
    for (number, (name, _, body)) in values.iter().enumerate() {
        match number {
            0 => bytes.extend([0xfe, 0]),
            9 => bytes.extend([0xfe, 3]),
            _ => {}
        }
        if version >= 7 && number == 9 {
            bytes.extend([0xfb, 20, 9]);
        }
        match number % 3 {
            0 if version < 3 => {
                bytes.push(0xfd);
                bytes.extend(2_000_000_000u32.to_le_bytes());
            }
            0 => {
                bytes.push(0xfc);
                bytes.extend(2_000_000_000_123u64.to_le_bytes());
            }
            1 if version >= 9 => bytes.extend([0xf8, 7]),
            2 if version >= 9 => bytes.extend([0xf9, 7]),
            _ => {}
        }
        bytes.push(body[0]);
        bytes.extend(text(name.as_bytes()));
        bytes.extend(&body[1..]);
    }
    bytes.push(0xff);
    if version >= 5 {
        bytes.extend(crc64(&bytes).to_le_bytes());
    }
    bytes
}

fn start(setup: Setup, folder: &Folder) -> Server {
    let dir = folder.path().to_string_lossy().into_owned();
    setup
        .arg("dir", &dir)
        .arg("enable-debug-command", "yes")
        .start()
}

fn digest(server: &Server) -> String {
    server.client().call("DEBUG DIGEST").text()
}

#[test]
fn files_of_old_servers() {
    let Some(oracle) = Setup::oracle() else {
        return println!("SKIPPED: no redis-server on this machine");
    };
    for version in 1..=10 {
        let mut values = old::values();
        values.retain(|(_, since, _)| *since <= version);
        let folder = Folder::create();
        let path = folder.path().join("dump.rdb");
        fs::write(&path, file(version, &values)).unwrap();
        let there = start(oracle.clone(), &folder);
        let keys = there.client().call("DBSIZE").integer();
        assert_eq!(keys, values.len().min(9) as i64, "version {version}");
        for shards in SHARDS {
            let here = start(Setup::ringshard(shards), &folder);
            let what = format!("version {version} on {shards} shards");
            assert_eq!(digest(&here), digest(&there), "{what}");
        }
    }
}

#[test]
fn files_of_newer_servers() {
    for version in [11, 12, 80] {
        let mut values = old::newer();
        // Valkey knows what Redis 7.2 did, and gave the next numbers a meaning of its own.
        let common = if version == 80 { 11 } else { version };
        values.retain(|(_, since, _)| *since <= common || *since == version);
        let folder = Folder::create();
        let path = folder.path().join("dump.rdb");
        fs::write(&path, file(version, &values)).unwrap();
        for shards in SHARDS {
            let here = start(Setup::ringshard(shards), &folder);
            let mut client = here.client();
            for (name, _, _) in &values {
                for (question, answer) in old::answers(name) {
                    let reply = client.call(&question.replace("KEY", name));
                    assert_eq!(show(&reply), *answer, "{version}: {name}: {question}");
                }
            }
        }
    }
}
