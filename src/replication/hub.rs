//! The hub: the whole state of a node's replication, in one place on one core.
//!
//! It learns of everything by method calls with the time in them, and leaves behind deeds to be
//! done. Offsets are counted here and nowhere else: [`Hub::feed`] is the only place where the
//! stream grows, whether this node makes it or passes on its master's.

use super::backlog::Backlog;
use super::board::Board;
use super::deed::{Answer, Deed, Place, Report, Wish};
use super::failover::Failover;
use super::flows::Flows;
use super::follow::Follower;
use super::gather::Gathered;
use super::history::History;
use super::info::Picture;
use super::order::{Chunk, Streams};
use super::psync::{Applicant, Continuation};
use super::replicas::{Replica, Stage};
use super::sync::Wanting;
use super::wait::{Waiter, Waiters};
use crate::base::prng::Prng;
use crate::config::Config;
use crate::keyspace::ShardId;
use bytes::Bytes;
use std::sync::Arc;

/// How often the state is looked after while there is anything to look after, in milliseconds.
const TICK_MS: i64 = 1000;
/// A failover looks more often: nobody may write meanwhile.
const FAILOVER_TICK_MS: i64 = 100;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// What has happened how often since CONFIG RESETSTAT, to be counted by the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syncs {
    pub full: u64,
    pub partial_ok: u64,
    pub partial_err: u64,
}

/// Whether a node makes the stream of its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    Off,
    /// From a mark on that has not come yet.
    Beginning,
    On,
}

/// What waits for a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AtMark {
    /// A promoted replica takes writes: all of them are in its stream from now on.
    Lead { wish: Option<(ShardId, u64)> },
    /// A demoted master calls its master: all it has written is in its stream.
    Call,
    /// A master that was loaded goes on with its stream, or one that ends has said everything.
    Nothing,
}

/// The state of replication.
pub struct Hub {
    pub(super) history: History,
    /// Bytes of the stream so far.
    pub(super) offset: u64,
    pub(super) backlog: Option<Backlog>,
    /// Since when nobody has needed the backlog, Unix milliseconds.
    pub(super) idle_since_ms: Option<i64>,
    pub(super) replicas: Vec<Replica>,
    pub(super) follower: Option<Follower>,
    pub(super) failover: Option<Failover>,
    pub(super) waiters: Waiters,
    /// Who has come in this turn; what they have written may come in the next.
    pub(super) fresh_waiters: Vec<Waiter>,
    /// Up to which delivery this node's log is on disk; none: there is no log.
    pub(super) synced: Option<u64>,
    /// The stream has asked the replicas to acknowledge, and nothing came behind that.
    pub(super) has_asked: bool,
    /// Whether this node makes the stream of what it changes.
    pub(super) recording: Recording,
    /// What is to happen when the stream is at the mark.
    pub(super) at_mark: Option<AtMark>,
    /// For whom a snapshot is being begun, whose cut has not come.
    pub(super) awaits_cut: Option<Wanting>,
    pinged_ms: i64,
    ticked_ms: i64,
    pub(super) deeds: Vec<Deed>,
    pub(super) random: Prng,
    board: Arc<Board>,
    /// How many shards this node has.
    pub(super) shards: usize,
    /// The streams of the shards of whoever makes the history.
    pub(super) streams: Streams,
    /// What replicas with connections for the shards are to get.
    pub(super) gathered: Gathered,
    syncs: Syncs,
    /// The process is about to end: nothing is said by itself.
    pub(super) is_resting: bool,
}

