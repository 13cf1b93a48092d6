//! Operations that span shards, seen from the core that coordinates them.
//!
//! ```text
//!   coordinator                      shards
//!      | -- Ask (ticket, intents) --> |      each grants, now or in its turn
//!      | <-- Granted ---------------- |
//!      | -- Run (its part) ---------> |      runs, releases
//!      | <-- Ran (its reply) -------- |
//!      merges, replies
//! ```
//!
//! When only one other shard takes part and this core's own grant is there at once, the other one
//! is asked to run straight away ([`Then::Try`]): one round instead of two. A gathered command asks
//! for copies with the grants, runs here, and sends the changed entries back with the release; its
//! client need not wait for that, because the locks keep everybody else from looking earlier.

use super::merge::{PartReply, merge, page_cursor};
use super::message::{Ask, Head, Peer, Reply, ReplyTo, Step, Then, Work};
use super::participant::run_work;
use super::plan::{cursor_shard, lock_intents};
use super::state::{Delivery, Router};
use crate::base::clock;
use crate::command::{ArgStore, Args, Merge, Plan, positions};
use crate::keyspace::{Key, ShardId, Slot};
use crate::resp::Output;
use crate::shard::{Changed, Fetched, Shard, Ticket, run_gathered};

/// One shard's share in an operation.
pub(super) struct Part {
    pub(super) shard: ShardId,
    /// Which of the command's key groups belong to it.
    groups: Vec<u32>,
    is_granted: bool,
    pub(super) fetched: Fetched,
    reply: Option<Vec<u8>>,
}

impl Part {
    fn new(shard: ShardId) -> Part {
        Part {
            shard,
            groups: Vec::new(),
            is_granted: false,
            fetched: Fetched::default(),
            reply: None,
        }
    }
}

/// An operation this core coordinates.
pub(super) struct Operation {
    to: ReplyTo,
    pub(super) work: Work,
    /// `None`: gathered here.
    merge: Option<Merge>,
    pub(super) parts: Vec<Part>,
    /// How many shards have yet to send what was asked of them after their grants.
    pub(super) awaited: usize,
    /// All grants are there and the parts run: nothing is yielded any more.
    is_running: bool,
    /// The other shard may be running its part already.
    is_trying: bool,
    /// A lower ticket asked for this core's own grant meanwhile.
    is_wounded: bool,
    nanos: u64,
    /// What the client has sent, where a scan has gone on to other shards since.
    typed: Option<ArgStore>,
}

impl Operation {
    pub(super) fn part(&mut self, shard: ShardId) -> &mut Part {
        let part = self.parts.iter_mut().find(|part| part.shard == shard);
        part.expect("only the operation's shards answer")
    }

    fn arrived(&mut self, from: ShardId, reply: Reply) {
        self.nanos += reply.nanos;
        let part = self.part(from);
        part.reply = Some(reply.bytes);
        part.is_granted = true;
    }

    fn is_granted(&self) -> bool {
        self.parts.iter().all(|part| part.is_granted)
    }

    /// What a shard is to run: the command with its own key groups only.
    fn work_for(&self, part: &Part) -> Work {
        let args = self.work.args.args();
        let spec = self.work.head.spec;
        let Some(keys) = spec
            .keys
            .first()
            .filter(|_| matches!(spec.plan, Plan::Split(_)))
        else {
            return self.work.clone();
        };
        let positions = keys.positions(args);
        let (mut first, mut step) = (args.len(), 1);
        if let (Some(one), Some(two)) = (positions.clone().next(), positions.clone().nth(1)) {
            (first, step) = (one, two - one);
        }
        let mut store = ArgStore::default();
        for at in 0..first {
            store.push_from(args, at);
        }
        for group in &part.groups {
            for at in 0..step {
                store.push_from(args, first + *group as usize * step + at);
            }
        }
        Work {
            head: Head {
                known: None,
                ..self.work.head
            },
            args: store,
        }
    }
}

impl Router {
    /// Starts an operation on the shards of its keys, or on all of them.
    pub fn begin(&mut self, to: ReplyTo, head: Head, args: Args<'_>, shard: &mut Shard) {
        let merge = match head.spec.plan {
            Plan::Split(merge) | Plan::Everywhere(merge) => Some(merge),
            Plan::Cursor(_) => Some(Merge::Pages),
            _ => None,
        };
        let work = Work {
            head,
            args: ArgStore::of(args),
        };
        let operation = Operation {
            to,
            work,
            merge,
            parts: self.parts(head, args),
            awaited: 0,
            is_running: false,
            is_trying: false,
            is_wounded: false,
            nanos: 0,
            typed: None,
        };
        let ticket = self.draw_ticket();
        self.ask_all(ticket, operation, shard);
        self.settle(shard);
    }

