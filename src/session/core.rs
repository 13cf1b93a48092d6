//! One core's world: its shard, its router, its clients, and what it has to say to other cores.
//!
//! Everything a command can reach without leaving the core. Bytes come in and go out through the
//! floors above; this holds the state and the small moves that all of them need.

use super::channels::Channels;
use super::migration::{Migration, Transferred};
use super::multi::{Exec, ExecNews};
use super::node::Node;
use super::order::{Answer, Asked, Order, Question};
use super::registry::{SessionId, Sessions};
use super::replay::Replayed;
use super::replication::Replication;
use super::save::Saves;
use super::session::{Closing, Session};
use super::weights::Weights;
use super::withhold::Withheld;
use crate::base::prng::Prng;
use crate::config::Config;
use crate::keyspace::ShardId;
use crate::observe::counters::Counters;
use crate::replication::{Bars, Hub};
use crate::resp::{ErrorReply, Mark, Output, Writer};
use crate::router::{self, ReplyTo, Router, Why};
use crate::runtime::Held;
use crate::runtime::errands::Mailbox;
use crate::runtime::ring::Doorbell;
use crate::shard::{Memory, Room, Shard};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Marks a reply that belongs to a running EXEC: numbers of sessions have no such bit.
const IN_EXEC: u64 = 1 << 63;

/// Everything one core has for another one in a turn.
#[derive(Debug, Default)]
pub struct Parcel {
    pub data: router::Parcel,
    pub orders: Vec<Order>,
    /// The delivery that has to be durable before anybody may hear of this.
    pub needs: u64,
}

/// One core's world.
pub struct Core {
    pub id: ShardId,
    pub node: Arc<Node>,
    pub config: Held<Config>,
    pub shard: Shard,
    /// Whether the running command may take memory.
    pub room: Room,
    pub(super) weights: Weights,
    pub router: Router,
    pub sessions: Sessions,
    pub channels: Channels,
    pub replication: Replication,
    /// Whether what this shard changes goes into the stream for replicas.
    pub is_streaming: bool,
    /// What stands in the way of some commands in this turn.
    pub bars: Bars,
    /// The time of this turn, Unix milliseconds.
    pub now_ms: i64,
    /// Whether the dataset is being loaded in this turn.
    pub is_loading: bool,
    /// Whether there is an append-only file.
    pub is_logging: bool,
    /// Whether a snapshot is being taken.
    pub is_saving: bool,
    /// Why it cannot be written, as the system names it.
    pub log_failure: Option<i32>,
    /// Whether the last snapshot has failed.
    pub has_save_failed: bool,
    /// Sessions with output to send.
    pub dirty: Vec<SessionId>,
    /// Sessions whose waiting requests may run now.
    pub ready: Vec<SessionId>,
    /// Sessions to be closed.
    pub closing: Vec<SessionId>,
    /// Positions of arguments of the running command that logs must not show.
    pub redacted: Vec<usize>,
    /// Sessions that wait for the end of a pause.
    pub(super) paused: Vec<SessionId>,
    /// Where looking after clients goes on.
    pub(super) looked_after: u32,
    /// Until when clients have to be looked after however quiet it is, Unix milliseconds.
    pub(super) look_until_ms: i64,
    /// Who waits for snapshots.
    pub(super) saves: Saves,
    /// EXECs that are running, by their numbers.
    pub execs: HashMap<u64, Box<Exec>>,
    pub exec_news: Vec<(u64, ExecNews)>,
    pub next_exec: u64,
    /// Migrations that are running, by their own numbers or those of their EXECs.
    pub migrations: HashMap<u64, Box<Migration>>,
    /// What came of them on the other side.
    pub transferred: Arc<Mailbox<(u64, Transferred)>>,
    /// Replies that wait for the log.
    pub(super) withheld: Withheld,
    /// Somebody wants to know how far the log is on disk.
    pub(super) awaits_disks: bool,
    /// Pieces of a log that are to be run here, one after the other.
    pub replays: VecDeque<(Vec<u8>, Sender<Replayed>)>,
    /// The session that runs them.
    pub loader: Option<SessionId>,
    orders: Vec<Vec<Order>>,
    /// Among the orders are announcements, which have to arrive before anybody gets a reply.
    pub(super) has_announced: bool,
    /// Bytes of all parcels that it has ever handed over.
    pub(super) sent_bytes: u64,
    asked: HashMap<u64, Asked>,
    next_question: u64,
}

