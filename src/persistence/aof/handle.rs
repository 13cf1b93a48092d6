//! What the cores hold of the log: its status, and the way to its thread.
//!
//! The thread is started when a log is wanted for the first time, so a server without one has none.
//! Nothing here waits but [`Aof::flush`].

use super::log::{Log, Message};
use super::status::Status;
use crate::base::clock::Clock;
use crate::config::Config;
use crate::keyspace::ShardId;
use crate::runtime::Held;
use crate::shard::Journal;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

/// The log of a process.
#[derive(Debug)]
pub struct Aof {
    pub status: Arc<Status>,
    shards: usize,
    sender: OnceLock<Sender<Message>>,
}

impl Aof {
    /// A log that is off.
    pub fn new(shards: usize) -> Aof {
        Aof {
            status: Arc::new(Status::new(shards)),
            shards,
            sender: OnceLock::new(),
        }
    }

    /// Starts the thread, unless it runs already; false if none can be had.
    pub fn start(&self, config: Held<Config>, clock: Clock) -> bool {
        if self.sender.get().is_some() {
            return true;
        }
        let (sender, receiver) = channel();
        let log = Log::new(receiver, self.status.clone(), config, clock, self.shards);
        let thread = std::thread::Builder::new().name("aof".into());
        let is_started = thread.spawn(|| log.run()).is_ok();
        is_started && self.sender.set(sender).is_ok()
    }

    /// Tells the thread; false if there is none.
    pub fn tell(&self, message: Message) -> bool {
        let sender = self.sender.get();
        sender.is_some_and(|sender| sender.send(message).is_ok())
    }

    /// Hands over what a shard has said; the number to wait for.
    pub fn deliver(&self, shard: ShardId, journal: Arc<Journal>) -> u64 {
        let bytes = journal.records.bytes.len() as u64;
        let delivery = self.status.hand_over(bytes);
        self.tell(Message::Said(shard, delivery, journal));
        delivery
    }

    /// Ends the log, if there is one; what was handed over is written.
    pub fn close(&self) {
        if self.status.is_on() {
            self.tell(Message::Close);
        }
    }

    /// Writes and syncs everything; whether that was possible.
    pub fn flush(&self) -> bool {
        if !self.status.is_on() {
            return true;
        }
        let (done, is_done) = channel();
        self.tell(Message::Flush(done)) && is_done.recv().unwrap_or(false)
    }
}
