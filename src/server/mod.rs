//! Server: from a command line to a running process, and from a signal to a clean exit.
//!
//! The highest floor: it starts everything and nothing knows it. Here are the pieces that need no
//! engine: the background process, the pid file, word to the supervisor, the lines of the start,
//! and the report of a crash.
#![forbid(unsafe_code)]

pub mod banner;
pub mod check_aof;
mod daemon;
pub mod notify;
pub mod pidfile;
pub mod report;

mod boot;
mod check_rdb;
mod dataset;

pub use boot::{level, run};
