//! Job queues under load: fifty clients wait on several shards while elements arrive and some of
//! the clients are killed, hang up or vanish. Every element is handed over once or still there.
//!
//! Who is killed or hangs up reads what it was sent until the end, and that counts. Who vanishes
//! has its elements moved to a list of its own, so that they are seen whatever became of it.
//! `BLOCKING_ELEMENTS=` says how many there are.

use crate::support::prng::Prng;
use crate::support::server::is_stand_in;
use crate::support::{Client, Reply, Server, wait_until};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

const ELEMENTS: u64 = 20_000;
const CONSUMERS: u64 = 50;
const PRODUCERS: u64 = 2;
const QUEUES: usize = 12;

struct Market {
    port: u16,
    /// Numbers of consumers' connections that may be killed.
    killable: Mutex<Vec<i64>>,
    taken: Mutex<Vec<u64>>,
    count: AtomicU64,
    is_over: AtomicBool,
}

fn elements() -> u64 {
    let text = std::env::var("BLOCKING_ELEMENTS");
    text.map_or(ELEMENTS, |text| text.parse().expect("a number"))
}

fn numbers(reply: &Reply, into: &mut Vec<u64>) {
    if let Reply::Bulk(text) = reply {
        into.extend(String::from_utf8_lossy(text).parse::<u64>().ok());
    }
    for item in reply.items() {
        numbers(item, into);
    }
}

impl Market {
    fn take(&self, reply: &Reply) {
        let mut got = Vec::new();
        numbers(reply, &mut got);
        self.count.fetch_add(got.len() as u64, Relaxed);
        self.taken.lock().expect("not poisoned").extend(got);
    }

    /// One connection of a consumer, until it ends in one way or another.
    fn consume(&self, number: u64, random: &mut Prng) {
        let mut client = Client::connect(self.port);
        let Reply::Integer(id) = client.call("CLIENT ID") else {
            panic!("CLIENT ID is a number");
        };
        let way = random.below(4);
        if way == 0 {
            self.killable.lock().expect("not poisoned").push(id);
        }
        for _ in 0..200 + random.below(400) {
            let (one, two) = (random.below(QUEUES), random.below(QUEUES));
            let line = match (way, random.below(3)) {
                (3, _) => format!("BLMOVE q{one} kept{number} LEFT RIGHT 0.2"),
                (_, 0) => format!("BLPOP q{one} q{two} 0.2"),
                (_, 1) => format!("BRPOP q{one} 0.2"),
                _ => format!("BLMPOP 0.2 2 q{two} q{one} LEFT COUNT 3"),
            };
            match client.try_call(&line) {
                Ok(reply) if way != 3 => self.take(&reply),
                Ok(reply) => drop(self.count.fetch_add(u64::from(!reply.is_nil()), Relaxed)),
                // Killed.
                Err(_) => return,
            }
            if self.is_over.load(Relaxed) {
                return;
            }
        }
        self.part(client, way, random);
    }

    /// The end of a connection with a command on its way.
    fn part(&self, mut client: Client, way: usize, random: &mut Prng) {
        let queue = random.below(QUEUES);
        if way == 3 {
            let line = format!("BLMOVE q{queue} kept LEFT RIGHT 0\r\n");
            return drop(client.try_send_bytes(line.as_bytes()));
        }
        let line = format!("BLPOP q{queue} q{} 0\r\n", random.below(QUEUES));
        if client.try_send_bytes(line.as_bytes()).is_ok() {
            client.hang_up();
            while let Some((reply, _)) = client.receive_with_bytes() {
                self.take(&reply);
            }
        }
    }

    fn produce(&self, number: u64, total: u64) {
        let mut client = Client::connect(self.port);
        let mut random = Prng::new(number);
        let mut next = number;
        while next < total {
            let (one, two) = (random.below(QUEUES), random.below(QUEUES));
            let reply = match random.below(8) {
                0 if next + PRODUCERS < total => {
                    client.call("MULTI");
                    client.call(&format!("RPUSH q{one} {next}"));
                    next += PRODUCERS;
                    client.call(&format!("RPUSH q{two} {next}"));
                    client.call("EXEC")
                }
                1 => {
                    client.call(&format!("RPUSH other {next}"));
                    client.call(&format!("LMOVE other q{one} LEFT LEFT"))
                }
                _ => client.call(&format!("LPUSH q{one} {next}")),
            };
            assert!(!reply.is_error(), "{reply:?}");
            next += PRODUCERS;
        }
    }

