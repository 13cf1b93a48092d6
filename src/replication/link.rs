//! A replica's talk with its master, on a thread of its own: connect, introduce, ask for the
//! stream, receive the snapshot.
//!
//! ```text
//!   PING  AUTH  REPLCONF ..  PSYNC <history> <offset>
//!     +CONTINUE     -> the connection goes to the core at once
//!     +FULLRESYNC   -> the snapshot goes there in pieces, then the connection
//!     +FLOWS        -> connections for the master's shards first; see `inflow.rs`
//! ```
//!
//! Every step has `repl-timeout`. What becomes of the snapshot is an [`Intake`]'s business; while
//! it takes its time the master has to wait. When the core has lost interest the thread ends at its
//! next step.

use super::inflow::Inflow;
use super::payload::{Framing, Payload};
use crate::keyspace::DbIndex;
use crate::resp::errors::clipped;
use crate::resp::request;
use crate::runtime::peer::Peer;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Longest part of a master's answer that is shown.
const SHOWN_MAX: usize = 256;

/// What is asked of a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub host: Vec<u8>,
    pub port: u16,
    /// Where this node listens, as the master will tell others.
    pub listening_port: u16,
    pub announced_ip: Option<Vec<u8>>,
    pub user: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
    pub timeout: Duration,
    /// From which address here (bind-source-addr).
    pub source: Option<IpAddr>,
    /// The history known here and the first offset that is missing.
    pub resume: Option<(String, u64)>,
    /// The master is to hand its role over.
    pub is_failover: bool,
    /// A snapshot may come shard by shard.
    pub can_flows: bool,
}

/// What has come of it.
#[derive(Debug)]
pub enum News {
    /// It answers.
    Talking,
    /// The stream goes on where it was, perhaps under another name.
    Continued { id: Option<String>, line: Line },
    /// A snapshot of this history at this offset comes first. A master that is too old for PSYNC
    /// has no name for it.
    Full(Option<(String, u64)>),
    /// The snapshot begins; its length, if it is known.
    Begins(Option<u64>),
    /// So many more bytes of it have come.
    Came(usize),
    /// All of it is in place; the stream follows, in this database.
    Whole(Line, DbIndex),
    /// It was refused or has failed; the reason is in the log.
    Failed,
}

/// A connection to a master whose stream is to be followed.
#[derive(Debug)]
pub struct Line {
    pub peer: Peer,
    /// Those for its shards, if their streams come apart.
    pub flows: Vec<Peer>,
}

impl Line {
    fn new(peer: Peer, flows: Vec<Inflow>) -> Line {
        let flows = flows.into_iter().map(Inflow::into_peer).collect();
        Line { peer, flows }
    }
}

/// What becomes of a snapshot. Errors are lines for the log.
pub trait Intake: Send {
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// That was all: returns when it is in place, and in which database the stream goes on.
    fn finish(&mut self) -> Result<DbIndex, String>;

    /// Takes one that comes shard by shard; returns the connections when it is in place. `came`
    /// hears of bytes, and says whether it is still wanted.
    fn take_flows(
        &mut self,
        flows: Vec<Inflow>,
        came: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Inflow>, String>;
}

/// Who talks to a master.
pub struct Speaker {
    pub call: Call,
    pub intake: Box<dyn Intake>,
    /// Tells the core; false when it has lost interest.
    pub tell: Box<dyn Fn(News) -> bool + Send>,
}

/// Why a talk has ended.
pub(super) enum End {
    /// A line for the log.
    Because(String),
    /// Nobody wants to know any more.
    Unheard,
}

impl From<String> for End {
    fn from(line: String) -> End {
        End::Because(line)
    }
}

/// Shows an answer as the log may have it.
pub(super) fn shown(line: &[u8]) -> String {
    clipped(line, SHOWN_MAX)
}

impl Speaker {
    /// Talks until the stream can be followed, or until it cannot.
    pub fn talk(mut self) {
        if let Err(End::Because(line)) = self.converse() {
            tracing::warn!("{line}");
            // The core may have lost interest.
            let _ = self.tell(News::Failed);
        }
    }

    fn tell(&self, news: News) -> Result<(), End> {
        match (self.tell)(news) {
            true => Ok(()),
            false => Err(End::Unheard),
        }
    }

    fn converse(&mut self) -> Result<(), End> {
        let mut peer = self.connect()?;
        tracing::info!("Non blocking connect for SYNC fired the event.");
        self.tell(News::Talking)?;
        self.introduce(&mut peer)?;
        self.ask(peer)
    }

    pub(super) fn connect(&self) -> Result<Peer, End> {
        let host = String::from_utf8_lossy(&self.call.host);
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => String::from("Timeout connecting to the MASTER..."),
            _ => {
                let reason = crate::base::process::reason(&error);
                format!("Error condition on socket for SYNC: {reason}")
            }
        };
        let to = (&*host, self.call.port);
        let peer = Peer::connect_from(self.call.source, to, self.call.timeout);
        Ok(peer.map_err(refused)?)
    }

