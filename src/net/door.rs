//! Who may come in, and on which core they sit.
//!
//! The kernel spreads connections over the shards' listeners by a hash, so a few can all land on
//! one core. A core that has clearly more than its share hands a fresh connection to the one with
//! the fewest.

use super::reactor::Reactor;
use crate::config::Config;
use crate::session::Origin;
use socket2::{SockAddr, SockRef};
use std::io::Write;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many clients sit on each core, over all cores.
#[derive(Debug)]
pub struct Seats(Box<[AtomicU64]>);

impl Seats {
    /// Empty seats for so many cores.
    pub fn new(cores: usize) -> Seats {
        Seats((0..cores).map(|_| AtomicU64::new(0)).collect())
    }

    /// All clients.
    pub fn taken(&self) -> u64 {
        self.0
            .iter()
            .map(|seats| seats.load(Ordering::Relaxed))
            .sum()
    }

    /// Takes a seat for a connection that has arrived on `core`, there or on a less busy core.
    pub fn take(&self, core: usize) -> usize {
        /// How many more than the least busy core a core keeps before it hands on.
        const SPREAD_MIN: u64 = 1;
        let own = self.0[core].load(Ordering::Relaxed);
        let counts = self
            .0
            .iter()
            .map(|seats| seats.load(Ordering::Relaxed))
            .enumerate();
        let (least, fewest) = counts
            .min_by_key(|(_, count)| *count)
            .unwrap_or((core, own));
        let chosen = if own > fewest + SPREAD_MIN + fewest / 16 {
            least
        } else {
            core
        };
        self.0[chosen].fetch_add(1, Ordering::Relaxed);
        chosen
    }

    /// Takes a seat on this core for a connection that has to be there.
    pub fn take_here(&self, core: usize) {
        self.0[core].fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a seat back.
    pub fn leave(&self, core: usize) {
        self.0[core].fetch_sub(1, Ordering::Relaxed);
    }
}

const DENIED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled \
and no password is set for the default user. In this mode connections are only accepted from the \
loopback interface. If you want to connect from external computers to Redis you may adopt one of \
the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the \
server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. \
Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
protected mode by editing the Redis configuration file, and setting the protected mode option to \
'no', and then restarting the server. 3) If you started the server manually just for testing, \
restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the \
default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";

/// Why a connection is turned away, and what it is told.
pub(super) fn refusal(config: &Config, origin: &Origin, seats: &Seats) -> Option<&'static str> {
    if seats.taken() >= u64::from(config.maxclients) {
        return Some("-ERR max number of clients reached\r\n");
    }
    let is_protected = config.protected_mode && config.requirepass.is_none();
    if is_protected && !origin.is_local && !origin.is_unix {
        return Some(DENIED);
    }
    None
}

/// Tells a connection why it is turned away, if its socket takes that at once.
pub(super) fn turn_away(fd: OwnedFd, text: &str) {
    let mut stream = TcpStream::from(fd);
    if stream.set_nonblocking(true).is_ok() {
        // Whoever does not listen learns it from the closed connection.
        let _ = stream.write(text.as_bytes());
    }
}

/// Where a connection comes from.
pub(super) fn origin(fd: &OwnedFd, unix_path: &str) -> Origin {
    let socket = SockRef::from(fd);
    let peer = socket.peer_addr().ok();
    let local = socket.local_addr().ok();
    let is_unix = local.as_ref().is_some_and(SockAddr::is_unix);
    let text = |address: Option<&SockAddr>| match address.and_then(SockAddr::as_socket) {
        Some(address) => address.to_string().replace(['[', ']'], ""),
        None if is_unix => format!("{unix_path}:0"),
        None => "?:0".into(),
    };
    let is_local = peer
        .as_ref()
        .and_then(SockAddr::as_socket)
        .is_some_and(|address| match address.ip() {
            IpAddr::V6(ip) => ip.to_canonical().is_loopback(),
            IpAddr::V4(ip) => ip.is_loopback(),
        });
    Origin {
        address: text(peer.as_ref()),
        local_address: text(local.as_ref()),
        is_unix,
        is_local,
        fd: fd.as_raw_fd(),
    }
}

impl Reactor {
    pub(super) fn accept_failed(&mut self, listener: u32, errno: i32) {
        if errno == libc::EINVAL && self.core.node.is_ending() {
            // It does not listen any more.
            return;
        }
        tracing::warn!(
            "Accepting client connection: {}",
            std::io::Error::from_raw_os_error(errno)
        );
        self.deaf.push(listener);
    }

    pub(super) fn hear_again(&mut self) {
        for number in std::mem::take(&mut self.deaf) {
            let fd = self.listeners[number as usize].as_raw_fd();
            self.ring.accept(fd, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_spread_evenly() {
        let seats = Seats::new(4);
        for _ in 0..400 {
            seats.take(0);
        }
        assert_eq!(seats.taken(), 400);
        let counts: Vec<u64> = seats
            .0
            .iter()
            .map(|seats| seats.load(Ordering::Relaxed))
            .collect();
        assert!(
            counts.iter().all(|count| (90..=115).contains(count)),
            "{counts:?}"
        );
    }
}
