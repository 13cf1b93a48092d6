//! A master's stream that comes shard by shard: connections and runners on any core, the order on
//! the core with the hub.
//!
//! ```text
//!   core of a flow                       core with the hub
//!   frame --- Came ------------------->  sequence <-- order: frames of the first connection
//!   held  <-- Run ---------------------  what may run now, and Hub::applied
//!   runner -- Ran -------------------->  applied offset --> ACK
//! ```
//!
//! Every core runs what its flows bring, beside the others; the hub says how far each may go (see
//! `replication/sequence.rs`). How far each is interests nobody in the next two milliseconds, as
//! long as the hub waits for nothing: then it is told with what comes next, and the hub's core is
//! not woken up for it alone. When one connection is lost all are given up; what was granted until
//! then is run to its end first, so that this node always is at one offset of the history.

use super::core::Core;
use super::load::Letter;
use super::order::Order;
use super::registry::SessionId;
use super::replication::HUB_CORE;
use super::runner::Runner;
use super::session::{Closing, Session};
use super::stream::Stream;
use crate::keyspace::{DbIndex, ShardId};
use crate::replication::frame::{self, Header, Kind};
use crate::replication::order;
use crate::replication::sequence::{Sequence, Step};
use crate::runtime::peer::Peer;
use bytes::Bytes;
use std::collections::VecDeque;

/// So long a flow may keep to itself that something has run, in milliseconds, and so much, in
/// bytes: far less than it is granted.
const UNTOLD_MS: i64 = 2;
const UNTOLD_BYTES_MAX: u64 = 64 * 1024;

/// Which flow of which link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    /// Links are counted, so that nothing of an old one is taken for something of the next.
    pub link: u64,
    pub flow: usize,
}

/// What the cores of flows and the core with the hub tell each other.
#[derive(Clone, Debug)]
pub enum FlowNews {
    /// To the hub: this has come, at this offset of the shard's stream.
    Came(u64, Bytes),
    /// To the hub: so many bytes of the connection have run.
    Ran(u64),
    /// To the hub: the connection is gone, or what it brought cannot be run.
    Lost { is_broken: bool },
    /// To the flow: so many bytes may run, in these databases; and whether something waits for it.
    Run {
        runs: Vec<(Option<DbIndex>, u64)>,
        is_awaited: bool,
    },
    /// To the flow: something waits until what it was granted has run.
    Awaited,
    /// To the flow: wait, or go on.
    Pause(bool),
    /// To the flow: tell the master that the shard's stream has been run up to this offset.
    Acknowledge(u64),
    /// To the flow: the link has ended.
    Leave,
}

/// What the hub knows of how far a flow has run, in bytes of its connection.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    done: u64,
    /// Since when that is not all, Unix milliseconds.
    untold_ms: Option<i64>,
}

impl Told {
    /// How far it has run, if the hub does not know that; it is going to.
    fn take_news(&mut self, done: u64) -> Option<u64> {
        self.untold_ms = None;
        (std::mem::replace(&mut self.done, done) != done).then_some(done)
    }

    /// Whether it has run further than the hub knows, and the hub need not know that yet.
    fn may_wait(&mut self, done: u64, now_ms: i64) -> bool {
        let bytes = done - self.done;
        if bytes == 0 {
            return false;
        }
        let since_ms = *self.untold_ms.get_or_insert(now_ms);
        // The clock may be set back.
        let is_recent = (0..UNTOLD_MS).contains(&(now_ms - since_ms));
        is_recent && bytes < UNTOLD_BYTES_MAX
    }

    /// When the hub is to be told, Unix milliseconds.
    fn due_ms(&self) -> Option<i64> {
        self.untold_ms.map(|since_ms| since_ms + UNTOLD_MS)
    }
}

/// A flow whose connection is on this core.
#[derive(Debug)]
pub struct Inlet {
    id: FlowId,
    connection: Option<SessionId>,
    runner: Runner,
    /// What has come and may not run yet.
    held: VecDeque<Bytes>,
    told: Told,
    /// Something waits for it.
    is_awaited: bool,
    has_left: bool,
}

/// A link that comes in parts, on the core with the hub.
#[derive(Debug)]
pub struct Parts {
    link: u64,
    sequence: Sequence,
    runner: Runner,
    /// The flows that are to wait, and those that know that something waits for them.
    paused: Vec<bool>,
    awaited: Vec<bool>,
    /// Where everything waits for bytes of a flow, and since when, Unix milliseconds.
    lacking: Option<(u64, i64)>,
}

