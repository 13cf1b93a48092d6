//! What a shard does for others: runs their requests, and plays its part in operations.
//!
//! The lookups of all requests of a parcel are prefetched together before the first one runs.

use super::message::{Ask, Head, Parcel, Peer, Reply, ReplyTo, Request, Step, Then, Work};
use super::plan::lock_intents;
use super::state::Router;
use crate::base::clock;
use crate::command::ArgStore;
use crate::keyspace::Key;
use crate::resp::Output;
use crate::shard::{Changed, Fetched, Intents, Shard, Ticket, fetch, install};

/// Who waits for locks on this shard, and what then.
pub(super) enum Parked {
    /// A part of an operation of this coordinator, which wants copies of these keys.
    Part(Peer, Option<ArgStore>),
    /// A single-shard command that this core asked for.
    Request(Peer, ReplyTo, Work),
}

impl Router {
    pub(super) fn run_requests(&mut self, from: Peer, parcel: &mut Parcel, shard: &mut Shard) {
        let requests = std::mem::take(&mut parcel.requests);
        let store = std::mem::take(&mut parcel.store);
        for request in &requests {
            prefetch(shard, request, |db, key| db.prefetch(key));
        }
        for request in &requests {
            prefetch(shard, request, |db, key| db.prefetch_entry(key));
        }
        for request in &requests {
            let args = store.command(request.args.clone());
            if !shard.locks.is_empty() {
                let head = request.head;
                let intents = lock_intents(self.map, head.spec, args, self.me);
                if !shard.locks.is_free(&intents) {
                    let work = Work {
                        head,
                        args: ArgStore::of(args),
                    };
                    self.park(Parked::Request(from, request.to, work), intents, shard);
                    continue;
                }
            }
            self.run_and_answer(from, (request.to, request.head), args, shard);
        }
        parcel.requests = requests;
        parcel.store = store;
    }

    /// Lets a single-shard command wait for the locks it conflicts with.
    fn park(&mut self, parked: Parked, intents: Intents, shard: &mut Shard) {
        let ticket = self.draw_ticket();
        let asked = shard.locks.ask(ticket, intents);
        assert!(!asked.is_granted, "only what conflicts is parked");
        self.parked.insert(ticket, parked);
    }

    pub(super) fn asked(&mut self, from: Peer, ticket: Ticket, ask: Ask, shard: &mut Shard) {
        let Ask { intents, then } = ask;
        let asked = shard.locks.ask(ticket, intents);
        for rival in asked.wounded {
            // A parked single-shard command runs as soon as it is granted, so whoever holds a
            // grant is a part of an operation.
            if let Some(Parked::Part(coordinator, _)) = self.parked.get(&rival) {
                let coordinator = *coordinator;
                self.step(coordinator, Step::Wound { ticket: rival });
            }
        }
        let keys = match then {
            Then::Try(work) if asked.is_granted => {
                return self.run_part(from, ticket, work, shard);
            }
            Then::Try(_) => {
                self.step(from, Step::Waits { ticket });
                None
            }
            Then::Report => None,
            Then::Fetch(keys) => Some(keys),
        };
        self.parked.insert(ticket, Parked::Part(from, keys));
        if asked.is_granted {
            self.grant(ticket, shard);
        }
    }

    /// Goes on with what waited for these locks.
    fn grant_all(&mut self, granted: Vec<Ticket>, shard: &mut Shard) {
        for ticket in granted {
            self.grant(ticket, shard);
        }
    }

    fn grant(&mut self, ticket: Ticket, shard: &mut Shard) {
        match self.parked.get(&ticket) {
            None => {}
            Some(Parked::Part(coordinator, keys)) => {
                let coordinator = *coordinator;
                let fetched = keys
                    .as_ref()
                    .map_or_else(Fetched::default, |keys| fetch(shard, keys.args().from(0)));
                self.step(coordinator, Step::Granted { ticket, fetched });
            }
            Some(Parked::Request(..)) => self.run_parked(ticket, shard),
        }
    }

    fn run_parked(&mut self, ticket: Ticket, shard: &mut Shard) {
        let Some(Parked::Request(from, to, work)) = self.parked.remove(&ticket) else {
            return;
        };
        self.run_and_answer(from, (to, work.head), work.args.args(), shard);
        let granted = shard.locks.release(ticket);
        self.grant_all(granted, shard);
    }

    /// Runs this shard's part of an operation, and releases its locks.
    pub(super) fn run_part(&mut self, from: Peer, ticket: Ticket, work: Work, shard: &mut Shard) {
        let reply = run_work(&work, shard);
        self.step(from, Step::Ran { ticket, reply });
        self.release(ticket, shard);
    }

    pub(super) fn install(&mut self, ticket: Ticket, changed: Changed, shard: &mut Shard) {
        install(shard, changed);
        self.release(ticket, shard);
    }

    pub(super) fn release(&mut self, ticket: Ticket, shard: &mut Shard) {
        self.parked.remove(&ticket);
        let granted = shard.locks.release(ticket);
        self.grant_all(granted, shard);
    }

    pub(super) fn yielded(&mut self, ticket: Ticket, shard: &mut Shard) {
        let granted = shard.locks.yield_grant(ticket);
        self.grant_all(granted, shard);
    }
}

/// Runs one part; its reply comes as plain bytes, ready to be merged.
pub(super) fn run_work(work: &Work, shard: &mut Shard) -> Reply {
    let mut out = Output::default();
    let start = clock::cycles();
    // An error is a reply like any other here: the merge shows it.
    let _ = shard.run(&work.head.call(work.args.args()), &mut out);
    let nanos = clock::nanos_between(start, clock::cycles());
    let bytes = out.to_bytes();
    Reply { bytes, nanos }
}

#[inline]
fn prefetch(shard: &Shard, request: &Request, ask: impl Fn(&crate::keyspace::Db, &Key<'_>)) {
    let Head {
        known: Some((_, slot, hash)),
        db,
        ..
    } = request.head
    else {
        return;
    };
    ask(
        shard.space.db(db),
        &Key {
            bytes: &[],
            slot,
            hash,
        },
    );
}
