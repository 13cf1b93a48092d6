//! What a command changed, in a form that replays to the same state.
//!
//! By default a write's effect is the command as it came. A handler whose result depends on the
//! clock, on randomness or on what it found replaces it: EXPIRE becomes PEXPIREAT, INCRBYFLOAT
//! becomes SET. Whoever replays effects consults neither clock nor randomness.
//!
//! The effects of one command, of one EXEC, and those of one operation on several shards belong
//! together: a log has to keep them all or none (MULTI .. EXEC). They are written at once into the
//! shard's [`Journal`], as bytes.
//!
//! Nothing is kept unless somebody listens; then the shard hands over what has gathered in a turn,
//! so that a log, replicas and notifications see the same thing.

use super::journal::{Journal, Pen, Place, Records};
use crate::command::Args;
use crate::config::KeyspaceEvents;
use crate::keyspace::{DbIndex, Note, Noted, Notes};

/// What happened to a key, by the name keyspace notifications give it, and its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub name: &'static str,
    /// A bit of [`KeyspaceEvents`].
    class: u32,
}

impl Event {
    pub const APPEND: Event = Event::string("append");
    pub const COPY_TO: Event = Event::generic("copy_to");
    pub const DEL: Event = Event::generic("del");
    pub const EVICTED: Event = Event::of("evicted", KeyspaceEvents::EVICTED);
    pub const EXPIRE: Event = Event::generic("expire");
    pub const EXPIRED: Event = Event::of("expired", KeyspaceEvents::EXPIRED);
    pub const GEORADIUSSTORE: Event = Event::zset("georadiusstore");
    pub const GEOSEARCHSTORE: Event = Event::zset("geosearchstore");
    pub const HDEL: Event = Event::hash("hdel");
    pub const HEXPIRE: Event = Event::hash("hexpire");
    pub const HEXPIRED: Event = Event::hash("hexpired");
    pub const HINCRBY: Event = Event::hash("hincrby");
    pub const HINCRBYFLOAT: Event = Event::hash("hincrbyfloat");
    pub const HPERSIST: Event = Event::hash("hpersist");
    pub const HSET: Event = Event::hash("hset");
    pub const INCRBY: Event = Event::string("incrby");
    pub const INCRBYFLOAT: Event = Event::string("incrbyfloat");
    pub const KEY_MISS: Event = Event::of("keymiss", KeyspaceEvents::KEY_MISS);
    pub const LINSERT: Event = Event::list("linsert");
    pub const LPOP: Event = Event::list("lpop");
    pub const LPUSH: Event = Event::list("lpush");
    pub const LREM: Event = Event::list("lrem");
    pub const LSET: Event = Event::list("lset");
    pub const LTRIM: Event = Event::list("ltrim");
    pub const MOVE_FROM: Event = Event::generic("move_from");
    pub const MOVE_TO: Event = Event::generic("move_to");
    pub const NEW: Event = Event::of("new", KeyspaceEvents::NEW);
    pub const PERSIST: Event = Event::generic("persist");
    pub const PFADD: Event = Event::string("pfadd");
    pub const RENAME_FROM: Event = Event::generic("rename_from");
    pub const RENAME_TO: Event = Event::generic("rename_to");
    pub const RESTORE: Event = Event::generic("restore");
    pub const RPOP: Event = Event::list("rpop");
    pub const RPUSH: Event = Event::list("rpush");
    pub const SADD: Event = Event::set("sadd");
    pub const SDIFFSTORE: Event = Event::set("sdiffstore");
    pub const SET: Event = Event::string("set");
    pub const SETBIT: Event = Event::string("setbit");
    pub const SETRANGE: Event = Event::string("setrange");
    pub const SINTERSTORE: Event = Event::set("sinterstore");
    pub const SORTSTORE: Event = Event::list("sortstore");
    pub const SPOP: Event = Event::set("spop");
    pub const SREM: Event = Event::set("srem");
    pub const SUNIONSTORE: Event = Event::set("sunionstore");
    pub const XADD: Event = Event::stream("xadd");
    pub const XDEL: Event = Event::stream("xdel");
    pub const XGROUP_CREATE: Event = Event::stream("xgroup-create");
    pub const XGROUP_CREATECONSUMER: Event = Event::stream("xgroup-createconsumer");
    pub const XGROUP_DELCONSUMER: Event = Event::stream("xgroup-delconsumer");
    pub const XGROUP_DESTROY: Event = Event::stream("xgroup-destroy");
    pub const XGROUP_SETID: Event = Event::stream("xgroup-setid");
    pub const XSETID: Event = Event::stream("xsetid");
    pub const XTRIM: Event = Event::stream("xtrim");
    pub const ZADD: Event = Event::zset("zadd");
    pub const ZDIFFSTORE: Event = Event::zset("zdiffstore");
    pub const ZINCR: Event = Event::zset("zincr");
    pub const ZINTERSTORE: Event = Event::zset("zinterstore");
    pub const ZPOPMAX: Event = Event::zset("zpopmax");
    pub const ZPOPMIN: Event = Event::zset("zpopmin");
    pub const ZRANGESTORE: Event = Event::zset("zrangestore");
    pub const ZREM: Event = Event::zset("zrem");
    pub const ZREMRANGEBYLEX: Event = Event::zset("zremrangebylex");
    pub const ZREMRANGEBYRANK: Event = Event::zset("zremrangebyrank");
    pub const ZREMRANGEBYSCORE: Event = Event::zset("zremrangebyscore");
    pub const ZUNIONSTORE: Event = Event::zset("zunionstore");

