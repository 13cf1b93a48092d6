//! Loading RDB, whoever sends it: bytes go in as they come, batches for shards come out.
//!
//! ```text
//!   file, socket, preamble --> Loader: frame, boundaries, checksum
//!                                 |  batches of values as they were written
//!                 +---------------+---------------+
//!               shard 0         shard 1         shard 2      decode and insert, each its own
//! ```
//!
//! The reader of the frame only finds where values end; making them is the shards' work. A value
//! too large for that is decoded by the reader, so that it never lies in memory twice.

mod batch;
mod error;
mod loader;

pub use batch::{Batch, Installed};
pub use error::{Fault, LoadError};
pub use loader::{Fed, Loader, Rules, Summary};

#[cfg(test)]
mod tests;
