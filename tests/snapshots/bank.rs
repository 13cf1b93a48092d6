//! The bank: transfers between accounts on all shards while snapshots are taken.
//!
//! Clients move money by MULTI and by MSET with WATCH at full load; in every snapshot, loaded by
//! Ringshard and by redis-server, the sum is what it always was. `SNAPSHOT_BANKS` says how many.

use super::loading::{debug, with_file};
use super::saving::rounds;
use crate::support::prng::{Prng, seed_from};
use crate::support::{Client, Setup, wait_until};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

const ACCOUNTS: usize = 100;
const AMOUNT: i64 = 1000;

fn account(number: usize) -> String {
    format!("account:{number}")
}

fn sum(client: &mut Client) -> i64 {
    let mut words = vec!["MGET".to_owned()];
    words.extend((0..ACCOUNTS).map(account));
    let reply = client.call_args(&words);
    let amounts = reply.items().iter().map(|item| item.text().parse::<i64>());
    amounts.map(|amount| amount.expect("an amount")).sum()
}

fn transfer_by_multi(client: &mut Client, random: &mut Prng) {
    let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
    let amount = random.below(10);
    client.send_bytes(
        format!(
            "MULTI\r\nDECRBY {} {amount}\r\nINCRBY {} {amount}\r\nEXEC\r\n",
            account(from),
            account(to)
        )
        .as_bytes(),
    );
    for _ in 0..4 {
        client.receive();
    }
}

/// Reads both, and writes both if nobody has meanwhile.
fn transfer_by_mset(client: &mut Client, random: &mut Prng) {
    let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
    if from == to {
        return;
    }
    let (from, to) = (account(from), account(to));
    client.call(&format!("WATCH {from} {to}"));
    let reply = client.call(&format!("MGET {from} {to}"));
    let amount = |at: usize| reply.items()[at].text().parse::<i64>().expect("an amount");
    let (rest, more) = (amount(0) - 1, amount(1) + 1);
    client.call("MULTI");
    client.call(&format!("MSET {from} {rest} {to} {more}"));
    client.call("EXEC");
}

fn take_snapshot(client: &mut Client) {
    client.call("BGSAVE");
    wait_until("the snapshot ends", || {
        let text = client.call("INFO persistence").text();
        text.contains("rdb_bgsave_in_progress:0")
    });
}

/// Lets the clients end with it.
struct Over<'f>(&'f AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn the_sum_is_constant_in_every_snapshot() {
    let (rounds, seed) = (rounds("SNAPSHOT_BANKS", 3), seed_from("SNAPSHOT_SEED"));
    println!("SNAPSHOT_SEED={seed}");
    for shards in [2, 7] {
        let server = debug(Setup::ringshard(shards)).start();
        let mut client = server.client();
        for number in 0..ACCOUNTS {
            client.call(&format!("SET {} {AMOUNT}", account(number)));
        }
        // Something to walk over.
        let populated = client.call("DEBUG POPULATE 20000 key 100").text();
        assert_eq!(populated, "OK");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for number in 0..4 {
                let (server, is_over) = (&server, &is_over);
                scope.spawn(move || {
                    let mut random = Prng::new(seed + number);
                    let mut client = server.client();
                    while !is_over.load(Relaxed) {
                        match number % 2 {
                            0 => transfer_by_multi(&mut client, &mut random),
                            _ => transfer_by_mset(&mut client, &mut random),
                        }
                    }
                });
            }
            // However this ends: those who wait for the clients must not wait for ever.
            let _over = Over(&is_over);
            for round in 0..rounds {
                take_snapshot(&mut client);
                let copy = server.dir().join("copy.rdb");
                fs::copy(server.dir().join("dump.rdb"), &copy).unwrap();
                for setup in [Some(Setup::ringshard(3)), Setup::oracle()]
                    .into_iter()
                    .flatten()
                {
                    let total = sum(&mut with_file(setup, &copy).client());
                    assert_eq!(
                        total,
                        ACCOUNTS as i64 * AMOUNT,
                        "round {round}, {shards} shards"
                    );
                }
            }
        });
    }
}
