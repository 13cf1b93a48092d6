//! A whole node in one thread, without sockets: for tests, fuzzers and simulation.
//!
//! The cores' worlds, a queue of parcels between each two of them, and a seeded order in which the
//! parcels arrive. What a client gets back is what it would get over a socket; a failure replays
//! from its seed.

use super::inbox;
use super::turn::{Input, Turn};
use crate::base::clock::{ManualClock, Millis};
use crate::base::prng::Prng;
use crate::config::{Config, Startup};
use crate::keyspace::ShardId;
use crate::observe::log::Log;
use crate::session::{Closing, Core, Node, Origin, Parcel, Session, SessionId};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::sync::Arc;

/// A client of a local node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalClient {
    core: usize,
    id: SessionId,
}

/// A node whose cores take turns in one thread.
pub struct LocalNode {
    pub node: Arc<Node>,
    pub cores: Vec<Core>,
    /// The clock all commands see.
    pub clock: ManualClock,
    turn: Turn,
    /// Parcels on their way, by sender and receiver.
    wires: Vec<Vec<VecDeque<Parcel>>>,
    random: Prng,
}

impl LocalNode {
    /// A node with default configuration but for the number of shards and DEBUG; parcels arrive in
    /// an order drawn from the seed.
    pub fn new(shards: usize, seed: u64) -> LocalNode {
        let words = [
            "--shards",
            &shards.to_string(),
            "--enable-debug-command",
            "yes",
        ];
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        match Config::load(&words) {
            Ok(Startup::Run { loaded, .. }) => LocalNode::with_config(loaded.config, seed),
            other => unreachable!("these words are a configuration: {other:?}"),
        }
    }

    /// A node with this configuration.
    pub fn with_config(config: Config, seed: u64) -> LocalNode {
        let clock = ManualClock::at(Millis(1_700_000_000_000));
        let rows = super::table().rows();
        let log = Log::new(clock.clock());
        let shards = config.shards.max(1);
        let sizes = (shards, rows);
        let node = Arc::new(Node::new(config, None, clock.clock(), sizes, log));
        let cores = (0..shards)
            .map(|id| Core::new(node.clone(), ShardId(id as u16)))
            .collect();
        let wires = (0..shards)
            .map(|_| (0..shards).map(|_| VecDeque::new()).collect())
            .collect();
        let random = Prng::from_seed(seed);
        LocalNode {
            node,
            cores,
            clock,
            turn: Turn::default(),
            wires,
            random,
        }
    }

    /// Connects a client to a core.
    pub fn connect(&mut self, core: usize) -> LocalClient {
        // A client arrives in a turn, which sees the configuration of now.
        self.begin_turn(core);
        let id = self.node.next_client_id();
        let origin = Origin {
            address: format!("127.0.0.1:{}", 40_000 + id),
            local_address: String::from("127.0.0.1:6379"),
            is_local: true,
            ..Origin::default()
        };
        let is_open = self.cores[core].config.requirepass.is_none();
        let session = Session::new(id, origin, is_open, self.cores[core].now_ms);
        let id = self.cores[core].open(session);
        self.cores[core].shard.memory.suspend();
        LocalClient { core, id }
    }

    /// A core has the thread from here on until the end of its turn.
    fn begin_turn(&mut self, number: usize) {
        self.cores[number].shard.memory.resume();
        self.cores[number].begin_turn();
    }

    /// Lets a client's bytes arrive; nothing else happens yet.
    pub fn send(&mut self, client: LocalClient, data: &[u8]) {
        self.begin_turn(client.core);
        self.turn.run(
            &mut self.cores[client.core],
            &[Input {
                session: client.id,
                data,
            }],
        );
        self.end_turn(client.core);
    }

    fn end_turn(&mut self, number: usize) {
        self.turn.settle(&mut self.cores[number]);
        self.cores[number].give_back_memory();
        if self.cores[number].is_streaming {
            self.cores[number].tell_log();
        }
        if self.cores[number].has_own_orders() {
            self.turn.settle(&mut self.cores[number]);
        }
        // Nobody sends; what a client gets it fetches itself.
        for id in std::mem::take(&mut self.cores[number].dirty) {
            if let Some(session) = self.cores[number].sessions.find_mut(id) {
                session.is_dirty = false;
            }
        }
        self.close(number);
        let wires = &mut self.wires[number];
        self.cores[number].take_parcels(|to, parcel| wires[to.0 as usize].push_back(parcel));
        self.cores[number].shard.memory.suspend();
    }

    /// Lets those clients go that have nothing more to get.
    fn close(&mut self, number: usize) {
        let core = &mut self.cores[number];
        for id in std::mem::take(&mut core.closing) {
            let is_due = core.sessions.find(id).is_some_and(|session| {
                let is_drained = session.late.is_empty() && session.output.is_empty();
                session.closing == Closing::Now || is_drained
            });
            if is_due {
                core.leave(id);
            }
        }
    }

    /// Lets a client hang up.
    pub fn leave(&mut self, client: LocalClient) {
        self.begin_turn(client.core);
        self.cores[client.core].leave(client.id);
        self.end_turn(client.core);
    }

    /// Lets a client say that it will send nothing more; it is told what it is still owed.
    pub fn hang_up(&mut self, client: LocalClient) {
        self.begin_turn(client.core);
        let core = &mut self.cores[client.core];
        if !core.give_up_waiting(client.id) {
            core.close(client.id, Closing::AfterReplies);
        }
        self.end_turn(client.core);
    }

