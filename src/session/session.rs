//! What is remembered of one client.
//!
//! Plain data that the floors above read and write. It knows its replies and requests as bytes, and
//! no socket.

use super::late::Late;
use super::multi::{Executing, Queue, WatchedKey};
use super::pending::Pending;
use super::replication::Introduction;
use super::waiting::Waiting;
use crate::command::Spec;
use crate::keyspace::DbIndex;
use crate::resp::{Assembly, Output, Protocol};
use hashbrown::HashSet;

/// Where a client comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `ip:port`, or the socket's path with `:0`, as CLIENT LIST shows it.
    pub address: String,
    /// The address it connected to.
    pub local_address: String,
    pub is_unix: bool,
    /// Whether it comes from this machine.
    pub is_local: bool,
    /// Its descriptor, for CLIENT LIST.
    pub fd: i32,
}

/// Whether replies are wanted (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// Not that of the next command.
    SkipNext,
    /// Not that of the running command.
    Skip,
}

/// Whether the connection is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    #[default]
    No,
    /// When its replies are out; nothing more is read.
    AfterReplies,
    /// At once.
    Now,
}

/// To how much a client listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    pub channels: u32,
    pub patterns: u32,
    pub shard_channels: u32,
}

impl Subscriptions {
    /// Whether it listens to anything.
    pub fn is_empty(self) -> bool {
        self == Subscriptions::default()
    }
}

/// One client.
#[derive(Debug)]
pub struct Session {
    /// The number CLIENT ID replies with.
    pub id: u64,
    pub origin: Origin,
    pub name: Vec<u8>,
    pub library: Vec<u8>,
    pub library_version: Vec<u8>,
    pub db: DbIndex,
    pub protocol: Protocol,
    pub is_authenticated: bool,
    pub is_monitor: bool,
    /// It is the connection to this node's master, whose commands are obeyed.
    pub is_master: bool,
    /// It has waited for replicas, and may do so still.
    pub has_waited: bool,
    /// It waits for replicas now, and is counted among those who are blocked.
    pub awaits_replicas: bool,
    /// What it has said of itself as a replica, if it has.
    pub introduction: Option<Box<Introduction>>,
    /// It is no client: it runs what a log says.
    pub is_loader: bool,
    /// It is no client: it runs what a master says on several connections.
    pub is_runner: bool,
    pub is_no_evict: bool,
    pub is_no_touch: bool,
    pub reply_mode: ReplyMode,
    pub closing: Closing,
    pub created_ms: i64,
    pub active_ms: i64,
    /// The last command, if any was found.
    pub last_command: Option<&'static Spec>,
    pub subscriptions: Subscriptions,
    /// What waits for EXEC since MULTI.
    pub queue: Option<Box<Queue>>,
    pub watched: HashSet<WatchedKey>,
    pub executing: Option<Executing>,
    /// Replies ready to be sent.
    pub output: Output,
    /// What a replica gets behind its snapshot, while that is on its way.
    pub behind: Option<Box<Output>>,
    /// Messages that it has sent to itself, to follow the running command's reply.
    pub echoes: Output,
    /// Replies still to come.
    pub late: Late,
    /// Nothing more is run until a reply has come.
    pub is_held: bool,
    /// Its blocking command that is not answered.
    pub waiting: Option<Waiting>,
    /// Paused by CLIENT PAUSE: its next command waits.
    pub is_paused: bool,
    /// The beginning of a request.
    pub assembly: Option<Box<Assembly>>,
    /// Requests that arrived while the session was held.
    pub pending: Pending,
    /// Whether it is in its core's list of sessions with output.
    pub is_dirty: bool,
    pub total_input_bytes: u64,
    pub total_output_bytes: u64,
    pub total_commands: u64,
    /// Since when the soft output limit is exceeded, Unix milliseconds.
    pub over_soft_limit_since_ms: Option<i64>,
    /// Somebody wants it to end: if its replies are not out by then, Unix milliseconds, it does.
    pub doomed_ms: Option<i64>,
    /// It has run a write whose reply may still have to wait for the log.
    pub has_written: bool,
    /// Output put aside until the log has got past it, in bytes.
    pub withheld_bytes: usize,
    /// Output handed to the socket that it has not taken yet, in bytes.
    pub sending_bytes: usize,
    /// Bytes of memory that it took when its core last looked, where clients are limited.
    pub weight: u64,
}

