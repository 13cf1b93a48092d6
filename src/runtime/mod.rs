//! The machine: executors, the network ring, messages between cores, signals, the preflight.
//!
//! This is the only folder that knows glommio and io-uring, so that either can be replaced here.
//! What it does not do: know anything of Redis beyond the words of its log lines.
pub mod account;
pub mod core;
pub mod draft;
pub mod errands;
pub mod file;
pub mod log_file;
pub mod mesh;
pub mod pace;
pub mod peer;
pub mod preflight;
pub mod purger;
pub mod ring;
mod shelf;
pub mod signal;
mod stall;

pub use shelf::{Held, Shelf};
pub use stall::stall;
