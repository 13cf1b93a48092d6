//! What a core takes in: bytes of its clients, each turn no more of them than it has time for.
//!
//! ```text
//!   completions --> the queue of all --> a helping: one chunk of each session, run together
//!                        ^                  |
//!                        |                  +--> the next one, while the turn lasts
//!                        +-- what is left over waits for the next turn, and its socket with it
//! ```
//!
//! A client that sends faster than a core runs would otherwise fill every turn with all that its
//! socket holds, half a megabyte of commands, and others would wait that long for each reply. What
//! is about a session's stream stays in its order: that receiving was stopped, or has ended, is
//! found out behind the bytes before. Replies to whose next requests are here already may wait for
//! theirs: what it costs to send is then paid once for all.

use super::connection::{Connection, Receiving, token};
use super::fair::FairQueue;
use super::reactor::Reactor;
use crate::base::clock;
use crate::commands::Input;
use crate::runtime::ring::Chunk;
use crate::session::{Closing, Session, SessionId};
use std::os::fd::AsRawFd;

/// After so long a turn takes in no more.
const TURN_NS: u64 = 500_000;
/// After so many bytes it looks at the clock.
const HELPING_BYTES: usize = 64 * 1024;
/// A session with so many chunks left over is held up.
const CHUNKS_MANY: u32 = 4;
/// So much output does not wait for what the next requests bring.
const WAITING_OUTPUT_MAX: usize = 32 * 1024;
/// How much a client may send ahead while it waits for a reply, in bytes; then its socket waits.
const PENDING_MAX: usize = 256 * 1024;
/// From this many missing bytes on a big argument is received straight into its memory.
const BIG_RECEIVE_MIN: usize = 64 * 1024;

/// What has come from a session.
#[derive(Debug)]
pub(super) enum Arrival {
    Bytes(Chunk),
    /// No more comes before it is asked for.
    Stopped,
    /// No more will come: the end, or an error's number.
    Ended(i32),
}

impl Arrival {
    fn bytes(&self) -> usize {
        match self {
            Arrival::Bytes(chunk) => chunk.len(),
            Arrival::Stopped | Arrival::Ended(_) => 0,
        }
    }
}

/// What has come and is not run yet.
#[derive(Debug)]
pub(super) struct Intake {
    queue: FairQueue<Arrival>,
    /// What is run together; empty in between, kept for its memory.
    helping: Vec<(SessionId, Arrival)>,
    /// Who has had input in this turn.
    heard: Vec<SessionId>,
}

impl Intake {
    pub fn new() -> Intake {
        Intake {
            queue: FairQueue::new(),
            helping: Vec::new(),
            heard: Vec::new(),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[inline]
    pub fn push(&mut self, id: SessionId, arrival: Arrival) {
        self.queue.push(id, arrival);
    }
}

impl Connection {
    /// Whether replies wait because further requests of the same client are here already.
    pub fn replies_wait(&self, session: &Session) -> bool {
        let is_little = session.output.len() < WAITING_OUTPUT_MAX;
        let is_behind = self.receiving == Receiving::Stopping;
        is_behind && is_little && session.closing == Closing::No
    }
}

impl Reactor {
    pub(super) fn received(&mut self, id: SessionId, chunk: Chunk) {
        if self.connection(id).is_none() {
            return self.buffers.give_back(chunk);
        }
        let counters = self.core.counters();
        counters.net_input_bytes.add(chunk.len() as u64);
        counters.reads_processed.add(1);
        self.coalescing.heard(id.index);
        self.intake.push(id, Arrival::Bytes(chunk));
    }

    /// Runs what has arrived as long as the turn has time, which began at a reading of the cycles.
    pub(super) fn run(&mut self, begin: u64) {
        while !self.intake.is_empty() {
            self.run_helping();
            if clock::nanos_between(begin, clock::cycles()) >= TURN_NS {
                break;
            }
        }
        self.turn.settle(&mut self.core);
        self.adopt_lines();
        self.hold_up();
        let mut heard = std::mem::take(&mut self.intake.heard);
        for id in heard.drain(..) {
            self.watch_input(id);
        }
        self.intake.heard = heard;
    }

    fn run_helping(&mut self) {
        let Intake { queue, helping, .. } = &mut self.intake;
        queue.take_helping(HELPING_BYTES, Arrival::bytes, helping);
        let mut helping = std::mem::take(helping);
        let inputs = helping.iter().filter_map(|(id, arrival)| match arrival {
            Arrival::Bytes(chunk) => Some(Input {
                session: *id,
                data: self.buffers.bytes(chunk),
            }),
            Arrival::Stopped | Arrival::Ended(_) => None,
        });
        let inputs: Vec<Input<'_>> = inputs.collect();
        self.turn.run(&mut self.core, &inputs);
        for (id, arrival) in helping.drain(..) {
            match arrival {
                Arrival::Bytes(chunk) => {
                    self.buffers.give_back(chunk);
                    self.intake.heard.push(id);
                }
                Arrival::Stopped => self.stopped(id),
                Arrival::Ended(errno) => self.ended(id, errno),
            }
        }
        self.intake.helping = helping;
    }

    /// Who has left over much sends no more before it is run.
    fn hold_up(&mut self) {
        let behind: Vec<_> = self.intake.queue.sessions(CHUNKS_MANY).collect();
        for id in behind {
            self.stop_receiving(id);
        }
    }

    /// After a session's input was taken in: does a big argument follow, or too much wait?
    fn watch_input(&mut self, id: SessionId) {
        let Some(session) = self.core.sessions.find(id) else {
            return;
        };
        if session.pending.len() > PENDING_MAX || misses_much(session) {
            self.stop_receiving(id);
        }
    }

    fn stop_receiving(&mut self, id: SessionId) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        if connection.receiving == Receiving::Stream {
            connection.receiving = Receiving::Stopping;
            self.ring.stop_receiving(token(id));
        }
    }

    fn stopped(&mut self, id: SessionId) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        if connection.receiving != Receiving::Stopping {
            return;
        }
        // Being flushed, it goes on when little enough waits.
        connection.receiving = Receiving::Paused;
        self.core.mark_dirty(id);
        if self.core.sessions.find(id).is_some_and(misses_much) {
            self.receive_big(id);
        }
    }

