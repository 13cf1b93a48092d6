//! What cores ask and tell each other about clients: the control plane's messages.
//!
//! A question goes to every core, its own included; the answers come together where the client
//! that caused it lives, and become one reply.

use super::bookmarks::MarkedCut;
use super::class::{Class, Filter};
use super::flows::{FlowId, FlowNews};
use super::resync::Parcelled;
use crate::keyspace::ShardId;
use crate::pubsub::{Kind, News};
use crate::replication::{self, Report};
use crate::resp::Writer;
use crate::router::{ReplyTo, Why};
use crate::shard::Journal;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What a core is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// A line for every MONITOR of this core.
    Monitor(Arc<[u8]>),
    /// The lines of CLIENT LIST, of all clients or of one class.
    List(Option<Class>),
    /// The same of clients with these numbers, by their positions.
    ListNumbers(Arc<[i64]>),
    /// Close these clients; how many were there?
    Kill(Arc<Filter>),
    /// Let the client with this number stop waiting; was there one that did? The answer may come
    /// later.
    Unblock(u64, Why),
    /// Let all clients that wait stop waiting: this is no master any more.
    StopWaiting,
    /// Begin no command that is paused now.
    Pause,
    /// Let paused clients try again.
    Unpause,
    /// Bring your figures on the board up to this moment.
    Publish,
    /// Give back your part of what is above the memory limit, when your turn ends.
    GiveBack,
    /// Names of this kind that you count for all cores, those that match a pattern.
    Channels(Kind, Option<Bytes>),
    /// How many of your clients listen to each of these?
    Listeners(Kind, Arc<[Bytes]>),
    /// Break off a shutdown that you are in the midst of; are you?
    AbortEnding,
    /// Do nothing for so many microseconds (DEBUG SLEEP).
    Sleep(u64),
    /// What changes on your shard goes into the stream, or goes there no more.
    Stream(bool),
}

/// What a core answers.
#[derive(Clone, Debug)]
pub enum Answer {
    Text(Vec<u8>),
    Count(u64),
    /// Lines, and by what to sort them.
    Lines(Vec<(u64, Vec<u8>)>),
    Names(Vec<Bytes>),
    Counts(Vec<u64>),
    Replication(replication::Answer),
}

/// A message on a channel, on its way to another core.
#[derive(Clone, Debug)]
pub struct Message {
    /// Under which number its sender wants to know how many got it.
    pub number: Option<u64>,
    pub kind: Kind,
    pub channel: Bytes,
    pub payload: Bytes,
}

/// Makes one reply of the answers of all cores.
pub type Finish = Box<dyn FnOnce(Vec<Answer>, &mut Writer<'_>) + Send>;

/// A message of the control plane.
#[derive(Clone, Debug)]
pub enum Order {
    /// Answer this, under this number.
    Ask {
        from: ShardId,
        number: u64,
        question: Question,
    },
    /// The answer to a question of yours.
    Answer { number: u64, answer: Answer },
    /// For your information.
    Tell(Question),
    /// Messages for your clients, in order.
    Messages {
        from: ShardId,
        messages: Vec<Message>,
    },
    /// How many clients got your messages, by their numbers.
    Heard(Vec<(u64, u32)>),
    /// Names that you count for all cores have gained or lost their listeners on one.
    News(Vec<News>),
    /// For the hub of replication.
    Report(Report),
    /// A part of the stream, for a replica of yours.
    Feed(u64, Bytes),
    /// Of a flow of the master's stream.
    Flow(FlowId, FlowNews),
    /// What this replica is fed from now on waits for its snapshot.
    Hold(u64),
    /// What was held back for this connection of a replica follows all that was sent on it.
    Release(u64),
    /// Send this replica its snapshot.
    Lend(u64, Arc<Parcelled>),
    /// This replica has got its snapshot, or has not.
    Sent(u64, bool),
    /// Close the connection of this replica.
    Part(u64),
    /// A message for the clients of replicas, as it goes into the stream.
    Published(Bytes),
    /// Keep effects from now on, or no more, and let go of this.
    Record(bool, Sender<()>),
    /// What a shard has changed in a turn.
    Journal(ShardId, Arc<Journal>),
    /// Make this cut, which is to be marked.
    Cut(MarkedCut),
    /// The cut that you have asked for has been made.
    CutMade,
    /// The process is to end: let replicas catch up, and nothing more happen.
    Rest(ShardId),
    /// They have.
    Rested,
    /// The process does not end.
    Stay,
}

/// A question whose answers are coming in.
pub struct Asked {
    pub to: ReplyTo,
    pub missing: usize,
    pub answers: Vec<Answer>,
    pub finish: Finish,
}