impl Core {
    /// The world of one core.
    pub fn new(node: Arc<Node>, id: ShardId) -> Core {
        let config = node.config.hold();
        let mut shard = Shard::new(id, node.map, config.databases, Prng::from_os());
        shard.memory = Memory::new(node.board.clone(), id.0 as usize, node.boot_bytes);
        shard.space.common.press = Some(node.desk.press(id));
        let router = Router::new(id, node.map, node.numbers.clone());
        let now_ms = node.clock.millis().0;
        let mut core = Core {
            id,
            config,
            shard,
            room: Room::Enough,
            weights: Weights::default(),
            router,
            sessions: Sessions::default(),
            channels: Channels::new(id, &node),
            replication: Replication::of(id, || {
                let shards = node.shards();
                Hub::new(node.replication.clone(), Prng::from_os(), shards)
            }),
            is_streaming: false,
            bars: Bars::NONE,
            now_ms,
            is_loading: false,
            is_logging: false,
            is_saving: false,
            log_failure: None,
            has_save_failed: false,
            dirty: Vec::new(),
            ready: Vec::new(),
            closing: Vec::new(),
            redacted: Vec::new(),
            paused: Vec::new(),
            looked_after: 0,
            look_until_ms: 0,
            saves: Saves::default(),
            execs: HashMap::new(),
            exec_news: Vec::new(),
            next_exec: 0,
            migrations: HashMap::new(),
            transferred: Arc::default(),
            withheld: Withheld::default(),
            awaits_disks: false,
            replays: VecDeque::new(),
            loader: None,
            orders: (0..node.shards()).map(|_| Vec::new()).collect(),
            has_announced: false,
            sent_bytes: 0,
            asked: HashMap::new(),
            next_question: 0,
            node,
        };
        core.heed_config();
        core
    }

    /// Lets whoever has something for this core wake it.
    pub fn attach(&self, bell: Doorbell) {
        let number = usize::from(self.id.0);
        self.node.letters[number].attach(bell.clone());
        self.node.aof.status.attach(number, bell.clone());
        self.replication.news.attach(bell.clone());
        self.transferred.attach(bell);
    }

    /// This core's counters.
    #[inline]
    pub fn counters(&self) -> &Counters {
        self.node.board.core(self.id.0 as usize)
    }

    /// Reads the clock once for a turn, and the configuration if it has changed.
    pub fn begin_turn(&mut self) {
        self.now_ms = self.node.clock.millis().0;
        self.refresh_config();
        self.is_loading = self.node.state.loading.is_on();
        self.bars = self.node.replication.bars(&self.config);
        self.look_at_disk();
        if self.awaits_disks {
            self.look_at_disks();
        }
        // Nothing expires while a log is replayed: what had expired, the log says.
        let is_replaying = self.is_loading && self.node.aof.status.is_loading();
        self.shard
            .set_now(if is_replaying { 0 } else { self.now_ms });
        self.has_save_failed = self.node.state.saving.has_failed();
        // While it is loaded, and before the end, nothing changes by itself, as on a replica.
        let is_resting = self.is_loading || self.node.is_ending();
        self.shard.space.common.is_replica = is_resting || self.node.replication.is_replica();
        if !self.paused.is_empty() {
            self.wake_paused(self.now_ms);
        }
        if self
            .router
            .next_deadline_ms()
            .is_some_and(|at| at <= self.now_ms)
        {
            self.router.end_waits(self.now_ms, &mut self.shard);
        }
        self.router.slow_nanos = self.node.slow_nanos();
        self.shard.memory.rules = self.memory_rules();
        self.rule_weights();
        if self.config.maxmemory != 0 {
            self.shard.publish_memory();
        }
        if self.node.letters[usize::from(self.id.0)].has_letters() {
            self.take_letters();
        }
    }

    /// Takes the configuration over if it has changed.
    #[inline]
    pub fn refresh_config(&mut self) {
        if self.config.refresh() {
            self.heed_config();
        }
    }

    /// Notes that a session has something to send.
    #[inline]
    pub fn mark_dirty(&mut self, id: SessionId) {
        if let Some(session) = self
            .sessions
            .find_mut(id)
            .filter(|session| !session.is_dirty)
        {
            session.is_dirty = true;
            self.dirty.push(id);
        }
    }