impl Hub {
    /// A master of so many shards, without replicas.
    pub fn new(board: Arc<Board>, mut random: Prng, shards: usize) -> Hub {
        Hub {
            history: History::fresh(&mut random),
            offset: 0,
            backlog: None,
            idle_since_ms: None,
            replicas: Vec::new(),
            follower: None,
            failover: None,
            waiters: Waiters::default(),
            fresh_waiters: Vec::new(),
            synced: None,
            has_asked: false,
            recording: Recording::Off,
            at_mark: None,
            awaits_cut: None,
            pinged_ms: 0,
            ticked_ms: 0,
            deeds: Vec::new(),
            random,
            board,
            shards,
            streams: Streams::new(shards),
            gathered: Gathered::default(),
            syncs: Syncs::default(),
            is_resting: false,
        }
    }

    /// What is to be done, in order.
    pub fn take_deeds(&mut self) -> Vec<Deed> {
        std::mem::take(&mut self.deeds)
    }

    /// What has been counted since the last time.
    pub fn take_syncs(&mut self) -> Syncs {
        std::mem::take(&mut self.syncs)
    }

    /// Bytes of the stream so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether it follows a master.
    pub fn is_replica(&self) -> bool {
        self.follower.is_some()
    }

    /// The history's name.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Takes in what a core reports.
    pub fn hear(&mut self, report: Report, now: (i64, &Config)) {
        self.hand_out();
        match report {
            Report::Psync(applicant) => self.admit(*applicant, now),
            Report::Ack {
                place,
                offset,
                synced,
            } => self.acked(place, (offset, synced), now),
            Report::Sent { place, is_whole } => self.sent(place, is_whole, now),
            Report::Flow { place, words } => self.join_flow(place, &words, now),
            Report::Release { place, is_error } => self.release(place, is_error),
            Report::Rename => self.history = History::fresh(&mut self.random),
            Report::Gone(place) => self.gone(place, now.0),
            Report::Wish { core, number, wish } => self.wished((core, number), wish, now),
        }
        self.count_good(now);
    }

    fn wished(&mut self, who: (ShardId, u64), wish: Wish, now: (i64, &Config)) {
        let (core, number) = who;
        let answer = match wish {
            Wish::Follow { master, client } => {
                let Some(answer) = self.follow(master, &client, (core, number), now) else {
                    return;
                };
                answer
            }
            Wish::Failover {
                to,
                is_forced,
                timeout_ms,
            } => {
                let until_ms = (timeout_ms > 0).then(|| now.0.saturating_add(timeout_ms));
                self.begin_failover(to, is_forced, until_ms)
            }
            Wish::AbortFailover => self.abort_failover(),
            Wish::Wait {
                place,
                replicas,
                disks,
                timeout_ms,
                is_now,
            } => {
                let until_ms = match is_now {
                    true => Some(now.0),
                    false => (timeout_ms > 0).then(|| now.0.saturating_add(timeout_ms)),
                };
                return self.fresh_waiters.push(Waiter {
                    place,
                    number,
                    offset: 0,
                    replicas,
                    disks,
                    until_ms,
                });
            }
        };
        self.deeds.push(Deed::Answer {
            core,
            number,
            answer,
        });
    }

    pub(super) fn say(&mut self, place: Place, line: String) {
        let bytes = Bytes::from(line.into_bytes());
        self.deeds.push(Deed::Feed { place, bytes });
    }

    /// A client asks to become a replica.
    fn admit(&mut self, applicant: Applicant, now: (i64, &Config)) {
        if applicant.is_failover && !self.accepts_role(&applicant) {
            return;
        }
        let name = applicant.name();
        tracing::info!("Replica {name} asks for synchronization");
        match applicant.can_flows && now.1.repl_shard_streams {
            true => self.open_flows(applicant, now.0),
            false => self.synchronize(applicant, None, now),
        }
        self.idle_since_ms = None;
    }

