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

use super::merge::{PartReply, merge};
use super::message::{After, Ask, Grant, Head, Peer, Put, Reply, ReplyTo, Step, Then, Work};
use super::participant::run_at;
use super::plan::{cursor_shard, lock_intents, part_args, shares};
use super::stage::next_page;
use super::state::{Delivery, Router};
use crate::base::clock;
use crate::command::{ArgStore, Args, Flags, Merge, Plan, positions};
use crate::keyspace::{Key, ShardId, Slot};
use crate::resp::Output;
use crate::shard::{Fetched, Gathered, Point, Shard, Ticket, run_gathered};
use std::borrow::Cow;

/// One shard's share in an operation.
pub(super) struct Part {
    pub(super) shard: ShardId,
    /// Which of the command's key groups belong to it.
    groups: Vec<u32>,
    pub(super) is_granted: bool,
    pub(super) fetched: Fetched,
    reply: Option<Vec<u8>>,
}

impl Part {
    fn new(shard: ShardId, groups: Vec<u32>) -> Part {
        Part {
            shard,
            groups,
            is_granted: false,
            fetched: Fetched::default(),
            reply: None,
        }
    }
}

/// An operation this core coordinates.
pub(super) struct Operation {
    pub(super) to: ReplyTo,
    pub(super) work: Work,
    /// `None`: gathered here.
    merge: Option<Merge>,
    pub(super) parts: Vec<Part>,
    /// How many shards have yet to send what was asked of them after their grants.
    pub(super) awaited: usize,
    /// All grants are there and the parts run: nothing is yielded any more.
    pub(super) is_running: bool,
    /// It has found nothing and has no locks until a shard wakes it.
    pub(super) is_waiting: bool,
    /// The other shard may be running its part already.
    is_trying: bool,
    /// A lower ticket asked for this core's own grant meanwhile.
    is_wounded: bool,
    /// Those who take part keep effects.
    is_recording: bool,
    nanos: u64,
    /// What the client has sent, where a scan has gone on to other shards since.
    pub(super) typed: Option<ArgStore>,
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
        let Work { head, args, client } = &self.work;
        let args = part_args(head.spec, args.args(), &part.groups);
        let known = None;
        Work {
            head: Head { known, ..*head },
            args,
            client: *client,
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
            client: self.client(to),
        };
        let operation = Operation {
            to,
            work,
            merge,
            parts: self.parts(head, args),
            awaited: 0,
            is_running: false,
            is_waiting: false,
            is_trying: false,
            is_wounded: false,
            is_recording: false,
            nanos: 0,
            typed: None,
        };
        let ticket = self.draw_ticket();
        self.ask_all(ticket, operation, shard);
        self.settle(shard);
    }

    fn parts(&self, head: Head, args: Args<'_>) -> Vec<Part> {
        let shares = shares(self.map, head.spec, args).into_iter();
        shares
            .map(|(shard, groups)| Part::new(shard, groups))
            .collect()
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
                        ask: Ask {
                            intents,
                            then,
                            exec: None,
                        },
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
        let ask = Ask {
            intents,
            then: Then::Report,
            exec: None,
        };
        self.ask_here(ticket, ask, shard).is_some()
    }

    /// Asks this core's own shard for locks; what it says, if it grants at once.
    pub(super) fn ask_here(
        &mut self,
        ticket: Ticket,
        ask: Ask,
        shard: &mut Shard,
    ) -> Option<Grant> {
        let me = self.me;
        self.asked(me, ticket, ask, shard);
        let steps = &mut self.outbox[me.0 as usize].steps;
        let is_grant =
            |step: &Step| matches!(step, Step::Granted { ticket: t, .. } if *t == ticket);
        let at = steps.iter().position(is_grant)?;
        match steps.remove(at) {
            Step::Granted { grant, .. } => Some(grant),
            _ => unreachable!("just seen to be a grant"),
        }
    }

    pub(super) fn keys_of(&self, operation: &Operation, shard: ShardId) -> ArgStore {
        let args = operation.work.args.args();
        let keys = positions(operation.work.head.spec.keys, args).map(|(at, _)| args.get(at));
        ArgStore::from_words(keys.filter(|key| self.map.shard(Slot::of(key)) == shard))
    }

    pub(super) fn granted(&mut self, from: Peer, ticket: Ticket, grant: Grant, shard: &mut Shard) {
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return self.transaction_granted(from, ticket, &grant, shard);
        };
        operation.is_recording |= grant.is_recording;
        let part = operation.part(from);
        part.is_granted = true;
        part.fetched = grant.fetched;
        if operation.is_granted() && !operation.is_trying {
            self.run_operation(ticket, shard);
        }
    }

    /// The other shard of a pair could not run at once: from now on grants may be yielded.
    pub(super) fn waits(&mut self, _from: Peer, ticket: Ticket) {
        let me = self.me;
        let Some(operation) = self.operations.get_mut(&ticket) else {
            return self.transaction_waits(ticket);
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
            return self.transaction_wounded(from, ticket);
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
        let operation = self.operations.get(&ticket);
        let point = operation.and_then(|operation| self.point_of(operation));
        for (peer, work) in runs {
            let step = Step::Run {
                ticket,
                work,
                point,
            };
            self.step(peer, step);
        }
    }

    /// The point of an operation that holds all its locks, if it may change something.
    fn point_of(&self, operation: &Operation) -> Option<Point> {
        let is_write = operation.work.head.spec.flags.has(Flags::WRITE);
        is_write.then(|| self.draw_point(operation.parts.len()))
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
        let Work { head, args, client } = &operation.work;
        let call = head.call(args.args(), *client);
        let mut output = Output::default();
        let start = clock::cycles();
        let is_recording = operation.is_recording;
        let gathered = run_gathered(shard, &call, fetched, is_recording, &mut output);
        let nanos = clock::nanos_between(start, clock::cycles());
        let result = gathered.result.clone();
        let is_in_vain = gathered.changed.is_empty() && matches!(result, Ok(Some(_)));
        let shards: Vec<ShardId> = operation.parts.iter().map(|part| part.shard).collect();
        let point = self.point_of(&operation).filter(|_| !is_in_vain);
        let puts = self.puts(&shards, gathered);
        if let Ok(Some(wait)) = &result
            && head.may_wait
        {
            let wait = wait.as_ref().clone();
            return self.wait_again(ticket, operation, (wait, puts, point), shard);
        }
        if head.may_wait {
            self.waits.end(*client);
        }
        for (shard, put) in puts {
            let then = After::Done;
            let step = Step::Install {
                ticket,
                put,
                then,
                point,
            };
            self.step(shard, step);
        }
        operation.nanos = nanos;
        self.deliver(operation, output, result.is_err());
    }

    /// What a gathered command has changed, by the shards that take part; the first one says the
    /// effects for all.
    pub(super) fn puts(&self, shards: &[ShardId], gathered: Gathered) -> Vec<(ShardId, Put)> {
        let mut puts: Vec<_> = shards.iter().map(|it| (*it, Put::default())).collect();
        for change in gathered.changed {
            let owner = self.map.shard(Key::new(&change.1).slot);
            let put = puts.iter_mut().find(|(shard, _)| *shard == owner);
            let (_, put) = put.expect("a gathered command changes its own keys only");
            put.changed.push(change);
        }
        puts[0].1.records = gathered.records;
        puts
    }

    pub(super) fn ran(
        &mut self,
        from: Peer,
        ticket: Ticket,
        ran: (Reply, Option<Point>),
        shard: &mut Shard,
    ) {
        let (reply, point) = ran;
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
            let reply = run_at(&operation.work_for(own), point, shard);
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
        let Work { head, args, .. } = &operation.work;
        let page = operation
            .parts
            .last()
            .and_then(|part| part.reply.as_deref());
        let page = page.unwrap_or_default();
        let Some(args) = next_page(map, head.spec, args.args(), page) else {
            return false;
        };
        let Plan::Cursor(at) = head.spec.plan else {
            unreachable!("only scans have pages");
        };
        let next = cursor_shard(map, args.args(), at as usize);
        let old = std::mem::replace(&mut operation.work.args, args);
        operation.typed.get_or_insert(old);
        operation.parts.push(Part::new(next, Vec::new()));
        let (work, spec) = (operation.work.clone(), operation.work.head.spec);
        let intents = lock_intents(map, spec, work.args.args(), me);
        let then = Then::Try(work);
        let ask = Ask {
            intents,
            then,
            exec: None,
        };
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
                reply: Cow::Borrowed(part.reply.as_deref().unwrap_or_default()),
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