    const fn of(name: &'static str, class: u32) -> Event {
        Event { name, class }
    }

    /// An event of keys of any type.
    pub const fn generic(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::GENERIC)
    }

    /// An event of strings.
    pub const fn string(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::STRING)
    }

    /// An event of lists.
    pub const fn list(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::LIST)
    }

    /// An event of sets.
    pub const fn set(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::SET)
    }

    /// An event of hashes.
    pub const fn hash(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::HASH)
    }

    /// An event of sorted sets.
    pub const fn zset(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::ZSET)
    }

    /// An event of streams.
    pub const fn stream(name: &'static str) -> Event {
        Event::of(name, KeyspaceEvents::STREAM)
    }
}

/// An event, with the key and the database it happened to.
pub type Happened = (DbIndex, Event, Box<[u8]>);

/// The effects of the running command, and those of earlier ones that nobody has taken yet.
#[derive(Debug, Default)]
pub struct Effects {
    /// Whether anybody wants effects.
    is_recording: bool,
    /// Which events are wanted.
    wanted: KeyspaceEvents,
    events: Vec<Happened>,
    replaced: bool,
    pen: Pen,
    /// Where the effects of the running command begin.
    first: (usize, usize),
    has_changed: bool,
    /// The change is one of whole databases.
    is_whole: bool,
    /// Whether commands that follow belong together.
    is_grouped: bool,
    /// The stage of the transaction that is running.
    stage: u16,
}

impl Effects {
    /// Starts or stops keeping effects.
    pub fn record(&mut self, is_recording: bool) {
        self.is_recording = is_recording;
    }

    /// Whose effects are those of a command that runs on copies: kept if `is_recording`, with the
    /// same events wanted.
    pub(super) fn of_copies(&self, is_recording: bool) -> Effects {
        Effects {
            is_recording,
            wanted: self.wanted,
            is_grouped: true,
            ..Effects::default()
        }
    }

    /// Keeps events of these classes; says whether that is something new.
    #[inline]
    pub(super) fn listen(&mut self, wanted: KeyspaceEvents) -> bool {
        std::mem::replace(&mut self.wanted, wanted) != wanted
    }

    /// Which notes of the keyspace become effects or events.
    pub fn want_notes(&self, notes: &mut Notes) {
        let has = |event: Event| self.wanted.has(event.class);
        notes.want(Note::Expired, self.is_recording || has(Event::EXPIRED));
        notes.want(Note::Evicted, self.is_recording || has(Event::EVICTED));
        notes.want(Note::Missed, has(Event::KEY_MISS));
        notes.want(Note::New, has(Event::NEW));
        for note in [Note::Fields, Note::LastFields] {
            notes.want(
                note,
                self.is_recording || has(Event::HEXPIRED) || has(Event::DEL),
            );
        }
    }

    /// From here on effects belong together, as those of one stage of a transaction.
    pub fn begin_group(&mut self, stage: u16) {
        (self.is_grouped, self.stage) = (true, stage);
    }

    /// What has gathered since [`Effects::begin_group`] is all of it.
    pub fn end_group(&mut self) {
        self.pen.seal();
        self.end();
    }

    /// What has gathered since [`Effects::begin_group`] is a part of something larger.
    pub fn end_part(&mut self, place: Place) {
        if self.is_recording {
            self.pen.seal_part(place.point, place.is_last);
        }
        self.end();
    }

    fn end(&mut self) {
        (self.is_grouped, self.stage) = (false, 0);
        self.first = self.pen.end();
    }

    /// This shard's part of a point, of which all but the records lies elsewhere.
    pub fn say_part(&mut self, place: Place, records: &Records) {
        self.begin_group(place.stage);
        if self.is_recording {
            let all = self.pen.records();
            let first = all.list.len();
            all.append(records);
            for record in &mut all.list[first..] {
                record.stage = place.stage;
            }
        }
        self.end_part(place);
    }

