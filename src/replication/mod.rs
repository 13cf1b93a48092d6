//! Floor 6: masters, replicas and the stream between them, as a state machine without sockets.
//!
//! One core of a node keeps the whole state, in a [`Hub`]: which role the node has, who follows it,
//! what of the stream is kept. The others report to it and are told what to do; all read the
//! [`Board`]. Time, bytes and news come in, deeds go out, so that every rule here can be tested
//! without a network. What a replica says to its master over a socket is [`link`]'s business, on a
//! thread of its own.

#![forbid(unsafe_code)]

mod backlog;
mod board;
mod deed;
mod failover;
mod flows;
mod follow;
pub mod frame;
mod gather;
mod history;
mod hub;
mod inflow;
mod info;
pub mod link;
pub mod order;
mod payload;
mod psync;
mod replicas;
mod restart;
pub mod sequence;
mod sync;
mod wait;

pub use board::{Bars, Board};
pub use deed::{Answer, Deed, Disks, Place, Report, Wish};
pub use flows::Receiver;
pub use history::{History, fresh_id};
pub use hub::{Hub, Syncs};
pub use inflow::{Inflow, LOOK_INTERVAL};
pub use info::{LinkPicture, Picture, ReplicaPicture, Replication, ReplicationShards};
pub use psync::Applicant;
pub use replicas::Stage;
