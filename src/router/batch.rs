//! Many commands for one shard, run one behind the other with nobody in between.
//!
//! Their arguments lie in one store that all shards of a transaction share; only what had to be
//! taken apart, because each shard runs its own keys, lies in a store of the batch.

use super::message::Head;
use crate::base::clock;
use crate::command::{ArgStore, Args};
use crate::keyspace::Client;
use crate::resp::{Mark, Output};
use crate::shard::{Place, Shard};
use std::ops::Range;
use std::sync::Arc;

#[derive(Clone, Debug)]
struct BatchCall {
    head: Head,
    args: Range<u32>,
    is_own: bool,
}

/// Commands for one shard; a copy shares them.
#[derive(Clone, Debug)]
pub struct Batch {
    shared: Arc<ArgStore>,
    own: Arc<ArgStore>,
    calls: Arc<Vec<BatchCall>>,
}

/// How a command of a batch went.
#[derive(Clone, Copy, Debug)]
pub struct Went {
    /// Where its reply ends.
    pub end: Mark,
    pub nanos: u64,
    pub is_error: bool,
}

/// The replies of a batch, one behind the other.
#[derive(Debug, Default)]
pub struct BatchReply {
    pub output: Output,
    pub went: Vec<Went>,
}

impl Batch {
    /// No commands yet, of those in this store.
    pub fn new(shared: Arc<ArgStore>) -> Batch {
        Batch {
            shared,
            own: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// Makes room for so many commands.
    pub(super) fn expecting(mut self, commands: usize) -> Batch {
        Arc::make_mut(&mut self.calls).reserve(commands);
        self
    }

    /// Adds a command by its place in the shared store.
    pub fn push(&mut self, head: Head, args: Range<u32>) {
        let is_own = false;
        Arc::make_mut(&mut self.calls).push(BatchCall { head, args, is_own });
    }

    /// Adds a command with arguments of its own.
    pub(super) fn push_own(&mut self, head: Head, args: &ArgStore) {
        self.push_written(head, |own| {
            own.add(args.args());
        });
    }

    /// Adds a command whose arguments are written into a store, behind those of others.
    pub(super) fn push_written(&mut self, head: Head, write: impl FnOnce(&mut ArgStore)) {
        let own = Arc::make_mut(&mut self.own);
        if own.is_empty() {
            // Of two shards each has about a half, and the names of all commands.
            own.reserve(self.shared.len() * 5 / 8, self.shared.bytes() * 5 / 8);
        }
        let first = own.len() as u32;
        write(own);
        let (args, is_own) = (first..own.len() as u32, true);
        Arc::make_mut(&mut self.calls).push(BatchCall { head, args, is_own });
    }

    /// The commands with their arguments.
    pub(super) fn calls(&self) -> impl Iterator<Item = (Head, Args<'_>)> {
        self.calls.iter().map(|call| {
            let store = if call.is_own {
                &self.own
            } else {
                &*self.shared
            };
            (call.head, store.command(call.args.clone()))
        })
    }

    /// Runs all of it at this moment, Unix milliseconds, as one group of effects: all there is of
    /// it, or that of a place among others.
    pub(super) fn run(
        &self,
        client: Client,
        at_ms: i64,
        place: Option<Place>,
        shard: &mut Shard,
    ) -> BatchReply {
        let now_ms = shard.space.common.now_ms;
        shard.set_now(at_ms);
        shard
            .effects
            .begin_group(place.map_or(0, |place| place.stage));
        let reply = self.run_calls(client, shard);
        match place {
            Some(place) => shard.effects.end_part(place),
            None => shard.effects.end_group(),
        }
        // The shard's own time never goes back.
        shard.set_now(now_ms.max(at_ms));
        reply
    }

    /// Runs all of it as a part of something larger.
    pub(super) fn run_calls(&self, client: Client, shard: &mut Shard) -> BatchReply {
        let mut reply = BatchReply::default();
        for (head, args) in self.calls() {
            let start = clock::cycles();
            let result = shard.run(&head.call(args, client), &mut reply.output);
            reply.went.push(Went {
                end: reply.output.mark(),
                nanos: clock::nanos_between(start, clock::cycles()),
                is_error: result.is_err(),
            });
        }
        reply
    }
}