/// A connection that the loop is to take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOf {
    Master,
    Flow(FlowId),
}

/// The core of a flow.
fn core_of(flow: usize, shards: usize) -> ShardId {
    ShardId((flow % shards) as u16)
}

impl Core {
    fn tell_flow(&mut self, id: FlowId, news: FlowNews) {
        let core = core_of(id.flow, self.node.shards());
        self.orders_for(core).push(Order::Flow(id, news));
    }

    fn tell_hub(&mut self, id: FlowId, news: FlowNews) {
        self.orders_for(HUB_CORE).push(Order::Flow(id, news));
    }

    /// News of a flow, here or there.
    pub fn hear_flow(&mut self, id: FlowId, news: FlowNews) {
        self.replication.has_flow_news = true;
        match news {
            FlowNews::Came(..) | FlowNews::Ran(_) | FlowNews::Lost { .. } => {
                self.flow_reports(id, news);
            }
            FlowNews::Run { .. }
            | FlowNews::Awaited
            | FlowNews::Pause(_)
            | FlowNews::Acknowledge(_)
            | FlowNews::Leave => self.flow_obeys(id, news),
        }
    }

    /// A frame has come on a connection to the master; false if it is no such connection.
    pub fn take_frame(&mut self, id: SessionId, argument: &[u8]) -> bool {
        let inlets = &self.replication.inlets;
        let inlet = inlets.iter().position(|it| it.connection == Some(id));
        let is_first = self.is_stream(id) && self.replication.parts.is_some();
        if inlet.is_none() && !is_first {
            return false;
        }
        let taken = frame::read(argument).map_err(|error| error.line());
        let taken = taken.and_then(|(header, body)| match inlet {
            Some(at) => self.take_stream(at, header, body),
            None => self.take_order(header, body),
        });
        if let Err(line) = taken {
            self.refuse_frame(id, line);
        }
        true
    }

    /// Whether flows have told or were told something that was not looked at.
    pub fn has_flow_news(&self) -> bool {
        self.replication.has_flow_news
    }

    fn refuse_frame(&mut self, id: SessionId, line: &str) {
        tracing::warn!("Bad data from MASTER: {line}");
        self.close(id, Closing::Now);
    }
}

/// The core of a flow.
impl Core {
    /// A connection that a thread has made for a flow; the loop takes it over.
    pub(super) fn take_flow(&mut self, id: FlowId, peer: Peer) {
        match peer.into_parts() {
            Ok((fd, input)) => {
                let mut session = self.session_of_master();
                session.introduction.get_or_insert_default().flows = 1;
                session.pending.push(&input);
                self.replication.lines.push((fd, session, LineOf::Flow(id)));
            }
            Err(error) => {
                tracing::warn!("Taking over a connection to the master: {error}");
                self.tell_hub(id, FlowNews::Lost { is_broken: false });
            }
        }
    }

    /// The loop has taken the connection of a flow over.
    pub(super) fn follow_flow(&mut self, id: FlowId, connection: SessionId) {
        // It is no client.
        self.counters().connected_clients.sub(1);
        let runner = self.new_runner(DbIndex(0));
        self.replication.inlets.push(Inlet {
            id,
            connection: Some(connection),
            runner,
            held: VecDeque::new(),
            told: Told::default(),
            is_awaited: false,
            has_left: false,
        });
        self.ready.push(connection);
    }