    /// Lets a replica go on where it is, if that is possible, or begin anew.
    pub(super) fn synchronize(
        &mut self,
        applicant: Applicant,
        flows: Option<Flows>,
        now: (i64, &Config),
    ) {
        let (name, place) = (applicant.name(), applicant.place);
        if self.follower.as_ref().is_some_and(|it| !it.is_up()) {
            let line = "-NOMASTERLINK Can't SYNC while not connected with my master\r\n";
            return self.say(place, line.into());
        }
        match Continuation::of(&applicant, &self.history, self.backlog.as_ref()) {
            Continuation::Partial { bytes, offset } => {
                self.syncs.partial_ok += 1;
                tracing::info!(
                    "Partial resynchronization request from {name} accepted. Sending {} bytes of \
                     backlog starting from offset {offset}.",
                    bytes.len()
                );
                self.say(
                    place,
                    match applicant.can_psync2 {
                        true => format!("+CONTINUE {}\r\n", self.history.id),
                        false => String::from("+CONTINUE\r\n"),
                    },
                );
                let mut replica = Replica::new(applicant, Stage::Online, now.0);
                replica.acked = offset.saturating_sub(1);
                let bytes = Bytes::from(bytes);
                let frames = match &flows {
                    None => vec![bytes],
                    Some(flows) => {
                        let first = self.streams.beginning(flows.count(), replica.acked);
                        let rest = Streams::catch_up(bytes, replica.acked);
                        std::iter::once(first).chain(rest).collect()
                    }
                };
                replica.flows = flows;
                self.replicas.push(replica);
                let feeds = frames.into_iter().map(|bytes| Deed::Feed { place, bytes });
                self.deeds.extend(feeds);
            }
            Continuation::Full { reason } => {
                tracing::info!("{reason}");
                self.syncs.partial_err += u64::from(!applicant.is_new());
                self.syncs.full += 1;
                self.keep_backlog(now.1);
                let mut replica = Replica::new(applicant, Stage::Waiting, now.0);
                replica.flows = flows;
                self.replicas.push(replica);
                self.begin_snapshots(now);
            }
        }
    }

    /// A replica asks this node, itself one, to take over.
    fn accepts_role(&mut self, applicant: &Applicant) -> bool {
        let id = applicant.request.as_ref().map_or(&[][..], |(id, _)| id);
        let shown = crate::resp::errors::clipped(id, super::history::ID_LEN);
        tracing::warn!("Failover request received for replid {shown}.");
        let error = if self.follower.is_none() {
            "-ERR PSYNC FAILOVER can't be sent to a master.\r\n"
        } else if !id.eq_ignore_ascii_case(self.history.id.as_bytes()) {
            "-ERR PSYNC FAILOVER replid must match my replid.\r\n"
        } else {
            self.promote(None);
            tracing::info!(
                "MASTER MODE enabled (failover request from '{}')",
                applicant.name()
            );
            return true;
        };
        self.say(applicant.place, error.into());
        false
    }

    /// From now on the stream is kept.
    pub(super) fn keep_backlog(&mut self, config: &Config) {
        if self.backlog.is_some() {
            return;
        }
        let size = usize::try_from(config.repl_backlog_size).unwrap_or(usize::MAX);
        self.backlog = Some(Backlog::new(size, self.offset));
        if self.follower.is_none() {
            // What was written while nothing was kept is in no stream.
            self.history = History::fresh(&mut self.random);
            tracing::info!(
                "Replication backlog created, my new replication IDs are '{}' and '{}'",
                self.history.id,
                "0".repeat(super::history::ID_LEN)
            );
        }
    }

    /// Lets something happen when the stream is at a mark that is made now.
    pub(super) fn mark(&mut self, then: AtMark) {
        if self.recording == Recording::Off {
            self.recording = Recording::Beginning;
        }
        self.at_mark = Some(then);
        self.deeds.push(Deed::Mark);
    }

    /// The stream is at the mark.
    pub fn marked(&mut self, now: (i64, &Config)) {
        self.hand_out();
        self.recording = Recording::On;
        match self.at_mark.take() {
            Some(AtMark::Lead { wish }) => {
                self.lead();
                if let Some((core, number)) = wish {
                    self.deeds.push(Deed::Answer {
                        core,
                        number,
                        answer: Answer::Ok,
                    });
                }
            }
            Some(AtMark::Call) => {
                self.stop_recording();
                self.call(now);
            }
            Some(AtMark::Nothing) | None => {}
        }
    }

