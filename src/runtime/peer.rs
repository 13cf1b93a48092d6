//! Connections to other servers, for threads that may wait.
//!
//! A [`Peer`] sends bytes and receives lines; every step has its own time-out, in exact
//! milliseconds, because the socket does not block and the thread sleeps in poll (time-outs of
//! sockets are rounded to the kernel's ticks). [`Peers`] keeps connections for the next one who
//! wants to talk to the same server. What it does not do: know what is said.

use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A connection to another server.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    /// What has arrived behind the lines that were read.
    input: Vec<u8>,
    /// What the other side is known to be set to, for whoever takes the connection next.
    pub selected: Option<i64>,
}

/// So much is sent under one time-out.
const CHUNK_BYTES: usize = 64 * 1024;
/// Whoever answers with longer lines does not speak our language.
const LINE_BYTES_MAX: usize = 64 * 1024;

impl Peer {
    /// Connects to the first address of this name that answers.
    pub fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<Peer> {
        Peer::connect_from(None, (host, port), timeout)
    }

    /// The same, from this address of ours if one is named and is ours.
    pub fn connect_from(
        source: Option<IpAddr>,
        (host, port): (&str, u16),
        timeout: Duration,
    ) -> io::Result<Peer> {
        let mut failure = io::Error::from(ErrorKind::NotFound);
        for address in (host, port).to_socket_addrs()? {
            match connect(source, address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_nonblocking(true)?;
                    return Ok(Peer {
                        stream,
                        input: Vec::new(),
                        selected: None,
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<()> {
        for mut chunk in bytes.chunks(CHUNK_BYTES) {
            let deadline = Deadline::after(timeout);
            while !chunk.is_empty() {
                match self.stream.write(chunk) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(sent) => chunk = &chunk[sent..],
                    Err(error) => self.wait(&error, libc::POLLOUT, &deadline)?,
                }
            }
        }
        Ok(())
    }

    /// The next line, without its end.
    pub fn line(&mut self, timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Deadline::after(timeout);
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.input.len() > LINE_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => self.input.extend_from_slice(&buffer[..got]),
                Err(error) => self.wait(&error, libc::POLLIN, &deadline)?,
            }
        }
    }

    /// What has arrived and was not read yet, or what arrives next.
    pub fn receive(&mut self, timeout: Duration) -> io::Result<Vec<u8>> {
        if !self.input.is_empty() {
            return Ok(std::mem::take(&mut self.input));
        }
        let mut buffer = vec![0; CHUNK_BYTES];
        let got = self.fill(&mut buffer, timeout)?;
        buffer.truncate(got);
        Ok(buffer)
    }

    /// The same into a buffer with room; how much it was.
    pub fn fill(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if !self.input.is_empty() {
            let got = self.input.len().min(buffer.len());
            buffer[..got].copy_from_slice(&self.input[..got]);
            self.input.drain(..got);
            return Ok(got);
        }
        let deadline = Deadline::after(timeout);
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => return Ok(got),
                Err(error) => self.wait(&error, libc::POLLIN, &deadline)?,
            }
        }
    }

    /// Takes back the end of what was received: it is what arrives next.
    pub fn give_back(&mut self, rest: Vec<u8>) {
        self.input.splice(0..0, rest);
    }

    /// Leaves the socket to somebody else, with what has arrived on it.
    pub fn into_parts(self) -> io::Result<(OwnedFd, Vec<u8>)> {
        self.stream.set_nonblocking(false)?;
        Ok((self.stream.into(), self.input))
    }

    /// Sleeps until the socket is ready, if that is all that was wrong.
    fn wait(&self, error: &io::Error, events: i16, deadline: &Deadline) -> io::Result<()> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock => {}
            _ => return Err(io::Error::from(error.kind())),
        }
        let left = deadline.left();
        let left = libc::timespec {
            tv_sec: left.as_secs() as libc::time_t,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut poll = libc::pollfd {
            fd: self.stream.as_raw_fd(),
            events,
            revents: 0,
        };
        // SAFETY: one entry and a time, both locals; no signal mask.
        match unsafe { libc::ppoll(&mut poll, 1, &left, std::ptr::null()) } {
            0 => Err(ErrorKind::TimedOut.into()),
            // Whatever it is, the next call on the socket will say.
            _ => Ok(()),
        }
    }
}

