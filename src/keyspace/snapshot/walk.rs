//! The walk of a snapshot over a keyspace, and how doors tell it of changes.
//!
//! It goes through each database in the order of slots, a table line at a time, as a scan does:
//! where a segment has split meanwhile its lower half goes on from the tag and the upper half is
//! walked whole. Marks keep an entry from being written twice.

use super::long::{Content, Home};
use super::scribe::{Scribe, Size};
use super::state::Snapshot;
use crate::base::planted::{Bug, is_planted};
use crate::base::table::{Place, Table, Tag};
use crate::keyspace::db::Db;
use crate::keyspace::door::{Door, Found};
use crate::keyspace::segment::{Position, Segment};
use crate::keyspace::slot::Key;
use crate::keyspace::{DbIndex, EntryRef, Keyspace, entry};
use crate::object::Object;

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No snapshot is running.
    Idle,
    More,
    /// The scribe has too much to do.
    Full,
    /// All is written; the snapshot is over.
    Ended,
}

/// What a database knows of the running snapshot.
#[derive(Clone, Copy, Debug)]
pub(in crate::keyspace) struct Cut {
    /// Its number at the cut.
    index: DbIndex,
    position: Position,
    tag: u32,
    is_done: bool,
}

/// Writes the entry at a place down, and marks it.
fn claim(
    table: &mut Table<Object>,
    place: Place,
    (at, epoch): ((DbIndex, DbIndex), bool),
    snapshot: &mut Snapshot,
) -> Option<u64> {
    let record = table.at(place);
    let id = snapshot.save(at, EntryRef { record });
    table.change_in_place(place, |record| entry::set_mark(record, epoch));
    if let (Some(id), Some(object)) = (id, table.boxed_mut(place)) {
        object.begin_walk(id);
    }
    id
}

impl Keyspace {
    /// Begins a snapshot of this moment. One snapshot runs at a time.
    pub fn cut(&mut self, scribe: Box<dyn Scribe>) {
        assert!(self.common.snapshot.is_none(), "one snapshot at a time");
        self.common.epoch = !self.common.epoch;
        for (index, db) in self.dbs.iter_mut().enumerate() {
            db.cut = Some(Cut {
                index: DbIndex(index as u32),
                position: db.start(),
                tag: 0,
                is_done: db.is_empty(),
            });
        }
        self.common.snapshot = Some(Box::new(Snapshot::new(scribe)));
    }

    /// Begins the snapshot of this number if its scribe is still wanted; says whether it did.
    pub fn begin_snapshot(&mut self, id: u64) -> bool {
        let size = Size {
            keys: self.dbs.iter().map(|db| db.len() as u64).sum(),
            changes: self.common.stats.changes,
        };
        let press = self.common.press.as_ref();
        let scribe = press.and_then(|press| press.scribe(id, size));
        let is_free = self.common.snapshot.is_none();
        match scribe.filter(|_| is_free) {
            Some(scribe) => self.cut(scribe),
            None => return false,
        }
        true
    }

    /// Whether a snapshot is running.
    pub fn has_snapshot(&self) -> bool {
        self.common.snapshot.is_some()
    }

    /// Whether somebody waits for the end of the running snapshot.
    pub fn is_snapshot_awaited(&self) -> bool {
        let snapshot = self.common.snapshot.as_ref();
        snapshot.is_some_and(|snapshot| snapshot.scribe.is_awaited())
    }

    /// Goes on with the running snapshot: a table line, or so many elements of a large value.
    pub fn snapshot_step(&mut self, budget: usize) -> Step {
        let Some(mut snapshot) = self.common.snapshot.take() else {
            return Step::Idle;
        };
        if snapshot.scribe.is_full() {
            self.common.snapshot = Some(snapshot);
            return Step::Full;
        }
        if !self.advance(&mut snapshot, budget) {
            snapshot.scribe.finish(snapshot.is_whole);
            return Step::Ended;
        }
        self.common.snapshot = Some(snapshot);
        Step::More
    }

    /// Does some work; false when there is none left.
    fn advance(&mut self, snapshot: &mut Snapshot, budget: usize) -> bool {
        if self.advance_long(snapshot, budget) {
            return true;
        }
        let epoch = self.common.epoch;
        for (index, db) in self.dbs.iter_mut().enumerate() {
            if db.is_wanted() {
                db.walk_line(DbIndex(index as u32), epoch, snapshot);
                return true;
            }
        }
        let Some(mut db) = snapshot.flushed.pop() else {
            return false;
        };
        db.walk_flushed(epoch, snapshot);
        if db.is_wanted() {
            snapshot.flushed.push(db);
        } else {
            self.inter(db);
        }
        true
    }

