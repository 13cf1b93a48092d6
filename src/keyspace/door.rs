//! The only door to entries: every lookup and every change of one database goes through here.
//!
//! That is what keeps the promises of the keyspace in one place: a key that has expired is never
//! seen, counts and expiries are in step with the entries, and whoever has to know the old state
//! (a snapshot, a gathered command) is told before it is gone.

use super::db::Db;
use super::entry::{self, Entry, EntryRef, NewValue, StringRef};
use super::graveyard::Cause;
use super::notes::Note;
use super::segment::Segment;
use super::slot::Key;
use super::space::{Common, DbIndex};
use crate::base::record::Record;
use crate::base::table::{Place, Table};
use crate::object::{Encoding, Object, SHARED_STRING_MIN};
use crate::resp::{ErrorReply, errors};
use bytes::Bytes;

/// What a lookup leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A read: counts as hit or miss and refreshes the access word.
    Read,
    /// A read that does not refresh it (TTL, TYPE, EXISTS).
    Peek,
    /// The same, and nobody is told when there is nothing (OBJECT).
    Inspect,
    /// For a command that will write: neither counts nor refreshes.
    Write,
}

/// What becomes of a key's expiry when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// None, whatever there was.
    Clear,
    /// As it was.
    Keep,
    /// Unix time in milliseconds.
    At(i64),
}

#[derive(Clone, Copy)]
pub(super) struct Found {
    pub segment: usize,
    pub place: Place,
}

impl Found {
    pub(super) fn place(self) -> Place {
        self.place
    }

    pub(super) fn segment(self) -> usize {
        self.segment
    }
}

/// One database of a shard, with all that must hear of its changes.
pub struct Door<'a> {
    pub(super) db: &'a mut Db,
    pub(super) index: DbIndex,
    pub common: &'a mut Common,
}

