//! The loop of one core: wait, take in everything, run it together, send everything.
//!
//! ```text
//!   ring.wait            the only place where the core sleeps
//!   parcels              what other cores have sent
//!   completions          connections, bytes, sent outputs
//!   turn.run             parse, look ahead, run: as much as a turn has time for
//!   turn.settle          operations, sessions that may go on
//!   flush                one send for each connection, one parcel for each core
//! ```

use super::batching::Batching;
use super::coalesce::Coalescing;
use super::connection::{Connection, Receiving, copying, session_id, token};
use super::cron::{Come, Cron};
use super::door::{Seats, origin, refusal, turn_away};
use super::intake::{Arrival, Intake};
use crate::base::clock;
use crate::base::spares::Spares;
use crate::commands::{Turn, receive};
use crate::keyspace::ShardId;
use crate::resp::Output;
use crate::runtime::mesh::Port;
use crate::runtime::ring::{Buffers, Completion, Ring, Sleep};
use crate::session::{AT_ONCE_MS, Closing, Core, Parcel, Session, SessionId};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// What goes from core to core: a parcel, and connections that move.
#[derive(Debug, Default)]
pub struct Freight {
    parcel: Parcel,
    guests: Vec<OwnedFd>,
}

/// Emptied output buffers kept for reuse, and how large they may be.
const SPARE_BUFFERS_MAX: usize = 512;
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// One core with its sockets.
pub struct Reactor {
    pub(super) core: Core,
    pub(super) ring: Ring,
    pub(super) buffers: Buffers,
    pub(super) port: Port<Freight>,
    pub(super) seats: Arc<Seats>,
    pub(super) listeners: Vec<OwnedFd>,
    /// Listeners that ran out of descriptors, to be armed again.
    pub(super) deaf: Vec<u32>,
    /// By session number.
    connections: Vec<Option<Connection>>,
    pub(super) intake: Intake,
    spare: Spares<Vec<u8>, SPARE_BUFFERS_MAX>,
    /// Sessions whose output is being sent; kept for its memory.
    flushing: Vec<SessionId>,
    /// Guests for other cores.
    outgoing: Vec<Vec<OwnedFd>>,
    cron: Cron,
    pub(super) coalescing: Coalescing,
    pub(super) batching: Batching,
    pub(super) turn: Turn,
}

impl Reactor {
    /// A core with its listeners, not listening yet.
    pub fn new(
        core: Core,
        ring: (Ring, Buffers),
        port: Port<Freight>,
        seats: Arc<Seats>,
        listeners: Vec<OwnedFd>,
    ) -> Reactor {
        let (mut ring, buffers) = ring;
        port.attach(&ring);
        match ring.doorbell() {
            Ok(bell) => core.attach(bell),
            Err(error) => tracing::warn!("Creating an event descriptor: {error}"),
        }
        let outgoing = (0..port.cores()).map(|_| Vec::new()).collect();
        Reactor {
            core,
            ring,
            buffers,
            port,
            seats,
            listeners,
            deaf: Vec::new(),
            connections: Vec::new(),
            intake: Intake::new(),
            spare: Spares::default(),
            flushing: Vec::new(),
            outgoing,
            cron: Cron::default(),
            coalescing: Coalescing::default(),
            batching: Batching::default(),
            turn: Turn::default(),
        }
    }

    /// Serves until the process ends.
    pub async fn serve(mut self) {
        for number in 0..self.listeners.len() {
            let fd = self.listeners[number].as_raw_fd();
            self.ring.accept(fd, number as u32);
        }
        let mut completions = Vec::new();
        loop {
            let sleep = self.sleep();
            let may_sleep = sleep != Sleep::Poll && self.port.fall_asleep();
            self.ring
                .wait(
                    if may_sleep { sleep } else { Sleep::Poll },
                    &mut completions,
                )
                .await;
            self.port.wake_up();
            let begin = clock::cycles();
            self.core.begin_turn();
            if self.core.release() {
                self.flush_all();
            }
            let come = self.come(&completions);
            self.cron.catch_up(&mut self.core, come);
            self.take_completions(&mut completions);
            self.run(begin);
            self.finish_turn(come);
            let busy = clock::nanos_between(begin, clock::cycles());
            let counters = self.core.counters();
            counters.busy_ns.add(busy);
            counters.eventloop_cycles.add(1);
            counters.eventloop_ns.add(busy);
            let commands = counters.commands_processed.value();
            let collects = self.coalescing.turn(self.core.now_ms, commands);
            self.ring.collect_events(collects);
        }
    }