impl Session {
    /// A fresh client.
    pub fn new(id: u64, origin: Origin, is_authenticated: bool, now_ms: i64) -> Session {
        Session {
            id,
            origin,
            name: Vec::new(),
            library: Vec::new(),
            library_version: Vec::new(),
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            is_authenticated,
            is_monitor: false,
            is_master: false,
            has_waited: false,
            awaits_replicas: false,
            introduction: None,
            is_loader: false,
            is_runner: false,
            is_no_evict: false,
            is_no_touch: false,
            reply_mode: ReplyMode::On,
            closing: Closing::No,
            created_ms: now_ms,
            active_ms: now_ms,
            last_command: None,
            subscriptions: Subscriptions::default(),
            queue: None,
            watched: HashSet::new(),
            executing: None,
            output: Output::default(),
            behind: None,
            echoes: Output::default(),
            late: Late::default(),
            is_held: false,
            waiting: None,
            is_paused: false,
            assembly: None,
            pending: Pending::default(),
            is_dirty: false,
            total_input_bytes: 0,
            total_output_bytes: 0,
            total_commands: 0,
            over_soft_limit_since_ms: None,
            doomed_ms: None,
            has_written: false,
            withheld_bytes: 0,
            sending_bytes: 0,
            weight: 0,
        }
    }

    /// Whether it has become a replica of this node.
    pub fn is_replica(&self) -> bool {
        self.introduction.as_ref().is_some_and(|it| it.is_replica)
    }

    /// Whether it is fed with the stream, or a part of it.
    #[inline]
    pub fn is_fed(&self) -> bool {
        (self.is_replica() || self.is_flow()) && !self.is_master
    }

    /// Whether it is the connection of a shard for a replica.
    pub fn is_flow(&self) -> bool {
        self.flows() > 0
    }

    /// Of how many such connections of its replica it is one.
    pub fn flows(&self) -> usize {
        self.introduction.as_ref().map_or(0, |it| it.flows)
    }

    /// Whether the running command's reply is dropped.
    pub fn is_muted(&self) -> bool {
        matches!(self.reply_mode, ReplyMode::Off | ReplyMode::Skip)
    }

    /// Whether its next command may run now.
    #[inline]
    pub fn may_run(&self) -> bool {
        !self.is_held && !self.is_paused && self.closing == Closing::No
    }

    /// How many replies it may be owed before it has to wait. That bounds what a client can make
    /// other cores hold, and with it how long others wait behind a pipeline that does not end: so
    /// many small commands take a core half a millisecond. Nobody waits behind a log.
    pub fn owed_max(&self) -> usize {
        match self.is_loader {
            true => 4096,
            false => 1024,
        }
    }

    /// Whether it is owed as many replies as it may.
    #[inline]
    pub fn is_owed_much(&self) -> bool {
        self.late.len() >= self.owed_max()
    }

    /// Whether it is owed so few that it may go on: other cores have work until it does.
    #[inline]
    pub fn is_owed_little(&self) -> bool {
        self.late.len() <= self.owed_max() / 2
    }

    /// Whether all it has been told is on its way.
    pub fn is_drained(&self) -> bool {
        let is_told = self.output.is_empty() && self.withheld_bytes == 0;
        is_told && self.late.is_empty() && self.sending_bytes == 0
    }

    /// Bytes of requests that have arrived and not run.
    pub fn query_bytes(&self) -> usize {
        self.pending.len()
            + self.queue.as_ref().map_or(0, |queue| queue.memory_bytes())
            + self
                .assembly
                .as_ref()
                .map_or(0, |assembly| assembly.held_bytes())
    }

    /// Bytes of replies not yet on their way.
    pub fn output_bytes(&self) -> usize {
        let behind = self.behind.as_ref().map_or(0, |behind| behind.len());
        let held = self.withheld_bytes + behind;
        self.output.len() + self.late.parked_bytes() + self.sending_bytes + held
    }
}
