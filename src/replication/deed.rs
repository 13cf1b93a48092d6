//! What goes in and out of the hub: reports of the cores, wishes of clients, deeds to be done.
//!
//! Plain data. Deeds are done in their order; what they mean for sockets, threads and sessions is
//! the business of the floors above.

use super::flows::Receiver;
use super::psync::Applicant;
use crate::config::Master;
use crate::keyspace::ShardId;
use bytes::Bytes;

/// Where a client's connection lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub core: ShardId,
    pub session: u64,
}

/// What cores report.
#[derive(Clone, Debug)]
pub enum Report {
    /// A client asks to become a replica.
    Psync(Box<Applicant>),
    /// A replica has the stream up to this offset, and on its disk up to that one.
    Ack {
        place: Place,
        offset: u64,
        synced: Option<u64>,
    },
    /// A replica has got its whole snapshot, or has not.
    Sent { place: Place, is_whole: bool },
    /// A connection wants to be that of a shard, with these words.
    Flow { place: Place, words: Vec<u8> },
    /// The connection of a replica, or of one who waits for some, is gone.
    Gone(Place),
    /// A client that waits for replicas is let go; with an error if it was so asked.
    Release { place: Place, is_error: bool },
    /// The history is to have another name (DEBUG CHANGE-REPL-ID).
    Rename,
    /// A client wants something, and waits for an answer under this number.
    Wish {
        core: ShardId,
        number: u64,
        wish: Wish,
    },
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To follow a master, or none; who says so is for the log.
    Follow {
        master: Option<Master>,
        client: String,
    },
    /// To know when so many replicas have all that is written now.
    Wait {
        /// The client, who may go while it waits.
        place: Place,
        replicas: usize,
        /// That they have it in memory is not enough.
        disks: Option<Disks>,
        timeout_ms: i64,
        /// It cannot wait (EXEC): the count of now will do.
        is_now: bool,
    },
    /// To change places with a replica.
    Failover {
        to: Option<Master>,
        is_forced: bool,
        timeout_ms: i64,
    },
    AbortFailover,
}

/// Where a client that wants its writes on disks wants them here, and what it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disks {
    /// On this node's own disk as well.
    pub is_local: bool,
    /// This node's log has it all when it has come to this delivery.
    pub delivery: u64,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok,
    Number(u64),
    /// How many disks have it: this node's, and replicas'.
    Copies(u64, u64),
    Status(&'static str),
    Error(String),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    /// Send this to a replica.
    Feed { place: Place, bytes: Bytes },
    /// End a replica's connection.
    Close(Place),
    /// What was held back for the connection of a shard follows the snapshot.
    Release(Place),
    /// A client gets its answer.
    Answer {
        core: ShardId,
        number: u64,
        answer: Answer,
    },
    /// Talk to the master, as this attempt.
    Connect(Box<super::link::Call>),
    /// Leave the master, if there is a connection or one is being made.
    Disconnect,
    /// Hold back what a replica is fed from here on, until it has got its snapshot.
    Hold(Place),
    /// Make the stream from a mark on that all shards make at one point, and tell when it is there.
    Mark,
    /// Make the stream no more.
    Unrecord,
    /// Make a snapshot for those who wait, and tell when the stream is at its cut: for these, or a
    /// file for all others.
    Snapshot(Vec<Receiver>),
    /// The node has this role now.
    BecomeReplica(bool),
    /// Pause writes until this moment (Unix milliseconds), or end that pause.
    Pause(Option<i64>),
    /// The configuration is to say this from now on.
    Configure(Option<Master>),
}
