//! Clients that write growing numbers, remember what they were told, and look for it afterwards.
//!
//! Each writes to one key and, with MSET or a transaction, to several keys that lie on different
//! shards. After a crash each key holds the last number that was acknowledged, or the one that was
//! on its way; or, where some seconds may be lost, one that was acknowledged not long before.

use super::ask;
use crate::support::Client;
use crate::support::prng::Prng;
use crate::support::wait::holds_within;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const WIDE: usize = 4;

/// What one client was told.
#[derive(Clone, Debug, Default)]
struct Told {
    /// The last numbers: of its one key, and of its several keys.
    one: u64,
    several: u64,
    /// The highest that was sent.
    sent: u64,
    /// When each was acknowledged, since the last look.
    when: Vec<(Instant, u64)>,
    /// Those that were acknowledged when the power was being cut already.
    unsure: Vec<u64>,
}

/// All clients.
#[derive(Default)]
pub struct Ledger {
    told: [Told; CLIENTS],
    pub acknowledged: usize,
}

/// Clients at work.
pub struct Work(Vec<JoinHandle<Told>>);

fn is_one(value: u64) -> bool {
    value.is_multiple_of(3)
}

fn several(client: usize) -> Vec<String> {
    (0..WIDE).map(|n| format!("several:{client}:{n}")).collect()
}

fn write(client: &mut Client, number: usize, value: u64) -> std::io::Result<bool> {
    let keys = several(number);
    let reply = match value % 3 {
        0 => client.try_call(&format!("SET one:{number} {value}"))?,
        1 => {
            let pairs: Vec<String> = keys.iter().map(|key| format!("{key} {value}")).collect();
            client.try_call(&format!("MSET {}", pairs.join(" ")))?
        }
        _ => {
            client.try_call("MULTI")?;
            for key in &keys {
                client.try_call(&format!("SET {key} {value}"))?;
            }
            client.try_call("EXEC")?
        }
    };
    Ok(!reply.is_error())
}

/// Writes until the server is gone, or refuses.
fn write_on(port: u16, number: usize, first: u64) -> Told {
    let mut told = Told::default();
    let Ok(mut client) = Client::try_connect(port) else {
        return told;
    };
    for value in first.. {
        told.sent = value;
        match write(&mut client, number, value) {
            Ok(true) => {}
            _ => break,
        }
        told.when.push((Instant::now(), value));
    }
    told
}

fn number_at(client: &mut Client, key: &str) -> u64 {
    ask(client, &format!("GET {key}")).parse().unwrap_or(0)
}

/// What there is of a client's numbers; its several keys have the same one.
fn find(client: &mut Client, number: usize, what: &str) -> (u64, u64) {
    let one = number_at(client, &format!("one:{number}"));
    let keys = several(number);
    let found: Vec<u64> = keys.iter().map(|key| number_at(client, key)).collect();
    let is_whole = found.iter().all(|value| *value == found[0]);
    assert!(is_whole, "{what}: {found:?} is half done");
    (one, found[0])
}

impl Ledger {
    /// Lets all clients write.
    pub fn set_to_work(&self, port: u16) -> Work {
        let first = 1 + self.told.iter().map(|told| told.sent).max().unwrap_or(0);
        let numbers = 0..CLIENTS;
        let threads =
            numbers.map(|number| std::thread::spawn(move || write_on(port, number, first)));
        Work(threads.collect())
    }

    /// Takes down what they were told, when the server is gone.
    pub fn note(&mut self, work: Work) {
        self.note_until(work, None);
    }

    /// The same when the power was cut at this moment. An fsync that the cut meets reports success
    /// now and then for what is not there any more (so it does to a program that does nothing but
    /// append and fsync: 4 of 60 cuts under load); where power fails nobody hears of that. What was
    /// acknowledged before is promised.
    pub fn note_until(&mut self, work: Work, cut: Option<Instant>) {
        for (old, thread) in self.told.iter_mut().zip(work.0) {
            let new = thread.join().unwrap();
            self.acknowledged += new.when.len();
            let is_sure = |at: Instant| cut.is_none_or(|cut| at < cut);
            let sure = new.when.iter().filter(|(at, _)| is_sure(*at));
            let (mut one, mut several) = (old.one, old.several);
            for (_, value) in sure {
                *(if is_one(*value) {
                    &mut one
                } else {
                    &mut several
                }) = *value;
            }
            let unsure = new.when.iter().filter(|(at, _)| !is_sure(*at));
            let unsure = unsure.map(|(_, value)| *value).chain(old.unsure.clone());
            // What is older than a promise is no excuse.
            let is_newer = |value: &u64| *value > if is_one(*value) { one } else { several };
            *old = Told {
                one,
                several,
                sent: new.sent.max(old.sent),
                unsure: unsure.filter(is_newer).collect(),
                when: new.when,
            };
        }
    }

    /// What was told holds; of what was on its way there is all or nothing.
    pub fn check(&self, client: &mut Client, what: &str) {
        for (number, told) in self.told.iter().enumerate() {
            let (one, all) = find(client, number, what);
            let is_right = |found: u64, told_of: u64| {
                found == told_of || found == told.sent || told.unsure.contains(&found)
            };
            let wanted = (told.one, told.several, told.sent);
            assert!(is_right(one, told.one), "{what}: one is {one}, {wanted:?}");
            assert!(is_right(all, told.several), "{what}: {all}, {wanted:?}");
        }
    }

    /// What was told may be lost if it was told not long before the end. Returns the age of the
    /// oldest that is lost.
    pub fn check_recent(&mut self, client: &mut Client, end: Instant, what: &str) -> Duration {
        let mut oldest = Duration::ZERO;
        for (number, told) in self.told.iter_mut().enumerate() {
            let (one, all) = find(client, number, what);
            let is_lost = |value: u64| value > if is_one(value) { one } else { all };
            let lost = told.when.iter().find(|(_, value)| is_lost(*value));
            let age = lost.map(|(at, _)| end.saturating_duration_since(*at));
            oldest = oldest.max(age.unwrap_or_default());
            (told.one, told.several) = (one, all);
        }
        oldest
    }
}

/// Waits for a moment between these, in milliseconds.
pub fn pause(random: &mut Prng, least: usize, most: usize) {
    let pause = Duration::from_millis((least + random.below(most - least)) as u64);
    holds_within(pause, &mut || false);
}

/// Has the log rewritten and snapshots taken, one behind the other, until the server is gone.
pub fn rewrite_on(port: u16) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut begun = 0;
        let Ok(mut client) = Client::try_connect(port) else {
            return begun;
        };
        for command in ["BGREWRITEAOF", "BGSAVE"].iter().cycle() {
            match client.try_call(command) {
                // One is running still.
                Ok(reply) if reply.is_error() => {
                    holds_within(Duration::from_millis(5), &mut || false);
                }
                Ok(_) => begun += 1,
                Err(_) => return begun,
            }
        }
        begun
    })
}
