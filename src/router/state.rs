//! The router of one core: its outgoing parcels, the operations it coordinates, and what waits for
//! locks on its shard.
//!
//! What it does with them is in the files beside: `operation` for the coordinator's side,
//! `participant` for the shard's.

use super::message::{Answer, Head, Parcel, Peer, ReplyTo, Request, Step};
use super::operation::Operation;
use super::participant::Parked;
use super::transaction::{News, Transaction};
use super::waiting::Waits;
use crate::base::clock;
use crate::base::spares::Spares;
use crate::command::{ArgStore, Args, Flags};
use crate::keyspace::{Client, ShardId, SlotMap};
use crate::resp::{Output, Writer, errors};
use crate::shard::{Point, Room, Shard, Ticket, Wait};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A reply for one of this core's clients.
#[derive(Debug)]
pub struct Delivery {
    pub to: ReplyTo,
    pub output: Output,
    pub command: u16,
    pub nanos: u64,
    pub is_error: bool,
    /// What it was called with, if it took long enough for somebody to ask.
    pub args: Option<Box<ArgStore>>,
}

/// Counters that all cores share.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The next ticket.
    pub tickets: Arc<AtomicU64>,
    /// The next serial number of a point.
    pub points: Arc<AtomicU64>,
}

impl Default for Numbers {
    fn default() -> Numbers {
        let one = || Arc::new(AtomicU64::new(1));
        Numbers {
            tickets: one(),
            points: one(),
        }
    }
}

impl Numbers {
    /// A point for an operation on so many shards that holds all its locks.
    pub(super) fn draw_point(&self, parts: usize) -> Point {
        Point {
            serial: self.points.fetch_add(1, Ordering::Relaxed),
            parts: parts as u16,
        }
    }
}

/// The router of one core.
pub struct Router {
    pub(super) me: ShardId,
    pub(super) map: SlotMap,
    pub(super) numbers: Numbers,
    pub(super) outbox: Vec<Parcel>,
    pub(super) operations: HashMap<Ticket, Operation>,
    pub(super) parked: HashMap<Ticket, Parked>,
    /// Who has been granted locks and has not heard of it yet.
    pub(super) granted: VecDeque<Ticket>,
    pub(super) is_granting: bool,
    pub(super) waits: Waits,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) transactions: HashMap<Ticket, Transaction>,
    pub(super) news: Vec<(u64, News)>,
    spare: Spares<Parcel, SPARE_MAX>,
    /// From this duration on a command is answered together with its arguments.
    pub slow_nanos: u64,
}

/// Emptied parcels kept for reuse: what is on its way at a time, some for every other core.
const SPARE_MAX: usize = 64;

impl Router {
    /// The router of a core; all cores have the same counters.
    pub fn new(me: ShardId, map: SlotMap, numbers: Numbers) -> Router {
        Router {
            me,
            map,
            numbers,
            outbox: (0..map.shards()).map(|_| Parcel::default()).collect(),
            operations: HashMap::new(),
            parked: HashMap::new(),
            granted: VecDeque::new(),
            is_granting: false,
            waits: Waits::default(),
            deliveries: Vec::new(),
            transactions: HashMap::new(),
            news: Vec::new(),
            spare: Spares::default(),
            slow_nanos: u64::MAX,
        }
    }

    /// Which shards own which slots.
    pub fn map(&self) -> SlotMap {
        self.map
    }

    /// The shard this router belongs to.
    pub fn me(&self) -> ShardId {
        self.me
    }