    /// Whether a client is still connected.
    pub fn is_open(&self, client: LocalClient) -> bool {
        self.cores[client.core].sessions.find(client.id).is_some()
    }

    /// A client's session.
    pub fn session(&mut self, client: LocalClient) -> Option<&mut Session> {
        self.cores[client.core].sessions.find_mut(client.id)
    }

    /// Lets each core look at the clock once, and everything happen that follows.
    pub fn tick(&mut self) {
        for number in 0..self.cores.len() {
            self.begin_turn(number);
            self.cores[number].look_after_clients();
            while self.cores[number].shard.space.bury_step() {}
            self.cores[number].publish();
            self.end_turn(number);
        }
        self.run();
    }

    /// Delivers one parcel, drawn at random; false when none is on its way.
    pub fn step(&mut self) -> bool {
        let shards = self.cores.len();
        let full: Vec<(usize, usize)> = (0..shards * shards)
            .map(|pair| (pair / shards, pair % shards))
            .filter(|(from, to)| !self.wires[*from][*to].is_empty())
            .collect();
        if full.is_empty() {
            return false;
        }
        let (from, to) = full[self.random.below(full.len() as u64) as usize];
        if let Some(parcel) = self.wires[from][to].pop_front() {
            self.begin_turn(to);
            inbox::receive(&mut self.cores[to], ShardId(from as u16), parcel);
            self.end_turn(to);
        }
        true
    }

    /// Delivers parcels until none is on its way.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// What has been written for a client since the last time.
    pub fn receive(&mut self, client: LocalClient) -> Vec<u8> {
        let Some(session) = self.cores[client.core].sessions.find_mut(client.id) else {
            return Vec::new();
        };
        session.is_dirty = false;
        let replies = std::mem::take(&mut session.output).to_bytes();
        if session.closing != Closing::No {
            self.cores[client.core].closing.push(client.id);
            self.close(client.core);
        }
        replies
    }

    /// Sends a client's bytes, lets everything happen, and returns the replies.
    pub fn talk(&mut self, client: LocalClient, data: &[u8]) -> Vec<u8> {
        self.send(client, data);
        self.run();
        self.receive(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shards: usize, dialogue: &[(&str, &str)]) {
        let mut node = LocalNode::new(shards, 7);
        let client = node.connect(shards - 1);
        for (line, expected) in dialogue {
            let reply = node.talk(client, format!("{line}\r\n").as_bytes());
            let reply = String::from_utf8(reply).expect("these replies are text");
            assert_eq!(&reply, expected, "{shards} shards: {line}");
        }
    }

    #[test]
    fn the_slice_answers_on_any_number_of_shards() {
        for shards in [1, 2, 7] {
            check(
                shards,
                &[
                    ("PING", "+PONG\r\n"),
                    ("SET a 1", "+OK\r\n"),
                    ("GET a", "$1\r\n1\r\n"),
                    ("MSET a 1 b 2 c 3 d 4 e 5", "+OK\r\n"),
                    (
                        "MGET a b nosuch c d e",
                        "*6\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n",
                    ),
                    (
                        "MSET a",
                        "-ERR wrong number of arguments for 'mset' command\r\n",
                    ),
                    (
                        "MSET a 1 b 2 c 3 d 4 e",
                        "-ERR wrong number of arguments for 'mset' command\r\n",
                    ),
                    ("SET a b NX", "$-1\r\n"),
                    ("SET a b XX GET", "$1\r\n1\r\n"),
                    (
                        "GET a\r\nGET b\r\nGET c\r\nPING",
                        "$1\r\nb\r\n$1\r\n2\r\n$1\r\n3\r\n+PONG\r\n",
                    ),
                    (
                        "NOSUCH a b",
                        "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n",
                    ),
                ],
            );
        }
    }

    #[test]
    fn clients_on_all_cores_see_operations_whole() {
        for seed in 0..200 {
            let mut node = LocalNode::new(3, seed);
            let clients: Vec<_> = (0..6).map(|n| node.connect(n % 3)).collect();
            let mut random = Prng::from_seed(seed);
            for round in 0..20 {
                for (n, client) in clients.iter().enumerate() {
                    let line = match n % 2 {
                        0 => format!("MSET x {round} y {round} z {round} q {round}\r\n"),
                        _ => "MGET x y z q\r\n".to_string(),
                    };
                    node.send(*client, line.as_bytes());
                    for _ in 0..random.below(4) {
                        node.step();
                    }
                }
                node.run();
                for (n, client) in clients.iter().enumerate() {
                    let reply = String::from_utf8(node.receive(*client)).expect("text");
                    if n % 2 == 0 {
                        assert_eq!(reply, "+OK\r\n", "seed {seed}");
                        continue;
                    }
                    let values: Vec<&str> = reply.lines().skip(1).collect();
                    assert!(!values.is_empty(), "seed {seed}: no reply");
                    let quarter = values.len() / 4;
                    assert!(
                        values
                            .chunks(quarter)
                            .all(|chunk| chunk == &values[..quarter]),
                        "seed {seed}: {reply}"
                    );
                }
            }
            assert!(
                node.cores.iter().all(|core| core.shard.locks.is_empty()),
                "seed {seed}"
            );
        }
    }
}
