//! Floor 3: one core's world, as a pure state machine.
//!
//! A shard holds the keys of its slots and runs data commands on them, one after the other. It
//! knows nothing of sockets, sessions or other shards; time and randomness come in.

#![forbid(unsafe_code)]

mod ctx;
mod effects;
mod journal;
mod locks;
mod memory;
mod run;
mod scratch;
mod stored;
mod waiters;

pub use ctx::{DataFn, Outcome, ReplyString, ShardCtx};
pub use effects::{Effects, Event, Happened};
pub use journal::{Journal, Place, Point, Record, Records, Unit};
pub use locks::{Asked, Intents, Lock, Locks, Ticket};
pub use memory::{Memory, MemoryRules, Room};
pub use run::{Call, Shard};
pub use scratch::{Changed, Fetched, Gathered, fetch, install, run_gathered};
pub use waiters::{Wait, Waiter, Waiters};
