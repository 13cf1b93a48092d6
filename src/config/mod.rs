//! Configuration: one row per directive, everything else derived.
//!
//! ```text
//! command line -+                      +- Live: typed fields, read everywhere
//! redis.conf ---+- load --> Config ----+- find: CONFIG GET
//! stdin --------+             ^        +- rewrite: CONFIG REWRITE
//!                  set_all ---+ (a clone; the caller swaps it in)
//! ```
//!
//! Every directive of Redis 7.2 is known, with its bounds, default and error texts. A `Config` is
//! inert: it opens no port and changes no directory. Whoever holds it acts on it, and if that
//! fails, keeps the old one and answers with `SetError::refused`.
//! Only `disk` touches files: redis.conf, its includes, and whether `dir` and `logfile` work.
#![forbid(unsafe_code)]

pub mod change;
mod check;
pub mod choice;
mod cli;
pub mod disk;
mod error;
mod field;
pub mod live;
mod load;
mod number;
pub mod rewrite;
pub mod row;
mod rows;
pub mod special;
pub mod table;
mod value;
pub mod words;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod tests;

pub use change::{Caller, SetError};
pub use cli::{Startup, version};
pub use error::ConfigError;
pub use field::MemoryLimit;
pub use live::{Config, Live};
pub use load::{Deferred, DeferredKind, Loaded};
pub use number::bytes as byte_count;
pub use special::{KeyspaceEvents, Master};
