//! The replica's ends of the connections for its master's shards, on threads that may wait.
//!
//! ```text
//!   +FLOWS <token> <shards>  -->  for each shard: connect, AUTH, REPLCONF flow <token>:<shard>
//!   +FULLRESYNC ..           -->  frames on each, up to the one that ends the shard's part
//!                                 of the snapshot; its stream follows
//! ```
//!
//! A frame that is damaged, that is not the next one, or that does not come in time ends the whole
//! synchronization; it is then asked for anew.

use super::frame::{self, FrameError, Kind};
use super::history::ID_LEN;
use super::link::{End, Speaker};
use crate::runtime::peer::Peer;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// More shards than a server can have.
const SHARDS_MAX: usize = 4096;

/// How soon a thread notices that nobody wants what it waits for.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// One of the connections.
#[derive(Debug)]
pub struct Inflow {
    peer: Peer,
    timeout: Duration,
    /// Room for two frames, and where in it that lies which has come and is not read.
    room: Box<[u8]>,
    ahead: Range<usize>,
    /// Bytes of bodies that have come.
    offset: u64,
}

impl Inflow {
    /// A connection that the master has accepted as that of a shard.
    pub fn new(peer: Peer, timeout: Duration) -> Inflow {
        Inflow {
            peer,
            timeout,
            room: vec![0; 2 * frame::BYTES_MAX].into(),
            ahead: 0..0,
            offset: 0,
        }
    }

    /// The next piece of the shard's part of a snapshot, or none when it is not wanted any more.
    /// Errors are lines for the log.
    pub fn receive(&mut self, is_over: &dyn Fn() -> bool) -> Result<Option<(Kind, &[u8])>, String> {
        let damaged = |error: FrameError| format!("Bad data from MASTER: {}", error.line());
        let (range, end) = loop {
            let found = frame::find(&self.room[self.ahead.clone()]).map_err(damaged)?;
            match found {
                Some(found) => break found,
                None if self.hear(is_over)? => {}
                None => return Ok(None),
            }
        };
        let frame = &self.room[self.ahead.clone()];
        self.ahead.start += end;
        let (header, body) = frame::read(&frame[range]).map_err(damaged)?;
        if header.offset != self.offset || matches!(header.kind, Kind::Stream | Kind::Order) {
            return Err(damaged(FrameError::Gap));
        }
        self.offset += body.len() as u64;
        Ok(Some((header.kind, body)))
    }

