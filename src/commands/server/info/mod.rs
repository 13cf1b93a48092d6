//! INFO: all sections in the order of Redis, each rendered by the part that knows it.
//!
//! What counters tell is rendered in `observe`. Here are the sections about the process, and those
//! of parts that do not run in this server, which say what a Redis without them says.

mod absent;
mod memory;
mod persistence;
mod process;
mod reply;

pub use memory::{Excess, Memory};
pub use reply::{FAMILY, text};