    fn take_stream(&mut self, at: usize, header: Header, body: &[u8]) -> Result<(), &'static str> {
        if header.kind != Kind::Stream {
            return Err("a frame of another kind than agreed");
        }
        self.counters().repl_input_bytes.add(body.len() as u64);
        let bytes = Bytes::copy_from_slice(body);
        let inlet = &mut self.replication.inlets[at];
        inlet.held.push_back(bytes.clone());
        let (id, news) = (inlet.id, inlet.told.take_news(inlet.runner.done()));
        self.tell_hub(id, FlowNews::Came(header.offset, bytes));
        if let Some(done) = news {
            self.tell_hub(id, FlowNews::Ran(done));
        }
        Ok(())
    }

    fn flow_obeys(&mut self, id: FlowId, news: FlowNews) {
        let Some(at) = self.replication.inlets.iter().position(|it| it.id == id) else {
            return;
        };
        match news {
            FlowNews::Run { runs, is_awaited } => {
                self.replication.inlets[at].is_awaited = is_awaited;
                self.run_flow(at, runs);
            }
            FlowNews::Awaited => self.replication.inlets[at].is_awaited = true,
            FlowNews::Pause(is_paused) => {
                let connection = self.replication.inlets[at].connection;
                self.pause_line(connection, is_paused);
            }
            FlowNews::Acknowledge(offset) => {
                if let Some(connection) = self.replication.inlets[at].connection {
                    self.send_ack(connection, offset, None);
                }
            }
            _ => {
                let inlet = &mut self.replication.inlets[at];
                inlet.has_left = true;
                if let Some(connection) = inlet.connection {
                    self.close(connection, Closing::Now);
                }
            }
        }
    }

    fn run_flow(&mut self, at: usize, runs: Vec<(Option<DbIndex>, u64)>) {
        let mut inlet = self.replication.inlets.swap_remove(at);
        for (mut db, bytes) in runs {
            let mut left = bytes as usize;
            while let Some(piece) = inlet.held.front_mut().filter(|_| left > 0) {
                let count = left.min(piece.len());
                let first = piece.split_to(count);
                left -= count;
                if piece.is_empty() {
                    inlet.held.pop_front();
                }
                self.give(&mut inlet.runner, db.take(), &first);
            }
        }
        self.replication.inlets.push(inlet);
    }

    /// Lets nothing more be read of a connection to the master, or go on.
    fn pause_line(&mut self, id: Option<SessionId>, is_paused: bool) {
        let Some((id, session)) = id.and_then(|id| Some((id, self.sessions.find_mut(id)?))) else {
            return;
        };
        if session.is_paused == is_paused {
            return;
        }
        session.is_paused = is_paused;
        match is_paused {
            true => self.counters().blocked_clients.add(1),
            false => {
                self.counters().blocked_clients.sub(1);
                self.ready.push(id);
            }
        }
    }

    /// Looks how far the runners of this core are, and tells.
    pub(super) fn tend_flows(&mut self) {
        self.replication.has_flow_news = false;
        let mut inlets = std::mem::take(&mut self.replication.inlets);
        for inlet in &mut inlets {
            self.look_at(&mut inlet.runner);
            let (done, is_urgent) = (inlet.runner.done(), inlet.is_awaited || inlet.has_left);
            if (is_urgent || !inlet.told.may_wait(done, self.now_ms))
                && let Some(done) = inlet.told.take_news(done)
            {
                self.tell_hub(inlet.id, FlowNews::Ran(done));
            }
            if inlet.runner.is_broken() && !inlet.has_left {
                inlet.has_left = true;
                self.tell_hub(inlet.id, FlowNews::Lost { is_broken: true });
            }
        }
        inlets.retain(|inlet| {
            let is_over = inlet.has_left && inlet.runner.done() == inlet.runner.given();
            if is_over {
                self.dismiss(&inlet.runner);
            }
            !is_over
        });
        inlets.append(&mut self.replication.inlets);
        self.replication.inlets = inlets;
    }

    /// When the hub is to be told what flows of this core have run, Unix milliseconds.
    pub(super) fn flows_due_ms(&self) -> Option<i64> {
        let inlets = self.replication.inlets.iter();
        inlets.filter_map(|inlet| inlet.told.due_ms()).min()
    }

    /// A connection to the master is gone; whether it was that of a flow.
    pub(super) fn lost_flow(&mut self, id: SessionId) -> bool {
        let mut inlets = self.replication.inlets.iter_mut();
        let Some(inlet) = inlets.find(|it| it.connection == Some(id)) else {
            return false;
        };
        inlet.connection = None;
        let id = inlet.id;
        self.tell_hub(id, FlowNews::Lost { is_broken: false });
        true
    }
}

/// The core with the hub.
impl Core {
    /// A link begins that comes in parts: the connections of its flows go to their cores.
    pub(super) fn begin_parts(&mut self, flows: Vec<Peer>) {
        self.replication.links += 1;
        let (link, shards) = (self.replication.links, self.node.shards());
        let runner = self.new_runner(self.replication.db);
        self.replication.parts = Some(Parts {
            link,
            sequence: Sequence::new(flows.len(), self.stream_offset()),
            runner,
            paused: vec![false; flows.len()],
            awaited: vec![false; flows.len()],
            lacking: None,
        });
        for (flow, peer) in flows.into_iter().enumerate() {
            let letter = Letter::Flow(FlowId { link, flow }, peer);
            self.node.letters[usize::from(core_of(flow, shards).0)].post(letter);
        }
    }

