//! Floor 5: what outlives the process, and what leaves it as a stream.
//!
//! Snapshots and loading them: bytes in files are RDB's business, entries are the keyspace's; here
//! they meet, in steps that a core takes between the commands of its clients. And shards say what
//! they have changed ([`crate::shard::Journal`]); their streams become one that stock Redis can
//! replay too, for the append-only file and for replicas.

#![forbid(unsafe_code)]

pub mod aof;
mod bookmark;
mod check;
mod load;
pub mod merge;
pub mod snapshot;
mod state;

pub use bookmark::Bookmark;
pub use check::{Tally, check};
pub use load::{Batch, Fault, Fed, Installed, LoadError, Loader, Rules, Summary};
pub use state::{LoadProgress, Loading, Saving, State};
