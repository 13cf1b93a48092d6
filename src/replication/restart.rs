//! A node that ends, and one that goes on where the one before has ended.
//!
//! A replica that was loaded has a beginning of its master's stream and asks for the rest. A master
//! that was loaded has a name of its own again, but remembers the one its replicas know, up to the
//! offset of its dataset: they go on with it, unless they have more than it has.

use super::backlog::Backlog;
use super::history::History;
use super::hub::{AtMark, Hub, Recording};
use super::order::Chunk;
use super::replicas::{Replica, Stage};
use super::wait::GET_ACK;
use crate::config::Config;
use bytes::Bytes;

impl Hub {
    /// Where the dataset is: the history's name, and its offset.
    pub fn place(&self) -> Option<(String, u64)> {
        let is_there = match &self.follower {
            Some(follower) => follower.has_place(),
            None => self.recording == Recording::On && self.backlog.is_some(),
        };
        is_there.then(|| (self.history.id.clone(), self.offset))
    }

    /// The dataset is at this place of a master's history.
    pub fn resume_following(&mut self, id: String, offset: u64, config: &Config) {
        (self.history, self.offset) = (History::named(id), offset);
        self.backlog = Some(Backlog::new(backlog_size(config), offset));
    }

    /// The dataset is at this place of this node's own history: its stream goes on from a mark that
    /// is made now.
    pub fn resume_leading(&mut self, id: String, offset: u64, now: (i64, &Config)) {
        (self.history, self.offset) = (History::named(id), offset);
        self.history.shift(offset, &mut self.random);
        self.backlog = Some(Backlog::new(backlog_size(now.1), offset));
        self.idle_since_ms = Some(now.0);
        self.mark(AtMark::Nothing);
    }

    /// The process is about to end, or is not: nothing is said to replicas by itself meanwhile.
    pub fn rest(&mut self, is_resting: bool) {
        self.is_resting = is_resting;
        let has_online = self.replicas.iter().any(|it| it.stage == Stage::Online);
        if is_resting && has_online && self.follower.is_none() {
            self.feed(Chunk::aside(Bytes::from_static(GET_ACK)));
            self.has_asked = true;
        }
    }

    /// How many replicas do not have everything, of those that acknowledge.
    pub fn lagging(&self) -> usize {
        let acks = |it: &&Replica| it.applicant.request.is_some() && !it.applicant.is_snapshot_only;
        let lags = |it: &&Replica| it.acked < self.offset;
        self.replicas.iter().filter(acks).filter(lags).count()
    }

    /// Makes a last mark in the stream of this node, if it makes one; false if it does not.
    pub fn mark_rest(&mut self) -> bool {
        let is_master = self.follower.is_none() && self.recording == Recording::On;
        let may_mark = is_master && self.at_mark.is_none();
        if may_mark {
            self.mark(AtMark::Nothing);
        }
        may_mark
    }
}

fn backlog_size(config: &Config) -> usize {
    usize::try_from(config.repl_backlog_size).unwrap_or(usize::MAX)
}
