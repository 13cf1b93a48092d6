//! What a data command's handler sees: its arguments, one database, and where the reply goes.
//!
//! The parts are fields of their own, so that a handler can read a value where it lies and write
//! it into the reply in one go.

use super::effects::{Effects, Event};
use super::waiters::Wait;
use crate::command::{Args, Spec};
use crate::keyspace::{Client, DbIndex, Door, Expiry, Key, Keyspace, NewValue, Slot, StringRef};
use crate::object::{Collection, Kind};
use crate::resp::{ErrorReply, Writer, Written, errors};
use std::ops::Range;

/// What a handler returns: proof that it replied, or the error to reply with.
pub type Outcome = Result<Written, ErrorReply>;

/// A data command's handler. A plain function: it cannot wait, so it is atomic.
pub type DataFn = fn(&mut ShardCtx<'_>) -> Outcome;

/// One run of one command on one shard.
pub struct ShardCtx<'a> {
    pub spec: &'static Spec,
    pub args: Args<'a>,
    pub db: DbIndex,
    pub space: &'a mut Keyspace,
    pub reply: Writer<'a>,
    pub effects: &'a mut Effects,
    /// Who asks.
    pub client: Client,
    /// Whether the command runs inside EXEC, where nothing waits.
    pub is_in_exec: bool,
    /// Position, slot and hash of a key that routing has computed already.
    pub(super) known: Option<(usize, Slot, u64)>,
    /// What it wants to wait for, if it found nothing.
    pub(super) wait: Option<Box<Wait>>,
}

impl<'a> ShardCtx<'a> {
    /// The argument at this position as a key.
    #[inline]
    pub fn key(&self, at: usize) -> Key<'a> {
        let bytes = self.args.get(at);
        match self.known {
            Some((known, slot, hash)) if known == at => Key { bytes, slot, hash },
            _ => Key::new(bytes),
        }
    }

    /// Calls `each` for the key at every `step`th argument from the first one on. Their lookups are
    /// begun together, some dozens at a time, so that their cache misses overlap.
    pub fn each_key(&mut self, step: usize, mut each: impl FnMut(&mut Self, usize, &Key<'a>)) {
        /// Lines and entries of so many fit the first cache.
        const AHEAD: usize = 32;
        let positions = (1..self.args.len()).step_by(step);
        let mut ahead = Vec::with_capacity(AHEAD.min(positions.len()));
        for first in positions.step_by(AHEAD) {
            let some = (first..self.args.len()).step_by(step).take(AHEAD);
            ahead.extend(some.map(|at| (at, self.key(at))));
            let db = self.space.db(self.db);
            ahead.iter().for_each(|(_, key)| db.prefetch(key));
            ahead.iter().for_each(|(_, key)| db.prefetch_entry(key));
            for (at, key) in ahead.drain(..) {
                each(self, at, &key);
            }
        }
    }

    /// The door to the database the command runs in.
    #[inline]
    pub fn door(&mut self) -> Door<'_> {
        self.space.door(self.db)
    }

    /// The time of the command, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.space.common.now_ms
    }

    /// There is nothing for the command, which has changed and written nothing: its client waits,
    /// and it is run again when one of these keys is touched. Not to be called inside EXEC.
    pub fn wait(&mut self, wait: Wait) -> Outcome {
        debug_assert!(!self.is_in_exec, "nothing waits inside EXEC");
        self.wait = Some(Box::new(wait));
        Ok(Written)
    }

    /// The same for an element of a collection of this kind; inside EXEC the reply is that there is
    /// none.
    pub fn wait_for(&mut self, kind: Kind, keys: Range<usize>, timeout_ms: Option<i64>) -> Outcome {
        if self.is_in_exec {
            return Ok(self.reply.null_array());
        }
        self.wait(Wait {
            keys,
            timeout_ms,
            kind,
            hears_absence: false,
            args: None,
        })
    }

    /// The time from which a time to live counts, Unix milliseconds.
    pub fn clock_ms(&self) -> i64 {
        self.space.common.clock_ms
    }

    /// Refuses what would make a string longer than clients may make it.
    pub fn check_string_len(&self, len: usize, more: usize) -> Result<(), ErrorReply> {
        let total = (len as u64).checked_add(more as u64);
        match total {
            Some(total) if total <= self.space.common.string_bytes_max => Ok(()),
            _ => Err(errors::STRING_TOO_LONG.into()),
        }
    }

    /// Stores a collection of so many elements under the key at an argument and replies with that
    /// number; an empty one takes away what is there.
    pub fn store(&mut self, at: usize, value: Collection, len: usize, event: Event) -> Outcome {
        let key = self.key(at);
        if len > 0 {
            self.door().set(&key, NewValue::from(value), Expiry::Clear);
            self.changed(event, key.bytes);
        } else if self.door().remove(&key) {
            self.changed(Event::DEL, key.bytes);
        }
        Ok(self.reply.integer(len as i64))
    }

    /// Notes a change of a key, by the event that keyspace notifications name it.
    #[inline]
    pub fn changed(&mut self, event: Event, key: &[u8]) {
        self.changed_in(self.db, event, key);
    }

    /// The same of a key in another database than the command's.
    #[inline]
    pub fn changed_in(&mut self, db: DbIndex, event: Event, key: &[u8]) {
        let notes = &mut self.space.common.notes;
        if !notes.is_empty() {
            self.effects.gather(notes);
        }
        self.effects.changed(db, event, key);
    }
}

/// Strings into replies, whatever their encoding.
pub trait ReplyString {
    /// Replies with a string; a large one goes out by reference.
    fn string(&mut self, value: StringRef<'_>) -> Written;
}

impl ReplyString for Writer<'_> {
    #[inline]
    fn string(&mut self, value: StringRef<'_>) -> Written {
        match value {
            StringRef::Int(number) => self.bulk_integer(number),
            StringRef::Text(bytes) => self.bulk(bytes),
            StringRef::Shared(bytes) => self.shared(bytes),
        }
    }
}
