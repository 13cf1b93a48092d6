//! The connection to a master: how it comes about, what its stream brings, how far it has been
//! applied.
//!
//! A thread talks to the master until the stream can be followed; then the connection is taken into
//! the loop like a client's and its commands run like a client's, without replies. What has been
//! run is passed on byte by byte. An offset is acknowledged only when all commands up to it have
//! been applied on their shards.

use super::core::Core;
use super::flows::LineOf;
use super::intake::Incoming;
use super::registry::SessionId;
use super::session::{Closing, Origin, ReplyMode, Session};
use super::sync_wait::SyncedStream;
use crate::base::planted::{Bug, is_planted};
use crate::config::choice::AppendFsync;
use crate::replication::link::{Call, Line, News, Speaker};
use crate::replication::order::Chunk;
use crate::resp::put_request;
use bytes::Bytes;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The master's stream on this node.
#[derive(Debug)]
pub struct Stream {
    pub session: SessionId,
    /// What of it is on disk.
    pub(super) synced: SyncedStream,
    /// The master has asked, and wants to hear again when this offset is on disk.
    pub(super) asked_synced: Option<u64>,
    /// What has arrived and is not known to have been run.
    unpassed: Vec<u8>,
    /// Commands that were on their way, by the number of the next reply then, and the offset that
    /// is reached when these are out.
    in_flight: VecDeque<(u32, u64)>,
    /// What has been applied on all shards.
    pub(super) applied: u64,
    /// The master wants to know as soon as this offset has been applied.
    asked: Option<u64>,
    /// The master has just asked.
    is_asked: bool,
}

impl Stream {
    /// Whether the master waits to hear that something has been applied.
    pub(super) fn owes_acknowledgement(&self) -> bool {
        self.is_asked || self.asked.is_some()
    }
}

/// A talk with a master that is going on.
#[derive(Debug)]
pub struct Talk {
    number: u64,
    is_unheard: Arc<AtomicBool>,
}

impl Core {
    /// Talks to the master, on a thread.
    pub(super) fn call_master(&mut self, call: Call) {
        self.hang_up();
        let replication = &mut self.replication;
        replication.talks += 1;
        let (number, news) = (replication.talks, replication.news.clone());
        let is_unheard = Arc::new(AtomicBool::new(false));
        let heard = is_unheard.clone();
        let speaker = Speaker {
            call,
            intake: Box::new(Incoming::new(self.node.clone())),
            tell: Box::new(move |letter| {
                news.post((number, letter));
                !heard.load(Relaxed)
            }),
        };
        self.replication.talk = Some(Talk { number, is_unheard });
        self.node.errands.run(Box::new(|| speaker.talk()), || {});
    }

    /// Loses interest in a talk that is going on.
    fn hang_up(&mut self) {
        if let Some(talk) = self.replication.talk.take() {
            talk.is_unheard.store(true, Relaxed);
        }
    }

    /// Leaves the master: its stream, or the talk with it.
    pub(super) fn leave_master(&mut self) {
        self.hang_up();
        self.pass_on();
        if let Some(stream) = self.replication.stream.take() {
            self.keep_db(stream.session);
            self.close(stream.session, Closing::Now);
        }
        self.end_parts();
        self.replication.lines.clear();
    }

    /// Remembers in which database the stream was, for the case that it goes on.
    fn keep_db(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.find(id) {
            self.replication.db = session.db;
        }
    }

    /// Takes in what the thread says.
    pub(super) fn hear_news(&mut self, talk: u64, news: News) {
        let current = self.replication.talk.as_ref();
        if current.is_none_or(|current| current.number != talk) {
            return;
        }
        let (now_ms, config) = (self.now_ms, self.config.share());
        let Some(hub) = &mut self.replication.hub else {
            return;
        };
        match news {
            News::Talking => hub.talking(),
            News::Full(start) => {
                hub.begin_full(start, now_ms);
                self.replication.db = Default::default();
            }
            News::Begins(total) => hub.transferred(total, 0, now_ms),
            News::Came(bytes) => hub.transferred(None, bytes, now_ms),
            News::Continued { id, line } => {
                hub.continued(id, now_ms);
                self.take_line(line);
            }
            News::Whole(line, db) => {
                hub.loaded((now_ms, &config));
                self.replication.db = db;
                self.take_line(line);
            }
            News::Failed => {
                hub.call_failed((now_ms, &config));
                self.replication.talk = None;
            }
        }
        self.do_deeds();
    }