    fn parts(&self, head: Head, args: Args<'_>) -> Vec<Part> {
        let all = || {
            let shards = (0..self.map.shards()).map(|shard| ShardId(shard as u16));
            shards.map(Part::new).collect::<Vec<_>>()
        };
        match head.spec.plan {
            Plan::Everywhere(_) => return all(),
            Plan::Cursor(at) => {
                return vec![Part::new(cursor_shard(self.map, args, at as usize))];
            }
            _ => {}
        }
        let mut parts = match head.spec.derives_keys(args) {
            true => all(),
            false => Vec::new(),
        };
        for (group, (at, _)) in positions(head.spec.keys, args).enumerate() {
            let owner = self.map.shard(Slot::of(args.get(at)));
            let index = parts
                .iter()
                .position(|part| part.shard == owner)
                .unwrap_or_else(|| {
                    parts.push(Part::new(owner));
                    parts.len() - 1
                });
            parts[index].groups.push(group as u32);
        }
        parts
    }

    fn ask_all(&mut self, ticket: Ticket, mut operation: Operation, shard: &mut Shard) {
        let (me, map) = (self.me, self.map);
        let spec = operation.work.head.spec;
        let intents = |operation: &Operation, shard: ShardId| {
            lock_intents(map, spec, operation.work.args.args(), shard)
        };
        let is_pair = operation.merge.is_some()
            && operation.parts.len() == 2
            && operation.parts.iter().any(|part| part.shard == me);
        // The own part of a pair first: if it is granted at once, the other may run at once.
        if is_pair {
            operation.parts.sort_by_key(|part| part.shard != me);
        }
        for index in 0..operation.parts.len() {
            let peer = operation.parts[index].shard;
            let intents = intents(&operation, peer);
            let then = if operation.merge.is_none() {
                Then::Fetch(self.keys_of(&operation, peer))
            } else if is_pair && index == 1 && operation.parts[0].is_granted {
                operation.is_trying = true;
                Then::Try(operation.work_for(&operation.parts[1]))
            } else {
                Then::Report
            };
            if is_pair && index == 0 {
                operation.parts[0].is_granted = self.ask_own(ticket, intents, shard);
            } else {
                self.step(
                    peer,
                    Step::Ask {
                        ticket,
                        ask: Ask { intents, then },
                    },
                );
            }
        }
        self.operations.insert(ticket, operation);
    }

    /// Asks this core's own shard, and says whether it granted at once.
    fn ask_own(
        &mut self,
        ticket: Ticket,
        intents: crate::shard::Intents,
        shard: &mut Shard,
    ) -> bool {
        let me = self.me;
        let then = Then::Report;
        self.asked(me, ticket, Ask { intents, then }, shard);
        let steps = &mut self.outbox[me.0 as usize].steps;
        let is_grant =
            |step: &Step| matches!(step, Step::Granted { ticket: t, .. } if *t == ticket);
        let at = steps.iter().position(is_grant);
        at.map(|at| steps.remove(at)).is_some()
    }

    fn keys_of(&self, operation: &Operation, shard: ShardId) -> ArgStore {
        let args = operation.work.args.args();
        let keys = positions(operation.work.head.spec.keys, args).map(|(at, _)| args.get(at));
        ArgStore::from_words(keys.filter(|key| self.map.shard(Slot::of(key)) == shard))
    }