fn connect(source: Option<IpAddr>, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let Some(source) = source else {
        return TcpStream::connect_timeout(&to, timeout);
    };
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    // Redis: a connection from elsewhere is better than none.
    let _ = socket.bind(&SocketAddr::new(source, 0).into());
    socket.connect_timeout(&to.into(), timeout)?;
    Ok(socket.into())
}

/// Whether small pieces are sent at once on a socket, whoever holds it.
pub fn set_nodelay(fd: &OwnedFd, is_wanted: bool) {
    // One that is not connected any more needs nothing.
    let _ = SockRef::from(fd).set_tcp_nodelay(is_wanted);
}

/// Sends a snapshot in a file, its length ahead; no write may take longer than the time-out.
pub fn send_file(fd: OwnedFd, path: &Path, timeout: Duration) -> io::Result<u64> {
    let mut stream = TcpStream::from(fd);
    stream.set_write_timeout(Some(timeout))?;
    let mut file = std::fs::File::open(path)?;
    let len = file.metadata()?.len();
    stream.write_all(format!("${len}\r\n").as_bytes())?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(len),
            got => stream.write_all(&buffer[..got])?,
        }
    }
}

/// Lets nothing more be sent or received on a socket, whoever else holds it.
pub fn hang_up(fd: &OwnedFd) {
    if let Ok(other) = fd.try_clone() {
        // One that is not connected any more is as good.
        let _ = TcpStream::from(other).shutdown(Shutdown::Both);
    }
}

struct Deadline(Instant, Duration);

impl Deadline {
    fn after(timeout: Duration) -> Deadline {
        Deadline(Instant::now(), timeout)
    }

    fn left(&self) -> Duration {
        self.1.saturating_sub(self.0.elapsed())
    }
}

/// Connections that nobody uses at the moment, by names their users give them.
#[derive(Debug)]
pub struct Peers(Mutex<Vec<Resting>>);

#[derive(Debug)]
struct Resting {
    name: Vec<u8>,
    peer: Peer,
    since: Instant,
}

/// Kept this long, and so many at most.
const REST: Duration = Duration::from_secs(10);
const RESTING_MAX: usize = 64;

impl Peers {
    /// None yet.
    pub const fn new() -> Peers {
        Peers(Mutex::new(Vec::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Resting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection that was kept.
    pub fn take(&self, name: &[u8]) -> Option<Peer> {
        self.sweep();
        let mut resting = self.lock();
        let at = resting.iter().position(|resting| resting.name == name)?;
        Some(resting.swap_remove(at).peer)
    }

    /// Keeps a connection for a while.
    pub fn keep(&self, name: &[u8], peer: Peer) {
        let mut resting = self.lock();
        if resting.len() >= RESTING_MAX {
            resting.swap_remove(0);
        }
        resting.push(Resting {
            name: name.to_vec(),
            peer,
            since: Instant::now(),
        });
    }

    /// Closes those that have rested too long.
    pub fn sweep(&self) {
        self.lock().retain(|resting| resting.since.elapsed() < REST);
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Peers {
    fn default() -> Peers {
        Peers::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Peer, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = Peer::connect("127.0.0.1", port, Duration::from_secs(5)).unwrap();
        (peer, listener.accept().unwrap().0)
    }

    #[test]
    fn lines_come_one_by_one_however_they_arrive() {
        let (mut peer, mut other) = pair();
        other.write_all(b"+OK\r\n-ERR no\r\n+ha").unwrap();
        let timeout = Duration::from_secs(5);
        assert_eq!(peer.line(timeout).unwrap(), b"+OK");
        assert_eq!(peer.line(timeout).unwrap(), b"-ERR no");
        other.write_all(b"lf\n").unwrap();
        assert_eq!(peer.line(timeout).unwrap(), b"+half");
        drop(other);
        let end = peer.line(timeout).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nobody_waits_longer_than_agreed() {
        let (mut peer, other) = pair();
        let start = Instant::now();
        let timeout = Duration::from_millis(30);
        let silence = peer.line(timeout).unwrap_err();
        assert_eq!(silence.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= timeout);
        let full = peer.send(&vec![0; 64 << 20], timeout).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::TimedOut);
        drop(other);
    }

    #[test]
    fn a_connection_is_kept_for_the_next_one() {
        let (mut peer, _other) = pair();
        peer.selected = Some(3);
        let peers = Peers::new();
        peers.keep(b"there", peer);
        assert!(peers.take(b"elsewhere").is_none());
        assert_eq!(peers.take(b"there").unwrap().selected, Some(3));
        assert!(peers.is_empty());
    }
}
