//! Floor 5: channels: who listens to what on a core, and which cores have listeners at all.
//!
//! Names and numbers of listeners only: no clients, no sockets, no messages between cores. A core
//! keeps its own listeners to itself ([`Registry`]); what all cores may look at is which of them
//! could have a listener for a channel ([`Interest`]).

#![forbid(unsafe_code)]

mod interest;
mod registry;

pub use interest::Interest;
pub use registry::{Kind, News, Registry};
