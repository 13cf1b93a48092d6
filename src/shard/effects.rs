//! What a command changed, in a form that replays to the same state.
//!
//! By default a write's effect is the command as it came. A handler whose result depends on the
//! clock, on randomness or on what it found replaces it: EXPIRE becomes PEXPIREAT, INCRBYFLOAT
//! becomes SET. Whoever replays effects consults neither clock nor randomness.
//!
//! Nothing is kept unless somebody listens; then the shard hands over the effects of each command
//! after it ran, so that a log, replicas and notifications see the same thing.

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
    pub const HDEL: Event = Event("hdel");
    pub const HEXPIRE: Event = Event("hexpire");
    pub const HINCRBY: Event = Event("hincrby");
    pub const HINCRBYFLOAT: Event = Event("hincrbyfloat");
    pub const HPERSIST: Event = Event("hpersist");
    pub const HSET: Event = Event("hset");
    pub const INCRBY: Event = Event("incrby");
    pub const INCRBYFLOAT: Event = Event("incrbyfloat");
    pub const LINSERT: Event = Event("linsert");
    pub const LPOP: Event = Event("lpop");
    pub const LPUSH: Event = Event("lpush");
    pub const LREM: Event = Event("lrem");
    pub const LSET: Event = Event("lset");
    pub const LTRIM: Event = Event("ltrim");
    pub const MOVE_FROM: Event = Event("move_from");
    pub const MOVE_TO: Event = Event("move_to");
    pub const PERSIST: Event = Event("persist");
    pub const PFADD: Event = Event("pfadd");
    pub const RENAME_FROM: Event = Event("rename_from");
    pub const RENAME_TO: Event = Event("rename_to");
    pub const RESTORE: Event = Event("restore");
    pub const RPOP: Event = Event("rpop");
    pub const RPUSH: Event = Event("rpush");
    pub const SADD: Event = Event("sadd");
    pub const SDIFFSTORE: Event = Event("sdiffstore");
    pub const SET: Event = Event("set");
    pub const SETBIT: Event = Event("setbit");
    pub const SETRANGE: Event = Event("setrange");
    pub const SINTERSTORE: Event = Event("sinterstore");
    pub const SORTSTORE: Event = Event("sortstore");
    pub const SPOP: Event = Event("spop");
    pub const SREM: Event = Event("srem");
    pub const SUNIONSTORE: Event = Event("sunionstore");
    pub const XADD: Event = Event("xadd");
    pub const XDEL: Event = Event("xdel");
    pub const XGROUP_CREATE: Event = Event("xgroup-create");
    pub const XGROUP_CREATECONSUMER: Event = Event("xgroup-createconsumer");
    pub const XGROUP_DELCONSUMER: Event = Event("xgroup-delconsumer");
    pub const XGROUP_DESTROY: Event = Event("xgroup-destroy");
    pub const XGROUP_SETID: Event = Event("xgroup-setid");
    pub const XSETID: Event = Event("xsetid");
    pub const XTRIM: Event = Event("xtrim");
    pub const ZADD: Event = Event("zadd");
    pub const ZDIFFSTORE: Event = Event("zdiffstore");
    pub const ZINCR: Event = Event("zincr");
    pub const ZINTERSTORE: Event = Event("zinterstore");
    pub const ZPOPMAX: Event = Event("zpopmax");
    pub const ZPOPMIN: Event = Event("zpopmin");
    pub const ZRANGESTORE: Event = Event("zrangestore");
    pub const ZREM: Event = Event("zrem");
    pub const ZREMRANGEBYLEX: Event = Event("zremrangebylex");
    pub const ZREMRANGEBYRANK: Event = Event("zremrangebyrank");
    pub const ZREMRANGEBYSCORE: Event = Event("zremrangebyscore");
    pub const ZUNIONSTORE: Event = Event("zunionstore");
}

/// One effect: a command that replays the change in a database.
#[derive(Clone, Debug)]
pub struct Effect {
    pub db: DbIndex,
    pub command: ArgStore,
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
}

impl Effects {
    /// Starts or stops keeping effects and events.
    pub fn record(&mut self, is_recording: bool) {
        self.is_recording = is_recording;
    }

    /// Whether anybody listens, for those to whom an effect is dear.
    pub fn is_recording(&self) -> bool {
        self.is_recording
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

    /// Notes a change of a key for which keyspace notifications have no event, as those of what
    /// groups of a stream have confirmed.
    pub fn changed_quietly(&mut self) {
        self.has_changed = true;
    }

    /// Whether effects are kept; where telling them takes long, it can be left out.
    pub fn are_kept(&self) -> bool {
        self.is_recording
    }

    /// The effect is this command instead of the one that ran; may be said several times.
    #[inline]
    pub fn instead<'w>(&mut self, db: DbIndex, words: impl IntoIterator<Item = &'w [u8]>) {
        self.replaced = true;
        if self.is_recording {
            self.list.push(Effect {
                db,
                command: ArgStore::from_words(words),
            });
        }
    }

    /// Closes the running command: its effects are its own, or the command as it came.
    pub(super) fn close(&mut self, db: DbIndex, args: Args<'_>) {
        if self.is_recording && self.has_changed && !self.replaced {
            self.list.push(Effect {
                db,
                command: ArgStore::of(args),
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
