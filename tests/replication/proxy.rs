//! A link that can be cut: a proxy between a replica and its master.
//!
//! It passes bytes both ways until it is told otherwise: then it holds them back without a word, as
//! a network does that loses packets, or resets all connections, or takes no new ones.

use crate::support::wait::holds_within;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OPEN: u8 = 0;
const STALLED: u8 = 1;
const DOWN: u8 = 2;
const OVER: u8 = 3;

/// No test stalls a link for longer.
const STALL_MAX: Duration = Duration::from_secs(600);

struct State {
    target: u16,
    mode: AtomicU8,
    links: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// A way to the server on this port.
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            target,
            mode: AtomicU8::new(OPEN),
            links: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || shared.accept(&listener));
        Proxy { port, state }
    }

    /// Nothing gets through, and nobody is told.
    pub fn stall(&self) {
        self.state.mode.store(STALLED, Relaxed);
    }

    /// Everything gets through again.
    pub fn open(&self) {
        self.state.mode.store(OPEN, Relaxed);
    }

    /// All connections end at once, and there are no new ones.
    pub fn down(&self) {
        self.state.mode.store(DOWN, Relaxed);
        self.reset();
    }

    /// All connections end at once.
    pub fn reset(&self) {
        for link in self.state.links.lock().unwrap().drain(..) {
            // Without a farewell: who closes then sends a reset.
            let _ = socket2::SockRef::from(&link).set_linger(Some(Duration::ZERO));
            let _ = link.shutdown(Shutdown::Read);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.mode.store(OVER, Relaxed);
        self.reset();
        // Wakes whoever accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn accept(self: &Arc<State>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            match self.mode.load(Relaxed) {
                OVER => return,
                DOWN => {}
                _ => self.join(client),
            }
        }
    }

    /// Passes on what either side says.
    fn join(self: &Arc<State>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target)) else {
            return;
        };
        let _ = client.set_nodelay(true).and(server.set_nodelay(true));
        let both = [(&client, &server), (&server, &client)];
        for (from, to) in both {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let state = self.clone();
            std::thread::spawn(move || state.pump(from, to));
        }
        self.links.lock().unwrap().extend([client, server]);
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(got) = from.read(&mut buffer) {
            holds_within(STALL_MAX, &mut || self.mode.load(Relaxed) != STALLED);
            if got == 0 || to.write_all(&buffer[..got]).is_err() {
                break;
            }
        }
        let linger = socket2::SockRef::from(&to).linger();
        if linger.is_ok_and(|linger| linger.is_none()) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }
}
