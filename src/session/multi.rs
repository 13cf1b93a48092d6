//! Transactions of clients: what MULTI has queued, what is watched, and EXECs that are running.
//!
//! A queued command is copied once, behind the others into one store, and leaves for its shards
//! in that store. An [`Exec`] outlives its session: what was asked for with EXEC is done, whether
//! or not somebody still wants to know.

use super::core::Core;
use super::registry::SessionId;
use crate::command::{ArgStore, Args, Flags};
use crate::keyspace::{Client, DbIndex, ShardId, Slot};
use crate::resp::{Output, Protocol};
use crate::router::{Pages, ReplyTo, Stage};
use crate::shard::Ticket;
use hashbrown::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// A command that waits for EXEC.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its number in the table.
    pub command: u16,
    /// Its place in the store.
    pub args: Range<u32>,
    /// Position, slot and hash of its only key, if it has exactly one.
    pub known: Option<(usize, Slot, u64)>,
}

/// What a client has queued since MULTI.
#[derive(Debug)]
pub struct Queue {
    pub commands: Vec<Queued>,
    pub store: ArgStore,
    /// The flags of all commands together.
    pub flags: Flags,
    /// A command could not be queued: EXEC will refuse.
    pub is_spoiled: bool,
    /// Bytes of arguments.
    pub bytes: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue {
            commands: Vec::new(),
            store: ArgStore::default(),
            flags: Flags::NONE,
            is_spoiled: false,
            bytes: 0,
        }
    }
}

impl Queue {
    /// Makes room for so many commands like this one, within reason: others may be shorter.
    pub fn reserve(&mut self, commands: usize, like: Args<'_>) {
        const BYTES_MAX: usize = 1 << 16;
        let bytes = like.from(0).map(<[u8]>::len).sum::<usize>() + 8;
        self.commands.reserve(commands);
        let args = (commands * like.len()).min(BYTES_MAX / 8);
        self.store.reserve(args, (commands * bytes).min(BYTES_MAX));
    }

    /// Adds a command.
    pub fn push(
        &mut self,
        command: u16,
        flags: Flags,
        args: Args<'_>,
        known: Option<(usize, Slot, u64)>,
    ) {
        self.bytes += args.from(0).map(<[u8]>::len).sum::<usize>();
        self.flags = self.flags | flags;
        let args = self.store.add(args);
        self.commands.push(Queued {
            command,
            args,
            known,
        });
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes + self.store.len() * size_of::<u64>() + self.commands.len() * size_of::<Queued>()
    }
}

/// A key that a client watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchedKey {
    pub db: DbIndex,
    pub key: Box<[u8]>,
    pub shard: ShardId,
}

/// An EXEC that is running.
pub struct Exec {
    pub number: u64,
    /// EXEC's number in the table, and EXEC as it was typed; none where commands of a pipeline
    /// run together and nobody has asked for a transaction.
    pub typed: Option<(u16, [u8; 4])>,
    pub session: SessionId,
    /// Where the reply goes, if it is late.
    pub to: Option<ReplyTo>,
    /// Nobody wants the reply.
    pub is_muted: bool,
    pub commands: Vec<Queued>,
    pub store: Arc<ArgStore>,
    pub watched: HashSet<WatchedKey>,
    /// The next command to run.
    pub next: usize,
    /// Its locks, if it has any.
    pub ticket: Option<Ticket>,
    /// The locks go with the stage that is running.
    pub is_released: bool,
    /// The shard where commands without keys run.
    pub home: ShardId,
    /// What is running.
    pub stage: Option<Stage>,
    pub pages: Option<Pages>,
    /// A control command's reply is on its way.
    pub is_awaiting: bool,
    pub db: DbIndex,
    pub protocol: Protocol,
    pub replies: Output,
    pub nanos: u64,
}

/// What a session knows of its EXEC while a command of this core's own world runs inside it.
#[derive(Clone, Copy, Debug)]
pub struct Executing {
    pub exec: u64,
    /// How many commands the transaction has.
    pub commands: usize,
    /// The command's reply comes later.
    pub is_awaiting: bool,
}

/// What has happened to an EXEC, apart from what the router knows.
#[derive(Debug)]
pub enum ExecNews {
    /// A control command's reply.
    Replied(Output),
    /// The client has gone.
    Gone,
    /// Its MIGRATE may begin, now that the locks are there.
    Migrates,
}

impl Core {
    /// A client of this core, for shards.
    pub fn client(&self, id: SessionId) -> Client {
        Client {
            core: self.id,
            session: id.to_bits(),
        }
    }

    /// Lets a client watch nothing any more.
    pub fn unwatch(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        if !session.watched.is_empty() {
            let watched = std::mem::take(&mut session.watched);
            self.forget_watched(id, &watched);
        }
    }

    /// Tells the shards of these keys that a client watches nothing there any more.
    pub fn forget_watched(&mut self, id: SessionId, watched: &HashSet<WatchedKey>) {
        let mut shards: Vec<ShardId> = watched.iter().map(|watched| watched.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        for shard in shards {
            self.forget_on(id, shard);
        }
    }

    fn forget_on(&mut self, id: SessionId, shard: ShardId) {
        if shard == self.id {
            let client = self.client(id);
            self.shard.space.common.watches.forget(client);
        } else {
            self.router.forget(shard, id.to_bits());
        }
    }

    /// A client had gone before the reply came that made it watch keys: nobody watches them.
    pub fn forget_gone(&mut self, id: SessionId) {
        for shard in 0..self.node.shards() {
            self.forget_on(id, ShardId(shard as u16));
        }
    }
}
