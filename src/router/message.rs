//! What crosses cores. A message owns its bytes.
//!
//! A core sends one [`Parcel`] to another one in a turn, with everything it has for it: requests of
//! all its clients, answers to the other's requests, and the steps of operations that span shards.

use super::batch::{Batch, BatchReply};
use crate::command::{ArgStore, Args, Spec};
use crate::keyspace::{Client, DbIndex, ShardId, Slot, Watched};
use crate::resp::{Output, Protocol};
use crate::shard::Waiter;
use crate::shard::{Call, Changed, DataFn, Fetched, Intents, Place, Point, Records, Ticket};
use std::ops::Range;

/// Where a reply belongs: a client of the sending core, and which of its replies this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    pub session: u64,
    pub seq: u32,
}

impl ReplyTo {
    /// The core itself, of whose operations no client knows.
    pub const OWN: ReplyTo = ReplyTo {
        session: u64::MAX >> 1,
        seq: u32::MAX,
    };
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
    /// Whether it runs inside EXEC.
    pub is_in_exec: bool,
    /// Whether its client may wait until there is something for it.
    pub may_wait: bool,
    /// Position, slot and hash of a key that routing has computed already.
    pub known: Option<(usize, Slot, u64)>,
}

impl Head {
    /// The command with these arguments, for this client.
    #[inline]
    pub fn call<'a>(&self, args: Args<'a>, client: Client) -> Call<'a> {
        let (spec, run, db) = (self.spec, self.run, self.db);
        Call {
            spec,
            run,
            db,
            protocol: self.protocol,
            args,
            client,
            is_in_exec: self.is_in_exec,
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
    pub client: Client,
}

/// What a shard does as soon as it grants the locks.
#[derive(Debug)]
pub enum Then {
    /// Says so.
    Report,
    /// Says so, with copies of the entries of these keys.
    Fetch(ArgStore),
    /// Runs its part at once and releases, if it can grant at once; otherwise says that it waits.
    Try(Work),
    /// The same with a transaction's part, at this moment or later.
    TryBatch(Trial),
}

/// A transaction's part that may run at once.
#[derive(Debug)]
pub struct Trial {
    pub batch: Batch,
    pub at_ms: i64,
    /// The transaction may change something, here or on the other shard.
    pub is_write: bool,
}

/// Locks to be granted, and what then.
#[derive(Debug)]
pub struct Ask {
    pub intents: Intents,
    pub then: Then,
    /// The client whose transaction this is, if it is one.
    pub exec: Option<Client>,
}

/// What a shard says when it grants the locks.
#[derive(Clone, Debug)]
pub struct Grant {
    pub fetched: Fetched,
    /// What became of the keys that the client of a transaction watches here.
    pub watched: Watched,
    /// The time on this shard, Unix milliseconds.
    pub now_ms: i64,
    /// Whether effects are kept on this shard.
    pub is_recording: bool,
}

/// A transaction whose keys are all on one shard.
#[derive(Debug)]
pub struct Alone {
    /// The number its coordinator knows it by.
    pub exec: u64,
    pub client: Client,
    pub batch: Batch,
}

/// What a shard is to do for a transaction it has granted the locks.
#[derive(Debug)]
pub enum Job {
    Run(Batch),
    /// Copy the entries of these keys.
    Fetch(ArgStore),
    /// These keys have changed.
    Put(Put),
    Nothing,
}

/// What a gathered command has changed of a shard's keys, and its effects if this shard is to say
/// them for all.
#[derive(Debug, Default)]
pub struct Put {
    pub changed: Changed,
    pub records: Records,
}

/// When a shard does a part of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at_ms: i64,
    /// Behind this the shard releases.
    pub is_last: bool,
    /// Where it belongs in the journal, if it may change something.
    pub place: Option<Place>,
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// The replies, and when it ran.
    Ran(BatchReply, Moment),
    Fetched(Fetched),
    /// Nothing was run: a watched key has changed.
    Broken,
}

/// The reply of a part as plain bytes, and how long the part ran.
#[derive(Clone, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub nanos: u64,
}

/// What becomes of a gathered command on a shard that has put back what it changed.
#[derive(Debug)]
pub enum After {
    /// It has run.
    Done,
    /// It has found nothing, again: its client waits on.
    Again,
    /// It has found nothing: from now on its client waits for keys of this shard, if any.
    Wait(Option<Box<Enlisted>>),
}