    /// Receives the rest of a big argument where it will live, or the stream when it is whole.
    fn receive_big(&mut self, id: SessionId) {
        let session = self.core.sessions.find_mut(id);
        let filling = session
            .and_then(|session| session.assembly.as_mut())
            .and_then(|assembly| assembly.take_filling());
        let Some(connection) = self.connection(id) else {
            return;
        };
        let fd = connection.fd.as_raw_fd();
        match filling {
            Some((buffer, missing)) => {
                connection.receiving = Receiving::Big;
                let want = missing.min(buffer.capacity() - buffer.len());
                self.ring.receive_into(fd, token(id), buffer, want);
            }
            None => {
                connection.receiving = Receiving::Stream;
                self.ring.receive(fd, token(id));
            }
        }
    }

    pub(super) fn filled(&mut self, id: SessionId, buffer: Vec<u8>, got: i32) {
        if self.connection(id).is_none() {
            return;
        }
        if got <= 0 {
            return self.ended(id, -got);
        }
        self.core.counters().net_input_bytes.add(got as u64);
        if self.core.is_stream(id) {
            self.core
                .note_stream(&buffer[buffer.len() - got as usize..]);
        }
        if let Some(session) = self.core.sessions.find_mut(id) {
            session.total_input_bytes += got as u64;
            if let Some(assembly) = session.assembly.as_mut() {
                assembly.filled(buffer, got as usize);
            }
        }
        crate::commands::check_query_limit(&mut self.core, id);
        self.receive_big(id);
    }

    /// Arms the stream again when not too much waits any more.
    pub(super) fn go_on_receiving(&mut self, id: SessionId) {
        let Some(session) = self.core.sessions.find(id) else {
            return;
        };
        let may = session.pending.len() <= PENDING_MAX / 2;
        let Some(connection) = self.connection(id) else {
            return;
        };
        if may && connection.receiving == Receiving::Paused {
            connection.receiving = Receiving::Stream;
            let fd = connection.fd.as_raw_fd();
            self.ring.receive(fd, token(id));
        }
    }

    /// The client sends nothing more: what it has sent is still answered.
    fn ended(&mut self, id: SessionId, errno: i32) {
        let Some(connection) = self.connection(id) else {
            return;
        };
        connection.receiving = Receiving::Ended;
        if errno != 0 {
            return self.core.close(id, Closing::Now);
        }
        self.core.mark_dirty(id);
    }
}

/// Whether much of a big argument is to come.
fn misses_much(session: &Session) -> bool {
    let assembly = session.assembly.as_ref();
    assembly.map_or(0, |assembly| assembly.big_missing()) >= BIG_RECEIVE_MIN
}
