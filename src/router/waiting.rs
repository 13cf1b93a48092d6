//! Clients that wait until there is something for them (BLPOP, BZPOPMIN, XREAD BLOCK), where
//! their keys live.
//!
//! A blocking command is run like any other. If it finds nothing, its client waits on the shard of
//! its keys (`shard/waiters.rs`), and the command is run again whenever one of them is touched:
//!
//! ```text
//!   keys on one shard      run there, in one step with whatever touched the key
//!   keys on several        each of them wakes the coordinating core, see `recall`
//! ```
//!
//! **Fair.** Everyone waits under a ticket, drawn when it began. At a touched key the lowest ticket
//! comes first, and the next only when the one before has been served or has found nothing. Who
//! needs locks for that asks for them under the same ticket, which is lower than those of all who
//! have come later; so nobody overtakes in the queues of locks either, and by the rules of these
//! (`shard/locks.rs`) nobody starves or waits for ever.
//!
//! **At one moment.** Waiters are served when the command, the transaction or the part of an
//! operation that touched the key has done all it does on this shard, and before its locks are
//! released: nobody can look in between.
//!
//! **Exactly once.** A command takes an element and leaves its place in one step, on one core: on
//! the shard that runs it, or on the coordinating core where copies of all its keys are. The same
//! core decides that a client has waited long enough, and is told that a client leaves or is
//! unblocked, and these take its place away in one step too. Whichever comes first happens; what
//! comes second finds no place and does nothing. A client's core ends a connection only when it
//! has heard which it was, so that what was taken for a client is sent to it.

use super::message::{After, Asker, Enlisted, Head, Peer, ReplyTo, Step, Why, Work};
use super::participant::Parked;
use super::plan::lock_intents;
use super::state::Router;
use crate::command::ArgStore;
use crate::keyspace::{Client, DbKey};
use crate::shard::{Intents, Shard, Ticket, Wait, Waiter};
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// One who waits on this shard.
enum Waiting {
    /// All its keys are here.
    Here { to: ReplyTo, work: Work },
    /// This core runs it.
    Part {
        coordinator: Peer,
        intents: Intents,
        keys: ArgStore,
    },
}

/// What has become of a client of this core that waits.
#[derive(Clone, Copy, Debug)]
pub enum WaitNews {
    /// There was nothing for it: it waits now.
    Began(ReplyTo),
    /// It has stopped waiting, with nothing.
    Stopped { to: ReplyTo, why: Why, command: u16 },
    /// Whether it was still waiting when it was to stop.
    Heard { asker: Asker, is_done: bool },
}

/// All who wait here, or whose operations wait and are run here.
#[derive(Default)]
pub struct Waits {
    here: HashMap<Ticket, Waiting>,
    /// Those that are run here, and until when they wait.
    clients: HashMap<Client, (Ticket, ReplyTo, Option<i64>)>,
    deadlines: BTreeMap<(i64, Ticket), Client>,
    news: Vec<WaitNews>,
}

impl Waits {
    /// A client begins to wait for a command that is run here.
    pub(super) fn begin(
        &mut self,
        client: Client,
        place: (Ticket, ReplyTo),
        until_ms: Option<i64>,
    ) {
        let (ticket, to) = place;
        self.clients.insert(client, (ticket, to, until_ms));
        if let Some(until_ms) = until_ms {
            self.deadlines.insert((until_ms, ticket), client);
        }
    }

    /// A client waits for nothing any more.
    pub(super) fn end(&mut self, client: Client) {
        if let Some((ticket, _, Some(until_ms))) = self.clients.remove(&client) {
            self.deadlines.remove(&(until_ms, ticket));
        }
    }

    /// Whether a client waits for a command that is run here.
    pub(super) fn has(&self, client: Client) -> bool {
        self.clients.contains_key(&client)
    }
}

impl Router {
    /// A command whose keys are all here has found nothing: its client waits.
    pub fn wait_here(
        &mut self,
        owner: Peer,
        to: ReplyTo,
        what: (Head, ArgStore, Wait),
        shard: &mut Shard,
    ) {
        let (head, args, wait) = what;
        let ticket = self.draw_ticket();
        let client = Client {
            core: owner,
            session: to.session,
        };
        let keys = wait.keys.clone().map(|at| args.args().get(at));
        shard.let_wait(ticket, Waiter::new(&wait, head.db, keys));
        let until_ms = until_ms(&wait, shard);
        self.waits.begin(client, (ticket, to), until_ms);
        let args = wait.args.unwrap_or(args);
        let work = Work { head, args, client };
        self.waits.here.insert(ticket, Waiting::Here { to, work });
        self.step(owner, Step::Blocked { to });
    }

