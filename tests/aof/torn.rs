//! Kills in the middle of a write: a transaction that is larger than what the system takes in one
//! go is there as a whole or not at all.
//!
//! The file is watched while it grows, and the process killed as soon as it has some of the
//! transaction; the system stops the write there. `AOF_ROUNDS=` says how often.

use super::{INCREMENT, ask, kill, log_file, rounds, with_log};
use crate::support::client::encode;
use crate::support::server::Folder;
use crate::support::{Client, Server, Setup};
use std::path::Path;
use std::time::{Duration, Instant};

/// A transaction of so many values of so many bytes.
const VALUES: usize = 24;
const VALUE_BYTES: usize = 1 << 20;
/// For so long at most a transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn key(number: usize) -> String {
    format!("large:{number}")
}

/// A transaction that sets all values to this letter.
fn transaction(letter: u8) -> Vec<u8> {
    let (mut bytes, value) = (Vec::new(), vec![letter; VALUE_BYTES]);
    encode(&["MULTI"], &mut bytes);
    for number in 0..VALUES {
        encode(&[&b"SET"[..], key(number).as_bytes(), &value], &mut bytes);
    }
    encode(&["EXEC"], &mut bytes);
    bytes
}

/// The letter that all values have.
fn letter(client: &mut Client, what: &str) -> String {
    let mut of = |number| {
        let length = ask(client, &format!("STRLEN {}", key(number)));
        let first = ask(client, &format!("GETRANGE {} 0 0", key(number)));
        format!("{first}{length}")
    };
    let found: Vec<String> = (0..VALUES).map(&mut of).collect();
    let is_whole = found.iter().all(|it| *it == found[0]);
    assert!(is_whole, "{what}: {found:?} is half done");
    found[0].clone()
}

fn len(folder: &Path) -> u64 {
    std::fs::metadata(log_file(folder, INCREMENT))
        .unwrap()
        .len()
}

/// Lets a client send a transaction and kills the server when the file has a little of it. Whether
/// the write was cut off.
fn strike(server: Server, folder: &Path, bytes: Vec<u8>) -> bool {
    let (before, port, all) = (len(folder), server.port(), bytes.len() as u64);
    let sender = std::thread::spawn(move || {
        let mut client = Client::connect(port);
        // The server is gone before it has got all, perhaps, and before it answers.
        let _ = client.try_send_bytes(&bytes);
        // Hanging up would take back what the server has not read.
        client
    });
    let start = Instant::now();
    while len(folder) == before && start.elapsed() < PATIENCE {
        std::hint::spin_loop();
    }
    kill(server);
    drop(sender.join().unwrap());
    let written = len(folder) - before;
    assert!(written > 0, "nothing was written");
    written < all
}

#[test]
fn a_transaction_is_whole_or_absent_when_its_write_is_cut_off() {
    let (folder, rounds, mut torn) = (Folder::create(), rounds(2), 0);
    for round in 0..rounds {
        let shards = 1 + round % 3;
        let setup = with_log(Setup::ringshard(shards), folder.path()).arg("appendfsync", "no");
        let server = setup.start();
        let what = format!("round {round}, {torn} writes cut off, {shards} shards");
        letter(&mut server.client(), &what);
        let bytes = transaction(b'a' + (round % 26) as u8);
        torn += usize::from(strike(server, folder.path(), bytes));
    }
    let server = with_log(Setup::ringshard(2), folder.path()).start();
    letter(&mut server.client(), "in the end");
    println!("{torn} of {rounds} writes were cut off");
}
