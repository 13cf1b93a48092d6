//! Kill -9 while clients write: nothing that was acknowledged is lost, nothing is half there.
//!
//! The same while the log is being rewritten and snapshots are taken all the time: the old files or
//! the new ones count, never a mix, and nothing is left over. `AOF_ROUNDS=` makes them longer.

use super::clients::{Ledger, pause, rewrite_on};
use super::{digest, kill, rounds, stop, with_log};
use crate::support::prng::{Prng, seed_from};
use crate::support::server::Folder;
use crate::support::{Server, Setup};
use std::path::Path;

/// What a storm is like.
#[derive(Clone, Copy)]
struct Storm {
    policy: &'static str,
    rounds: usize,
    /// Whether the log is rewritten and snapshots are taken meanwhile.
    rewrites: bool,
}

impl Storm {
    fn new(policy: &'static str, rounds: usize) -> Storm {
        Storm {
            policy,
            rounds,
            rewrites: false,
        }
    }

    fn start(self, shards: usize, folder: &Path) -> Server {
        // Bases are of both kinds.
        let preamble = if shards == 2 { "no" } else { "yes" };
        with_log(Setup::ringshard(shards), folder)
            .arg("appendfsync", self.policy)
            .arg("aof-use-rdb-preamble", preamble)
            .start()
    }

    fn rage(self) {
        let (seed, policy) = (seed_from("AOF_SEED"), self.policy);
        println!("AOF_SEED={seed}");
        let (mut random, mut ledger) = (Prng::new(seed), Ledger::default());
        let (folder, mut begun) = (Folder::create(), 0);
        for round in 0..self.rounds {
            let shards = *random.pick(&[1, 2, 3]);
            let server = self.start(shards, folder.path());
            let what = format!("{policy}, round {round}, {shards} shards");
            ledger.check(&mut server.client(), &what);
            nothing_is_left_over(folder.path());
            let port = server.port();
            let work = ledger.set_to_work(port);
            let rewriter = self.rewrites.then(|| rewrite_on(port));
            pause(&mut random, 50, 1500);
            kill(server);
            ledger.note(work);
            begun += rewriter.map_or(0, |thread| thread.join().unwrap());
        }
        let count = ledger.acknowledged;
        println!("{policy}: {count} operations acknowledged, {begun} snapshots begun");
        let server = self.start(2, folder.path());
        ledger.check(&mut server.client(), policy);
        let before = digest(&server);
        stop(server);
        assert_eq!(digest(&self.start(1, folder.path())), before);
    }
}

/// What an interrupted snapshot, rewrite or manifest has left is gone after a start.
fn nothing_is_left_over(folder: &Path) {
    for folder in [folder, &folder.join("appendonlydir")] {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(
                !name.starts_with("temp-") && !name.ends_with(".tmp"),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_with_always() {
    Storm::new("always", rounds(3)).rage();
}

#[test]
fn nothing_acknowledged_is_lost_with_everysec() {
    Storm::new("everysec", rounds(2)).rage();
}

#[test]
fn nothing_acknowledged_is_lost_without_fsync() {
    Storm::new("no", rounds(1)).rage();
}

#[test]
fn nothing_acknowledged_is_lost_while_the_log_is_rewritten() {
    let storm = Storm::new("always", rounds(2));
    Storm {
        rewrites: true,
        ..storm
    }
    .rage();
}
