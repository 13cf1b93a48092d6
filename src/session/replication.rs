//! What a core has to do with replication: it reports to the hub and does what the hub decides.
//!
//! ```text
//!   core with a replica         the core with the hub              core with a replica
//!   PSYNC, ACK, gone ---------> Report --> Hub --> Deed ---------> Feed: into its output
//!                               thread that talks to the master
//!                               session of the master's stream
//! ```
//!
//! The hub lives on the first core, and so does the connection to the master, whose commands are
//! run like a client's and spread from there over the shards.

use super::bookmarks::Bookmarks;
use super::core::Core;
use super::ending::Rest;
use super::feed::Feed;
use super::flows::{Inlet, LineOf, Parts};
use super::order::{self, Order, Question};
use super::outflow::Outflow;
use super::registry::SessionId;
use super::resync::Parcelled;
use super::session::Session;
use super::stream::{Stream, Talk};
use crate::config::Master;
use crate::keyspace::{DbIndex, ShardId};
use crate::observe::log::Role;
use crate::replication::link::News;
use crate::replication::order::Chunk;
use crate::replication::{Answer, Deed, Hub, LinkPicture, Picture, Place, Receiver, Report, Wish};
use crate::resp::{self, Writer};
use crate::router::Why;
use crate::runtime::errands::Mailbox;
use bytes::Bytes;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How soon to look again whether the data are loaded, in milliseconds.
const LOOK_AGAIN_MS: i64 = 50;
/// From so many bytes on a replica gets a part of the stream by reference, as others do: copied,
/// it would need new memory for as long as it waits.
const SHARED_BYTES_MIN: usize = 4096;

/// When the hub is to be looked after in the very next turn, whatever the clock says.
pub const AT_ONCE_MS: i64 = 0;

/// The core where the hub is.
pub const HUB_CORE: ShardId = ShardId(0);

/// What a client has said of itself on its way to becoming a replica.
#[derive(Clone, Debug, Default)]
pub struct Introduction {
    pub listening_port: Option<u16>,
    pub ip: Option<Vec<u8>>,
    pub can_eof: bool,
    pub can_psync2: bool,
    pub can_flows: bool,
    /// It is one of so many connections of a replica for the shards.
    pub flows: usize,
    pub is_snapshot_only: bool,
    /// It has asked to become one.
    pub is_replica: bool,
}

/// What one core has to do with replication.
#[derive(Default)]
pub struct Replication {
    pub hub: Option<Box<Hub>>,
    /// When the hub is to be looked after, Unix milliseconds.
    due_ms: Option<i64>,
    /// The millisecond of which the hub gathers what is to go out when it is over, and whether the
    /// ring has yet to be told so. Any other one ends it: the clock may be set back.
    gathers: Option<i64>,
    wants_nudge: bool,
    /// It does what the configuration says.
    has_begun: bool,
    pub news: Arc<Mailbox<(u64, News)>>,
    pub(super) talk: Option<Talk>,
    pub(super) talks: u64,
    pub(super) stream: Option<Stream>,
    /// The database that the stream was in when its connection ended.
    pub(super) db: DbIndex,
    /// Connections to masters that the loop has to take over.
    pub(super) lines: Vec<(OwnedFd, Session, LineOf)>,
    /// The master's stream, where it comes shard by shard; and its flows on this core.
    pub(super) parts: Option<Parts>,
    pub(super) inlets: Vec<Inlet>,
    pub(super) links: u64,
    pub(super) has_flow_news: bool,
    /// The link has ended, and what was granted of it is being run to its end: nothing is done that
    /// the hub decides, until then.
    pub(super) is_draining: bool,
    /// What is to be done.
    pub(super) deeds: VecDeque<Deed>,
    /// The stream that this node makes, if it does.
    pub(super) feed: Option<Feed>,
    pub(super) marks: u64,
    /// The number of the snapshot for replicas that is being made, and who gets it.
    pub(super) snapshot: Option<u64>,
    pub(super) receivers: Vec<Place>,
    /// Those of one that goes shard by shard and is to begin; none: it will be a file.
    pub(super) wanting: Vec<Receiver>,
    /// The connections on which one goes shard by shard.
    pub(super) outflow: Option<Outflow>,
    /// A snapshot is to be made as soon as nothing of the master's stream is being applied.
    pub(super) awaits_calm: bool,
    /// Cuts whose places in the stream are to be known.
    pub(super) bookmarks: Bookmarks,
    /// The process is about to end.
    pub(super) rest: Option<Rest>,
    /// Replicas of this core that are to get a snapshot.
    pub(super) lends: Vec<(SessionId, Arc<Parcelled>)>,
}

