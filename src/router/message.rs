//! What crosses cores. A message owns its bytes.
//!
//! A core sends one [`Parcel`] to another one in a turn, with everything it has for it: requests of
//! all its clients, answers to the other's requests, and the steps of operations that span shards.

use crate::command::{ArgStore, Spec};
use crate::keyspace::{DbIndex, ShardId, Slot};
use crate::resp::{Output, Protocol};
use crate::shard::{Call, Changed, DataFn, Fetched, Intents, Ticket};
use std::ops::Range;

/// Where a reply belongs: a client of the sending core, and which of its replies this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    pub session: u64,
    pub seq: u32,
}

/// A command with everything but its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub spec: &'static Spec,
    pub run: DataFn,
    /// The number of the command in the table, for statistics.
    pub command: u16,
    pub db: DbIndex,
    pub protocol: Protocol,
    /// Position, slot and hash of a key that routing has computed already.
    pub known: Option<(usize, Slot, u64)>,
}

impl Head {
    /// The command with these arguments.
    #[inline]
    pub fn call<'a>(&self, args: crate::command::Args<'a>) -> Call<'a> {
        let (spec, run, db) = (self.spec, self.run, self.db);
        Call {
            spec,
            run,
            db,
            protocol: self.protocol,
            args,
            known: self.known,
        }
    }
}

/// A single-shard command for another core; its arguments are in the parcel's store.
#[derive(Clone, Debug)]
pub struct Request {
    pub to: ReplyTo,
    pub head: Head,
    pub args: Range<u32>,
}

/// The reply to a request; its bytes are in the parcel's output, behind those of the one before.
#[derive(Clone, Debug)]
pub struct Answer {
    pub to: ReplyTo,
    pub end: crate::resp::Mark,
    pub command: u16,
    pub nanos: u64,
    pub is_error: bool,
    /// What it was called with, if it took long enough for somebody to ask.
    pub args: Option<Box<ArgStore>>,
}

/// A part of an operation, to be run on one shard.
#[derive(Clone, Debug)]
pub struct Work {
    pub head: Head,
    pub args: ArgStore,
}

/// What a shard does as soon as it grants the locks.
#[derive(Clone, Debug)]
pub enum Then {
    /// Says so.
    Report,
    /// Says so, with copies of the entries of these keys.
    Fetch(ArgStore),
    /// Runs its part at once and releases, if it can grant at once; otherwise says that it waits.
    Try(Work),
}

/// Locks to be granted, and what then.
#[derive(Clone, Debug)]
pub struct Ask {
    pub intents: Intents,
    pub then: Then,
}

/// The reply of a part as plain bytes, and how long the part ran.
#[derive(Clone, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub nanos: u64,
}

/// A step of an operation that spans shards.
#[derive(Clone, Debug)]
pub enum Step {
    /// Coordinator to shard: grant these locks.
    Ask { ticket: Ticket, ask: Ask },
    /// Shard to coordinator: granted.
    Granted { ticket: Ticket, fetched: Fetched },
    /// Shard to coordinator: could not run at once, waits.
    Waits { ticket: Ticket },
    /// Shard to coordinator: a lower ticket needs what you were granted.
    Wound { ticket: Ticket },
    /// Coordinator to shard: take the grant back, and grant it again in turn.
    Yield { ticket: Ticket },
    /// Coordinator to shard: run your part and release.
    Run { ticket: Ticket, work: Work },
    /// Shard to coordinator: the reply of your part.
    Ran { ticket: Ticket, reply: Reply },
    /// Coordinator to shard, which has granted: copies of these keys too.
    Fetch { ticket: Ticket, keys: ArgStore },
    /// Shard to coordinator: the copies.
    Fetched { ticket: Ticket, fetched: Fetched },
    /// Coordinator to shard: these keys have changed; release.
    Install { ticket: Ticket, changed: Changed },
}

/// Everything one core has for another one in a turn.
#[derive(Debug, Default)]
pub struct Parcel {
    pub requests: Vec<Request>,
    pub store: ArgStore,
    pub answers: Vec<Answer>,
    pub output: Output,
    pub(super) steps: Vec<Step>,
}

impl Parcel {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.answers.is_empty() && self.steps.is_empty()
    }

    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.store.clear();
        self.answers.clear();
        self.output.clear();
        self.steps.clear();
    }
}

/// A participant, or the coordinator, as the sender of a step.
pub(super) type Peer = ShardId;