    /// The stream can be followed: its connection is to become a client of this core.
    fn take_line(&mut self, line: Line) {
        self.replication.talk = None;
        if !line.flows.is_empty() {
            self.begin_parts(line.flows);
        }
        match line.peer.into_parts() {
            Ok((fd, input)) => {
                let mut session = self.session_of_master();
                session.pending.push(&input);
                self.replication.lines.push((fd, session, LineOf::Master));
            }
            Err(error) => {
                tracing::warn!("Taking over the connection to the master: {error}");
                self.lost_stream();
            }
        }
    }

    pub(super) fn session_of_master(&self) -> Session {
        let address = self
            .config
            .replicaof
            .as_ref()
            .map_or_else(String::new, |master| {
                let host = String::from_utf8_lossy(&master.host);
                format!("{host}:{}", master.port)
            });
        let origin = Origin {
            address,
            ..Origin::default()
        };
        let number = self.node.next_client_id();
        let mut session = Session::new(number, origin, true, self.now_ms);
        session.is_master = true;
        session.reply_mode = ReplyMode::Off;
        session.db = self.replication.db;
        session
    }

    /// Connections to the master that the loop has to take over.
    pub fn take_lines(&mut self) -> Vec<(OwnedFd, Session, LineOf)> {
        std::mem::take(&mut self.replication.lines)
    }

    /// The loop has taken a connection to the master over.
    pub fn follow_line(&mut self, id: SessionId, line: LineOf) {
        match line {
            LineOf::Master => self.follow_stream(id),
            LineOf::Flow(flow) => self.follow_flow(flow, id),
        }
    }

    fn follow_stream(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find(id) else {
            return;
        };
        let unpassed = session.pending.bytes().to_vec();
        self.replication.stream = Some(Stream {
            session: id,
            synced: SyncedStream::default(),
            asked_synced: None,
            unpassed,
            in_flight: VecDeque::new(),
            applied: self.stream_offset(),
            asked: None,
            is_asked: false,
        });
        self.ready.push(id);
        self.acknowledge();
    }

    pub(super) fn stream_offset(&self) -> u64 {
        let hub = self.replication.hub.as_ref();
        hub.map_or(0, |hub| hub.offset())
    }

    /// Whether this is the session of the master's stream.
    #[inline]
    pub fn is_stream(&self, id: SessionId) -> bool {
        let stream = self.replication.stream.as_ref();
        stream.is_some_and(|stream| stream.session == id)
    }

    /// More of the stream has arrived.
    pub fn note_stream(&mut self, bytes: &[u8]) {
        self.counters().repl_input_bytes.add(bytes.len() as u64);
        let now_ms = self.now_ms;
        let is_whole = self.replication.parts.is_none();
        if let Some(stream) = self.replication.stream.as_mut().filter(|_| is_whole) {
            stream.unpassed.extend_from_slice(bytes);
        }
        if let Some(hub) = &mut self.replication.hub {
            hub.heard(now_ms);
        }
    }

    /// Passes on what of the stream has been run, and notes how far it has been applied.
    pub(super) fn pass_on(&mut self) {
        if self.replication.stream.is_none() {
            return;
        }
        match self.advance_parts() {
            Some(applied) => {
                if let Some(stream) = &mut self.replication.stream {
                    stream.applied = applied;
                }
            }
            None => self.pass_on_whole(),
        }
        self.answer_asked();
        self.do_deeds();
    }

    /// The same where all of the stream comes on one connection.
    fn pass_on_whole(&mut self) {
        let Some(stream) = &mut self.replication.stream else {
            return;
        };
        let Some(session) = self.sessions.find(stream.session) else {
            return;
        };
        // A transaction is passed on as a whole: nobody could go on in the middle of one.
        if session.queue.is_none() && !stream.unpassed.is_empty() {
            let assembly = session.assembly.as_ref();
            let begun = assembly.map_or(0, |assembly| assembly.taken_bytes());
            let left = match is_planted(Bug::OffsetBeforeApply) {
                true => 0,
                false => session.pending.len() + begun,
            };
            let run = stream.unpassed.len().saturating_sub(left);
            if let Some(hub) = self.replication.hub.as_mut().filter(|_| run > 0) {
                let bytes = Bytes::copy_from_slice(&stream.unpassed[..run]);
                hub.applied(Chunk::whole(bytes));
                let offset = hub.offset();
                stream
                    .in_flight
                    .push_back((session.late.next_seq(), offset));
            }
            stream.unpassed.drain(..run);
        }
        while let Some((seq, offset)) = stream.in_flight.front().copied() {
            if !session.late.is_out(seq) {
                break;
            }
            stream.applied = offset;
            stream.in_flight.pop_front();
        }
    }