    /// Waits for more, as long as it is wanted; whether more has come.
    fn hear(&mut self, is_over: &dyn Fn() -> bool) -> Result<bool, String> {
        if self.ahead.start >= frame::BYTES_MAX || self.ahead.is_empty() {
            self.room.copy_within(self.ahead.clone(), 0);
            self.ahead = 0..self.ahead.len();
        }
        let mut left = self.timeout;
        while !is_over() {
            let step = left.min(LOOK_INTERVAL);
            left -= step;
            match self.peer.fill(&mut self.room[self.ahead.end..], step) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut && !left.is_zero() => {}
                arrived => {
                    self.ahead.end += arrived.map_err(lost)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The connection, on which the shard's stream follows.
    pub fn into_peer(self) -> Peer {
        let Inflow {
            mut peer,
            room,
            ahead,
            ..
        } = self;
        peer.give_back(room[ahead].to_vec());
        peer
    }
}

fn lost(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => String::from("Timeout receiving bulk data from MASTER..."),
        io::ErrorKind::UnexpectedEof => {
            String::from("I/O error trying to sync with MASTER: connection lost")
        }
        _ => format!(
            "I/O error trying to sync with MASTER: {}",
            crate::base::process::reason(&error)
        ),
    }
}

impl Speaker {
    /// Makes a connection for each of the master's shards, whose token and number it has told.
    pub(super) fn open_flows(&self, words: &[u8]) -> Result<Vec<Inflow>, End> {
        let (token, shards) =
            read(words).ok_or_else(|| String::from("Master replied with wrong +FLOWS syntax."))?;
        tracing::info!("Master offers a connection for each of its {shards} shards");
        (0..shards)
            .map(|shard| self.open_flow(&format!("{token}:{shard}")))
            .collect()
    }

    fn open_flow(&self, words: &str) -> Result<Inflow, End> {
        let mut peer = self.connect()?;
        self.authenticate(&mut peer)?;
        let answer = self.exchange(&mut peer, &[b"REPLCONF", b"flow", words.as_bytes()])?;
        match answer.first() {
            Some(b'+') => Ok(Inflow::new(peer, self.call.timeout)),
            _ => {
                let answer = super::link::shown(&answer);
                Err(format!("Master does not accept the connection for a shard: {answer}").into())
            }
        }
    }
}

/// Reads `<token> <shards>`.
fn read(words: &[u8]) -> Option<(&str, usize)> {
    let (token, shards) = std::str::from_utf8(words)
        .ok()?
        .trim_end()
        .split_once(' ')?;
    let is_token = token.len() == ID_LEN && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let shards = shards
        .parse()
        .ok()
        .filter(|it| (1..=SHARDS_MAX).contains(it));
    is_token.then_some((token, shards?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::frame::Header;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    fn pair(timeout_ms: u64) -> (Inflow, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let timeout = Duration::from_millis(timeout_ms);
        let peer = Peer::connect("127.0.0.1", port, Duration::from_secs(5)).unwrap();
        (Inflow::new(peer, timeout), listener.accept().unwrap().0)
    }

    fn frame(kind: Kind, offset: u64, body: &[u8]) -> Vec<u8> {
        let header = Header {
            kind,
            offset,
            position: 0,
        };
        let (head, tail) = header.around(&[body]);
        [&head[..], body, &tail].concat()
    }

    #[test]
    fn frames_come_one_by_one_however_they_arrive() {
        let (mut inflow, mut master) = pair(5000);
        let first = frame(Kind::Entries, 0, b"one");
        let all = [first.clone(), frame(Kind::End, 3, b"")].concat();
        master.write_all(&all[..first.len() + 9]).unwrap();
        let is_over = &|| false;
        let one = Some((Kind::Entries, &b"one"[..]));
        assert_eq!(inflow.receive(is_over), Ok(one));
        master.write_all(&all[first.len() + 9..]).unwrap();
        assert_eq!(inflow.receive(is_over), Ok(Some((Kind::End, &[][..]))));
        assert_eq!(inflow.receive(&|| true), Ok(None));
        master.write_all(b"behind").unwrap();
        let mut peer = inflow.into_peer();
        let mut rest = Vec::new();
        while rest.len() < 6 {
            rest.extend(peer.receive(Duration::from_secs(5)).unwrap());
        }
        assert_eq!(rest, b"behind");
    }

    #[test]
    fn what_is_damaged_missing_or_late_ends_it() {
        let mut damaged = frame(Kind::Entries, 0, b"some entries");
        damaged[60] ^= 1;
        let missing = frame(Kind::Entries, 5, b"later");
        let other = frame(Kind::Stream, 0, b"PING");
        let error = b"-ERR no\r\n".to_vec();
        for (bytes, why) in [
            (damaged, "a frame with a wrong checksum"),
            (missing, "a frame that is not the next one"),
            (other, "a frame that is not the next one"),
            (error, "a frame of another shape than agreed"),
        ] {
            let (mut inflow, mut master) = pair(5000);
            master.write_all(&bytes).unwrap();
            let line = inflow.receive(&|| false).unwrap_err();
            assert_eq!(line, format!("Bad data from MASTER: {why}"));
        }
        let (mut inflow, _master) = pair(20);
        let late = inflow.receive(&|| false).unwrap_err();
        assert!(late.starts_with("Timeout"));
    }

    #[test]
    fn offers_that_make_no_sense_are_none() {
        let token = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(read(format!("{token} 7").as_bytes()), Some((token, 7)));
        for bad in ["0", "-1", "", "99999999", "7 8"] {
            assert_eq!(read(format!("{token} {bad}").as_bytes()), None, "{bad}");
        }
        assert_eq!(read(b"short 1"), None);
    }
}