impl Replication {
    /// That of this core.
    pub(super) fn of(core: ShardId, hub: impl FnOnce() -> Hub) -> Replication {
        let hub = (core == HUB_CORE).then(|| Box::new(hub()));
        Replication {
            // The first look is at what the configuration says.
            due_ms: hub.as_ref().map(|_| 0),
            hub,
            ..Replication::default()
        }
    }
}

impl Core {
    /// Whether there is anything to be done for replication.
    #[inline]
    pub fn has_replication_news(&self) -> bool {
        let replication = &self.replication;
        if !replication.inlets.is_empty()
            || replication.parts.is_some()
            || replication.has_flow_news
        {
            return true;
        }
        replication.hub.is_some()
            && (replication.news.has_letters()
                || replication
                    .gathers
                    .is_some_and(|millisecond| millisecond != self.now_ms)
                || replication
                    .due_ms
                    .is_some_and(|due_ms| due_ms <= self.now_ms)
                || replication.stream.is_some()
                || replication.rest.is_some())
    }

    /// When it has to be looked after however quiet it is, Unix milliseconds.
    pub fn replication_due_ms(&self) -> Option<i64> {
        [
            self.replication.due_ms,
            self.flows_due_ms(),
            self.rest_due_ms(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Reports something to the hub.
    pub fn report(&mut self, report: Report) {
        // In its turn even if it is here: the hub is told of nothing in the middle of a turn, when
        // nobody knows yet what of the master's stream has been run.
        self.orders_for(HUB_CORE).push(Order::Report(report));
    }

    /// Tells the hub what a client wants; its next commands wait for the answer.
    pub fn wish(
        &mut self,
        id: SessionId,
        wish: Wish,
        finish: impl FnOnce(Answer, &mut Writer<'_>) + Send + 'static,
    ) {
        let finish = move |answers: Vec<order::Answer>, reply: &mut Writer<'_>| {
            if let Some(order::Answer::Replication(answer)) = answers.into_iter().next() {
                finish(answer, reply);
            }
        };
        if let Some(number) = self.await_answers(id, 1, finish) {
            let core = self.id;
            self.report(Report::Wish { core, number, wish });
        }
    }

    /// The hub is told something.
    pub fn hear_report(&mut self, report: Report) {
        self.begin_replication();
        self.pass_on();
        let (now_ms, config) = (self.now_ms, self.config.share());
        if let Some(hub) = &mut self.replication.hub {
            hub.hear(report, (now_ms, &config));
            self.do_deeds();
        }
    }

    /// Looks after replication: what the thread says, what the stream has brought, the time.
    #[cold]
    pub fn tend_replication(&mut self) {
        self.tend_flows();
        if self.replication.hub.is_none() {
            return;
        }
        if self.replication.gathers.is_some() {
            self.do_deeds();
        }
        for (talk, news) in self.replication.news.take() {
            self.hear_news(talk, news);
        }
        self.pass_on();
        self.drain_parts();
        if self.replication.awaits_calm {
            self.begin_replica_snapshot();
        }
        self.go_on_cutting();
        self.go_on_resting();
        self.look_at_disks();
        if self
            .replication
            .due_ms
            .is_some_and(|due_ms| due_ms <= self.now_ms)
        {
            self.tick_replication();
        }
    }

    fn tick_replication(&mut self) {
        let (now_ms, config) = (self.now_ms, self.config.share());
        if self.is_loading {
            // Nothing goes on before the data are there that this node starts with.
            self.replication.due_ms = Some(now_ms + LOOK_AGAIN_MS);
            return;
        }
        self.begin_replication();
        if let Some(hub) = &mut self.replication.hub {
            hub.tick((now_ms, &config));
        }
        self.acknowledge();
        self.acknowledge_flows();
        self.look_after_flows(i64::from(config.repl_timeout) * 1000);
        self.drop_stalled(&config);
        self.do_deeds();
    }

    /// Follows the master that the configuration names, as soon as there are the data that this
    /// node starts with, and before the hub hears of anything else.
    fn begin_replication(&mut self) {
        if self.replication.has_begun || self.node.state.loading.is_on() {
            return;
        }
        self.replication.has_begun = true;
        let (now_ms, config) = (self.now_ms, self.config.share());
        if let (Some(hub), Some(master)) = (&mut self.replication.hub, config.replicaof.clone()) {
            hub.obey(master, (now_ms, &config));
        }
    }

    /// Does what the hub has decided.
    pub(super) fn do_deeds(&mut self) {
        let Some(hub) = &mut self.replication.hub else {
            return;
        };
        hub.end_millisecond(self.now_ms);
        self.replication.deeds.extend(hub.take_deeds());
        let syncs = hub.take_syncs();
        let counters = self.node.board.core(usize::from(self.id.0));
        counters.sync_full.add(syncs.full);
        counters.sync_partial_ok.add(syncs.partial_ok);
        counters.sync_partial_err.add(syncs.partial_err);
        while !self.replication.is_draining {
            let Some(deed) = self.replication.deeds.pop_front() else {
                break;
            };
            self.do_deed(deed);
        }
        let hub = self.replication.hub.as_ref();
        self.replication.due_ms = hub.and_then(|hub| {
            hub.publish_hurry();
            hub.due_ms()
        });
        let gathers = hub.and_then(|hub| hub.gathers());
        let gathered = std::mem::replace(&mut self.replication.gathers, gathers);
        self.replication.wants_nudge |= gathers.is_some() && gathered.is_none();
    }

    /// Whether the ring has to be told not to sleep beyond this millisecond; then it has been.
    #[inline]
    pub fn take_nudge(&mut self) -> bool {
        std::mem::take(&mut self.replication.wants_nudge)
    }

    /// What the time is, and whether nothing that is for replicas may be kept back.
    #[inline]
    pub fn moment(&self) -> (i64, bool) {
        (self.now_ms, self.node.replication.is_hurried())
    }

    fn do_deed(&mut self, deed: Deed) {
        match deed {
            Deed::Feed { place, bytes } if place.core == self.id => {
                self.feed_replica(place.session, &bytes);
            }
            Deed::Hold(place) if place.core == self.id => self.hold_replica(place.session),
            Deed::Hold(place) => self.orders_for(place.core).push(Order::Hold(place.session)),
            Deed::Feed { place, bytes } => {
                self.orders_for(place.core)
                    .push(Order::Feed(place.session, bytes));
            }
            Deed::Close(place) => {
                self.orders_for(place.core).push(Order::Part(place.session));
            }
            Deed::Release(place) => {
                let order = Order::Release(place.session);
                self.orders_for(place.core).push(order);
            }
            Deed::Answer {
                core,
                number,
                answer,
            } => self.answer(core, number, order::Answer::Replication(answer)),
            Deed::Connect(call) => self.call_master(*call),
            Deed::Disconnect => self.leave_master(),
            Deed::Mark => self.begin_mark(),
            Deed::Unrecord => self.end_feed(),
            Deed::Snapshot(receivers) => {
                self.replication.wanting = receivers;
                self.begin_replica_snapshot();
            }
            Deed::BecomeReplica(is_replica) => self.become_replica(is_replica),
            Deed::Pause(until_ms) => self.pause_for_failover(until_ms),
            Deed::Configure(master) => self.configure_master(master),
        }
    }

    fn become_replica(&mut self, is_replica: bool) {
        self.node.log.set_role(match is_replica {
            true => Role::Replica,
            false => Role::Master,
        });
        if is_replica {
            self.tell_all(&Question::StopWaiting);
        }
        if let Some(hub) = &self.replication.hub {
            hub.publish_standing();
        }
    }

    fn configure_master(&mut self, master: Option<Master>) {
        let with = |old: &crate::config::Config| {
            Ok::<_, std::convert::Infallible>(old.with_master(master.clone()))
        };
        let Ok(()) = self.node.config.replace(with);
        self.config.refresh();
    }

    fn pause_for_failover(&mut self, until_ms: Option<i64>) {
        match until_ms {
            Some(until_ms) => {
                let is_writes_only = true;
                let pause = super::pause::Pause {
                    until_ms,
                    is_writes_only,
                };
                self.node.begin_pause(pause, self.now_ms);
                self.tell_all(&Question::Pause);
            }
            None => {
                self.node.end_pause();
                self.tell_all(&Question::Unpause);
            }
        }
    }

    /// Bytes of the stream, for a replica whose connection is here.
    pub fn feed_replica(&mut self, session: u64, bytes: &Bytes) {
        let id = SessionId::from_bits(session);
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let output = match &mut session.behind {
            Some(behind) => behind,
            None => &mut session.output,
        };
        match bytes.len() < SHARED_BYTES_MIN {
            true => output.push_stream(bytes),
            false => output.push_shared(bytes.clone()),
        }
        self.counters().repl_output_bytes.add(bytes.len() as u64);
        self.mark_dirty(id);
    }

    /// A replica's connection is gone, or a master's.
    pub(super) fn part_with(&mut self, id: SessionId, session: &Session) {
        if session.is_master {
            if self.is_stream(id) {
                self.replication.db = session.db;
                self.lost_master();
            } else {
                self.lost_flow(id);
            }
            return;
        }
        if session.is_replica() || session.has_waited {
            let place = self.place(id);
            self.report(Report::Gone(place));
        }
    }

    /// A message, for the clients of replicas. Redis: it goes into the stream and into no log.
    pub fn publish_to_replicas(&mut self, words: &[&[u8]]) {
        if self.is_streaming {
            let bytes = Bytes::from(resp::request(words));
            self.orders_for(HUB_CORE).push(Order::Published(bytes));
        }
    }

    /// A message goes into the stream, if this node makes one.
    pub fn feed_message(&mut self, bytes: Bytes) {
        let hub = self.replication.hub.as_mut();
        if let Some(hub) = hub.filter(|hub| hub.is_recording() && !hub.is_replica()) {
            hub.feed(Chunk::aside(bytes));
            self.do_deeds();
        }
    }

    /// Counts a client among those who are blocked until enough replicas have what it wants.
    pub fn await_replicas(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.find_mut(id) {
            session.awaits_replicas = true;
            self.counters().blocked_clients.add(1);
        }
    }

    /// Lets a client go that waits for replicas; says whether it does.
    pub fn release_waiter(&mut self, id: SessionId, why: Why) -> bool {
        let session = self.sessions.find(id);
        if !session.is_some_and(|session| session.awaits_replicas) {
            return false;
        }
        let (place, is_error) = (self.place(id), why == Why::Error);
        self.report(Report::Release { place, is_error });
        true
    }

    /// Where a client's connection lives.
    pub fn place(&self, id: SessionId) -> Place {
        Place {
            core: self.id,
            session: id.to_bits(),
        }
    }

    /// Publishes the state of replication for INFO and ROLE.
    pub(super) fn publish_replication(&mut self) {
        self.pass_on();
        let now = (self.now_ms, &*self.config);
        let Some(hub) = &self.replication.hub else {
            return;
        };
        let mut picture = Picture {
            ran: self.flow_offsets(),
            ..hub.picture(now)
        };
        if !self.replication.has_begun {
            picture.link = self.config.replicaof.as_ref().map(LinkPicture::awaited);
        }
        let bytes = hub.backlog_bytes() as u64;
        self.counters().replication_backlog_bytes.set(bytes);
        let Ok(()) = self
            .node
            .replication
            .picture
            .replace(|_| Ok::<_, std::convert::Infallible>(picture));
    }
}
