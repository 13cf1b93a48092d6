//! WAIT and WAITAOF: a client waits until enough replicas have acknowledged what was written before
//! it, or until it is on enough disks.
//!
//! The replicas are asked through the stream, so that they answer when they have come to that
//! place. Who waits has a moment at which it gets the count of then, whatever it is.

use super::deed::{Answer, Deed, Disks, Place};
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
    /// On their disks.
    pub disks: Option<Disks>,
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

    /// Those who are done, with their answers; `count` says what one would get now, and whether
    /// that is what it waits for.
    fn finished(
        &mut self,
        now_ms: i64,
        count: impl Fn(&Waiter) -> (Answer, bool),
    ) -> Vec<(Waiter, Answer)> {
        let mut finished = Vec::new();
        self.0.retain(|waiter| {
            let (answer, is_enough) = count(waiter);
            let is_over = waiter.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
            let is_done = is_enough || is_over;
            if is_done {
                finished.push((*waiter, answer));
            }
            !is_done
        });
        finished
    }

    /// Whether somebody waits for disks.
    fn await_disks(&self) -> bool {
        self.0.iter().any(|waiter| waiter.disks.is_some())
    }

    /// Whether somebody waits for replicas.
    fn await_replicas(&self) -> bool {
        self.0.iter().any(|waiter| waiter.replicas > 0)
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
        if self.waiters.await_replicas() && !self.has_asked && self.follower.is_none() {
            self.feed(Chunk::aside(Bytes::from_static(GET_ACK)));
            self.has_asked = true;
        }
    }

    pub(super) fn finish_waiting(&mut self, now_ms: i64) {
        let (replicas, synced) = (&self.replicas, self.synced);
        let count = |waiter: &Waiter| count(waiter, replicas, synced);
        for (waiter, answer) in self.waiters.finished(now_ms, count) {
            self.deeds.push(Deed::Answer {
                core: waiter.place.core,
                number: waiter.number,
                answer,
            });
        }
    }

    /// Whether somebody waits for disks: this node's log has to be looked at, then.
    pub fn awaits_disks(&self) -> bool {
        let mut fresh = self.fresh_waiters.iter();
        self.waiters.await_disks() || fresh.any(|waiter| waiter.disks.is_some())
    }

    /// This node's log is on disk up to this delivery; none: there is no log.
    pub fn set_synced(&mut self, synced: Option<u64>, now_ms: i64) {
        self.synced = synced;
        self.finish_waiting(now_ms);
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
            false => count(&waiter, &self.replicas, self.synced).0,
        };
        self.deeds.push(Deed::Answer {
            core: place.core,
            number: waiter.number,
            answer,
        });
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

/// What somebody who waits would get now, and whether it is what it waits for.
fn count(waiter: &Waiter, replicas: &[Replica], synced: Option<u64>) -> (Answer, bool) {
    let online = replicas.iter().filter(|it| it.stage == Stage::Online);
    let Some(disks) = waiter.disks else {
        let acked = online.filter(|it| it.acked >= waiter.offset).count();
        return (Answer::Number(acked as u64), acked >= waiter.replicas);
    };
    if disks.is_local && synced.is_none() {
        let text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
        return (Answer::Error(text.into()), true);
    }
    let copies = online.filter(|it| it.synced >= Some(waiter.offset)).count();
    let is_here = synced.is_some_and(|synced| synced >= disks.delivery);
    let is_enough = copies >= waiter.replicas && (is_here || !disks.is_local);
    let answer = Answer::Copies(u64::from(is_here), copies as u64);
    (answer, is_enough)
}