    /// Here a snapshot begins that has this number.
    pub fn cut(&mut self, number: u64) {
        if self.is_recording {
            self.pen.cut(number);
        }
    }

    /// Whether effects are kept, for those to whom one is dear.
    pub fn is_recording(&self) -> bool {
        self.is_recording
    }

    /// Notes that a key changed.
    #[inline]
    pub fn changed(&mut self, db: DbIndex, event: Event, key: &[u8]) {
        self.has_changed = true;
        self.happened(db, event, key);
    }

    /// Notes an event that no command has caused.
    #[inline]
    fn happened(&mut self, db: DbIndex, event: Event, key: &[u8]) {
        if self.wanted.has(event.class) {
            self.events.push((db, event, key.into()));
        }
    }

    /// Takes over what the keyspace has noticed so far, ahead of what the command will say next.
    #[cold]
    pub(super) fn gather(&mut self, notes: &mut Notes) {
        for Noted {
            db,
            note,
            key,
            fields,
        } in notes.take()
        {
            match note {
                Note::Missed => self.happened(db, Event::KEY_MISS, &key),
                Note::New => self.happened(db, Event::NEW, &key),
                Note::Expired => {
                    self.happened(db, Event::EXPIRED, &key);
                    self.passed(db, &[b"DEL", &key]);
                }
                Note::Evicted => {
                    self.happened(db, Event::EVICTED, &key);
                    self.passed(db, &[b"DEL", &key]);
                }
                Note::Fields | Note::LastFields => {
                    self.happened(db, Event::HEXPIRED, &key);
                    if note == Note::LastFields {
                        self.happened(db, Event::DEL, &key);
                    }
                    let mut words = vec![&b"HDEL"[..], &key];
                    words.extend(fields.iter().map(|field| &**field));
                    self.passed(db, &words);
                }
            }
        }
    }

    /// What no command has done, but time or a limit, had happened before the running command did
    /// anything. It is on its own unless the command is in a group.
    pub(super) fn passed(&mut self, db: DbIndex, words: &[&[u8]]) {
        if !self.is_recording {
            return;
        }
        let before = self.pen.end();
        let records = self.pen.records();
        records.insert(self.first, db, self.stage, words);
        let added = records.bytes.len() - before.1;
        self.first = (self.first.0 + 1, self.first.1 + added);
        if !self.is_grouped {
            self.pen.seal_first(self.first);
        }
    }

    /// Notes a change of whole databases, for which keyspace notifications have no event.
    pub fn changed_databases(&mut self) {
        (self.has_changed, self.is_whole) = (true, true);
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
            let words: Vec<&[u8]> = words.into_iter().collect();
            let stage = self.stage;
            self.pen
                .records()
                .push(db, stage, false, words.iter().copied());
        }
    }

    /// Closes the running command: its effects are its own, or the command as it came.
    #[inline]
    pub(super) fn close(&mut self, db: DbIndex, args: Args<'_>) {
        if self.is_recording {
            self.close_recorded(db, args);
        }
        self.replaced = false;
        self.has_changed = false;
        self.is_whole = false;
    }

    /// Ends a command that came as these words, for tests of those who read journals.
    #[cfg(test)]
    pub fn close_as(&mut self, db: DbIndex, words: &[&str]) {
        let words = words.iter().map(|word| word.as_bytes());
        let words = crate::command::ArgStore::from_words(words);
        self.replaced = false;
        self.close(db, words.args());
    }

    fn close_recorded(&mut self, db: DbIndex, args: Args<'_>) {
        if self.has_changed && !self.replaced {
            let (stage, is_whole) = (self.stage, self.is_whole);
            self.pen.records().push_args(db, stage, is_whole, args);
        }
        if !self.is_grouped {
            self.pen.seal();
        }
        self.first = self.pen.end();
    }

    /// Whether there is anything to be taken.
    #[inline]
    pub fn has_journal(&self) -> bool {
        self.pen.has_units()
    }

    /// Takes what has gathered for logs and replicas.
    pub fn take_journal(&mut self) -> Journal {
        self.first = (0, 0);
        self.pen.take()
    }

    /// Takes all that a command on copies has left: what it has changed, and events.
    pub(super) fn take_all(&mut self) -> (Records, Vec<Happened>) {
        (std::mem::take(self.pen.records()), self.take_events())
    }

    /// Adds events that happened elsewhere.
    pub(super) fn add_events(&mut self, events: Vec<Happened>) {
        self.events.extend(events);
    }

    /// Whether there are events that nobody has taken yet.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes the events alone.
    pub fn take_events(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.events)
    }
}