    pub(super) fn draw_ticket(&self) -> Ticket {
        Ticket(self.numbers.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// A point for an operation on so many shards that holds all its locks.
    pub(super) fn draw_point(&self, parts: usize) -> Point {
        self.numbers.draw_point(parts)
    }

    /// Puts a single-shard command into the parcel for its shard.
    #[inline]
    pub fn send(&mut self, shard: ShardId, to: ReplyTo, head: Head, args: Args<'_>) {
        let parcel = &mut self.outbox[shard.0 as usize];
        let args = parcel.store.add(args);
        parcel.requests.push(Request { to, head, args });
    }

    /// Tells a shard that a session of this core watches nothing any more.
    pub fn forget(&mut self, shard: ShardId, session: u64) {
        self.outbox[shard.0 as usize].forgotten.push(session);
    }

    /// The client that a reply is for.
    pub(super) fn client(&self, to: ReplyTo) -> Client {
        Client {
            core: self.me,
            session: to.session,
        }
    }

    pub(super) fn step(&mut self, peer: Peer, step: Step) {
        self.outbox[peer.0 as usize].steps.push(step);
    }

    /// Takes the parcels to be sent, with their destinations.
    pub fn take_parcels(&mut self, mut send: impl FnMut(ShardId, Parcel)) {
        for shard in 0..self.outbox.len() {
            if shard != self.me.0 as usize && !self.outbox[shard].is_empty() {
                let fresh = self.spare.take().unwrap_or_default();
                let parcel = std::mem::replace(&mut self.outbox[shard], fresh);
                send(ShardId(shard as u16), parcel);
            }
        }
    }

    /// Bytes of memory that parcels to be sent to other cores take.
    pub fn outbox_bytes(&self) -> usize {
        let others = self.outbox.iter().enumerate();
        let full =
            others.filter(|(shard, parcel)| *shard != self.me.0 as usize && !parcel.is_empty());
        full.map(|(_, parcel)| parcel.held_bytes()).sum()
    }

    /// Runs what another core sent: steps and requests. Its answers are left for the caller, who
    /// returns the parcel with [`Router::recycle`].
    pub fn receive(&mut self, from: ShardId, parcel: &mut Parcel, shard: &mut Shard) {
        forget(from, parcel, shard);
        self.run_requests(from, parcel, shard);
        for step in std::mem::take(&mut parcel.steps) {
            self.handle(from, step, shard);
        }
        self.settle(shard);
    }

    /// Handles what this core has sent to itself, until there is nothing left.
    pub fn settle(&mut self, shard: &mut Shard) {
        let me = self.me.0 as usize;
        while !self.outbox[me].is_empty() {
            let fresh = self.spare.take().unwrap_or_default();
            let mut parcel = std::mem::replace(&mut self.outbox[me], fresh);
            forget(self.me, &mut parcel, shard);
            self.run_requests(self.me, &mut parcel, shard);
            for step in std::mem::take(&mut parcel.steps) {
                self.handle(self.me, step, shard);
            }
            self.deliver_own(&mut parcel);
            self.recycle(parcel);
        }
    }

    fn deliver_own(&mut self, parcel: &mut Parcel) {
        let mut from = Output::start();
        for answer in parcel.answers.drain(..) {
            let mut output = Output::default();
            output.append_part(&parcel.output, from, answer.end);
            from = answer.end;
            self.deliveries.push(Delivery {
                to: answer.to,
                output,
                command: answer.command,
                nanos: answer.nanos,
                is_error: answer.is_error,
                args: answer.args,
            });
        }
    }

    /// Keeps an emptied parcel for later. One that came with orders only has no memory to be kept,
    /// and would be the next to be filled, before those that have.
    pub fn recycle(&mut self, mut parcel: Parcel) {
        if !self.spare.is_full() && parcel.has_room() {
            parcel.clear();
            self.spare.give(parcel);
        }
    }

    /// Whether memory of parcels is kept for later.
    pub fn has_spares(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Gives back the memory of parcels that are not used any more. To be called on every tick.
    pub fn prune_spares(&mut self) {
        self.spare.prune();
        if self.spare.is_empty() {
            self.release_outbox();
        }
    }

    /// The next parcels begin with nothing.
    fn release_outbox(&mut self) {
        for parcel in self.outbox.iter_mut().filter(|parcel| parcel.is_empty()) {
            *parcel = Parcel::default();
        }
    }

    /// Gives back the memory of parcels that is kept for later.
    pub fn release_spares(&mut self) {
        self.spare.clear();
        self.release_outbox();
    }

    /// The replies that have become whole since the last time.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Whether there is something that this core has sent to itself.
    pub fn has_own_parcel(&self) -> bool {
        !self.outbox[self.me.0 as usize].is_empty()
    }

    /// Whether a reply may be waiting to be taken.
    pub fn has_deliveries(&self) -> bool {
        !self.deliveries.is_empty()
    }

    fn handle(&mut self, from: Peer, step: Step, shard: &mut Shard) {
        // Parts of operations run whatever comes of it: they run everywhere or nowhere.
        shard.make_room(|| 0);
        match step {
            Step::Ask { ticket, ask } => self.asked(from, ticket, ask, shard),
            Step::Run {
                ticket,
                work,
                point,
            } => self.run_part(from, ticket, (work, point), shard),
            Step::Install {
                ticket,
                put,
                then,
                point,
            } => self.install(from, ticket, (put, then, point), shard),
            Step::Fetch { ticket, keys } => self.fetch_for(from, ticket, &keys, shard),
            Step::Fetched { ticket, fetched } => self.fetched(from, ticket, fetched, shard),
            Step::Yield { ticket } => self.yielded(ticket, shard),
            Step::Granted { ticket, grant } => self.granted(from, ticket, grant, shard),
            Step::Waits { ticket } => self.waits(from, ticket),
            Step::Wound { ticket } => self.wounded(from, ticket),
            Step::Ran {
                ticket,
                reply,
                point,
            } => self.ran(from, ticket, (reply, point), shard),
            Step::Do {
                ticket,
                job,
                moment,
            } => self.work_on(from, ticket, (job, moment), shard),
            Step::Did { ticket, done } => self.did(from, ticket, done, shard),
            Step::Alone(alone) => self.take_alone(from, alone, shard),
            Step::AloneRan { exec, reply } => self.alone_ran(from, exec, reply),
            Step::Woken { ticket } => self.woken(from, ticket),
            Step::Leave { ticket } => self.leave(ticket, shard),
            Step::Stop { to, why, asker } => self.stop(from, to, (why, asker), shard),
            Step::Blocked { .. } | Step::Stopped { .. } | Step::StopHeard { .. } => {
                self.hear_of_wait(step);
            }
        }
    }

    /// Runs a command here and answers it in the parcel for `from`.
    pub(super) fn run_and_answer(
        &mut self,
        from: Peer,
        request: (ReplyTo, Head),
        args: Args<'_>,
        shard: &mut Shard,
    ) {
        if let Some(wait) = self.attempt(from, request, args, shard) {
            let (to, head) = request;
            self.wait_here(from, to, (head, ArgStore::of(args), *wait), shard);
        }
        if shard.has_touched() {
            self.serve(shard);
        }
    }

    /// The same, unless the command wants to wait.
    #[inline]
    pub(super) fn attempt(
        &mut self,
        from: Peer,
        request: (ReplyTo, Head),
        args: Args<'_>,
        shard: &mut Shard,
    ) -> Option<Box<Wait>> {
        let (to, head) = request;
        let client = Client {
            core: from,
            session: to.session,
        };
        let parcel = &mut self.outbox[from.0 as usize];
        let start = clock::cycles();
        let call = head.call(args, client);
        let outcome = match lacks_room(shard, (head, args)) {
            false if head.may_wait => shard.attempt(&call, &mut parcel.output),
            false => shard.run(&call, &mut parcel.output).map(|()| None),
            true => {
                let mut writer = Writer::new(&mut parcel.output, head.protocol);
                writer.error(&errors::OUT_OF_MEMORY.into());
                Err(errors::OUT_OF_MEMORY.into())
            }
        };
        let is_error = match outcome {
            Ok(Some(wait)) => return Some(wait),
            outcome => outcome.is_err(),
        };
        let nanos = clock::nanos_between(start, clock::cycles());
        let end = parcel.output.mark();
        parcel.answers.push(Answer {
            to,
            end,
            command: head.command,
            nanos,
            is_error,
            args: (nanos >= self.slow_nanos).then(|| Box::new(ArgStore::of(args))),
        });
        None
    }
}

/// Whether a command has to be refused here. It has passed its own core's gate, but others may have
/// taken memory since.
#[inline]
fn lacks_room(shard: &mut Shard, (head, args): (Head, Args<'_>)) -> bool {
    shard.make_room(|| args.total_bytes()) == Room::Nothing && head.spec.flags.has(Flags::DENYOOM)
}

/// Forgets what clients of another core, or of this one, have watched.
fn forget(from: Peer, parcel: &mut Parcel, shard: &mut Shard) {
    for session in parcel.forgotten.drain(..) {
        let client = Client {
            core: from,
            session,
        };
        shard.space.common.watches.forget(client);
    }
}
