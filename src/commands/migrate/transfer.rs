//! The conversation with the other server, on a thread that may wait.
//!
//! ```text
//!   AUTH .. | SELECT db | RESTORE key ttl payload [REPLACE] | RESTORE ..      all at once
//!   +OK     | +OK       | +OK                               | -BUSYKEY ..     line by line
//! ```
//!
//! A connection that was kept may have been closed by the other side meanwhile: as long as nothing
//! has been taken for sure, one fresh attempt follows, unless it was time that ran out. What the
//! other side has confirmed is there, whatever goes wrong behind it.

use crate::base::clock::Clock;
use crate::base::number::parse_i64;
use crate::resp::{ErrorReply, Output, Protocol, Writer};
use crate::runtime::peer::{Peer, Peers};
use crate::session::{Item, Transfer, Transferred};
use std::io::{self, ErrorKind};

/// Connections that were used not long ago.
static PEERS: Peers = Peers::new();

/// Closes what nobody has used for a while.
pub fn sweep() {
    PEERS.sweep();
}

const CONNECTING: &str = "IOERR error or timeout connecting to the client";
pub const READING: &str = "IOERR error or timeout reading to target instance";
const WRITING: &str = "IOERR error or timeout writing to target instance";

/// Why an attempt has failed.
struct Failure {
    text: &'static str,
    may_retry: bool,
}

impl Failure {
    fn of(text: &'static str, error: &io::Error) -> Failure {
        let may_retry = error.kind() != ErrorKind::TimedOut;
        Failure { text, may_retry }
    }
}

/// Asks the other server, and says what it has taken.
pub fn carry(transfer: &Transfer, clock: &Clock) -> Transferred {
    let mut done = Transferred::default();
    let mut outcome = attempt(transfer, clock, &mut done);
    if matches!(&outcome, Err(failure) if failure.may_retry) {
        outcome = attempt(transfer, clock, &mut done);
    }
    if let Err(failure) = outcome {
        done.error.get_or_insert(failure.text.into());
    }
    done
}

fn attempt(transfer: &Transfer, clock: &Clock, done: &mut Transferred) -> Result<(), Failure> {
    let name = [&transfer.host[..], b":", &transfer.port].concat();
    let mut peer = match PEERS.take(&name) {
        Some(peer) => peer,
        // Redis: that nobody listens there is noticed at the first write.
        None => connect(transfer).map_err(|error| Failure {
            text: match error.kind() {
                io::ErrorKind::ConnectionRefused => WRITING,
                _ => CONNECTING,
            },
            may_retry: false,
        })?,
    };
    let selects = peer.selected != Some(transfer.db);
    let (request, sent) = request(transfer, selects, clock.millis().0);
    peer.send(&request, transfer.timeout)
        .map_err(|error| Failure::of(WRITING, &error))?;
    drop(request);
    listen(transfer, &mut peer, (selects, &sent), done)?;
    peer.selected = done.error.is_none().then_some(transfer.db);
    PEERS.keep(&name, peer);
    Ok(())
}

/// Reads the replies: to AUTH, to SELECT, and for each key.
fn listen(
    transfer: &Transfer,
    peer: &mut Peer,
    asked: (bool, &[usize]),
    done: &mut Transferred,
) -> Result<(), Failure> {
    let (selects, sent) = asked;
    let mut line = || peer.line(transfer.timeout);
    let mut before = Vec::new();
    for _ in 0..usize::from(transfer.auth.is_some()) + usize::from(selects) {
        before.push(line().map_err(|error| Failure::of(READING, &error))?);
    }
    for (count, index) in sent.iter().enumerate() {
        let line = line().map_err(|error| Failure {
            may_retry: count == 0 && error.kind() != ErrorKind::TimedOut,
            text: READING,
        })?;
        match before
            .iter()
            .chain([&line])
            .find_map(|line| line.strip_prefix(b"-"))
        {
            Some(error) => drop(done.error.get_or_insert_with(|| relayed(error))),
            None => done.keys.push(*index),
        }
    }
    Ok(())
}

fn relayed(error: &[u8]) -> ErrorReply {
    let mut text = b"ERR Target instance replied with error: ".to_vec();
    text.extend_from_slice(error);
    text.into()
}

fn connect(transfer: &Transfer) -> io::Result<Peer> {
    let host = str::from_utf8(&transfer.host).map_err(io::Error::other)?;
    Peer::connect(host, port(&transfer.port), transfer.timeout)
}

/// The digits in front, as C reads numbers; what is no port is one on which nobody listens.
fn port(text: &[u8]) -> u16 {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = parse_i64(&text[..digits]).unwrap_or(0);
    u16::try_from(number).unwrap_or(0)
}

/// Everything that is said, and which keys are in it: those whose time has not passed.
fn request(transfer: &Transfer, selects: bool, now_ms: i64) -> (Vec<u8>, Vec<usize>) {
    let mut output = Output::default();
    if let Some(auth) = &transfer.auth {
        let words: Vec<&[u8]> = auth.args().from(0).collect();
        say(&mut output, &words);
    }
    let mut number = itoa::Buffer::new();
    if selects {
        let db = number.format(transfer.db).as_bytes();
        say(&mut output, &[b"SELECT", db]);
    }
    let mut sent = Vec::new();
    for (index, item) in transfer.items.iter().enumerate() {
        let Some(ttl) = ttl(item, now_ms) else {
            continue;
        };
        let ttl = number.format(ttl).as_bytes();
        let words: &[&[u8]] = &[b"RESTORE", &item.key, ttl, &item.payload, b"REPLACE"];
        say(&mut output, &words[..4 + usize::from(transfer.may_replace)]);
        sent.push(index);
    }
    (output.to_bytes(), sent)
}

/// How long a key has left to live, in milliseconds; 0: for ever.
fn ttl(item: &Item, now_ms: i64) -> Option<i64> {
    match item.expires_at_ms {
        None => Some(0),
        Some(at_ms) if at_ms < now_ms => None,
        Some(at_ms) => Some((at_ms - now_ms).max(1)),
    }
}

fn say(output: &mut Output, words: &[&[u8]]) {
    let mut writer = Writer::new(output, Protocol::Resp2);
    writer.array(words.len());
    for word in words {
        writer.bulk(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_c_reads_them() {
        for (text, number) in [
            (&b"6379"[..], 6379),
            (b" 17x", 17),
            (b"x", 0),
            (b"", 0),
            (b"70000", 0),
            (b"99999999999999999999", 0),
        ] {
            assert_eq!(port(text), number);
        }
    }

    #[test]
    fn keys_whose_time_has_passed_stay() {
        let item = |expires_at_ms| Item {
            key: b"k".to_vec(),
            payload: b"p".to_vec(),
            expires_at_ms,
        };
        let transfer = Transfer {
            items: vec![
                item(Some(999)),
                item(Some(1000)),
                item(None),
                item(Some(1500)),
            ],
            ..Transfer::default()
        };
        let (request, sent) = request(&transfer, false, 1000);
        assert_eq!(sent, [1, 2, 3]);
        let text = String::from_utf8(request).unwrap();
        let ttls: Vec<&str> = text.split("\r\n").skip(6).step_by(9).collect();
        assert_eq!(ttls, ["1", "0", "500"]);
    }
}
