//! The router of one core: its outgoing parcels, the operations it coordinates, and what waits for
//! locks on its shard.
//!
//! What it does with them is in the files beside: `operation` for the coordinator's side,
//! `participant` for the shard's.

use super::message::{Answer, Head, Parcel, Peer, ReplyTo, Request, Step};
use super::operation::Operation;
use super::participant::Parked;
use crate::base::clock;
use crate::command::{ArgStore, Args};
use crate::keyspace::{ShardId, SlotMap};
use crate::resp::Output;
use crate::shard::{Shard, Ticket};
use hashbrown::HashMap;
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

/// The router of one core.
pub struct Router {
    pub(super) me: ShardId,
    pub(super) map: SlotMap,
    tickets: Arc<AtomicU64>,
    pub(super) outbox: Vec<Parcel>,
    pub(super) operations: HashMap<Ticket, Operation>,
    pub(super) parked: HashMap<Ticket, Parked>,
    pub(super) deliveries: Vec<Delivery>,
    spare: Vec<Parcel>,
    /// From this duration on a command is answered together with its arguments.
    pub slow_nanos: u64,
}

/// Emptied parcels kept for reuse.
const SPARE_MAX: usize = 64;

impl Router {
    /// The router of a core; `tickets` is one counter for all cores.
    pub fn new(me: ShardId, map: SlotMap, tickets: Arc<AtomicU64>) -> Router {
        Router {
            me,
            map,
            tickets,
            outbox: (0..map.shards()).map(|_| Parcel::default()).collect(),
            operations: HashMap::new(),
            parked: HashMap::new(),
            deliveries: Vec::new(),
            spare: Vec::new(),
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
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a single-shard command into the parcel for its shard.
    #[inline]
    pub fn send(&mut self, shard: ShardId, to: ReplyTo, head: Head, args: Args<'_>) {
        let parcel = &mut self.outbox[shard.0 as usize];
        let args = parcel.store.add(args);
        parcel.requests.push(Request { to, head, args });
    }

    pub(super) fn step(&mut self, peer: Peer, step: Step) {
        self.outbox[peer.0 as usize].steps.push(step);
    }

    /// Takes the parcels to be sent, with their destinations.
    pub fn take_parcels(&mut self, mut send: impl FnMut(ShardId, Parcel)) {
        for shard in 0..self.outbox.len() {
            if shard != self.me.0 as usize && !self.outbox[shard].is_empty() {
                let fresh = self.spare.pop().unwrap_or_default();
                let parcel = std::mem::replace(&mut self.outbox[shard], fresh);
                send(ShardId(shard as u16), parcel);
            }
        }
    }

    /// Runs what another core sent: steps and requests. Its answers are left for the caller, who
    /// returns the parcel with [`Router::recycle`].
    pub fn receive(&mut self, from: ShardId, parcel: &mut Parcel, shard: &mut Shard) {
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
            let fresh = self.spare.pop().unwrap_or_default();
            let mut parcel = std::mem::replace(&mut self.outbox[me], fresh);
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

    /// Keeps an emptied parcel for later.
    pub fn recycle(&mut self, mut parcel: Parcel) {
        if self.spare.len() < SPARE_MAX {
            parcel.clear();
            self.spare.push(parcel);
        }
    }

    /// The replies that have become whole since the last time.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Whether a reply may be waiting to be taken.
    pub fn has_deliveries(&self) -> bool {
        !self.deliveries.is_empty()
    }

    fn handle(&mut self, from: Peer, step: Step, shard: &mut Shard) {
        match step {
            Step::Ask { ticket, ask } => self.asked(from, ticket, ask, shard),
            Step::Run { ticket, work } => self.run_part(from, ticket, work, shard),
            Step::Install { ticket, changed } => self.install(ticket, changed, shard),
            Step::Fetch { ticket, keys } => self.fetch_for(from, ticket, &keys, shard),
            Step::Fetched { ticket, fetched } => self.fetched(from, ticket, fetched, shard),
            Step::Yield { ticket } => self.yielded(ticket, shard),
            Step::Granted { ticket, fetched } => self.granted(from, ticket, fetched, shard),
            Step::Waits { ticket } => self.waits(from, ticket),
            Step::Wound { ticket } => self.wounded(from, ticket),
            Step::Ran { ticket, reply } => self.ran(from, ticket, reply, shard),
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
        let (to, head) = request;
        let parcel = &mut self.outbox[from.0 as usize];
        let start = clock::cycles();
        let is_error = shard.run(&head.call(args), &mut parcel.output).is_err();
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
    }
}
