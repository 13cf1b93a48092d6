//! What a command changed, in a form that replays to the same state.
//!
//! By default a write's effect is the command as it came. A handler whose result depends on the
//! clock, on randomness or on what it found replaces it: EXPIRE becomes PEXPIREAT, INCRBYFLOAT
//! becomes SET. Whoever replays effects consults neither clock nor randomness.
//!
//! The effects of one EXEC, and those of one operation on several shards, carry the same group: a
//! log has to keep them together, all or none (MULTI .. EXEC).
//!
//! Nothing is kept unless somebody listens; then the shard hands over the effects of each command
//! after it ran, so that a log, replicas and notifications see the same thing.

use super::locks::Ticket;
use crate::command::{ArgStore, Args};
use crate::keyspace::DbIndex;

/// A change of a key, by the name keyspace notifications give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(pub &'static str);

impl Event {
    pub const APPEND: Event = Event("append");
    pub const COPY_TO: Event = Event("copy_to");
    pub const DEL: Event = Event("del");
    pub const EXPIRE: Event = Event("expire");
    pub const EXPIRED: Event = Event("expired");
    pub const INCRBY: Event = Event("incrby");
    pub const INCRBYFLOAT: Event = Event("incrbyfloat");
    pub const MOVE_FROM: Event = Event("move_from");
    pub const MOVE_TO: Event = Event("move_to");
    pub const PERSIST: Event = Event("persist");
    pub const RENAME_FROM: Event = Event("rename_from");
    pub const RENAME_TO: Event = Event("rename_to");
    pub const SET: Event = Event("set");
    pub const SETBIT: Event = Event("setbit");
    pub const SETRANGE: Event = Event("setrange");
}

/// What belongs together: the effects that carry the same group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// On this shard only, one behind the other. The number tells it from its neighbours.
    Here(u64),
    /// On several shards, under the ticket of the operation.
    Spread(Ticket),
}

/// One effect: a command that replays the change in a database.
#[derive(Clone, Debug)]
pub struct Effect {
    pub db: DbIndex,
    pub command: ArgStore,
    /// With what it has to be kept together.
    pub group: Option<Group>,
}

/// An event, with the key and the database it happened to.
pub type Happened = (DbIndex, Event, Box<[u8]>);

/// The effects of the running command.
#[derive(Debug, Default)]
pub struct Effects {
    /// Whether anybody listens.
    is_recording: bool,
    events: Vec<Happened>,
    replaced: bool,
    list: Vec<Effect>,
    has_changed: bool,
    group: Option<Group>,
    groups: u64,
}

impl Effects {
    /// Starts or stops keeping effects and events.
    pub fn record(&mut self, is_recording: bool) {
        self.is_recording = is_recording;
    }

    /// From here on effects belong together, until [`Effects::end_group`].
    pub fn begin_group(&mut self, ticket: Option<Ticket>) {
        self.groups += 1;
        self.group = Some(ticket.map_or(Group::Here(self.groups), Group::Spread));
    }

    /// From here on every command's effects are on their own.
    pub fn end_group(&mut self) {
        self.group = None;
    }

    /// Notes that a key changed.
    #[inline]
    pub fn changed(&mut self, db: DbIndex, event: Event, key: &[u8]) {
        self.has_changed = true;
        if self.is_recording {
            self.events.push((db, event, key.into()));
        }
    }

    /// Notes a change of whole databases, for which keyspace notifications have no event.
    pub fn changed_whole(&mut self) {
        self.has_changed = true;
    }

    /// The effect is this command instead of the one that ran; may be said several times.
    #[inline]
    pub fn instead<'w>(&mut self, db: DbIndex, words: impl IntoIterator<Item = &'w [u8]>) {
        self.replaced = true;
        if self.is_recording {
            self.list.push(Effect {
                db,
                command: ArgStore::from_words(words),
                group: self.group,
            });
        }
    }

    /// Closes the running command: its effects are its own, or the command as it came.
    pub(super) fn close(&mut self, db: DbIndex, args: Args<'_>) {
        if self.is_recording && self.has_changed && !self.replaced {
            self.list.push(Effect {
                db,
                command: ArgStore::of(args),
                group: self.group,
            });
        }
        self.replaced = false;
        self.has_changed = false;
    }

    /// Takes what has gathered: effects, and events with their keys.
    pub fn take(&mut self) -> (Vec<Effect>, Vec<Happened>) {
        (
            std::mem::take(&mut self.list),
            std::mem::take(&mut self.events),
        )
    }
}