    /// One command, and the line that answers it.
    pub(super) fn exchange(&self, peer: &mut Peer, words: &[&[u8]]) -> Result<Vec<u8>, End> {
        peer.send(&request(words), self.call.timeout)
            .map_err(failed("write to"))?;
        self.answer(peer)
    }

    /// The next line that is one.
    fn answer(&self, peer: &mut Peer) -> Result<Vec<u8>, End> {
        loop {
            let line = peer.line(self.call.timeout).map_err(failed("read from"))?;
            // While a master waits for its snapshot it sends empty lines.
            if !line.is_empty() {
                return Ok(line);
            }
        }
    }

    fn introduce(&self, peer: &mut Peer) -> Result<(), End> {
        let pong = self.exchange(peer, &[b"PING"])?;
        let fine: [&[u8]; 4] = [
            b"+",
            b"-NOAUTH",
            b"-NOPERM",
            b"-ERR operation not permitted",
        ];
        if !fine.iter().any(|start| pong.starts_with(start)) {
            let pong = shown(&pong);
            return Err(format!("Error reply to PING from master: '{pong}'").into());
        }
        tracing::info!("Master replied to PING, replication can continue...");
        self.authenticate(peer)?;
        let port = self.call.listening_port.to_string();
        self.configure(peer, b"listening-port", &[port.as_bytes()])?;
        if let Some(ip) = &self.call.announced_ip {
            self.configure(peer, b"ip-address", &[ip])?;
        }
        let capabilities: &[&[u8]] = &[b"eof", b"capa", b"psync2", b"capa", b"flows"];
        let known = if self.call.can_flows { 5 } else { 3 };
        self.configure(peer, b"capa", &capabilities[..known])
    }

    pub(super) fn authenticate(&self, peer: &mut Peer) -> Result<(), End> {
        let Some(password) = &self.call.password else {
            return Ok(());
        };
        let answer = match &self.call.user {
            Some(user) => self.exchange(peer, &[b"AUTH", user, password])?,
            None => self.exchange(peer, &[b"AUTH", password])?,
        };
        match answer.first() {
            Some(b'-') => Err(format!("Unable to AUTH to MASTER: {}", shown(&answer)).into()),
            _ => Ok(()),
        }
    }

    /// REPLCONF, which an old master may not know.
    fn configure(&self, peer: &mut Peer, name: &[u8], values: &[&[u8]]) -> Result<(), End> {
        let mut words: Vec<&[u8]> = vec![b"REPLCONF", name];
        words.extend(values);
        let answer = self.exchange(peer, &words)?;
        if answer.first() == Some(&b'-') {
            tracing::info!(
                "(Non critical) Master does not understand REPLCONF {}: {}",
                shown(name),
                shown(&answer)
            );
        }
        Ok(())
    }

    /// PSYNC, and what follows from its answer.
    fn ask(&mut self, mut peer: Peer) -> Result<(), End> {
        let (id, offset) = match &self.call.resume {
            Some((id, offset)) => {
                tracing::info!("Trying a partial resynchronization (request {id}:{offset}).");
                (id.clone(), offset.to_string())
            }
            None => {
                tracing::info!("Partial resynchronization not possible (no cached master)");
                (String::from("?"), String::from("-1"))
            }
        };
        let mut words: Vec<&[u8]> = vec![b"PSYNC", id.as_bytes(), offset.as_bytes()];
        if self.call.is_failover {
            words.push(b"FAILOVER");
        }
        let mut answer = self.exchange(&mut peer, &words)?;
        let mut flows = Vec::new();
        if let Some(rest) = answer.strip_prefix(b"+FLOWS ") {
            flows = self.open_flows(rest)?;
            answer = self.answer(&mut peer)?;
        }
        if let Some(rest) = answer.strip_prefix(b"+CONTINUE") {
            return self.go_on(peer, flows, rest);
        }
        if let Some(rest) = answer.strip_prefix(b"+FULLRESYNC ") {
            let (start, db) = full_resync(rest)
                .ok_or_else(|| String::from("Master replied with wrong +FULLRESYNC syntax."))?;
            tracing::info!("Full resync from master: {}:{}", start.0, start.1);
            self.tell(News::Full(Some(start)))?;
            return match flows.is_empty() {
                true => self.receive(peer),
                false => self.receive_flows(peer, flows, db),
            };
        }
        self.refused(peer, &answer)
    }

    fn go_on(&self, peer: Peer, flows: Vec<Inflow>, rest: &[u8]) -> Result<(), End> {
        tracing::info!("Successful partial resynchronization with master.");
        let id = rest.strip_prefix(b" ").map(<[u8]>::trim_ascii);
        let id = id.filter(|id| id.len() == super::history::ID_LEN);
        let id = id.map(|id| String::from_utf8_lossy(id).into_owned());
        self.tell(News::Continued {
            id,
            line: Line::new(peer, flows),
        })
    }