    fn sleep(&self) -> Sleep {
        let has_own = self.core.has_own_orders() || self.cron.is_owing();
        if has_own
            || !self.intake.is_empty()
            || !self.core.ready.is_empty()
            || !self.core.exec_news.is_empty()
        {
            return Sleep::Poll;
        }
        let waking_ms = self.core.next_waking_ms().unwrap_or(i64::MAX);
        let due_ms = match self.deaf.is_empty() {
            true => self.cron.due_ms(),
            false => self
                .cron
                .due_ms()
                .min(self.core.now_ms + super::cron::TICK_MS),
        };
        let replication_ms = self.core.replication_due_ms().unwrap_or(i64::MAX);
        if replication_ms == AT_ONCE_MS {
            // Under traffic an instant that has passed would be kept to the next tick.
            return Sleep::Poll;
        }
        let due = match due_ms.min(waking_ms).min(replication_ms) {
            i64::MAX => Duration::MAX,
            due_ms => Duration::from_millis((due_ms - self.core.now_ms).max(0).unsigned_abs()),
        };
        match due.min(self.cron.may_sleep()) {
            Duration::ZERO => Sleep::Poll,
            Duration::MAX => Sleep::Forever,
            rest => Sleep::Until(clock::instant_in(rest)),
        }
    }

    /// Takes in what other cores have sent, and tells what there is to do in this turn.
    fn come(&mut self, completions: &[Completion]) -> Come {
        let only_progress = completions.iter().all(Completion::is_progress);
        if self.take_freight() || !self.intake.is_empty() || !only_progress {
            return Come::Requests;
        }
        match completions.is_empty() {
            true => Come::Nothing,
            false => Come::Progress,
        }
    }

    /// Takes in what other cores have sent; says whether there was anything.
    fn take_freight(&mut self) -> bool {
        let mut has_come = false;
        while let Some((from, freight)) = self.port.receive() {
            has_come = true;
            self.cron.wake();
            self.coalescing.parcel();
            for guest in freight.guests {
                self.admit(guest);
            }
            receive(&mut self.core, ShardId(from as u16), freight.parcel);
        }
        has_come
    }

    fn take_completions(&mut self, completions: &mut Vec<Completion>) {
        if !completions.is_empty() {
            self.cron.wake();
        }
        for completion in completions.drain(..) {
            match completion {
                Completion::Received { token, chunk } => self.received(session_id(token), chunk),
                Completion::Sent {
                    token,
                    result,
                    buffer,
                } => {
                    self.sent(session_id(token), result.is_ok(), buffer);
                }
                Completion::Accepted { fd, .. } => self.welcome(fd),
                Completion::AcceptFailed { token, errno } => self.accept_failed(token, errno),
                Completion::Ended { token, errno } => {
                    self.intake.push(session_id(token), Arrival::Ended(errno));
                }
                Completion::Filled { token, buffer, got } => {
                    self.filled(session_id(token), buffer, got);
                }
                Completion::Stopped { token } => {
                    self.intake.push(session_id(token), Arrival::Stopped);
                }
                Completion::Woken => {}
            }
        }
    }