    /// Runs the commands of those for whom there may be something now.
    #[cold]
    pub fn serve(&mut self, shard: &mut Shard) {
        while shard.has_touched() {
            for key in shard.take_touched() {
                self.serve_key(&key, None, shard);
            }
        }
    }

    /// The same for those who wait for one key behind this ticket.
    fn serve_key(&mut self, key: &DbKey, mut after: Option<Ticket>, shard: &mut Shard) {
        loop {
            let there = shard.kind_at(key);
            let Some(ticket) = shard.waiters.next(key, after, there) else {
                return;
            };
            after = Some(ticket);
            if shard.waiters.is_busy_for(ticket, key) || !self.wake(ticket, key, shard) {
                return;
            }
        }
    }

    fn serve_behind(&mut self, ticket: Ticket, keys: &[DbKey], shard: &mut Shard) {
        for key in keys {
            self.serve_key(key, Some(ticket), shard);
        }
    }

    /// There may be something for this one. Says whether that is settled already; otherwise those
    /// behind it at the key have to wait.
    fn wake(&mut self, ticket: Ticket, key: &DbKey, shard: &mut Shard) -> bool {
        let ask = match self.waits.here.get(&ticket) {
            None => return true,
            Some(Waiting::Here { work, .. }) => {
                let (head, args) = (work.head, work.args.args());
                let intents = lock_intents(self.map, head.spec, args, self.me);
                if shard.locks.is_empty() || shard.locks.is_free(&intents) {
                    self.run_again(ticket, shard);
                    return true;
                }
                (intents, None)
            }
            Some(Waiting::Part {
                coordinator,
                intents,
                keys,
            }) => (intents.clone(), Some((*coordinator, keys.clone()))),
        };
        shard.waiters.set_busy(ticket);
        shard.waiters.is_busy_for(ticket, key);
        self.ask_for(ticket, ask, shard);
        false
    }

    /// Asks for the locks of one who was woken.
    fn ask_for(
        &mut self,
        ticket: Ticket,
        ask: (Intents, Option<(Peer, ArgStore)>),
        shard: &mut Shard,
    ) {
        let (intents, part) = ask;
        if let Some((coordinator, _)) = part {
            self.step(coordinator, Step::Woken { ticket });
        }
        let is_granted = self.ask_locks(ticket, intents, shard);
        if let Some((coordinator, keys)) = part {
            return self.park_part(ticket, (coordinator, Some(keys), None), is_granted, shard);
        }
        self.parked.insert(ticket, Parked::Waiter);
        if is_granted {
            self.grant_all([ticket], shard);
        }
    }

    /// Whether a part of an operation has asked for its locks itself, because it was woken here.
    pub(super) fn is_called_already(&mut self, ticket: Ticket, shard: &mut Shard) -> bool {
        if self.waits.here.is_empty() || !self.waits.here.contains_key(&ticket) {
            return false;
        }
        shard.waiters.set_busy(ticket);
        self.parked.contains_key(&ticket)
    }

    /// One who was woken has got its locks.
    pub(super) fn run_waiter(&mut self, ticket: Ticket, shard: &mut Shard) {
        let behind = shard.waiters.set_idle(ticket);
        self.run_again(ticket, shard);
        self.serve_behind(ticket, &behind, shard);
        self.release(ticket, shard);
    }

    /// Runs the command of one whose keys are all here once more.
    fn run_again(&mut self, ticket: Ticket, shard: &mut Shard) {
        let Some(Waiting::Here { to, work }) = self.waits.here.remove(&ticket) else {
            return;
        };
        let (owner, args) = (work.client.core, work.args.args());
        let wait = self.attempt(owner, (to, work.head), args, shard);
        if wait.is_some() {
            self.waits.here.insert(ticket, Waiting::Here { to, work });
            return;
        }
        self.waits.end(work.client);
        shard.let_go(ticket);
    }

    /// A gathered command has put back what it changed here.
    pub(super) fn after_install(
        &mut self,
        from: Peer,
        ticket: Ticket,
        then: After,
        shard: &mut Shard,
    ) {
        let behind = match then {
            After::Done if self.waits.here.remove(&ticket).is_some() => shard.let_go(ticket),
            After::Done => return,
            After::Again => shard.waiters.set_idle(ticket),
            After::Wait(None) => return,
            After::Wait(Some(enlisted)) => {
                let Enlisted {
                    waiter,
                    intents,
                    keys,
                } = *enlisted;
                shard.let_wait(ticket, waiter);
                let coordinator = from;
                let part = Waiting::Part {
                    coordinator,
                    intents,
                    keys,
                };
                self.waits.here.insert(ticket, part);
                return;
            }
        };
        self.serve_behind(ticket, &behind, shard);
    }

