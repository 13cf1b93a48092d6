//! A MIGRATE that is running: what it asks of the other server, and how far it has got.
//!
//! ```text
//!   locks granted -> Collecting -> Away -> Deleting -> reply
//!                    payloads of   on a    what the other
//!                    its shards    thread  side has taken
//! ```
//!
//! Its keys stay locked from the first to the last, so nobody changes what is on its way; all other
//! keys and clients go on. Like an EXEC it outlives its client: a migration is never left half way
//! because nobody waits for the reply any more.

use crate::command::ArgStore;
use crate::keyspace::DbIndex;
use crate::resp::ErrorReply;
use crate::router::{ReplyTo, Stage};
use crate::shard::Ticket;
use std::time::Duration;

/// What has come of a migration on the other side.
#[derive(Debug, Default)]
pub struct Transferred {
    /// Which of the keys sent are there now.
    pub keys: Vec<usize>,
    pub error: Option<ErrorReply>,
}

/// A key on its way.
#[derive(Debug)]
pub struct Item {
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<i64>,
}

/// What is asked of another server.
#[derive(Debug, Default)]
pub struct Transfer {
    pub host: Vec<u8>,
    pub port: Vec<u8>,
    pub db: i64,
    /// For each step of the conversation.
    pub timeout: Duration,
    pub may_replace: bool,
    /// AUTH with its arguments, if the other side wants a password.
    pub auth: Option<ArgStore>,
    pub items: Vec<Item>,
}

/// A MIGRATE.
pub struct Migration {
    /// The row's number in the table.
    pub command: u16,
    /// Where the reply goes; that of one inside EXEC goes to the EXEC.
    pub to: Option<ReplyTo>,
    pub db: DbIndex,
    /// The locks, its own or those of its EXEC.
    pub ticket: Option<Ticket>,
    pub keys: Vec<Vec<u8>>,
    /// The keys stay here too.
    pub is_copy: bool,
    /// What is asked of the other server, until it is.
    pub transfer: Option<Transfer>,
    /// Those of the keys that were there, as they were sent.
    pub found: Vec<usize>,
    /// What its shards are doing.
    pub stage: Option<Stage>,
    /// What came of it on the other side.
    pub transferred: Option<Transferred>,
}