    /// Makes the stream no more.
    pub(super) fn stop_recording(&mut self) {
        if self.recording != Recording::Off {
            self.recording = Recording::Off;
            self.deeds.push(Deed::Unrecord);
        }
    }

    /// Whether what the shards say is the stream.
    pub fn is_recording(&self) -> bool {
        self.recording != Recording::Off
    }

    pub(super) fn replica_at(&mut self, place: Place) -> Option<&mut Replica> {
        self.replicas
            .iter_mut()
            .find(|replica| replica.place() == place)
    }

    fn acked(&mut self, place: Place, has: (u64, Option<u64>), now: (i64, &Config)) {
        let (offset, synced) = has;
        let Some(replica) = self.replica_at(place) else {
            let mut flows = self.replicas.iter_mut().filter_map(|it| it.flows.as_mut());
            // One that is no replica's is of one that has gone.
            let _ = flows.any(|flows| flows.ack(place, offset));
            return;
        };
        replica.acked = replica.acked.max(offset);
        replica.synced = replica.synced.max(synced);
        replica.acked_ms = now.0;
        self.finish_waiting(now.0);
        if self.failover.is_some() {
            self.go_on_failing_over(now);
        }
    }

    fn gone(&mut self, place: Place, now_ms: i64) {
        self.waiters.forget(place);
        self.fresh_waiters.retain(|waiter| waiter.place != place);
        let Some(at) = self.replicas.iter().position(|it| it.place() == place) else {
            return self.lost_flow(place);
        };
        let replica = self.replicas.remove(at);
        self.close_flows(&replica);
        tracing::warn!("Connection with replica {} lost.", replica.applicant.name());
        if self.replicas.is_empty() {
            self.idle_since_ms = Some(now_ms);
        }
    }

    /// Once a second: pings, silence, time that is over.
    pub fn tick(&mut self, now: (i64, &Config)) {
        let (now_ms, config) = now;
        self.hand_out();
        self.begin_waiting(now_ms);
        self.finish_waiting(now_ms);
        if self.failover.is_some() {
            self.go_on_failing_over(now);
        }
        if now_ms - self.ticked_ms < TICK_MS {
            return;
        }
        self.ticked_ms = now_ms;
        self.look_after_link(now);
        self.ping(now);
        self.drop_silent(now);
        self.begin_snapshots(now);
        self.age_backlog(now_ms, config);
        self.count_good(now);
    }