    fn kill(&self) {
        let mut client = Client::connect(self.port);
        let mut random = Prng::new(7);
        let mut quiet = 0;
        while !self.is_over.load(Relaxed) {
            let mut killable = self.killable.lock().expect("not poisoned");
            let Some(id) = killable.pop() else {
                drop(killable);
                // Something to do, so that this is no busy loop without the server's answer.
                quiet += 1;
                client.call("PING");
                continue;
            };
            drop(killable);
            for _ in 0..random.below(300) {
                client.call("PING");
            }
            client.call(&format!("CLIENT KILL ID {id}"));
        }
        assert!(quiet < u64::MAX);
    }
}

/// The killer pushes the element that its victim waits for in the same breath.
#[test]
fn who_is_killed_as_an_element_comes_has_it() {
    if is_stand_in() {
        return;
    }
    for shards in [1, 4] {
        let server = Server::ringshard(shards);
        let mut killer = server.client();
        for round in 0..300 {
            let mut victim = server.client();
            let id = victim.call("CLIENT ID").integer();
            let queue = format!("q{}", round % 7);
            victim.send_bytes(format!("BLPOP {queue} other{round} 0\r\n").as_bytes());
            if round % 3 > 0 {
                wait_until("it waits", || {
                    let info = killer.call("INFO clients").text();
                    info.contains("blocked_clients:1\r\n")
                });
            }
            let lines = format!("RPUSH {queue} {round}\r\nCLIENT KILL ID {id}\r\n");
            killer.send_bytes(lines.as_bytes());
            assert_eq!(killer.receive().integer(), 1);
            assert_eq!(killer.receive().integer(), 1);
            let mut got = Vec::new();
            while let Some((reply, _)) = victim.receive_with_bytes() {
                numbers(&reply, &mut got);
            }
            numbers(&killer.call(&format!("LRANGE {queue} 0 -1")), &mut got);
            assert_eq!(got, [round], "{shards} shards");
            killer.call(&format!("DEL {queue}"));
        }
    }
}

#[test]
fn no_element_is_lost_or_handed_over_twice() {
    if is_stand_in() {
        return;
    }
    let total = elements();
    let server = Server::ringshard(4);
    let market = Market {
        port: server.port(),
        killable: Mutex::default(),
        taken: Mutex::default(),
        count: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let market = &market;
        for number in 0..CONSUMERS {
            scope.spawn(move || {
                let mut random = Prng::new(1000 + number);
                while !market.is_over.load(Relaxed) {
                    market.consume(number, &mut random);
                }
            });
        }
        scope.spawn(|| market.kill());
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|number| scope.spawn(move || market.produce(number, total)))
            .collect();
        for producer in producers {
            producer.join().expect("producers end");
        }
        market.is_over.store(true, Relaxed);
    });
    let mut client = server.client();
    let mut all = market.taken.into_inner().expect("not poisoned");
    let kept = (0..CONSUMERS).map(|number| format!("kept{number}"));
    let queues = (0..QUEUES).map(|number| format!("q{number}"));
    for key in kept.chain(queues).chain(["kept".into(), "other".into()]) {
        let left = client.call(&format!("LRANGE {key} 0 -1"));
        numbers(&left, &mut all);
    }
    all.sort_unstable();
    let doubled: Vec<u64> = all
        .windows(2)
        .filter(|it| it[0] == it[1])
        .map(|it| it[0])
        .collect();
    assert!(doubled.is_empty(), "handed over twice: {doubled:?}");
    let is_there = |number: &u64| all.binary_search(number).is_ok();
    let lost: Vec<u64> = (0..total).filter(|number| !is_there(number)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let info = client.call("INFO clients").text();
    assert!(info.contains("blocked_clients:0\r\n"), "{info}");
    assert!(info.contains("total_blocking_keys:0\r\n"), "{info}");
}