    pub(super) fn connection(&mut self, id: SessionId) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(id.index as usize)?.as_mut()?;
        (connection.generation == id.generation).then_some(connection)
    }

    fn sent(&mut self, id: SessionId, is_ok: bool, buffer: Option<Vec<u8>>) {
        if let Some(buffer) = buffer
            && buffer.capacity() <= SPARE_BYTES_MAX
        {
            self.spare.give(buffer);
        }
        let Some(connection) = self.connection(id) else {
            return;
        };
        connection.is_sending = false;
        let has_ended = connection.receiving == Receiving::Ended;
        if !is_ok {
            return self.core.close(id, Closing::Now);
        }
        let Some(session) = self.core.sessions.find_mut(id) else {
            return;
        };
        session.sending_bytes = 0;
        if !session.output.is_empty() || session.closing != Closing::No || has_ended {
            self.core.mark_dirty(id);
        }
        self.core.weigh(id);
    }

    /// A connection has arrived here: it stays, or goes to a core with fewer.
    fn welcome(&mut self, fd: OwnedFd) {
        let config = self.core.config.share();
        let unix = config
            .unixsocket
            .as_ref()
            .map(|path| path.display().to_string());
        let origin = origin(&fd, unix.as_deref().unwrap_or_default());
        if let Some(text) = refusal(&config, &origin, &self.seats) {
            self.core.counters().connections_rejected.add(1);
            return turn_away(fd, text);
        }
        let core = self.seats.take(self.port.core());
        if core == self.port.core() {
            return self.admit(fd);
        }
        self.outgoing[core].push(fd);
    }

    fn admit(&mut self, fd: OwnedFd) {
        let config = self.core.config.share();
        let unix = config
            .unixsocket
            .as_ref()
            .map(|path| path.display().to_string());
        let origin = origin(&fd, unix.as_deref().unwrap_or_default());
        tracing::debug!("Accepted {}", origin.address);
        let number = self.core.node.next_client_id();
        let is_open = config.requirepass.is_none();
        let session = Session::new(number, origin, is_open, self.core.now_ms);
        self.serve_on(fd, session);
    }

    /// Listens to what comes on a connection, for a session.
    pub(super) fn serve_on(&mut self, fd: OwnedFd, session: Session) -> SessionId {
        let id = self.core.open(session);
        let index = id.index as usize;
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        self.ring.receive(fd.as_raw_fd(), token(id));
        let (generation, receiving) = (id.generation, Receiving::Stream);
        self.connections[index] = Some(Connection {
            fd,
            generation,
            receiving,
            is_sending: false,
            sent_ms: 0,
            is_kept: false,
        });
        id
    }

    fn finish_turn(&mut self, come: Come) {
        if self.cron.is_tick(self.core.now_ms) {
            self.tick();
        }
        if self.core.needs_ticks() || !self.spare.is_empty() {
            self.cron.wake();
        }
        self.cron.go_on(&mut self.core, come);
        self.cron.bury(&mut self.core);
        self.cron.evict(&mut self.core);
        self.core.tell_log();
        self.core.withhold();
        // Whoever has read a reply of this turn finds its memory counted, wherever it asks next.
        self.core.shard.publish_memory();
        self.flush_all();
        self.lend_sockets();
        for id in std::mem::take(&mut self.core.closing) {
            self.close_if_due(id);
        }
        self.ship();
    }

    /// Sends what all sessions have to send.
    fn flush_all(&mut self) {
        self.release_kept();
        std::mem::swap(&mut self.flushing, &mut self.core.dirty);
        for at in 0..self.flushing.len() {
            let id = self.flushing[at];
            if !self.core.limit_output(id) {
                self.flush(id);
            }
        }
        self.flushing.clear();
        if self.batching.take_news() | self.core.take_nudge() {
            self.ring.nudge();
        }
        self.core.limit_clients();
    }

    fn tick(&mut self) {
        self.hear_again();
        self.spare.prune();
        self.core.router.prune_spares();
        self.cron.tick(&mut self.core);
    }

    /// Sends what a session has to send, unless something is on its way already.
    fn flush(&mut self, id: SessionId) {
        let moment = self.core.moment();
        let Some(session) = self.core.sessions.find_mut(id) else {
            return;
        };
        session.is_dirty = false;
        let index = id.index as usize;
        let Some(connection) = self.connections.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if connection.is_sending {
            session.output.seal();
        }
        let may_send = !connection.is_sending && !connection.replies_wait(session);
        let is_due = may_send && !session.output.is_empty();
        if is_due && !self.batching.keeps((id, session), connection, moment) {
            let fresh = Output::reusing(self.spare.take().unwrap_or_default());
            let output = std::mem::replace(&mut session.output, fresh);
            let bytes = output.len();
            session.sending_bytes = bytes;
            session.total_output_bytes += bytes as u64;
            let copying = copying(session);
            connection.send(&mut self.ring, id, (output, copying));
            let counters = self.core.counters();
            counters.net_output_bytes.add(bytes as u64);
            counters.writes_processed.add(1);
        }
        let receiving = connection.receiving;
        match receiving {
            Receiving::Paused => self.go_on_receiving(id),
            Receiving::Ended => self.close_if_drained(id),
            _ => {}
        }
        self.close_if_due(id);
    }

    /// Closes the connection of a client that has hung up, when all is answered.
    fn close_if_drained(&mut self, id: SessionId) {
        if self.core.give_up_waiting(id) {
            return;
        }
        let Some(session) = self.core.sessions.find(id) else {
            return;
        };
        if session.pending.is_empty() && session.is_drained() {
            self.close(id);
        }
    }

    fn close_if_due(&mut self, id: SessionId) {
        let Some(session) = self.core.sessions.find(id) else {
            return;
        };
        let is_due = match session.closing {
            Closing::No => false,
            Closing::Now => true,
            Closing::AfterReplies => session.is_drained() && session.executing.is_none(),
        };
        if is_due {
            self.close(id);
        }
    }

    fn close(&mut self, id: SessionId) {
        let Some(place) = self.connections.get_mut(id.index as usize) else {
            return;
        };
        let session = self.core.sessions.find(id);
        let is_lent = session.is_some_and(|session| session.behind.is_some());
        if let Some(connection) = place.take() {
            if is_lent {
                crate::runtime::peer::hang_up(&connection.fd);
            }
            self.ring.close(token(id), connection.fd);
            self.seats.leave(self.port.core());
            self.core.leave(id);
        }
    }

    /// Sends what other cores are to get.
    fn ship(&mut self) {
        let Reactor {
            core,
            port,
            outgoing,
            ..
        } = self;
        core.take_parcels(|to, parcel| {
            let guests = std::mem::take(&mut outgoing[usize::from(to.0)]);
            port.send(usize::from(to.0), Freight { parcel, guests });
        });
        for (to, guests) in outgoing.iter_mut().enumerate() {
            if !guests.is_empty() {
                let guests = std::mem::take(guests);
                port.send(
                    to,
                    Freight {
                        guests,
                        ..Freight::default()
                    },
                );
            }
        }
        port.flush(&mut self.ring);
    }
}