    fn take_order(&mut self, header: Header, body: &[u8]) -> Result<(), &'static str> {
        let Some(parts) = self.replication.parts.as_mut() else {
            return Ok(());
        };
        let entries = order::read(Bytes::copy_from_slice(body));
        let entries = entries.filter(|_| header.kind == Kind::Order);
        let entries = entries.ok_or("an order that cannot be read")?;
        match parts.sequence.order_came(header.position, entries) {
            true => Ok(()),
            false => Err("an order that is not the next one"),
        }
    }

    fn flow_reports(&mut self, id: FlowId, news: FlowNews) {
        let parts = self.replication.parts.as_mut();
        let Some(parts) = parts.filter(|parts| parts.link == id.link) else {
            return;
        };
        match news {
            FlowNews::Came(offset, bytes) => parts.sequence.flow_came(id.flow, offset, bytes),
            FlowNews::Ran(bytes) => parts.sequence.flow_ran(id.flow, bytes),
            FlowNews::Lost { is_broken } => {
                if is_broken && let Some(hub) = &mut self.replication.hub {
                    hub.distrust();
                }
                if let Some(stream) = &self.replication.stream {
                    self.close(stream.session, Closing::Now);
                }
            }
            _ => {}
        }
    }

    /// Lets run what may, and passes it on. Returns the offset up to which all has been applied.
    pub(super) fn advance_parts(&mut self) -> Option<u64> {
        let mut parts = self.replication.parts.take()?;
        self.look_at(&mut parts.runner);
        let (taken, done) = (parts.runner.taken(), parts.runner.done());
        parts.sequence.ran_here(taken, done);
        let mut is_fine = !parts.runner.is_broken();
        let mut grants: Vec<Vec<(Option<DbIndex>, u64)>> = vec![Vec::new(); parts.paused.len()];
        let mut steps = Vec::new();
        while is_fine {
            is_fine = parts.sequence.advance(&mut steps);
            if steps.is_empty() {
                break;
            }
            let passed = parts.sequence.take_passed();
            if let Some(hub) = &mut self.replication.hub {
                hub.applied(passed);
            }
            for step in steps.drain(..) {
                match step {
                    Step::Grant { flow, db, bytes } => grants[flow].push((db, bytes)),
                    Step::Run { db, bytes } => self.give(&mut parts.runner, db, &bytes),
                    Step::Adopt(offsets) => {
                        if let Some(hub) = &mut self.replication.hub {
                            hub.adopt_streams(offsets);
                        }
                    }
                }
            }
        }
        let stream = self.replication.stream.as_ref();
        let is_asked = stream.is_some_and(Stream::owes_acknowledgement);
        let (link, is_awaited) = (parts.link, is_asked || parts.sequence.awaits_flows());
        for (flow, runs) in grants.into_iter().enumerate() {
            let id = FlowId { link, flow };
            if !runs.is_empty() {
                parts.awaited[flow] = is_awaited;
                self.tell_flow(id, FlowNews::Run { runs, is_awaited });
            } else if is_awaited && !parts.awaited[flow] && parts.sequence.is_running(flow) {
                parts.awaited[flow] = true;
                self.tell_flow(id, FlowNews::Awaited);
            }
        }
        self.pace(&mut parts);
        let (applied, is_broken) = (parts.sequence.applied(), parts.runner.is_broken());
        self.replication.parts = Some(parts);
        if !is_fine {
            self.break_link(is_broken);
        }
        Some(applied)
    }

    /// What has come cannot be applied; if some of it could not be run, what is here cannot be
    /// relied on either.
    fn break_link(&mut self, is_broken: bool) {
        let Some(stream) = &self.replication.stream else {
            return;
        };
        let id = stream.session;
        if let Some(hub) = self.replication.hub.as_mut().filter(|_| is_broken) {
            hub.distrust();
        }
        self.refuse_frame(id, "a stream that does not fit its order");
    }

    /// Lets connections wait that bring more than can be applied.
    fn pace(&mut self, parts: &mut Parts) {
        for flow in 0..parts.paused.len() {
            let is_full = parts.sequence.is_full(flow);
            if std::mem::replace(&mut parts.paused[flow], is_full) != is_full {
                let id = FlowId {
                    link: parts.link,
                    flow,
                };
                self.tell_flow(id, FlowNews::Pause(is_full));
            }
        }
        let is_full = parts.sequence.is_first_full();
        let first = self.replication.stream.as_ref().map(|it| it.session);
        self.pause_line(first, is_full);
    }

    /// Gives a link up of which one flow brings nothing any more although its bytes are next: the
    /// others may go on for ever.
    pub(super) fn look_after_flows(&mut self, limit_ms: i64) {
        let now_ms = self.now_ms;
        let Some(parts) = &mut self.replication.parts else {
            return;
        };
        let at = parts.sequence.lacks_at();
        let before = parts.lacking.filter(|before| Some(before.0) == at);
        parts.lacking = at.map(|at| before.unwrap_or((at, now_ms)));
        let is_over = parts
            .lacking
            .is_some_and(|(_, since_ms)| now_ms - since_ms > limit_ms);
        if let Some(stream) = self.replication.stream.as_ref().filter(|_| is_over) {
            tracing::warn!("MASTER timeout: no data received on the connection of a shard...");
            self.close(stream.session, Closing::Now);
        }
    }

    /// Grants nothing more; whether all that was granted has been applied.
    pub(super) fn calm_parts(&mut self) -> bool {
        if let Some(parts) = &mut self.replication.parts {
            parts.sequence.rest(true);
        }
        self.pass_on();
        let parts = self.replication.parts.as_ref();
        parts.is_none_or(|parts| parts.sequence.is_calm())
    }

    /// Goes on granting.
    pub(super) fn resume_parts(&mut self) {
        if let Some(parts) = &mut self.replication.parts {
            parts.sequence.rest(false);
        }
        self.pass_on();
    }

    /// Tells the master how far the stream of each shard has been run.
    pub(super) fn acknowledge_flows(&mut self) {
        let Some(parts) = &self.replication.parts else {
            return;
        };
        let link = parts.link;
        let offsets: Vec<u64> = parts.sequence.offsets().map(|(ran, _)| ran).collect();
        for (flow, offset) in offsets.into_iter().enumerate() {
            self.tell_flow(FlowId { link, flow }, FlowNews::Acknowledge(offset));
        }
    }

    /// What of each shard's stream has run here, and what has come.
    pub(super) fn flow_offsets(&self) -> Vec<(u64, u64)> {
        let parts = self.replication.parts.as_ref();
        parts.map_or_else(Vec::new, |parts| parts.sequence.offsets().collect())
    }

    /// The link has ended: what was granted is run to its end, nothing more.
    pub(super) fn end_parts(&mut self) {
        let Some(mut parts) = self.replication.parts.take() else {
            return;
        };
        parts.sequence.end();
        for flow in 0..parts.paused.len() {
            let id = FlowId {
                link: parts.link,
                flow,
            };
            self.tell_flow(id, FlowNews::Leave);
        }
        self.replication.parts = Some(parts);
        self.replication.is_draining = true;
        self.drain_parts();
    }

    /// Looks whether a link that has ended has been run to its end.
    pub(super) fn drain_parts(&mut self) {
        if !self.replication.is_draining || self.advance_parts().is_none() {
            return;
        }
        let parts = self
            .replication
            .parts
            .take_if(|parts| parts.sequence.is_calm() || parts.runner.is_broken());
        if let Some(parts) = parts {
            self.replication.db = self.dismiss(&parts.runner);
            self.replication.is_draining = false;
            self.do_deeds();
        }
    }

    /// The database in which the first connection's part of the stream is.
    pub(super) fn db_of_parts(&self) -> Option<DbIndex> {
        let parts = self.replication.parts.as_ref()?;
        let session: Option<&Session> = self.sessions.find(parts.runner.session);
        session.map(|session| session.db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_is_told_two_milliseconds_later_or_when_it_is_much() {
        let mut told = Told::default();
        let due_ms = |told: &mut Told, done, now_ms| {
            let may_wait = told.may_wait(done, now_ms);
            may_wait.then(|| told.due_ms()).flatten()
        };
        assert_eq!(due_ms(&mut told, 0, 10), None);
        assert_eq!(told.take_news(0), None);
        assert_eq!(due_ms(&mut told, 100, 10), Some(12));
        assert_eq!(due_ms(&mut told, 200, 11), Some(12));
        assert_eq!(due_ms(&mut told, 200, 12), None);
        assert_eq!(
            (told.take_news(200), told.take_news(200)),
            (Some(200), None)
        );
        assert_eq!(told.due_ms(), None, "all is told");
        assert_eq!(due_ms(&mut told, 300, 20), Some(22));
        assert_eq!(due_ms(&mut told, 200 + UNTOLD_BYTES_MAX, 20), None);
        assert_eq!(due_ms(&mut told, 300, 19), None, "the clock was set back");
    }
}