    /// Nobody waits under this ticket any more.
    pub(super) fn leave(&mut self, ticket: Ticket, shard: &mut Shard) {
        self.waits.here.remove(&ticket);
        let behind = shard.let_go(ticket);
        self.serve_behind(ticket, &behind, shard);
        self.release(ticket, shard);
    }
}

impl Router {
    /// Lets a client of this core stop waiting, wherever it does.
    pub fn stop_waiting(&mut self, at: Peer, to: ReplyTo, why: Why, asker: Option<Asker>) {
        self.step(at, Step::Stop { to, why, asker });
    }

    /// A client of another core, or of this one, is to stop waiting here.
    pub(super) fn stop(
        &mut self,
        from: Peer,
        to: ReplyTo,
        what: (Why, Option<Asker>),
        shard: &mut Shard,
    ) {
        let (why, asker) = what;
        let client = Client {
            core: from,
            session: to.session,
        };
        let place = self.waits.clients.get(&client);
        let ticket = place.filter(|place| place.1 == to).map(|place| place.0);
        match ticket {
            Some(ticket) => self.stop_one(ticket, client, why, shard),
            None => self.stop_before(client),
        }
        if let Some(asker) = asker {
            let is_done = ticket.is_some();
            self.step(from, Step::StopHeard { asker, is_done });
        }
    }

    /// A client leaves whose command has perhaps not run yet: it will not wait then.
    fn stop_before(&mut self, client: Client) {
        for parked in self.parked.values_mut() {
            if let Parked::Request(_, _, work) = parked
                && work.client == client
            {
                work.head.may_wait = false;
            }
        }
        for operation in self.operations.values_mut() {
            if operation.work.client == client {
                operation.work.head.may_wait = false;
            }
        }
    }

    fn stop_one(&mut self, ticket: Ticket, client: Client, why: Why, shard: &mut Shard) {
        self.waits.end(client);
        let (to, command) = match self.waits.here.remove(&ticket) {
            Some(Waiting::Here { to, work }) => {
                let behind = shard.let_go(ticket);
                self.serve_behind(ticket, &behind, shard);
                self.release(ticket, shard);
                (to, work.head.command)
            }
            part => {
                if let Some(part) = part {
                    self.waits.here.insert(ticket, part);
                }
                match self.give_up(ticket) {
                    Some(ended) => ended,
                    None => return,
                }
            }
        };
        self.step(client.core, Step::Stopped { to, why, command });
    }

    /// Ends the waiting of those whose time is up.
    pub fn end_waits(&mut self, now_ms: i64, shard: &mut Shard) {
        while let Some((&(until_ms, ticket), &client)) = self.waits.deadlines.first_key_value() {
            if until_ms > now_ms {
                return;
            }
            self.stop_one(ticket, client, Why::Timeout, shard);
        }
    }

    /// When the first of those who wait has waited long enough, Unix milliseconds.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let first = self.waits.deadlines.first_key_value();
        first.map(|((until_ms, _), _)| *until_ms)
    }

    /// How many will not wait for ever.
    pub fn deadlines(&self) -> usize {
        self.waits.deadlines.len()
    }

    pub(super) fn hear_of_wait(&mut self, step: Step) {
        let news = match step {
            Step::Blocked { to } => WaitNews::Began(to),
            Step::Stopped { to, why, command } => WaitNews::Stopped { to, why, command },
            Step::StopHeard { asker, is_done } => WaitNews::Heard { asker, is_done },
            _ => unreachable!("only these tell of those who wait"),
        };
        self.waits.news.push(news);
    }

    /// What has become of clients of this core since the last time.
    pub fn take_wait_news(&mut self) -> Vec<WaitNews> {
        std::mem::take(&mut self.waits.news)
    }

    /// Whether there is any.
    #[inline]
    pub fn has_wait_news(&self) -> bool {
        !self.waits.news.is_empty()
    }
}

/// Until when somebody waits, Unix milliseconds; `None` is for ever.
pub(super) fn until_ms(wait: &Wait, shard: &Shard) -> Option<i64> {
    let now_ms = shard.space.common.now_ms;
    wait.timeout_ms
        .map(|timeout| now_ms.saturating_add(timeout))
}
