//! Clients that write without a pause, whatever becomes of the server.
//!
//! The commands are of all types; some expire soon, some come in transactions, and of most what
//! has to be passed on is not the command as it came.

use crate::support::Client;
use crate::support::prng::Prng;
use crate::support::wait::holds_within;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a client waits before it calls a server again that is away.
const AWAY: Duration = Duration::from_millis(10);
/// Nobody rests for longer.
const REST_MAX: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct State {
    is_over: AtomicBool,
    is_resting: AtomicBool,
    /// Threads that have noticed the rest.
    resting: AtomicU64,
    port: u16,
    password: Option<&'static str>,
    writes: AtomicU64,
}

pub struct Load {
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

/// A random command that writes, and whose effect is mostly not the command as it came.
pub fn lasting_command(random: &mut Prng) -> String {
    let key = random.below(50);
    let next = key + 1;
    match random.below(14) {
        0 => format!("SET k{key} {}", random.below(1000)),
        1 => format!("INCRBYFLOAT f{key} 1.1"),
        2 => format!("SADD s{key} a b c d e f g"),
        3 => format!("SPOP s{key}"),
        4 => format!("SET v{key} x EX 1000"),
        5 => format!("PEXPIRE k{key} 100000"),
        6 => format!("MSET m{key} 1 m{next} 2 m{} 3", key + 2),
        7 => format!("LPUSH l{key} {}", random.below(100)),
        8 => format!("RPOPLPUSH l{key} l{next}"),
        9 => format!("ZADD z{key} {} a", random.below(10)),
        10 => format!("HINCRBYFLOAT h{key} field 0.5"),
        11 => format!("XADD x{key} MAXLEN ~ 100 * f v"),
        12 => format!("SUNIONSTORE u{key} s{key} s{next}"),
        _ => format!("DEL k{key} m{next}"),
    }
}

/// The same, with types and keys that do not last among them.
pub fn command(random: &mut Prng) -> String {
    let key = random.below(50);
    let next = key + 1;
    match random.below(22) {
        0 => format!("SET e{key} soon PX {}", 1 + random.below(60)),
        1 => format!("GETEX k{key} PX {}", 1 + random.below(100)),
        2 => format!("SETBIT b{key} {} 1", random.below(1000)),
        3 => format!("PFADD p{key} {}", random.below(1000)),
        4 => format!("GEOADD g{key} 13.{} 38.1 a", random.below(100)),
        5 => format!("LTRIM l{key} 0 50"),
        6 => format!("RENAME m{key} m{next}"),
        7 => format!("COPY k{key} c{next} REPLACE"),
        _ => lasting_command(random),
    }
}

impl Load {
    /// So many clients of the server on this port.
    pub fn on(port: u16, clients: u64) -> Load {
        Load::of(port, clients, None)
    }

    /// The same, with a password if there is one.
    pub fn of(port: u16, clients: u64, password: Option<&'static str>) -> Load {
        let state = Arc::new(State {
            port,
            password,
            ..State::default()
        });
        let threads = (0..clients).map(|number| {
            let state = state.clone();
            std::thread::spawn(move || state.write(number))
        });
        Load {
            threads: threads.collect(),
            state,
        }
    }

    /// Writes that were answered so far.
    pub fn writes(&self) -> u64 {
        self.state.writes.load(Relaxed)
    }

    /// Nothing is written until [`Load::go_on`].
    pub fn rest(&self) {
        self.state.is_resting.store(true, Relaxed);
        let all = self.threads.len() as u64;
        crate::support::wait_until("all clients rest", || {
            self.state.resting.load(Relaxed) == all
        });
    }

    pub fn go_on(&self) {
        self.state.is_resting.store(false, Relaxed);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.state.is_over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}

impl State {
    fn write(&self, seed: u64) {
        let mut random = Prng::new(seed);
        while !self.is_over.load(Relaxed) {
            let Ok(mut client) = self.connect() else {
                holds_within(AWAY, &mut || !self.look());
                continue;
            };
            while self.look() {
                if self.some(&mut client, &mut random).is_err() {
                    break;
                }
            }
        }
    }

    fn connect(&self) -> std::io::Result<Client> {
        let mut client = Client::try_connect(self.port)?;
        if let Some(password) = self.password {
            client.try_call(&format!("AUTH {password}"))?;
        }
        Ok(client)
    }

    /// Rests if that is wanted; false when it is over.
    fn look(&self) -> bool {
        if self.is_resting.load(Relaxed) {
            self.resting.fetch_add(1, Relaxed);
            let wants_on = || !self.is_resting.load(Relaxed) || self.is_over.load(Relaxed);
            holds_within(REST_MAX, &mut { wants_on });
            self.resting.fetch_sub(1, Relaxed);
        }
        !self.is_over.load(Relaxed)
    }

    fn some(&self, client: &mut Client, random: &mut Prng) -> std::io::Result<()> {
        let in_multi = random.percent(5);
        if in_multi {
            client.try_call("MULTI")?;
        }
        for _ in 0..3 {
            client.try_call(&command(random))?;
        }
        if in_multi {
            client.try_call("EXEC")?;
        }
        self.writes.fetch_add(3, Relaxed);
        Ok(())
    }
}