    /// Goes on with the first long, if there is one.
    fn advance_long(&mut self, snapshot: &mut Snapshot, budget: usize) -> bool {
        let Some(mut long) = snapshot.longs.pop_front() else {
            return false;
        };
        let object = match &long.content {
            Content::Dict {
                home: Home::At(db, key),
                ..
            } => self.dbs[db.0 as usize].object_mut(key),
            _ => None,
        };
        if !long.step(object, budget, &mut *snapshot.scribe) {
            snapshot.longs.push_front(long);
            return true;
        }
        snapshot.scribe.end();
        snapshot.is_whole &= long.is_whole();
        if let Some(object) = long.into_kept() {
            self.common.graveyard.take_object(object);
        }
        true
    }
}

impl Db {
    /// Whether the walk still has to go through it.
    pub(in crate::keyspace) fn is_wanted(&self) -> bool {
        self.cut.is_some_and(|cut| !cut.is_done)
    }

    /// The object at a key, expired or not.
    pub(super) fn object_mut(&mut self, key: &[u8]) -> Option<&mut Object> {
        let key = Key::new(key);
        let number = self.segment_of(&key);
        let table = &mut self.segments[number].table;
        let place = table.find(Segment::tag(&key), |record| record.key() == key.bytes)?;
        table.boxed_mut(place)
    }

    /// Writes what is wanted of the line the walk is at, and goes on to the next one.
    fn walk_line(&mut self, now: DbIndex, epoch: bool, snapshot: &mut Snapshot) -> Vec<Place> {
        let end = self.end();
        let Some(mut cut) = self.cut else {
            return Vec::new();
        };
        let number = self.segment_at(cut.position);
        let segment = &mut self.segments[number];
        let (mut wanted, mut long) = (Vec::new(), Vec::new());
        let next = segment
            .table
            .scan_places(Tag::from_index(cut.tag), |place, record| {
                if (EntryRef { record }).is_marked() != epoch {
                    wanted.push(place);
                }
            });
        for place in wanted {
            let at = ((cut.index, now), epoch);
            if claim(&mut segment.table, place, at, snapshot).is_some() {
                long.push(place);
            }
        }
        match next {
            Some(tag) => cut.tag = tag,
            None => {
                cut.tag = 0;
                cut.is_done = segment.end() >= end;
                cut.position = segment.end();
            }
        }
        self.cut = Some(cut);
        long
    }

    /// The same in a database that nobody sees any more: large values belong to the snapshot.
    fn walk_flushed(&mut self, epoch: bool, snapshot: &mut Snapshot) {
        let position = self.cut.map(|cut| cut.position);
        let number = self.segment_at(position.unwrap_or(self.start()));
        for place in self.walk_line(DbIndex(0), epoch, snapshot) {
            let object = self.segments[number].table.boxed_mut(place);
            if let Some(object) = object.map(Object::take_out)
                && let Some(id) = object.walk_id()
            {
                snapshot.keep(id, object);
            }
        }
    }
}

impl Door<'_> {
    /// Before a change of an entry that the running snapshot wants: writes it down first.
    pub(in crate::keyspace) fn save(&mut self, found: Found) {
        let epoch = self.common.epoch;
        if self.view(found).is_marked() == epoch || is_planted(Bug::NoPreImage) {
            return;
        }
        let cut = self.db.cut.map_or(self.index, |cut| cut.index);
        let at = ((cut, self.index), epoch);
        if let Some(snapshot) = &mut self.common.snapshot {
            let table = &mut self.db.segments[found.segment()].table;
            claim(table, found.place(), at, snapshot);
        }
    }

    /// Before an entry loses its value: one that the running snapshot walks over belongs to it
    /// from now on.
    pub(in crate::keyspace) fn rescue(&mut self, found: Found) {
        let Some(snapshot) = &mut self.common.snapshot else {
            return;
        };
        let table = &mut self.db.segments[found.segment()].table;
        if let Some(object) = table.boxed_mut(found.place())
            && let Some(id) = object.walk_id()
        {
            snapshot.keep(id, object.take_out());
        }
    }

    /// An entry leaves its key, to be put elsewhere.
    pub(in crate::keyspace) fn note_leaving(&mut self, object: &Object) {
        if let (Some(snapshot), Some(id)) = (&mut self.common.snapshot, object.walk_id()) {
            snapshot.leaves(id);
        }
    }

    /// An entry has come to a key.
    pub(in crate::keyspace) fn note_arrival(&mut self, found: Found) {
        let record = self.db.segments[found.segment()].table.at(found.place());
        let id = record.boxed().and_then(Object::walk_id);
        if let (Some(snapshot), Some(id)) = (&mut self.common.snapshot, id) {
            snapshot.arrives(id, self.index, record.key());
        }
    }
}
