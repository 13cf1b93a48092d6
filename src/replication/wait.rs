//! WAIT: a client waits until enough replicas have acknowledged what was written before it.
//!
//! The replicas are asked through the stream, so that they answer when they have come to that
//! place. Who waits has a moment at which it gets the count of then, whatever it is.

use super::deed::{Answer, Deed, Place};
use super::hub::Hub;
use super::order::Chunk;
use super::replicas::{Replica, Stage};
use bytes::Bytes;

pub(super) const GET_ACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

/// Somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub place: Place,
    pub number: u64,
    /// What has to be acknowledged.
    pub offset: u64,
    /// By how many.
    pub replicas: usize,
    /// Until when, Unix milliseconds; none is for ever.
    pub until_ms: Option<i64>,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Waiters(Vec<Waiter>);

impl Waiters {
    /// Lets somebody wait.
    pub fn add(&mut self, waiter: Waiter) {
        self.0.push(waiter);
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next moment at which somebody has waited long enough.
    pub fn due_ms(&self) -> Option<i64> {
        self.0.iter().filter_map(|waiter| waiter.until_ms).min()
    }

    /// Those who are done, with their counts; `acked` says how many have an offset.
    pub fn finished(&mut self, now_ms: i64, acked: impl Fn(u64) -> usize) -> Vec<(Waiter, usize)> {
        let mut finished = Vec::new();
        self.0.retain(|waiter| {
            let count = acked(waiter.offset);
            let is_over = waiter.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
            let is_done = count >= waiter.replicas || is_over;
            if is_done {
                finished.push((*waiter, count));
            }
            !is_done
        });
        finished
    }

    /// The one who waits there.
    pub fn remove(&mut self, place: Place) -> Option<Waiter> {
        let at = self.0.iter().position(|waiter| waiter.place == place)?;
        Some(self.0.remove(at))
    }

    /// Forgets a client that has gone.
    pub fn forget(&mut self, place: Place) {
        self.0.retain(|waiter| waiter.place != place);
    }

    /// Everybody, because what they wait for will not come.
    pub fn take(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.0)
    }
}

impl Hub {
    /// Lets those wait who came in the last turn: what they have written is in the stream by now.
    pub(super) fn begin_waiting(&mut self, now_ms: i64) {
        if self.fresh_waiters.is_empty() {
            return;
        }
        for waiter in std::mem::take(&mut self.fresh_waiters) {
            let offset = self.offset;
            self.waiters.add(Waiter { offset, ..waiter });
        }
        self.finish_waiting(now_ms);
        if !self.waiters.is_empty() && !self.has_asked && self.follower.is_none() {
            self.feed(Chunk::aside(Bytes::from_static(GET_ACK)));
            self.has_asked = true;
        }
    }

    pub(super) fn finish_waiting(&mut self, now_ms: i64) {
        let replicas = &self.replicas;
        let acked = |offset| {
            let has =
                |replica: &&Replica| replica.stage == Stage::Online && replica.acked >= offset;
            replicas.iter().filter(has).count()
        };
        for (waiter, count) in self.waiters.finished(now_ms, acked) {
            self.deeds.push(Deed::Answer {
                core: waiter.place.core,
                number: waiter.number,
                answer: Answer::Number(count as u64),
            });
        }
    }

    /// CLIENT UNBLOCK: one who waits gets the count of now, or an error.
    pub(super) fn release(&mut self, place: Place, is_error: bool) {
        // One who has just come is not among the others yet.
        let fresh = self.fresh_waiters.iter().position(|it| it.place == place);
        let fresh = fresh.map(|at| self.fresh_waiters.remove(at));
        let fresh = fresh.map(|waiter| Waiter {
            offset: self.offset,
            ..waiter
        });
        let Some(waiter) = fresh.or_else(|| self.waiters.remove(place)) else {
            return;
        };
        let answer = match is_error {
            true => Answer::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".into()),
            false => Answer::Number(self.count_acked(waiter.offset) as u64),
        };
        self.deeds.push(Deed::Answer {
            core: place.core,
            number: waiter.number,
            answer,
        });
    }

    fn count_acked(&self, offset: u64) -> usize {
        let has = |it: &&Replica| it.stage == Stage::Online && it.acked >= offset;
        self.replicas.iter().filter(has).count()
    }

    /// This node is no master any more: nobody will acknowledge.
    pub(super) fn give_up_waiting(&mut self) {
        let fresh = std::mem::take(&mut self.fresh_waiters);
        for waiter in self.waiters.take().into_iter().chain(fresh) {
            self.deeds.push(Deed::Answer {
                core: waiter.place.core,
                number: waiter.number,
                answer: Answer::Error(
                    "UNBLOCKED force unblock from blocking operation, instance state changed \
                     (master -> replica?)"
                        .into(),
                ),
            });
        }
    }
}
