//! Floor 5: what outlives the process: snapshots, and loading them.
//!
//! Bytes in files are RDB's business, entries are the keyspace's; here they meet, in steps that a
//! core takes between the commands of its clients.

#![forbid(unsafe_code)]

mod load;
mod state;

pub use load::{Batch, Fault, Fed, Installed, LoadError, Loader, Rules, Summary};
pub use state::{LoadProgress, Loading, Saving, State};
