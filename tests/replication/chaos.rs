//! Chains of three under full load while links are cut and reset, processes stopped and killed.
//!
//! Whatever happened, when it is over all three have the same data soon, nobody hangs, and neither
//! descriptors nor threads have become more. `CHAOS_ROUNDS=100` is the full number; `CHAOS_SEED=`
//! repeats a run.

use crate::load::Load;
use crate::pair::{digest, number, prompt, rounds};
use crate::proxy::Proxy;
use crate::support::prng::{Prng, seed_from};
use crate::support::wait::holds_within;
use crate::support::{Client, Server, Setup, wait_until};
use std::time::{Duration, Instant};

/// How soon all have to be equal when everything is healed: a connection is tried every second.
const HEALING: Duration = Duration::from_secs(5);
/// Descriptors and threads that come and go.
const SLACK: usize = 12;

struct Member {
    server: Server,
    setup: Setup,
    /// Its way to its master.
    way: Option<Proxy>,
    /// Threads and descriptors when all was quiet.
    usual: (usize, usize),
}

impl Member {
    fn below(master: Option<&Member>, shards: usize) -> Member {
        let mut setup = prompt(Setup::ringshard(shards)).arg("appendonly", "yes");
        let way = master.map(|master| Proxy::to(master.server.port()));
        if let Some(way) = &way {
            setup = setup.arg("replicaof", &format!("127.0.0.1 {}", way.port));
        }
        Member {
            server: setup.start(),
            setup,
            way,
            usual: (0, 0),
        }
    }

    /// How many threads and descriptors the process has.
    fn resources(&self) -> (usize, usize) {
        let count = |what: &str| {
            let folder = std::fs::read_dir(format!("/proc/{}/{what}", self.server.pid()));
            folder.map_or(0, Iterator::count)
        };
        (count("task"), count("fd"))
    }
}

fn field(server: &Server, name: &str) -> i64 {
    Client::try_connect(server.port()).map_or(-1, |mut client| number(&mut client, name))
}

/// Whether all three have the same data.
fn are_equal(chain: &[Member]) -> bool {
    let offset = field(&chain[0].server, "master_repl_offset");
    let follows = |member: &Member| field(&member.server, "slave_repl_offset") == offset;
    if offset < 0 || !chain[1..].iter().all(follows) {
        return false;
    }
    let first = digest(&chain[0].server);
    chain[1..].iter().all(|it| digest(&it.server) == first)
}

/// Where each member is.
fn shown(chain: &[Member]) -> String {
    let member = |it: &Member| {
        let mut client = it.server.client();
        let offsets = ["master_repl_offset", "slave_repl_offset"];
        let offsets = offsets.map(|name| number(&mut client, name));
        let keys = client.call("DBSIZE").integer();
        format!("{offsets:?} {keys} keys {}", digest(&it.server))
    };
    chain.iter().map(member).collect::<Vec<_>>().join(", ")
}

fn last(fault: &str, length: Duration) {
    println!("  {fault} for {length:?}");
    holds_within(length, &mut || false);
}

/// One fault, and its end.
fn harm(chain: &mut [Member], random: &mut Prng) {
    let who = random.below(3);
    let length = Duration::from_millis(50 + random.below(1500) as u64);
    let way = chain[1 + random.below(2)].way.as_ref().unwrap();
    match random.below(6) {
        0 => {
            way.stall();
            last("a link is stalled", length);
            way.open();
        }
        1 => {
            way.down();
            last("a link is down", length);
            way.open();
        }
        2 => {
            way.reset();
            last("a link is reset", length / 4);
        }
        3 => {
            chain[who].server.signal(libc::SIGSTOP);
            last(&format!("member {who} is stopped"), length);
            chain[who].server.signal(libc::SIGCONT);
        }
        4 => {
            let member = &mut chain[who];
            member.server.kill();
            last(&format!("member {who} is killed and away"), length / 2);
            member.server.start_again(&member.setup);
        }
        _ => {
            let member = &mut chain[who];
            member.server.signal(libc::SIGTERM);
            last(&format!("member {who} ends in good order"), length / 4);
            member.server.start_again(&member.setup);
        }
    }
}

fn note_usual(chain: &mut [Member]) {
    for member in chain {
        member.usual = member.resources();
    }
}

#[test]
fn chains_heal() {
    let seed = seed_from("CHAOS_SEED");
    println!("CHAOS_SEED={seed}");
    let mut random = Prng::new(seed);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds("CHAOS_ROUNDS", 2).div_ceil(10) {
        let shards = [0; 3].map(|_| 1 + random.below(4));
        println!("chain {round} of {shards:?} shards");
        let first = Member::below(None, shards[0]);
        let second = Member::below(Some(&first), shards[1]);
        let third = Member::below(Some(&second), shards[2]);
        let mut chain = [first, second, third];
        wait_until("the chain stands", || are_equal(&chain));
        let load = Load::on(chain[0].server.port(), 2);
        for _ in 0..rounds("CHAOS_ROUNDS", 2).min(10) {
            let begin = load.writes();
            wait_until("clients write", || load.writes() > begin + 300);
            note_usual(&mut chain);
            harm(&mut chain, &mut random);
            load.rest();
            let healed = Instant::now();
            let is_healed = holds_within(HEALING * 6, &mut || are_equal(&chain));
            assert!(is_healed, "the chain does not heal: {}", shown(&chain));
            slowest = slowest.max(healed.elapsed());
            for (number, member) in chain.iter().enumerate() {
                let (threads, descriptors) = member.usual;
                let is_flat = || {
                    let now = member.resources();
                    now.0 <= threads + SLACK && now.1 <= descriptors + SLACK
                };
                assert!(
                    holds_within(HEALING, &mut { is_flat }),
                    "member {number} had {:?} threads and descriptors and has {:?}",
                    member.usual,
                    member.resources()
                );
            }
            load.go_on();
        }
    }
    println!("equal {slowest:?} after healing at the latest");
    assert!(slowest <= HEALING, "{slowest:?}");
}
