//! A running snapshot: its scribe, the longs under way, and what has become of them.
//!
//! It is told of every wanted entry exactly once, by the walk or by a change. It never looks for
//! entries itself.

use super::long::{Content, Home, Long};
use super::scribe::Scribe;
use crate::keyspace::db::Db;
use crate::keyspace::{DbIndex, EntryRef};
use crate::object::{Form, Object};
use std::collections::VecDeque;

/// A running snapshot of one shard.
pub struct Snapshot {
    pub(super) scribe: Box<dyn Scribe>,
    pub(super) longs: VecDeque<Long>,
    /// Flushed databases that the walk has not been through.
    pub(super) flushed: Vec<Db>,
    /// From so many elements, or nodes, on a value is a long.
    long_min: usize,
    next_id: u64,
    pub(super) is_whole: bool,
}

impl Snapshot {
    pub(super) fn new(scribe: Box<dyn Scribe>) -> Snapshot {
        let long_min = scribe.long_min();
        Snapshot {
            scribe,
            longs: VecDeque::new(),
            flushed: Vec::new(),
            long_min,
            next_id: 1,
            is_whole: true,
        }
    }

    /// Writes an entry of database `cut`, which is database `now` at present. With a number, a walk
    /// of that number has to begin over its dictionary.
    pub(super) fn save(&mut self, at: (DbIndex, DbIndex), entry: EntryRef<'_>) -> Option<u64> {
        if !self.is_long(entry) {
            self.scribe.entry(at.0, entry);
            return None;
        }
        let long = Long::new(self.next_id, at, entry)?;
        self.next_id += 1;
        let id = long.walk_id();
        self.longs.push_back(long);
        id
    }

    fn is_long(&self, entry: EntryRef<'_>) -> bool {
        /// Elements that are written as fast as a node of a list or a stream.
        const ELEMENTS_A_NODE: usize = 64;
        match entry.collection() {
            Some(Form::Object(Object::List(list))) => {
                list.nodes().len() * ELEMENTS_A_NODE >= self.long_min
            }
            Some(Form::Object(Object::Stream(stream))) => {
                stream.log.node_count() * ELEMENTS_A_NODE >= self.long_min
            }
            Some(Form::Object(object)) => object.pieces() >= self.long_min,
            Some(Form::Packed(..)) | None => false,
        }
    }

    fn home(&mut self, id: u64) -> Option<&mut Home> {
        self.longs
            .iter_mut()
            .find_map(|long| match &mut long.content {
                Content::Dict { id: own, home, .. } if *own == id => Some(home),
                _ => None,
            })
    }

    fn set_home(&mut self, id: u64, new: Home) {
        match self.home(id) {
            Some(home) => *home = new,
            None => self.is_whole = false,
        }
    }

    /// A value that is being walked leaves its key for good.
    pub(in crate::keyspace) fn keep(&mut self, id: u64, object: Object) {
        self.set_home(id, Home::Kept(object));
    }

    /// A value that is being walked was taken out, to be put elsewhere.
    pub(in crate::keyspace) fn leaves(&mut self, id: u64) {
        self.set_home(id, Home::Away);
    }

    /// A value that is being walked has come to another key.
    pub(in crate::keyspace) fn arrives(&mut self, id: u64, db: DbIndex, key: &[u8]) {
        self.set_home(id, Home::At(db, key.into()));
    }

    /// Two databases have changed places.
    pub(in crate::keyspace) fn swapped(&mut self, one: DbIndex, other: DbIndex) {
        for long in &mut self.longs {
            if let Content::Dict {
                home: Home::At(db, _),
                ..
            } = &mut long.content
            {
                *db = match *db {
                    db if db == one => other,
                    db if db == other => one,
                    db => db,
                };
            }
        }
    }

    /// A database was flushed: what is being walked in it is kept, and so is the database if the
    /// walk has not been through it. Returns it otherwise.
    pub(in crate::keyspace) fn flushed(&mut self, index: DbIndex, mut db: Db) -> Option<Db> {
        for long in &mut self.longs {
            let Content::Dict { home, .. } = &mut long.content else {
                continue;
            };
            if let Home::At(at, key) = home
                && *at == index
                && let Some(object) = db.object_mut(key)
            {
                *home = Home::Kept(object.take_out());
            }
        }
        if db.is_wanted() {
            self.flushed.push(db);
            return None;
        }
        Some(db)
    }
}
