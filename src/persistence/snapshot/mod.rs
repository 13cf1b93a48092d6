//! Snapshots in writing: what each shard's entries become, and where that goes.
//!
//! ```text
//!   keyspace walk --> Recorder (RDB) --> Sink  shard 0 --+
//!   keyspace walk --> Recorder (RDB) --> Sink  shard 1 --+--> writer: one standard file
//!                     Teller (commands)
//! ```
//!
//! A [`Request`] says where the parts of all shards go. Whoever begins a snapshot puts it on the
//! [`Desk`] and lets one operation over all shards make the cut; there each shard finds its
//! recorder. A file for dump.rdb or under an append-only file, and a replica's connection, differ
//! only in their sinks.

mod desk;
mod file;
mod outlet;
mod recorder;
mod requests;
mod sink;
mod style;
mod teller;

pub use desk::{Desk, Request};
pub use file::{Outcome, Pairs, Target, Watch, Written, file_request};
pub use sink::{Chunk, Lane, Sink};
pub use style::{Format, Style};