    /// When [`Hub::tick`] is to be called, however quiet it is, Unix milliseconds.
    pub fn due_ms(&self) -> Option<i64> {
        let is_active = self.follower.is_some() || self.backlog.is_some();
        let tick_ms = is_active.then_some(self.ticked_ms + TICK_MS);
        let failover_ms = self
            .failover
            .as_ref()
            .map(|_| self.ticked_ms + FAILOVER_TICK_MS);
        let at_once = (!self.fresh_waiters.is_empty()).then_some(0);
        let gathered_ms = self.gathered.due_ms();
        [
            tick_ms,
            failover_ms,
            gathered_ms,
            self.waiters.due_ms(),
            at_once,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn ping(&mut self, now: (i64, &Config)) {
        let (now_ms, config) = now;
        let period_ms = i64::from(config.repl_ping_replica_period) * 1000;
        let is_due = now_ms - self.pinged_ms >= period_ms && !self.replicas.is_empty();
        // Redis: a paused master does not ping, so that its offset stands still.
        let may_ping = self.failover.is_none() && !self.is_resting;
        if is_due && self.follower.is_none() && may_ping {
            self.pinged_ms = now_ms;
            self.feed(Chunk::aside(Bytes::from_static(PING)));
        }
        // Who waits for a snapshot hears an empty line, so that it does not give up.
        let waiting = self.replicas.iter().filter(|it| it.stage == Stage::Waiting);
        for replica in waiting.filter(|it| it.applicant.request.is_some()) {
            self.deeds.push(Deed::Feed {
                place: replica.place(),
                bytes: Bytes::from_static(b"\n"),
            });
        }
    }

    fn drop_silent(&mut self, now: (i64, &Config)) {
        let is_silent = |replica: &&Replica| replica.is_silent(now.1, now.0);
        for replica in self.replicas.iter().filter(is_silent) {
            let name = replica.applicant.name();
            tracing::warn!("Disconnecting timedout replica (streaming sync): {name}");
            self.deeds.push(Deed::Close(replica.place()));
        }
    }

    fn age_backlog(&mut self, now_ms: i64, config: &Config) {
        let size = usize::try_from(config.repl_backlog_size).unwrap_or(usize::MAX);
        if let Some(backlog) = &mut self.backlog {
            backlog.resize(size);
        }
        let ttl_s = config.repl_backlog_ttl;
        let is_old = |since_ms: i64| (now_ms - since_ms) / 1000 > ttl_s as i64;
        let is_idle = self.follower.is_none() && self.replicas.is_empty() && ttl_s != 0;
        if self.backlog.is_some() && is_idle && self.idle_since_ms.is_some_and(is_old) {
            self.backlog = None;
            self.idle_since_ms = None;
            self.history = History::fresh(&mut self.random);
            self.stop_recording();
            tracing::info!(
                "Replication backlog freed after {ttl_s} seconds without connected replicas."
            );
        }
    }

    fn count_good(&mut self, now: (i64, &Config)) {
        self.board.set_good_replicas(self.good_replicas(now));
    }

    fn good_replicas(&self, now: (i64, &Config)) -> u32 {
        let good = self.replicas.iter().filter(|it| it.is_good(now.1, now.0));
        good.count() as u32
    }

    /// The node is a master from now on.
    fn lead(&mut self) {
        self.streams.lead(self.shards);
        self.deeds.push(Deed::BecomeReplica(false));
    }

    /// Tells the cores which role this node has.
    pub fn publish_standing(&self) {
        let follower = self.follower.as_ref();
        // Who is about to lead still refuses writes: nobody would see them in the stream.
        let is_leading = matches!(self.at_mark, Some(AtMark::Lead { .. }));
        let is_up = follower.is_some_and(Follower::is_up);
        self.board
            .set_standing(follower.is_some() || is_leading, is_up || is_leading);
    }

    /// Tells the cores whether somebody wants to know what replicas have.
    pub fn publish_hurry(&self) {
        self.board.set_hurried(self.is_hurried());
    }

    /// Whether somebody wants to know what replicas have.
    pub(super) fn is_hurried(&self) -> bool {
        let is_awaited = !self.waiters.is_empty() || !self.fresh_waiters.is_empty();
        is_awaited || self.failover.is_some() || self.is_resting
    }

    /// The state of now, for INFO and ROLE.
    pub fn picture(&self, now: (i64, &Config)) -> Picture {
        let previous = self.history.previous.as_ref();
        Picture {
            link: self.link_picture(now.0),
            replicas: self.replicas.iter().map(|it| it.picture(now.0)).collect(),
            good_replicas: self.good_replicas(now),
            failover: Failover::name(self.failover.as_ref()),
            id: self.history.id.clone(),
            previous_id: previous.map(|previous| previous.id.clone()),
            previous_end: previous.map(|previous| previous.end),
            offset: self.offset,
            backlog: self.backlog.as_ref().map(|it| (it.first(), it.count())),
            streams: self.streams.offsets().to_vec(),
            ran: Vec::new(),
        }
    }

    /// Bytes of memory of the backlog.
    pub fn backlog_bytes(&self) -> usize {
        self.backlog.as_ref().map_or(0, Backlog::memory_bytes)
    }
}