/// A part of an operation that waits: for whom, and what is asked for when that may have come.
#[derive(Debug)]
pub struct Enlisted {
    pub waiter: Waiter,
    pub intents: Intents,
    /// Of these keys copies are wanted.
    pub keys: ArgStore,
}

/// Why a client stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its time is up, or another client says that it is.
    Timeout,
    /// Another client says so, and that it is an error.
    Error,
    /// The node is a replica now, where nobody may take anything.
    Demoted,
    /// It leaves.
    Gone,
}

/// Who wants to know whether a client was still waiting: a core, and its question's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    pub core: ShardId,
    pub number: u64,
}

/// A step of an operation that spans shards.
#[derive(Debug)]
pub enum Step {
    /// Coordinator to shard: grant these locks.
    Ask { ticket: Ticket, ask: Ask },
    /// Shard to coordinator: granted.
    Granted { ticket: Ticket, grant: Grant },
    /// Shard to coordinator: could not run at once, waits.
    Waits { ticket: Ticket },
    /// Shard to coordinator: a lower ticket needs what you were granted.
    Wound { ticket: Ticket },
    /// Coordinator to shard: take the grant back, and grant it again in turn.
    Yield { ticket: Ticket },
    /// Coordinator to shard: run your part and release.
    Run {
        ticket: Ticket,
        work: Work,
        point: Option<Point>,
    },
    /// Shard to coordinator: the reply of your part, and the point at which it has changed things.
    Ran {
        ticket: Ticket,
        reply: Reply,
        point: Option<Point>,
    },
    /// Coordinator to shard, which has granted: copies of these keys too.
    Fetch { ticket: Ticket, keys: ArgStore },
    /// Shard to coordinator: the copies.
    Fetched { ticket: Ticket, fetched: Fetched },
    /// Coordinator to shard: these keys have changed; release.
    Install {
        ticket: Ticket,
        put: Put,
        then: After,
        point: Option<Point>,
    },
    /// Shard to coordinator: what is waited for may have come; the shard asks itself for locks.
    Woken { ticket: Ticket },
    /// Coordinator to shard: nobody waits under this ticket any more; release.
    Leave { ticket: Ticket },
    /// Shard to the client's core: it waits now.
    Blocked { to: ReplyTo },
    /// The client's core to where it waits: it stops waiting.
    Stop {
        to: ReplyTo,
        why: Why,
        asker: Option<Asker>,
    },
    /// The other way round: it has stopped.
    Stopped { to: ReplyTo, why: Why, command: u16 },
    /// The same, for whoever asked: whether it was still waiting.
    StopHeard { asker: Asker, is_done: bool },
    /// Coordinator to shard: your part of a transaction, at this moment; release behind the last.
    Do {
        ticket: Ticket,
        job: Job,
        moment: Moment,
    },
    /// Shard to coordinator: what came of it.
    Did { ticket: Ticket, done: Done },
    /// Coordinator to shard: a transaction that needs nobody else.
    Alone(Box<Alone>),
    /// Shard to coordinator: its replies; none if a watched key has changed.
    AloneRan {
        exec: u64,
        reply: Option<BatchReply>,
    },
}

/// Everything one core has for another one in a turn.
#[derive(Debug, Default)]
pub struct Parcel {
    /// Sessions of the sender that no longer watch anything. All that they have watched so far
    /// has been answered, so this comes before everything else here.
    pub(super) forgotten: Vec<u64>,
    pub requests: Vec<Request>,
    pub store: ArgStore,
    pub answers: Vec<Answer>,
    pub output: Output,
    pub(super) steps: Vec<Step>,
}

impl Parcel {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
            && self.answers.is_empty()
            && self.steps.is_empty()
            && self.forgotten.is_empty()
    }

    /// Bytes of memory that its requests and answers take.
    pub fn held_bytes(&self) -> usize {
        self.store.held_bytes() + self.output.len().max(self.output.capacity())
    }

    /// Whether it has memory for requests or answers.
    pub fn has_room(&self) -> bool {
        self.requests.capacity() > 0 || self.answers.capacity() > 0
    }

    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.forgotten.clear();
        self.requests.clear();
        self.store.clear();
        self.answers.clear();
        self.output.clear();
        self.steps.clear();
    }
}

/// A participant, or the coordinator, as the sender of a step.
pub(super) type Peer = ShardId;
