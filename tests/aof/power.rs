//! A loss of power while clients write: what was acknowledged with `always` is there, with
//! `everysec` all but the last two seconds.
//!
//! The power of an ext4 in a file is cut under the running server, so everything that was not on
//! disk is gone when it is mounted again. `POWER_ROUNDS=` says how often.

use super::clients::{Ledger, pause, rewrite_on};
use super::volume::Volume;
use super::{ask, kill, with_log};
use crate::support::prng::{Prng, seed_from};
use crate::support::{Server, Setup};
use std::time::{Duration, Instant};

/// What `everysec` may lose at most.
const LOST_MAX: Duration = Duration::from_secs(2);

fn rounds() -> usize {
    let asked = std::env::var("POWER_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// How a server is put out.
#[derive(Clone, Copy)]
struct Outage {
    policy: &'static str,
    rounds: usize,
}

impl Outage {
    fn start(self, shards: usize, volume: &Volume) -> Server {
        // Bases are of both kinds.
        let preamble = if shards == 2 { "no" } else { "yes" };
        with_log(Setup::ringshard(shards), &volume.path())
            .arg("appendfsync", self.policy)
            .arg("aof-use-rdb-preamble", preamble)
            .start()
    }

    fn strike(self) {
        let Some(mut volume) = Volume::ext4() else {
            return println!("SKIPPED: no right to mount an ext4");
        };
        let seed = seed_from("POWER_SEED");
        println!("POWER_SEED={seed}");
        let (mut random, mut ledger) = (Prng::new(seed), Ledger::default());
        let may_lose = self.policy != "always";
        let (mut end, mut oldest) = (Instant::now(), Duration::ZERO);
        for round in 0..=self.rounds {
            let shards = *random.pick(&[1, 2, 3]);
            let server = self.start(shards, &volume);
            let what = format!("{}, round {round}, {shards} shards", self.policy);
            match may_lose {
                true => {
                    let age = ledger.check_recent(&mut server.client(), end, &what);
                    assert!(age <= LOST_MAX, "{what}: {age:?} are lost");
                    oldest = oldest.max(age);
                }
                false => ledger.check(&mut server.client(), &what),
            }
            if round == self.rounds {
                break;
            }
            let work = ledger.set_to_work(server.port());
            let rewriter = random.percent(50).then(|| rewrite_on(server.port()));
            match may_lose {
                true => pause(&mut random, 1500, 4000),
                false => pause(&mut random, 50, 1500),
            }
            end = Instant::now();
            volume.cut_power();
            kill(server);
            ledger.note_until(work, Some(end));
            rewriter.map(|thread| thread.join().unwrap());
            volume.start_again();
        }
        let count = ledger.acknowledged;
        println!(
            "{}: {count} acknowledged, lost at most {oldest:?}",
            self.policy
        );
    }
}

/// SAVE says OK when the new file is there for good.
fn save_and_strike(rounds: usize) {
    let Some(mut volume) = Volume::ext4() else {
        return println!("SKIPPED: no right to mount an ext4");
    };
    for round in 0..=rounds {
        let server = Setup::ringshard(2)
            .arg("dir", &volume.path().to_string_lossy())
            .start();
        let mut client = server.client();
        if round > 0 {
            let found = ask(&mut client, "GET round");
            assert_eq!(found, (round - 1).to_string(), "what was saved last");
        }
        client.call(&format!("SET round {round}"));
        assert_eq!(client.call("SAVE").text(), "OK");
        volume.cut_power();
        kill(server);
        volume.start_again();
    }
}

#[test]
fn nothing_acknowledged_is_lost_with_always() {
    let outage = Outage {
        policy: "always",
        rounds: rounds(),
    };
    outage.strike();
}

#[test]
fn two_seconds_are_lost_at_most_with_everysec() {
    let outage = Outage {
        policy: "everysec",
        rounds: rounds(),
    };
    outage.strike();
}

#[test]
fn what_was_saved_is_there() {
    save_and_strike(rounds().min(20));
}
