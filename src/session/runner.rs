//! A session without a socket, which runs what it is given of a master's stream.
//!
//! What it is given counts; how much of that has been taken, and has run on all shards, is looked
//! at once a turn.

use super::core::Core;
use super::registry::SessionId;
use super::session::Closing;
use crate::keyspace::DbIndex;
use std::collections::VecDeque;

/// Such a session, and how far it is.
#[derive(Debug)]
pub struct Runner {
    pub session: SessionId,
    /// Bytes that it was given, and those of the stream alone.
    bytes: u64,
    given: u64,
    /// The two counts where something else was put in between, which was not taken yet; and where
    /// the last of those was that were.
    seams: VecDeque<(u64, u64)>,
    passed: (u64, u64),
    /// Commands that were on their way, by the number of the next reply then, and what is done
    /// when these are out.
    in_flight: VecDeque<(u32, u64)>,
    taken: u64,
    done: u64,
    is_broken: bool,
}

impl Runner {
    /// Whether it was given something that is no command; it runs nothing any more.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Bytes of the stream that were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes of the stream up to which all commands have run on all shards.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Bytes of the stream that it was given.
    pub fn given(&self) -> u64 {
        self.given
    }

    /// So many of the bytes that it was given were taken; how much of the stream that is.
    fn take_to(&mut self, bytes: u64) -> u64 {
        while let Some(seam) = self.seams.front().filter(|(at, _)| *at <= bytes) {
            self.passed = *seam;
            self.seams.pop_front();
        }
        let taken = self.passed.1 + (bytes - self.passed.0);
        // What was put in between is nothing of the stream.
        let next = self.seams.front().map_or(self.given, |(_, given)| *given);
        taken.min(next)
    }
}

/// SELECT, as a request.
fn select(db: DbIndex) -> Vec<u8> {
    let index = db.0.to_string();
    format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{index}\r\n", index.len()).into_bytes()
}

impl Core {
    /// A runner that begins in this database.
    pub(super) fn new_runner(&mut self, db: DbIndex) -> Runner {
        let mut session = self.session_of_master();
        session.db = db;
        session.is_runner = true;
        Runner {
            session: self.sessions.insert(session),
            bytes: 0,
            given: 0,
            seams: VecDeque::new(),
            passed: (0, 0),
            in_flight: VecDeque::new(),
            taken: 0,
            done: 0,
            is_broken: false,
        }
    }

    /// Gives it something to be run, in this database or in the one where it is.
    pub(super) fn give(&mut self, runner: &mut Runner, db: Option<DbIndex>, bytes: &[u8]) {
        let Some(session) = self.sessions.find_mut(runner.session) else {
            return;
        };
        if let Some(db) = db {
            let select = select(db);
            session.pending.push(&select);
            runner.bytes += select.len() as u64;
            runner.seams.push_back((runner.bytes, runner.given));
        }
        session.pending.push(bytes);
        runner.bytes += bytes.len() as u64;
        runner.given += bytes.len() as u64;
        if self.ready.last() != Some(&runner.session) {
            self.ready.push(runner.session);
        }
    }

    /// Looks how far it is.
    pub(super) fn look_at(&self, runner: &mut Runner) {
        let session = self.sessions.find(runner.session);
        let Some(session) = session.filter(|session| session.closing == Closing::No) else {
            // Nobody has to wait for it.
            (runner.is_broken, runner.done) = (true, runner.given);
            return;
        };
        let left = session.pending.len() as u64;
        runner.taken = runner.take_to(runner.bytes - left);
        // In the middle of a command or of a transaction nothing is done.
        let is_between = session.queue.is_none() && session.assembly.is_none();
        if is_between && session.executing.is_none() {
            let mark = (session.late.next_seq(), runner.taken);
            if runner.in_flight.back().is_none_or(|last| last.1 < mark.1) {
                runner.in_flight.push_back(mark);
            }
        }
        while let Some((seq, taken)) = runner.in_flight.front().copied() {
            if !session.late.is_out(seq) {
                break;
            }
            runner.done = taken;
            runner.in_flight.pop_front();
        }
    }

    /// Lets it go, when it has run everything.
    pub(super) fn dismiss(&mut self, runner: &Runner) -> DbIndex {
        let session = self.sessions.remove(runner.session);
        session.map_or(DbIndex(0), |session| session.db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_between_is_nothing_of_the_stream() {
        // Ten bytes, five put in between, twenty bytes, five, one byte.
        let mut runner = Runner {
            session: SessionId::from_bits(0),
            bytes: 41,
            given: 31,
            seams: VecDeque::from([(15, 10), (40, 30)]),
            passed: (0, 0),
            in_flight: VecDeque::new(),
            taken: 0,
            done: 0,
            is_broken: false,
        };
        let expected = |at: u64| match at {
            0..=10 => at,
            11..=15 => 10,
            16..=35 => at - 5,
            36..=40 => 30,
            _ => 31,
        };
        for at in 0..=41 {
            assert_eq!(runner.take_to(at), expected(at), "{at}");
        }
    }
}
