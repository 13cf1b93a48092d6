//! Clients that wait for keys on several shards, on the core that runs their command.
//!
//! ```text
//!   coordinator                      shards
//!      | -- Install, Wait ----------> |      found nothing: releases; the client waits there
//!      |            ...               |
//!      | <-- Woken ------------------ |      a key was touched: that shard asks for its locks
//!      | -- Ask --------------------> |      the others: under the same ticket
//!      | <-- Granted, with copies --- |
//!      | -- Install, Done ----------> |      found something: nobody waits there any more
//!      |    or Install, Again         |      found nothing: keeps its place
//! ```
//!
//! The shard that wakes holds its keys for the operation before anybody else can look, or stands
//! in the queue for them; whether it gets an element is decided here alone, where the client is,
//! when copies of all its keys have come. Two shards that wake it at once are one round: the
//! second has asked for its locks, and the question for them finds that done. Until all copies are
//! there the client may leave or have waited long enough; then its operation is forgotten and all
//! shards are told, and whatever they still send finds nobody.

use super::message::{After, Ask, Enlisted, Peer, Put, ReplyTo, Step, Then};
use super::operation::Operation;
use super::plan::lock_intents;
use super::state::Router;
use super::waiting::until_ms;
use crate::command::ArgStore;
use crate::keyspace::{ShardId, Slot};
use crate::shard::{Fetched, Intents, Point, Shard, Ticket, Wait, Waiter};

impl Router {
    /// A gathered command has found nothing: its client waits, or waits on.
    pub(super) fn wait_again(
        &mut self,
        ticket: Ticket,
        mut operation: Operation,
        what: (Wait, Vec<(ShardId, Put)>, Option<Point>),
        shard: &Shard,
    ) {
        let (wait, puts, point) = what;
        let (client, to) = (operation.work.client, operation.to);
        let is_first = !self.waits.has(client);
        for (peer, put) in puts {
            let then = match is_first {
                true => After::Wait(self.enlist(&operation, peer, &wait)),
                false => After::Again,
            };
            let step = Step::Install {
                ticket,
                put,
                then,
                point,
            };
            self.step(peer, step);
        }
        if is_first {
            self.waits
                .begin(client, (ticket, to), until_ms(&wait, shard));
            self.step(self.me, Step::Blocked { to });
        }
        if let Some(args) = wait.args {
            let typed = std::mem::replace(&mut operation.work.args, args);
            operation.typed.get_or_insert(typed);
        }
        operation.is_waiting = true;
        operation.is_running = false;
        for part in &mut operation.parts {
            part.is_granted = false;
        }
        self.operations.insert(ticket, operation);
    }

    /// What a shard has to remember of one who waits for keys there.
    fn enlist(&self, operation: &Operation, peer: ShardId, wait: &Wait) -> Option<Box<Enlisted>> {
        let args = operation.work.args.args();
        let keys = wait.keys.clone().map(|at| args.get(at));
        let keys = keys.filter(|key| self.map.shard(Slot::of(key)) == peer);
        let waiter = Waiter::new(wait, operation.work.head.db, keys);
        if waiter.keys.is_empty() {
            return None;
        }
        let (intents, keys) = self.share(operation, peer);
        Some(Box::new(Enlisted {
            waiter,
            intents,
            keys,
        }))
    }

    /// What an operation asks a shard for.
    fn share(&self, operation: &Operation, peer: ShardId) -> (Intents, ArgStore) {
        let spec = operation.work.head.spec;
        let intents = lock_intents(self.map, spec, operation.work.args.args(), peer);
        (intents, self.keys_of(operation, peer))
    }

    /// A shard has something for an operation that waits, perhaps: the others are asked too.
    pub(super) fn woken(&mut self, from: Peer, ticket: Ticket) {
        let Some(mut operation) = self.operations.remove(&ticket) else {
            return;
        };
        if std::mem::take(&mut operation.is_waiting) {
            for part in &operation.parts {
                if part.shard == from {
                    continue;
                }
                let (intents, keys) = self.share(&operation, part.shard);
                let ask = Ask {
                    intents,
                    then: Then::Fetch(keys),
                    exec: None,
                };
                self.step(part.shard, Step::Ask { ticket, ask });
            }
            for part in &mut operation.parts {
                part.fetched = Fetched::default();
            }
        }
        self.operations.insert(ticket, operation);
    }

    /// Nobody waits for this operation any more. Returns where its reply was to go, and which
    /// command it is.
    pub(super) fn give_up(&mut self, ticket: Ticket) -> Option<(ReplyTo, u16)> {
        let operation = self.operations.remove(&ticket)?;
        for part in &operation.parts {
            self.step(part.shard, Step::Leave { ticket });
        }
        Some((operation.to, operation.work.head.command))
    }
}