    /// Lets a reply be written where it belongs: into the output, or parked behind late ones.
    #[inline]
    pub fn reply(&mut self, id: SessionId, write: impl FnOnce(&mut Writer<'_>)) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let (is_muted, protocol) = (session.is_muted(), session.protocol);
        let out = if session.late.is_empty() {
            &mut session.output
        } else {
            session.late.parking()
        };
        let start = out.mark();
        write(&mut Writer::new(out, protocol));
        if is_muted {
            out.cut_back(start);
        }
        if !session.late.is_empty() {
            session.late.park(start);
        }
        self.mark_dirty(id);
    }

    /// An error as the reply, counted.
    pub fn reply_error(&mut self, id: SessionId, error: &ErrorReply) {
        self.count_error(&error.0);
        self.reply(id, |writer| {
            writer.error(error);
        });
    }

    /// Counts an error reply; the text is without the dash.
    pub fn count_error(&self, text: &[u8]) {
        self.counters().error_replies.add(1);
        self.node.errors.record(self.id.0 as usize, text);
    }

    /// What is to be told to another core, or to this one.
    pub(super) fn orders_for(&mut self, to: ShardId) -> &mut Vec<Order> {
        &mut self.orders[to.0 as usize]
    }

    /// Takes a place among the late replies of a session.
    pub fn await_reply(&mut self, id: SessionId) -> Option<ReplyTo> {
        let session = self.sessions.find_mut(id)?;
        if let Some(executing) = &mut session.executing {
            executing.is_awaiting = true;
            return Some(ReplyTo {
                session: id.to_bits() | IN_EXEC,
                seq: 0,
            });
        }
        self.take_place(id)
    }

    /// The same; the client's next commands wait for the reply.
    pub fn hold_for_reply(&mut self, id: SessionId) -> Option<ReplyTo> {
        let to = self.await_reply(id)?;
        self.sessions.find_mut(id)?.is_held = true;
        Some(to)
    }

    /// The same, for the reply of a whole EXEC too.
    pub fn take_place(&mut self, id: SessionId) -> Option<ReplyTo> {
        let session = self.sessions.find_mut(id)?;
        let seq = session.late.wait(session.is_muted());
        Some(ReplyTo {
            session: id.to_bits(),
            seq,
        })
    }

    /// Gives a late reply to its client.
    ///
    /// Says whether the client is still there.
    pub fn arrived(&mut self, to: ReplyTo, reply: (&Output, Mark, Mark)) -> bool {
        if to.session & IN_EXEC != 0 {
            self.arrived_in_exec(to, reply);
            return true;
        }
        let id = SessionId::from_bits(to.session);
        let Some(session) = self.sessions.find_mut(id) else {
            return false;
        };
        let was_owed_little = session.is_owed_little();
        session.late.arrived(to.seq, reply, &mut session.output);
        let is_empty = session.late.is_empty();
        let may_go_on = !was_owed_little && session.is_owed_little();
        if is_empty && (session.is_held || !session.pending.is_empty()) {
            session.is_held = false;
            self.ready.push(id);
            if session.waiting.is_some() || session.awaits_replicas {
                self.has_waited(id);
            }
        } else if may_go_on && !session.is_held && !session.pending.is_empty() {
            self.ready.push(id);
        }
        self.mark_dirty(id);
        true
    }

    /// Gives the reply of a command inside EXEC to it.
    #[cold]
    fn arrived_in_exec(&mut self, to: ReplyTo, reply: (&Output, Mark, Mark)) {
        let id = SessionId::from_bits(to.session & !IN_EXEC);
        let session = self.sessions.find(id);
        if let Some(executing) = session.and_then(|session| session.executing) {
            let (source, from, to) = reply;
            let mut output = Output::default();
            output.append_part(source, from, to);
            self.exec_news
                .push((executing.exec, ExecNews::Replied(output)));
        }
    }

    /// Asks every core; the client's next commands wait for the reply.
    pub fn ask_all(
        &mut self,
        id: SessionId,
        question: &Question,
        finish: impl FnOnce(Vec<Answer>, &mut Writer<'_>) + Send + 'static,
    ) {
        let Some(number) = self.await_answers(id, self.orders.len(), finish) else {
            return;
        };
        for orders in &mut self.orders {
            let question = question.clone();
            orders.push(Order::Ask {
                from: self.id,
                number,
                question,
            });
        }
    }

    /// Lets a client wait for so many answers, under the number returned.
    pub(super) fn await_answers(
        &mut self,
        id: SessionId,
        missing: usize,
        finish: impl FnOnce(Vec<Answer>, &mut Writer<'_>) + Send + 'static,
    ) -> Option<u64> {
        let to = self.await_reply(id)?;
        if let Some(session) = self.sessions.find_mut(id) {
            session.is_held = true;
        }
        let number = self.next_question;
        self.next_question += 1;
        let asked = Asked {
            to,
            missing,
            answers: Vec::new(),
            finish: Box::new(finish),
        };
        self.asked.insert(number, asked);
        Some(number)
    }

    /// Tells every core, this one included.
    pub fn tell_all(&mut self, question: &Question) {
        for orders in &mut self.orders {
            orders.push(Order::Tell(question.clone()));
        }
    }

    /// Tells every other core.
    pub fn tell_others(&mut self, question: &Question) {
        let me = self.id.0 as usize;
        let others = self.orders.iter_mut().enumerate();
        for (_, orders) in others.filter(|(core, _)| *core != me) {
            orders.push(Order::Tell(question.clone()));
        }
    }

    /// Sends the answer to a question of another core, or of this one.
    pub fn answer(&mut self, to: ShardId, number: u64, answer: Answer) {
        self.orders[to.0 as usize].push(Order::Answer { number, answer });
    }

    /// Takes an answer in; with the last one the client gets its reply.
    pub fn answered(&mut self, number: u64, answer: Answer) {
        if number == super::ending::QUIET {
            return self.quieted();
        }
        let Some(asked) = self.asked.get_mut(&number) else {
            return;
        };
        asked.answers.push(answer);
        asked.missing -= 1;
        if asked.missing > 0 {
            return;
        }
        let Some(asked) = self.asked.remove(&number) else {
            return;
        };
        let id = SessionId::from_bits(asked.to.session & !IN_EXEC);
        let Some(session) = self.sessions.find(id) else {
            return;
        };
        let mut output = Output::default();
        (asked.finish)(
            asked.answers,
            &mut Writer::new(&mut output, session.protocol),
        );
        let to = asked.to;
        if let Some(error) = output.plain().and_then(|text| text.strip_prefix(b"-")) {
            self.count_error(error.strip_suffix(b"\r\n").unwrap_or(error));
        }
        let end = output.mark();
        self.arrived(to, (&output, Output::start(), end));
    }

    /// When this core has to turn next for those who wait here or may run on, Unix milliseconds.
    pub fn next_waking_ms(&self) -> Option<i64> {
        let has_more = self.router.has_own_parcel()
            || self.router.has_deliveries()
            || self.router.has_wait_news();
        let now = has_more.then_some(self.now_ms);
        let times = [now, self.next_unpause_ms(), self.router.next_deadline_ms()];
        times.into_iter().flatten().min()
    }

    /// Whether this core has orders for itself.
    pub fn has_own_orders(&self) -> bool {
        !self.orders[self.id.0 as usize].is_empty()
    }

    /// The orders this core has for itself.
    pub fn take_own_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders[self.id.0 as usize])
    }

    /// Hands over what is to be sent to other cores.
    pub fn take_parcels(&mut self, mut send: impl FnMut(ShardId, Parcel)) {
        let (mut sent, mut bytes) = (0, 0);
        if std::mem::take(&mut self.has_announced) {
            sent += self.take_orders(&mut send);
        }
        let (orders, needs) = (&mut self.orders, self.withheld.needs());
        self.router.take_parcels(|shard, data| {
            let orders = std::mem::take(&mut orders[shard.0 as usize]);
            bytes += data.held_bytes() as u64;
            sent += 1;
            send(
                shard,
                Parcel {
                    data,
                    orders,
                    needs,
                },
            );
        });
        sent += self.take_orders(&mut send);
        if sent > 0 {
            self.counters().messages_sent.add(sent);
            self.sent_bytes += bytes;
            self.counters().parcels_sent_bytes.set(self.sent_bytes);
        }
    }

    /// Hands over the orders alone; returns to how many cores.
    fn take_orders(&mut self, send: &mut impl FnMut(ShardId, Parcel)) -> u64 {
        let mut sent = 0;
        for (shard, orders) in self.orders.iter_mut().enumerate() {
            if shard == self.id.0 as usize || orders.is_empty() {
                continue;
            }
            let orders = std::mem::take(orders);
            let data = router::Parcel::default();
            let needs = self.withheld.needs();
            send(
                ShardId(shard as u16),
                Parcel {
                    data,
                    orders,
                    needs,
                },
            );
            sent += 1;
        }
        sent
    }

    /// Whether a client may run commands: it has authenticated, or nobody has to.
    #[inline]
    pub fn is_trusted(&self, session: &Session) -> bool {
        session.is_authenticated || self.config.requirepass.is_none()
    }

    /// Asks for the end of a connection.
    pub fn close(&mut self, id: SessionId, how: Closing) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        if session.closing != Closing::Now {
            session.closing = how;
        }
        self.closing.push(id);
    }

    /// Takes a client in.
    pub fn open(&mut self, session: Session) -> SessionId {
        self.counters().connections_received.add(1);
        self.counters().connected_clients.add(1);
        self.sessions.insert(session)
    }

    /// Lets a client go.
    pub fn leave(&mut self, id: SessionId) {
        if self.is_stream(id) {
            // What has been run in this turn counts: it must not come again.
            self.pass_on();
        }
        self.unsubscribe_from_everything(id);
        self.stop_waiting(id, Why::Gone, None);
        self.has_waited(id);
        if let Some(session) = self.sessions.remove(id) {
            self.unweigh(&session);
            self.forget_watched(id, &session.watched);
            if let Some(executing) = session.executing {
                self.exec_news.push((executing.exec, ExecNews::Gone));
            }
            if !session.is_replica() && !session.is_flow() {
                self.counters().connected_clients.sub(1);
            }
            self.part_with(id, &session);
            if session.is_paused {
                self.counters().blocked_clients.sub(1);
            }
            if session.is_monitor {
                self.node
                    .monitors
                    .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}
