//! What a shard does for others: runs their requests, and plays its part in operations.
//!
//! The lookups of all requests of a parcel are prefetched together before the first one runs.

use super::message::{After, Alone, Ask, Done, Grant, Head, Job, Moment, Parcel, Peer};
use super::message::{Put, Reply, ReplyTo, Request, Step, Then, Trial, Work};
use super::plan::lock_intents;
use super::state::Router;
use crate::base::clock;
use crate::command::{ArgStore, Flags};
use crate::keyspace::{Client, Key, Watched};
use crate::resp::Output;
use crate::shard::{Fetched, Intents, Lock, Place, Point, Shard, Ticket, fetch, install};

/// Who waits for locks on this shard, and what then.
pub(super) enum Parked {
    /// A part of an operation of this coordinator.
    Part(Member),
    /// A transaction that needs nobody else.
    Alone(Peer, Box<Alone>),
    /// A single-shard command that this core asked for.
    Request(Peer, ReplyTo, Work),
    /// A command whose client waits here, and for which there may be something now.
    Waiter,
}

/// A part of an operation.
pub(super) struct Member {
    coordinator: Peer,
    /// The keys it wants copies of.
    keys: Option<ArgStore>,
    /// The client whose transaction it is, if it is one.
    exec: Option<Client>,
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
                        client: Client {
                            core: from,
                            session: request.to.session,
                        },
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
        let Ask {
            intents,
            then,
            exec,
        } = ask;
        if self.is_called_already(ticket, shard) {
            return;
        }
        let is_granted = self.ask_locks(ticket, intents, shard);
        let keys = match then {
            Then::Try(work) if is_granted => {
                // The other shard of a pair holds its own already: all locks are there.
                let is_write = work.head.spec.flags.has(Flags::WRITE);
                let point = is_write.then(|| self.draw_point(2));
                return self.run_part(from, ticket, (work, point), shard);
            }
            Then::TryBatch(trial) if is_granted => {
                let client = exec.expect("batches are parts of transactions");
                return self.try_batch(from, ticket, (client, trial), shard);
            }
            Then::Try(_) | Then::TryBatch(_) => {
                self.step(from, Step::Waits { ticket });
                None
            }
            Then::Report => None,
            Then::Fetch(keys) => Some(keys),
        };
        self.park_part(ticket, (from, keys, exec), is_granted, shard);
    }

    /// Lets a part of an operation wait for its locks, or says that it has them.
    pub(super) fn park_part(
        &mut self,
        ticket: Ticket,
        part: (Peer, Option<ArgStore>, Option<Client>),
        is_granted: bool,
        shard: &mut Shard,
    ) {
        let (coordinator, keys, exec) = part;
        let member = Member {
            coordinator,
            keys,
            exec,
        };
        self.parked.insert(ticket, Parked::Part(member));
        if is_granted {
            self.grant(ticket, shard);
        }
    }

    /// Asks for locks; higher tickets that have them are asked to yield.
    pub(super) fn ask_locks(
        &mut self,
        ticket: Ticket,
        intents: Intents,
        shard: &mut Shard,
    ) -> bool {
        let asked = shard.locks.ask(ticket, intents);
        for rival in asked.wounded {
            // A parked single-shard command runs as soon as it is granted, so whoever holds a
            // grant is a part of an operation.
            if let Some(Parked::Part(member)) = self.parked.get(&rival) {
                let coordinator = member.coordinator;
                // A coordinator gives back only what it has been told that it has.
                if let Some(at) = self.granted.iter().position(|ticket| *ticket == rival) {
                    self.granted.remove(at);
                    self.grant(rival, shard);
                }
                self.step(coordinator, Step::Wound { ticket: rival });
            }
        }
        asked.is_granted
    }

    /// Goes on with what waited for these locks, and with what these release in turn.
    pub(super) fn grant_all(
        &mut self,
        granted: impl IntoIterator<Item = Ticket>,
        shard: &mut Shard,
    ) {
        self.granted.extend(granted);
        // One behind the other, not one inside the other: a queue may be longer than the stack.
        if std::mem::replace(&mut self.is_granting, true) {
            return;
        }
        while let Some(ticket) = self.granted.pop_front() {
            self.grant(ticket, shard);
        }
        self.is_granting = false;
    }

    fn grant(&mut self, ticket: Ticket, shard: &mut Shard) {
        match self.parked.get(&ticket) {
            None => {}
            Some(Parked::Part(member)) => {
                let (coordinator, exec) = (member.coordinator, member.exec);
                let keys = member.keys.as_ref();
                let grant = Grant {
                    fetched: keys
                        .map_or_else(Fetched::default, |keys| fetch(shard, keys.args().from(0))),
                    watched: exec.map_or(Watched::NOTHING, |client| shard.space.watched(client)),
                    now_ms: shard.space.common.now_ms,
                    is_recording: shard.effects.is_recording(),
                };
                if exec.is_some() {
                    shard.pin(ticket);
                }
                self.step(coordinator, Step::Granted { ticket, grant });
            }
            Some(Parked::Alone(..)) => self.run_parked_alone(ticket, shard),
            Some(Parked::Request(..)) => self.run_parked(ticket, shard),
            Some(Parked::Waiter) => self.run_waiter(ticket, shard),
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
    pub(super) fn run_part(
        &mut self,
        from: Peer,
        ticket: Ticket,
        what: (Work, Option<Point>),
        shard: &mut Shard,
    ) {
        let (work, point) = what;
        let reply = run_at(&work, point, shard);
        self.step(
            from,
            Step::Ran {
                ticket,
                reply,
                point,
            },
        );
        self.release(ticket, shard);
    }

    pub(super) fn install(
        &mut self,
        from: Peer,
        ticket: Ticket,
        what: (Put, After, Option<Point>),
        shard: &mut Shard,
    ) {
        let (put, then, point) = what;
        let touched = shard.space.common.watches.awaited.touched();
        install(shard, put.changed);
        if let Some(point) = point {
            shard.effects.say_part(only(point), &put.records);
        }
        if !matches!(then, After::Done) {
            // What has found nothing has made nothing available, and least of all to itself.
            shard.space.common.watches.awaited.forget_since(touched);
        }
        self.after_install(from, ticket, then, shard);
        self.release(ticket, shard);
    }

    /// Releases the locks of a part that has run; a transaction's keys are not pinned any more.
    /// Who waits for what it has left comes before those who have asked for locks since.
    pub(super) fn release(&mut self, ticket: Ticket, shard: &mut Shard) {
        self.parked.remove(&ticket);
        if shard.has_touched() {
            self.serve(shard);
        }
        let granted = shard.locks.release(ticket);
        self.grant_all(granted, shard);
    }

    pub(super) fn yielded(&mut self, ticket: Ticket, shard: &mut Shard) {
        if self.client_of(ticket).is_some() {
            shard.unpin(ticket);
        }
        let granted = shard.locks.yield_grant(ticket);
        self.grant_all(granted, shard);
    }
}

impl Router {
    /// The client whose transaction has this ticket, if it is one.
    fn client_of(&self, ticket: Ticket) -> Option<Client> {
        match self.parked.get(&ticket) {
            Some(Parked::Part(member)) => member.exec,
            _ => None,
        }
    }

    /// A transaction's part that can run at once.
    fn try_batch(&mut self, from: Peer, ticket: Ticket, what: (Client, Trial), shard: &mut Shard) {
        let (client, trial) = what;
        let at_ms = trial.at_ms.max(shard.space.common.now_ms);
        let watched = shard.space.watched(client);
        let done = if watched.is_broken || watched.expires_at_ms <= at_ms {
            Done::Broken
        } else {
            let moment = Moment {
                at_ms,
                is_last: true,
                place: trial.is_write.then(|| only(self.draw_point(2))),
            };
            let reply = trial.batch.run(client, at_ms, moment.place, shard);
            Done::Ran(reply, moment)
        };
        self.step(from, Step::Did { ticket, done });
        self.release(ticket, shard);
    }

    /// Does this shard's part of a transaction.
    pub(super) fn work_on(
        &mut self,
        from: Peer,
        ticket: Ticket,
        work: (Job, Moment),
        shard: &mut Shard,
    ) {
        let (job, moment) = work;
        let Moment { at_ms, place, .. } = moment;
        let client = self.client_of(ticket);
        shard.unpin(ticket);
        let done = match job {
            Job::Run(batch) => {
                let client = client.expect("jobs belong to transactions");
                Some(Done::Ran(batch.run(client, at_ms, place, shard), moment))
            }
            Job::Fetch(keys) => Some(Done::Fetched(fetch_at(shard, &keys, moment))),
            Job::Put(put) => {
                install(shard, put.changed);
                if let Some(place) = place {
                    shard.effects.say_part(place, &put.records);
                }
                None
            }
            Job::Nothing => {
                if let Some(place) = place {
                    shard.effects.end_part(place);
                }
                None
            }
        };
        if let Some(done) = done {
            self.step(from, Step::Did { ticket, done });
        }
        match moment.is_last {
            true => self.release(ticket, shard),
            false => shard.pin(ticket),
        }
    }

    /// Runs a transaction that needs no other shard, as soon as nobody holds its keys.
    pub(super) fn take_alone(&mut self, from: Peer, alone: Box<Alone>, shard: &mut Shard) {
        if !shard.locks.is_empty() {
            let intents = self.intents_of(&alone, shard);
            if !shard.locks.is_free(&intents) {
                return self.park(Parked::Alone(from, alone), intents, shard);
            }
        }
        self.run_alone(from, *alone, shard);
    }

    fn intents_of(&self, alone: &Alone, shard: &Shard) -> Intents {
        let calls = alone.batch.calls();
        let calls = calls.map(|(head, args)| lock_intents(self.map, head.spec, args, self.me));
        let watched = shard.space.common.watches.hashes(alone.client);
        let watched = Intents::of_keys(watched.map(|hash| (hash, Lock::Shared)).collect());
        Intents::joined(calls.chain([watched]))
    }

    fn run_parked_alone(&mut self, ticket: Ticket, shard: &mut Shard) {
        let Some(Parked::Alone(from, alone)) = self.parked.remove(&ticket) else {
            return;
        };
        self.run_alone(from, *alone, shard);
        let granted = shard.locks.release(ticket);
        self.grant_all(granted, shard);
    }

    fn run_alone(&mut self, from: Peer, alone: Alone, shard: &mut Shard) {
        let Alone {
            exec,
            client,
            batch,
        } = alone;
        let watched = shard.space.watched(client);
        shard.space.common.watches.forget(client);
        let now_ms = shard.space.common.now_ms;
        let reply = (!watched.is_broken).then(|| batch.run(client, now_ms, None, shard));
        self.step(from, Step::AloneRan { exec, reply });
        if shard.has_touched() {
            self.serve(shard);
        }
    }
}

/// The place of a part that has a single stage.
fn only(point: Point) -> Place {
    Place {
        point,
        stage: 0,
        is_last: true,
    }
}

/// Runs one part at its point, if it may change something.
pub(super) fn run_at(work: &Work, point: Option<Point>, shard: &mut Shard) -> Reply {
    let Some(point) = point else {
        return run_work(work, shard);
    };
    shard.effects.begin_group(0);
    let reply = run_work(work, shard);
    shard.effects.end_part(only(point));
    reply
}

/// Copies what a shard has of these keys at this moment. What turns out to have expired is part of
/// the transaction.
fn fetch_at(shard: &mut Shard, keys: &ArgStore, moment: Moment) -> Fetched {
    let now_ms = shard.space.common.now_ms;
    shard.set_now(moment.at_ms);
    if let Some(place) = moment.place {
        shard.effects.begin_group(place.stage);
    }
    let fetched = fetch(shard, keys.args().from(0));
    if let Some(place) = moment.place {
        shard.effects.end_part(place);
    }
    shard.set_now(now_ms.max(moment.at_ms));
    fetched
}

/// Runs one part; its reply comes as plain bytes, ready to be merged.
fn run_work(work: &Work, shard: &mut Shard) -> Reply {
    let mut out = Output::default();
    let start = clock::cycles();
    // An error is a reply like any other here: the merge shows it.
    let _ = shard.run(&work.head.call(work.args.args(), work.client), &mut out);
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
