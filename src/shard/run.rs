//! Running one command: open a context, call the handler, settle the reply.
//!
//! The time is frozen by the caller for the whole turn. A handler that fails leaves its error as
//! the only thing it has written.

use super::ctx::{DataFn, ShardCtx};
use super::effects::Effects;
use super::locks::{Locks, Ticket};
use super::memory::Memory;
use super::waiters::{Wait, Waiters};
use crate::base::prng::Prng;
use crate::command::{Args, Flags, Spec};
use crate::config::KeyspaceEvents;
use crate::keyspace::Swept;
use crate::keyspace::{Client, DbIndex, DbKey, Key, Keyspace, Lookup, ShardId, Slot, SlotMap};
use crate::object::Kind;
use crate::resp::{ErrorReply, Output, Protocol, Writer};

/// A command to run, with what its caller knows.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub spec: &'static Spec,
    pub run: DataFn,
    pub db: DbIndex,
    pub protocol: Protocol,
    pub args: Args<'a>,
    /// Who asks.
    pub client: Client,
    /// Whether it runs inside EXEC, where nothing waits.
    pub is_in_exec: bool,
    /// Position, slot and hash of a key that routing has computed already.
    pub known: Option<(usize, Slot, u64)>,
}

/// One core's keys, and the locks of operations that span several shards.
pub struct Shard {
    pub id: ShardId,
    pub space: Keyspace,
    pub locks: Locks,
    pub effects: Effects,
    pub memory: Memory,
    pub waiters: Waiters,
}

impl Shard {
    /// An empty shard.
    pub fn new(id: ShardId, map: SlotMap, databases: u32, random: Prng) -> Shard {
        let space = Keyspace::new(map.range(id), databases, random);
        Shard {
            id,
            space,
            locks: Locks::default(),
            effects: Effects::default(),
            memory: Memory::default(),
            waiters: Waiters::default(),
        }
    }

    /// Sets the time that commands see until it is set again, Unix milliseconds.
    #[inline]
    pub fn set_now(&mut self, now_ms: i64) {
        self.space.common.now_ms = now_ms;
        self.space.common.clock_ms = now_ms;
    }

    /// On a replica, lets entries be moved that have expired: whoever runs a command on them
    /// judges. Returns the time to be set back.
    pub(super) fn see_expired(&mut self) -> i64 {
        let common = &mut self.space.common;
        let now_ms = common.now_ms;
        if common.is_replica {
            common.now_ms = 0;
        }
        now_ms
    }

    /// Starts or stops keeping effects of commands and of time.
    pub fn record(&mut self, is_recording: bool) {
        self.effects.record(is_recording);
        self.effects.want_notes(&mut self.space.common.notes);
    }

    /// Keeps keyspace events of these classes.
    #[inline]
    pub fn listen(&mut self, wanted: KeyspaceEvents) {
        if self.effects.listen(wanted) {
            self.effects.want_notes(&mut self.space.common.notes);
        }
    }

    /// One bounded step of removing keys whose time has come.
    pub fn sweep(&mut self, db: DbIndex) -> Swept {
        let swept = self.space.sweep(db);
        self.gather_notes();
        swept
    }

    /// Takes over what the keyspace has noticed outside of commands.
    pub(super) fn gather_notes(&mut self) {
        let notes = &mut self.space.common.notes;
        if !notes.is_empty() {
            self.effects.gather(notes);
        }
    }

    /// What a ticket has locked stays, though its time may come.
    pub fn pin(&mut self, ticket: Ticket) {
        if let Some(intents) = self.locks.intents(ticket) {
            self.space.common.pins.pin(ticket.0, intents.hashes());
        }
    }

    /// The end of [`Shard::pin`].
    pub fn unpin(&mut self, ticket: Ticket) {
        if let Some(intents) = self.locks.intents(ticket) {
            let is_whole = intents.hashes().is_none();
            self.space.common.pins.unpin(ticket.0, is_whole);
        }
    }

    /// Runs a command; its reply is in `out`, also when it is an error, which is returned too.
    #[inline]
    pub fn run(&mut self, call: &Call<'_>, out: &mut Output) -> Result<(), ErrorReply> {
        run(&mut self.space, &mut self.effects, call, out).map(drop)
    }

    /// The same for a command that may want to wait: then nothing is in `out`.
    pub fn attempt(
        &mut self,
        call: &Call<'_>,
        out: &mut Output,
    ) -> Result<Option<Box<Wait>>, ErrorReply> {
        let touched = self.space.common.watches.awaited.touched();
        let outcome = run(&mut self.space, &mut self.effects, call, out);
        if let Ok(Some(_)) = outcome {
            // It has made nothing available to anybody, and least of all to itself.
            self.space.common.watches.awaited.forget_since(touched);
        }
        outcome
    }

    /// Whether keys were touched that somebody waits for.
    #[inline]
    pub fn has_touched(&self) -> bool {
        self.space.common.watches.awaited.touched() > 0
    }

    /// Takes the keys that were touched and that somebody waits for.
    pub fn take_touched(&mut self) -> Vec<DbKey> {
        self.space.common.watches.awaited.take_touched()
    }

    /// What is at a key.
    pub fn kind_at(&mut self, (db, key): &DbKey) -> Option<Kind> {
        let entry = self.space.door(*db).find(&Key::new(key), Lookup::Write);
        entry.map(|entry| entry.kind())
    }

    /// Takes in one who begins to wait.
    pub fn let_wait(&mut self, ticket: Ticket, waiter: super::waiters::Waiter) {
        let awaited = &mut self.space.common.watches.awaited;
        self.waiters.add(ticket, waiter, awaited);
    }

    /// Lets one who waits go. Returns the keys whose later waiters waited for this one.
    pub fn let_go(&mut self, ticket: Ticket) -> Vec<DbKey> {
        let awaited = &mut self.space.common.watches.awaited;
        self.waiters.remove(ticket, awaited)
    }
}

/// Runs a command on any keyspace; what it wants to wait for, if it has found nothing.
#[inline]
pub(super) fn run(
    space: &mut Keyspace,
    effects: &mut Effects,
    call: &Call<'_>,
    out: &mut Output,
) -> Result<Option<Box<Wait>>, ErrorReply> {
    let start = out.mark();
    let now_ms = space.common.now_ms;
    if space.common.is_replica && call.spec.flags.has(Flags::WRITE) {
        // The master's writes: for it nothing has expired, or it would have said so.
        space.common.now_ms = 0;
    }
    let mut ctx = ShardCtx {
        spec: call.spec,
        args: call.args,
        db: call.db,
        space,
        reply: Writer::new(out, call.protocol),
        effects,
        client: call.client,
        is_in_exec: call.is_in_exec,
        known: call.known,
        wait: None,
    };
    let outcome = (call.run)(&mut ctx);
    let wait = ctx.wait.take();
    space.common.now_ms = now_ms;
    let notes = &mut space.common.notes;
    if !notes.is_empty() {
        effects.gather(notes);
    }
    effects.close(call.db, call.args);
    let Err(error) = outcome else { return Ok(wait) };
    out.cut_back(start);
    Writer::new(out, call.protocol).error(&error);
    Err(error)
}