    pub(super) fn granted(
        &mut self,
        from: Peer,
        ticket: Ticket,
        fetched: Fetched,
        shard: &mut Shard,
    ) {
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return;
        };
        let part = operation.part(from);
        part.is_granted = true;
        part.fetched = fetched;
        if operation.is_granted() && !operation.is_trying {
            self.run_operation(ticket, shard);
        }
    }

    /// The other shard of a pair could not run at once: from now on grants may be yielded.
    pub(super) fn waits(&mut self, _from: Peer, ticket: Ticket) {
        let me = self.me;
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return;
        };
        operation.is_trying = false;
        if std::mem::take(&mut operation.is_wounded) {
            operation.part(me).is_granted = false;
            self.step(me, Step::Yield { ticket });
        }
    }

    /// A lower ticket needs what this operation was granted on a shard.
    pub(super) fn wounded(&mut self, from: Peer, ticket: Ticket) {
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return;
        };
        if operation.is_running {
            return;
        }
        if operation.is_trying {
            operation.is_wounded = true;
            return;
        }
        let part = operation.part(from);
        if part.is_granted {
            part.is_granted = false;
            self.step(from, Step::Yield { ticket });
        }
    }

    fn run_operation(&mut self, ticket: Ticket, shard: &mut Shard) {
        let operation = self
            .operations
            .get_mut(&ticket)
            .expect("it was just granted");
        operation.is_running = true;
        if operation.merge.is_none() {
            if !self.fetch_derived(ticket) {
                self.run_gather(ticket, shard);
            }
            return;
        }
        let runs: Vec<_> = operation
            .parts
            .iter()
            .filter(|part| part.reply.is_none())
            .map(|part| (part.shard, operation.work_for(part)))
            .collect();
        for (peer, work) in runs {
            self.step(peer, Step::Run { ticket, work });
        }
    }

    pub(super) fn run_gather(&mut self, ticket: Ticket, shard: &mut Shard) {
        let mut operation = self
            .operations
            .remove(&ticket)
            .expect("it was just granted");
        let fetched = operation
            .parts
            .iter_mut()
            .flat_map(|part| std::mem::take(&mut part.fetched))
            .collect();
        let Work { head, args } = &operation.work;
        let mut output = Output::default();
        let start = clock::cycles();
        let (changed, result) = run_gathered(shard, &head.call(args.args()), fetched, &mut output);
        let nanos = clock::nanos_between(start, clock::cycles());
        let mut by_part: Vec<Changed> = operation.parts.iter().map(|_| Vec::new()).collect();
        for change in changed {
            let owner = self.map.shard(Key::new(&change.1).slot);
            let part = operation.parts.iter().position(|part| part.shard == owner);
            by_part[part.expect("a gathered command changes its own keys only")].push(change);
        }
        for (part, changed) in operation.parts.iter().zip(by_part) {
            self.step(part.shard, Step::Install { ticket, changed });
        }
        operation.nanos = nanos;
        self.deliver(operation, output, result.is_err());
    }

    pub(super) fn ran(&mut self, from: Peer, ticket: Ticket, reply: Reply, shard: &mut Shard) {
        let me = self.me;
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return;
        };
        operation.arrived(from, reply);
        if std::mem::take(&mut operation.is_trying) {
            operation.is_running = true;
            let own = operation
                .parts
                .iter()
                .find(|part| part.shard == me)
                .expect("a pair");
            let reply = run_work(&operation.work_for(own), shard);
            operation.arrived(me, reply);
            self.release(ticket, shard);
        }
        if self.operations[&ticket]
            .parts
            .iter()
            .all(|part| part.reply.is_some())
            && !self.turn_page(ticket)
        {
            self.finish(ticket, shard);
        }
    }

    /// Lets a scan whose shard had nothing left go on with the next one, so that a page is short
    /// only where a scan of one shard would be. Says whether it goes on.
    fn turn_page(&mut self, ticket: Ticket) -> bool {
        let (map, me) = (self.map, self.me);
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return false;
        };
        let Plan::Cursor(at) = operation.work.head.spec.plan else {
            return false;
        };
        let last = operation.parts.last().expect("a scan begins somewhere");
        let cursor = page_cursor(last.reply.as_deref().unwrap_or_default()).unwrap_or_default();
        let mut args = ArgStore::default();
        let old = operation.work.args.args();
        for position in 0..old.len() {
            match position == at as usize {
                true => args.push(cursor),
                false => args.push_from(old, position),
            }
        }
        let next = cursor_shard(map, args.args(), at as usize);
        if next <= last.shard {
            return false;
        }
        let old = std::mem::replace(&mut operation.work.args, args);
        operation.typed.get_or_insert(old);
        operation.parts.push(Part::new(next));
        let (work, spec) = (operation.work.clone(), operation.work.head.spec);
        let intents = lock_intents(map, spec, work.args.args(), me);
        let then = Then::Try(work);
        let ask = Ask { intents, then };
        self.step(next, Step::Ask { ticket, ask });
        true
    }

    fn finish(&mut self, ticket: Ticket, shard: &mut Shard) {
        let operation = self
            .operations
            .remove(&ticket)
            .expect("all its parts have just run");
        let replies: Vec<PartReply<'_>> = operation
            .parts
            .iter()
            .map(|part| PartReply {
                reply: part.reply.as_deref().unwrap_or_default(),
                groups: &part.groups,
            })
            .collect();
        let head = operation.work.head;
        let mut output = Output::default();
        let random = &mut shard.space.common.random;
        let how = operation.merge.expect("gathered commands do not merge");
        merge(how, &replies, head.protocol, random, &mut output);
        let is_error = output.starts_with(Output::start(), b'-');
        self.deliver(operation, output, is_error);
    }

    fn deliver(&mut self, operation: Operation, output: Output, is_error: bool) {
        let Operation { work, nanos, .. } = operation;
        let args = operation.typed.unwrap_or(work.args);
        self.deliveries.push(Delivery {
            to: operation.to,
            output,
            command: work.head.command,
            nanos,
            is_error,
            args: (nanos >= self.slow_nanos).then(|| Box::new(args)),
        });
    }
}