impl<'a> Door<'a> {
    pub(super) fn new(db: &'a mut Db, index: DbIndex, common: &'a mut Common) -> Door<'a> {
        Door { db, index, common }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.db.len
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.db.len == 0
    }

    /// Finds a live entry.
    #[inline]
    pub fn find(mut self, key: &Key<'_>, lookup: Lookup) -> Option<EntryRef<'a>> {
        let found = self.locate(key);
        if lookup != Lookup::Write {
            let stats = &mut self.common.stats;
            *(if found.is_some() {
                &mut stats.hits
            } else {
                &mut stats.misses
            }) += 1;
            if found.is_none() && lookup != Lookup::Inspect {
                self.common.notes.note(self.index, Note::Missed, key.bytes);
            }
        }
        let found = found?;
        if lookup == Lookup::Read && self.common.touches {
            self.refresh(found);
        }
        let db: &'a Db = self.db;
        Some(EntryRef {
            record: db.segments[found.segment].table.at(found.place),
        })
    }

    /// Whether a live entry exists, without any trace.
    pub fn contains(&mut self, key: &Key<'_>) -> bool {
        self.locate(key).is_some()
    }

    #[inline]
    pub(super) fn view(&self, found: Found) -> EntryRef<'_> {
        EntryRef {
            record: self.db.segments[found.segment].table.at(found.place),
        }
    }

    /// The place of a live entry; removes it first when it has expired.
    #[inline]
    pub(super) fn locate(&mut self, key: &Key<'_>) -> Option<Found> {
        let number = self.db.segment_of(key);
        let segment = &self.db.segments[number];
        let place = segment
            .table
            .find(Segment::tag(key), |record| record.key() == key.bytes)?;
        let found = Found {
            segment: number,
            place,
        };
        if segment.volatile > 0 && self.is_expired(found) {
            self.expire(found);
            return None;
        }
        Some(found)
    }

    #[inline]
    pub(super) fn is_expired(&self, found: Found) -> bool {
        !self.view(found).is_live(self.common.now_ms)
    }

    /// Removes an entry whose time has come, unless it has to stay unseen for a while.
    pub(super) fn expire(&mut self, found: Found) {
        if self.common.is_replica || self.is_pinned(self.view(found).key()) {
            return;
        }
        if self.common.notes.wants(Note::Expired) {
            let key: Box<[u8]> = self.view(found).key().into();
            self.common.notes.note(self.index, Note::Expired, &key);
        }
        self.common.stats.expired += 1;
        self.tell_observer(found);
        self.let_go(found, Cause::Expiry);
    }

    /// Removes the entry at a place if it has expired.
    pub(super) fn expire_at(&mut self, segment: usize, place: Place) -> bool {
        let found = Found { segment, place };
        let stays = self.common.is_replica || self.is_pinned(self.view(found).key());
        let expired = self.is_expired(found) && !stays;
        if expired {
            self.expire(found);
        }
        expired
    }

    /// Notes the access in the entry, only if that says something new, so that reading stays
    /// reading.
    #[inline]
    pub(super) fn refresh(&mut self, found: Found) {
        let old = self.view(found).access();
        let access = self.access_now(Some(found));
        if access != old {
            let table = &mut self.db.segments[found.segment].table;
            table.change_in_place(found.place, |record| entry::set_access(record, access));
        }
    }

    /// The access word of an entry that is used now, or of a new one.
    #[inline]
    pub(super) fn access_now(&mut self, found: Option<Found>) -> u32 {
        let old = found.map(|found| self.view(found).access());
        let Common {
            access,
            clock_ms,
            random,
            ..
        } = &mut *self.common;
        old.map_or_else(
            || access.fresh(*clock_ms),
            |old| access.used(old, *clock_ms, random),
        )
    }

    /// The access word of an entry that is made now.
    pub fn fresh_access(&self) -> u32 {
        self.common.access.fresh(self.common.clock_ms)
    }

    /// Tells the observer and counts; every change of an entry begins here.
    #[inline]
    pub(super) fn before_change(&mut self, key: &[u8], found: Option<Found>) {
        self.common.stats.changes += 1;
        self.common.watches.touch(self.index, key);
        if found.is_none() {
            self.common.notes.note(self.index, Note::New, key);
        }
        if self.common.is_observed() {
            self.tell(key, found);
        }
    }

    /// Lets the running snapshot and the observer see an entry.
    fn tell(&mut self, key: &[u8], found: Option<Found>) {
        if let Some(found) = found {
            self.save(found);
        }
        if let Some(mut observer) = self.common.observer.take() {
            let old = found.map(|found| self.view(found));
            observer.before_change(self.index, key, old);
            self.common.observer = Some(observer);
        }
    }

    /// Tells the observer and counts, before a change of an entry that was found.
    #[inline]
    pub(super) fn before_change_of(&mut self, found: Found) {
        self.common.stats.changes += 1;
        if self.common.is_observed() || !self.common.watches.is_empty() {
            self.tell_observer(found);
        }
    }

    #[inline]
    pub(super) fn table_of(&mut self, found: Found) -> &mut Table<Object> {
        &mut self.db.segments[found.segment].table
    }

    /// Takes an entry away of which everybody knows already that it changes.
    pub(super) fn discard(&mut self, found: Found) {
        self.rescue(found);
        drop(self.detach(found));
    }

    /// Tells the observer and those who watch of an entry that goes or changes.
    pub(super) fn tell_observer(&mut self, found: Found) {
        let Common { watches, .. } = &mut *self.common;
        let record = self.db.segments[found.segment].table.at(found.place);
        watches.touch(self.index, record.key());
        if !self.common.is_observed() {
            return;
        }
        self.save(found);
        if let Some(mut observer) = self.common.observer.take() {
            let old = self.view(found);
            observer.before_change(self.index, old.key(), Some(old));
            self.common.observer = Some(observer);
        }
    }

    /// Stores a string of a client's bytes in Redis's encoding for it.
    #[inline]
    pub fn set_bytes(&mut self, key: &Key<'_>, bytes: &[u8], expiry: Expiry) {
        match crate::base::number::parse_i64(bytes) {
            Some(number) => self.set_inline(key, &number.to_le_bytes(), Encoding::Int, expiry),
            None if bytes.len() >= SHARED_STRING_MIN => {
                self.set(key, Bytes::copy_from_slice(bytes).into(), expiry);
            }
            None => self.set_inline(key, bytes, entry::text_encoding(bytes.len()), expiry),
        }
    }

    /// Stores a value under a key, whatever was there.
    pub fn set(&mut self, key: &Key<'_>, value: NewValue, expiry: Expiry) {
        match value {
            NewValue::Int(number) => {
                self.set_inline(key, &number.to_le_bytes(), Encoding::Int, expiry);
            }
            NewValue::Text(bytes, encoding) if bytes.len() < SHARED_STRING_MIN => {
                self.set_inline(key, &bytes, encoding, expiry);
            }
            value => {
                let found = self.locate(key);
                self.before_change(key.bytes, found);
                let expires_at_ms = self.resolve(found, expiry);
                let access = self.access_now(found);
                self.replace(
                    key,
                    found,
                    Entry {
                        value,
                        expires_at_ms,
                        access,
                    },
                );
            }
        }
    }

    pub(super) fn resolve(&self, found: Option<Found>, expiry: Expiry) -> Option<i64> {
        match expiry {
            Expiry::Clear => None,
            Expiry::At(at) => Some(at),
            Expiry::Keep => found.and_then(|found| self.view(found).expires_at_ms()),
        }
    }

    #[inline]
    fn set_inline(&mut self, key: &Key<'_>, bytes: &[u8], encoding: Encoding, expiry: Expiry) {
        let found = self.locate(key);
        self.before_change(key.bytes, found);
        let expires_at_ms = self.resolve(found, expiry);
        if let Some(found) = found
            && self.overwrite(found, bytes, encoding, expires_at_ms)
        {
            return;
        }
        let access = self.access_now(found);
        if let Some(found) = found {
            self.let_go(found, Cause::Replacement);
        }
        let record = entry::inline_record(*key, bytes, encoding, access, expires_at_ms);
        self.attach(key, record);
    }

    /// Overwrites a small string where it lies, if it has the same size and kind of header.
    #[inline]
    fn overwrite(
        &mut self,
        found: Found,
        bytes: &[u8],
        encoding: Encoding,
        expires_at_ms: Option<i64>,
    ) -> bool {
        let access = self.access_now(Some(found));
        let segment = &mut self.db.segments[found.segment];
        let record = segment.table.at(found.place);
        let fits = record.boxed().is_none() && record.inline().len() == bytes.len();
        if !fits || record.extra() != expires_at_ms {
            return false;
        }
        segment.table.change_in_place(found.place, |record| {
            record.inline_mut().copy_from_slice(bytes);
            entry::set_encoding(record, encoding);
            entry::set_access(record, access);
        });
        true
    }

    pub(super) fn replace(&mut self, key: &Key<'_>, found: Option<Found>, entry: Entry) {
        if let Some(found) = found {
            self.let_go(found, Cause::Replacement);
        }
        self.attach(key, entry::record(*key, entry));
    }

    pub(super) fn attach(&mut self, key: &Key<'_>, mut record: Record<Object>) -> Found {
        entry::set_mark(&mut record, self.common.epoch);
        let number = self.db.make_room(key);
        let segment = &mut self.db.segments[number];
        if let Some(at) = record.as_ref().extra() {
            segment.note_expiry(at);
        }
        let lines = segment.table.lines();
        segment.note_fields(EntryRef {
            record: record.as_ref(),
        });
        let place = segment.table.insert(Segment::tag(key), record);
        if segment.table.lines() != lines {
            self.db.sweep.relaid(number);
        }
        self.db.len += 1;
        let found = Found {
            segment: number,
            place,
        };
        if self.common.snapshot.is_some() {
            self.note_arrival(found);
        }
        found
    }

    pub(super) fn detach(&mut self, found: Found) -> Record<Object> {
        let segment = &mut self.db.segments[found.segment];
        let record = segment.remove(found.place);
        self.db.len -= 1;
        if segment.table.len().is_multiple_of(256) {
            let lines = segment.table.lines();
            segment.table.shrink();
            if segment.table.lines() != lines {
                self.db.sweep.relaid(found.segment);
            }
        }
        record
    }

    /// Frees an entry, in steps if that takes long.
    #[inline]
    pub(super) fn let_go(&mut self, found: Found, cause: Cause) {
        self.rescue(found);
        let record = self.detach(found);
        let lazyfree = self.common.lazyfree;
        self.common.graveyard.take(record, lazyfree, cause);
    }

    /// Removes a key; says whether it was there.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        self.remove_for(key, Cause::Replacement)
    }

    /// The same for a cause of its own.
    pub fn remove_for(&mut self, key: &Key<'_>, cause: Cause) -> bool {
        let Some(found) = self.locate(key) else {
            return false;
        };
        self.before_change(key.bytes, Some(found));
        self.let_go(found, cause);
        true
    }

    /// Takes an entry out whole.
    pub fn take(&mut self, key: &Key<'_>) -> Option<Entry> {
        let found = self.locate(key)?;
        self.before_change(key.bytes, Some(found));
        let record = self.detach(found);
        let view = EntryRef {
            record: record.as_ref(),
        };
        let (expires_at_ms, access) = (view.expires_at_ms(), view.access());
        if record.as_ref().boxed().is_none() {
            return Some(view.to_entry());
        }
        let object = record.into_boxed().expect("just seen to be boxed");
        self.note_leaving(&object);
        Some(Entry {
            value: NewValue::Object(*object),
            expires_at_ms,
            access,
        })
    }

    /// Puts an entry under a key, replacing what was there, its access word included.
    pub fn put(&mut self, key: &Key<'_>, entry: Entry) {
        let found = self.locate(key);
        self.before_change(key.bytes, found);
        self.replace(key, found, entry);
    }

    /// The same as a new key: what was there is gone before.
    pub fn put_afresh(&mut self, key: &Key<'_>, entry: Entry) {
        if self.contains(key) {
            self.common.notes.note(self.index, Note::New, key.bytes);
        }
        self.put(key, entry);
    }

    /// Gives a key an expiry or takes it away; says whether the key was there.
    pub fn set_expiry(&mut self, key: &Key<'_>, expires_at_ms: Option<i64>) -> bool {
        let Some(found) = self.locate(key) else {
            return false;
        };
        self.before_change(key.bytes, Some(found));
        self.set_expiry_of(found, expires_at_ms);
        true
    }

    /// Gives an entry of which everybody knows that it changes an expiry, or takes it away.
    pub(super) fn set_expiry_of(&mut self, found: Found, expires_at_ms: Option<i64>) {
        let segment = &mut self.db.segments[found.segment];
        let had = segment.table.at(found.place).extra().is_some();
        segment.volatile -= u32::from(had);
        if let Some(at) = expires_at_ms {
            segment.note_expiry(at);
            let done = segment
                .table
                .change_in_place(found.place, |record| record.overwrite_extra(at));
            if done {
                return;
            }
        }
        if had || expires_at_ms.is_some() {
            segment
                .table
                .change(found.place, |record| record.with_extra(expires_at_ms));
        }
    }

    /// Lets `change` make an integer of what is there: INCR's way, in place where there is one.
    #[inline]
    pub fn change_int<E>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(Option<EntryRef<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        let found = self.locate(key);
        let number = change(found.map(|found| self.view(found)))?;
        let bytes = number.to_le_bytes();
        match found.filter(|found| self.view(*found).encoding() == Encoding::Int) {
            Some(found) => {
                self.before_change(key.bytes, Some(found));
                let access = self.access_now(Some(found));
                let table = &mut self.db.segments[found.segment].table;
                table.change_in_place(found.place, |record| {
                    record.inline_mut().copy_from_slice(&bytes);
                    entry::set_access(record, access);
                });
            }
            None => self.set_inline(key, &bytes, Encoding::Int, Expiry::Keep),
        }
        Ok(number)
    }

    /// The string at a key for a reader; `Err` when it holds another type.
    #[inline]
    pub fn string(self, key: &Key<'_>, lookup: Lookup) -> Result<Option<StringRef<'a>>, WrongKind> {
        match self.find(key, lookup) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(WrongKind),
        }
    }
}

/// The key holds another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongKind;

impl From<WrongKind> for ErrorReply {
    fn from(_: WrongKind) -> Self {
        errors::WRONG_TYPE.into()
    }
}
