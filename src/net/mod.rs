//! Floor 10: sockets, and the loop between a connection's bytes and its commands.
//!
//! Who may connect, what arrives, what is sent. The ring in `runtime` enters the kernel; commands
//! run in the floors below.

#![forbid(unsafe_code)]

mod batching;
mod coalesce;
mod connection;
mod cron;
mod door;
mod fair;
mod intake;
mod links;
pub mod listener;
mod reactor;
mod walk;

pub use door::Seats;
pub use reactor::{Freight, Reactor};