    /// Acknowledges what the master has asked for, when it has been applied.
    fn answer_asked(&mut self) {
        let Some(stream) = &mut self.replication.stream else {
            return;
        };
        if std::mem::take(&mut stream.is_asked) {
            stream.asked = self.replication.hub.as_ref().map(|hub| hub.offset());
        }
        if stream.asked.is_some_and(|asked| asked <= stream.applied) {
            stream.asked = None;
            // Without fsyncs there will be nothing to tell, and nobody has to look for it.
            let is_synced = self.config.appendfsync != AppendFsync::No;
            stream.asked_synced = is_synced.then_some(stream.applied);
            self.acknowledge();
            self.look_at_disks();
        }
    }

    /// The master wants to know how far its stream has been applied.
    pub fn acknowledge_soon(&mut self, id: SessionId) {
        let is_master = self
            .sessions
            .find(id)
            .is_some_and(|session| session.is_master);
        if let Some(stream) = self.replication.stream.as_mut().filter(|_| is_master) {
            stream.is_asked = true;
        }
    }

    /// Tells the master how far its stream has been applied, and how far it is on disk.
    pub(super) fn acknowledge(&mut self) {
        let synced = self.synced_of_stream();
        let Some(stream) = &self.replication.stream else {
            return;
        };
        let (id, applied) = (stream.session, stream.applied);
        self.send_ack(id, applied, synced);
    }

    /// Says on a connection to the master that this offset has been applied, and that one is on
    /// disk.
    pub(super) fn send_ack(&mut self, id: SessionId, offset: u64, synced: Option<u64>) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut words = vec![&b"REPLCONF"[..], b"ACK", one.format(offset).as_bytes()];
        if let Some(synced) = synced {
            words.extend([&b"FACK"[..], other.format(synced).as_bytes()]);
        }
        put_request(words.into_iter(), session.output.buffer());
        self.mark_dirty(id);
    }

    /// The connection to the master is gone.
    pub(super) fn lost_master(&mut self) {
        self.replication.stream = None;
        self.end_parts();
        self.lost_stream();
    }

    fn lost_stream(&mut self) {
        let (now_ms, config) = (self.now_ms, self.config.share());
        if let Some(hub) = &mut self.replication.hub {
            hub.lost((now_ms, &config));
        }
        self.do_deeds();
    }
}

impl Core {
    /// Lets nothing more of the stream be run; whether all that was run has been applied.
    pub(super) fn calm_stream(&mut self) -> bool {
        if self.replication.parts.is_some() {
            return self.calm_parts();
        }
        let Some(id) = self.replication.stream.as_ref().map(|it| it.session) else {
            return true;
        };
        let Some(session) = self.sessions.find_mut(id) else {
            return true;
        };
        // A transaction that has begun has to be run to its end.
        if session.queue.is_some() {
            return false;
        }
        let is_calm = session.late.is_empty() && session.executing.is_none();
        if !std::mem::replace(&mut session.is_paused, true) {
            self.counters().blocked_clients.add(1);
        }
        is_calm
    }

    /// The stream may go on, unless somebody else wants it to rest.
    pub(super) fn resume_stream(&mut self) {
        let rests = self.is_cutting() || self.has_waiting_cut() || self.node.is_ending();
        if rests || self.replication.awaits_calm {
            return;
        }
        if self.replication.parts.is_some() {
            return self.resume_parts();
        }
        let Some(id) = self.replication.stream.as_ref().map(|it| it.session) else {
            return;
        };
        if let Some(session) = self.sessions.find_mut(id)
            && std::mem::take(&mut session.is_paused)
        {
            self.counters().blocked_clients.sub(1);
            self.ready.push(id);
        }
    }
}