    /// Neither the one nor the other: later, or as with masters before 2.8.
    fn refused(&mut self, mut peer: Peer, answer: &[u8]) -> Result<(), End> {
        let answer_shown = shown(answer);
        if answer.starts_with(b"-NOMASTERLINK") || answer.starts_with(b"-LOADING") {
            return Err(format!(
                "Master is currently unable to PSYNC but should be in the future: {answer_shown}"
            )
            .into());
        }
        if self.call.is_failover {
            return Err(format!("Failover target rejected psync request: {answer_shown}").into());
        }
        if !answer.starts_with(b"-ERR") {
            return Err(format!("Unexpected reply to PSYNC from master: {answer_shown}").into());
        }
        tracing::info!(
            "Master does not support PSYNC or is in error state (reply: {answer_shown})"
        );
        tracing::info!("Retrying with SYNC...");
        let failed = |error: io::Error| format!("I/O error writing to MASTER: {error}");
        peer.send(&request(&[b"SYNC"]), self.call.timeout)
            .map_err(failed)?;
        self.tell(News::Full(None))?;
        self.receive(peer)
    }

    /// The snapshot, piece by piece.
    fn receive(&mut self, mut peer: Peer) -> Result<(), End> {
        let lost = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => String::from(
                "Timeout receiving bulk data from MASTER... If the problem persists try to set \
                 the 'repl-timeout' parameter in redis.conf to a larger value.",
            ),
            io::ErrorKind::UnexpectedEof => {
                String::from("I/O error trying to sync with MASTER: connection lost")
            }
            _ => format!(
                "I/O error trying to sync with MASTER: {}",
                crate::base::process::reason(&error)
            ),
        };
        let framing = self.announced(&mut peer, lost)?;
        self.tell(News::Begins(framing.total()))?;
        let mut payload = Payload::new(framing);
        while !payload.is_whole() {
            let arrived = peer.receive(self.call.timeout).map_err(lost)?;
            let (piece, rest) = payload.take(arrived);
            if !piece.is_empty() {
                self.intake.take(&piece)?;
                self.tell(News::Came(piece.len()))?;
            }
            peer.give_back(rest);
        }
        let db = self.intake.finish()?;
        self.tell(News::Whole(Line::new(peer, Vec::new()), db))
    }

    /// The snapshot, shard by shard; the stream behind it goes on in this database.
    fn receive_flows(&mut self, peer: Peer, flows: Vec<Inflow>, db: DbIndex) -> Result<(), End> {
        tracing::info!(
            "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser"
        );
        self.tell(News::Begins(None))?;
        let Speaker { intake, tell, .. } = self;
        let flows = intake.take_flows(flows, &mut |bytes| tell(News::Came(bytes)))?;
        self.tell(News::Whole(Line::new(peer, flows), db))
    }

    fn announced(
        &self,
        peer: &mut Peer,
        lost: impl Fn(io::Error) -> String,
    ) -> Result<Framing, End> {
        loop {
            let line = peer.line(self.call.timeout).map_err(&lost)?;
            if line.is_empty() {
                continue;
            }
            if line.first() == Some(&b'-') {
                let line = shown(&line);
                return Err(format!("MASTER aborted replication with an error: {line}").into());
            }
            let framing = Framing::read(&line).ok_or_else(|| {
                format!(
                    "Bad protocol from MASTER, the first byte is not '$' (we received '{}'), are \
                     you sure the host and port are right?",
                    shown(&line)
                )
            })?;
            match framing.total() {
                Some(total) => tracing::info!(
                    "MASTER <-> REPLICA sync: receiving {total} bytes from master to parser"
                ),
                None => tracing::info!(
                    "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser"
                ),
            }
            return Ok(framing);
        }
    }
}

/// A handshake that has got no further.
fn failed(what: &'static str) -> impl Fn(io::Error) -> End {
    move |error| {
        let reason = crate::base::process::reason(&error);
        End::Because(format!(
            "Failed to {what} master during handshake: {reason}"
        ))
    }
}

/// Reads `<history> <offset>`, and the database that one of our own kind names behind it.
fn full_resync(rest: &[u8]) -> Option<((String, u64), DbIndex)> {
    let mut words = rest.split(|byte| *byte == b' ');
    let (id, offset) = (words.next()?, words.next()?.trim_ascii());
    let db = words
        .next()
        .map_or(Some(0), crate::base::number::parse_i64)?;
    let is_id = id.len() == super::history::ID_LEN && id.iter().all(u8::is_ascii_graphic);
    let offset = crate::base::number::parse_i64(offset)?;
    let id = is_id.then(|| String::from_utf8_lossy(id).into_owned())?;
    let start = (id, u64::try_from(offset).ok()?);
    Some((start, DbIndex(u32::try_from(db).ok()?)))
}
