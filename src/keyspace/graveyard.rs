//! What is gone for everybody and still takes memory: flushed databases and big values, which give
//! it back in bounded steps.
//!
//! DEL, an expiry or FLUSHALL answers at once whatever it removes: what takes long to free comes
//! here, and the core lets a few hundred elements go between other things. Nothing in here can be
//! found any more. Small values are freed where they are removed; which ones count as small depends
//! on the lazyfree directives, but no value is ever freed in one go that takes long.

use super::db::Db;
use super::space::Keyspace;
use crate::base::record::Record;
use crate::object::Object;

/// Elements a step frees: some tens of microseconds.
const ELEMENTS_A_STEP: usize = 512;
/// Freeing up to so many elements at once takes less than a slice of the core's time, some 100 us.
pub(super) const PROMPT_MAX: usize = 1024;
/// The same where a directive asks for lazy freeing. Redis: LAZYFREE_THRESHOLD.
const LAZY_MAX: usize = 64;

/// Why a value goes, as the lazyfree directives tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time has come.
    Expiry,
    /// Memory is short.
    Eviction,
    /// A command with another purpose replaces or removes it.
    Replacement,
    /// DEL.
    Deletion,
    /// UNLINK.
    Unlinking,
}

/// Which values are freed lazily as soon as they have some elements (lazyfree-lazy-*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lazyfree {
    pub expiry: bool,
    pub eviction: bool,
    /// lazyfree-lazy-server-del.
    pub replacement: bool,
    /// lazyfree-lazy-user-del.
    pub deletion: bool,
}

impl Lazyfree {
    /// Up to how many elements a value is freed where it is removed.
    fn prompt_max(self, cause: Cause) -> usize {
        let is_lazy = match cause {
            Cause::Expiry => self.expiry,
            Cause::Eviction => self.eviction,
            Cause::Replacement => self.replacement,
            Cause::Deletion => self.deletion,
            Cause::Unlinking => true,
        };
        if is_lazy { LAZY_MAX } else { PROMPT_MAX }
    }
}

/// What is to be freed.
#[derive(Default)]
pub(super) struct Graveyard {
    dbs: Vec<Db>,
    objects: Vec<Object>,
    /// Keys and values that were freed here.
    freed: u64,
}

impl Graveyard {
    /// Lets a record go: at once, or here when its value has more elements than may be.
    #[inline]
    pub fn take(&mut self, record: Record<Object>, lazyfree: Lazyfree, cause: Cause) {
        match record.as_ref().boxed() {
            None => drop(record),
            Some(_) => self.take_boxed(record, lazyfree.prompt_max(cause)),
        }
    }

    /// Takes a value that belongs to no key any more.
    pub fn take_object(&mut self, object: Object) {
        self.objects.push(object);
    }

    fn take_boxed(&mut self, record: Record<Object>, prompt_max: usize) {
        let object = record.into_boxed().expect("just seen to be boxed");
        if object.pieces() > prompt_max {
            self.objects.push(*object);
        }
    }

    fn step(&mut self) {
        if let Some(object) = self.objects.last_mut() {
            if !object.drop_some(ELEMENTS_A_STEP) {
                self.objects.pop();
                self.freed += 1;
            }
            return;
        }
        let Some(mut db) = self.dbs.pop() else { return };
        let before = db.len();
        let has_more = db.bury(ELEMENTS_A_STEP, |record| {
            self.take(record, Lazyfree::default(), Cause::Unlinking);
        });
        self.freed += (before - db.len()) as u64;
        if has_more {
            self.dbs.push(db);
        }
    }

    fn is_empty(&self) -> bool {
        self.dbs.is_empty() && self.objects.is_empty()
    }
}

impl Keyspace {
    /// Frees a little of what is gone; says whether there is more.
    #[inline]
    pub fn bury_step(&mut self) -> bool {
        let graveyard = &mut self.common.graveyard;
        graveyard.step();
        !graveyard.is_empty()
    }

    /// Keys and values that are gone and still take memory.
    pub fn buried(&self) -> usize {
        let graveyard = &self.common.graveyard;
        graveyard.objects.len() + graveyard.dbs.iter().map(Db::len).sum::<usize>()
    }

    /// Keys and values that were freed in steps since the start.
    pub fn freed_in_steps(&self) -> u64 {
        self.common.graveyard.freed
    }

    pub(super) fn inter(&mut self, db: Db) {
        if !db.is_empty() {
            self.common.graveyard.dbs.push(db);
        }
    }

    /// Lets another keyspace go in steps, as its values may be big.
    pub fn inter_all(&mut self, other: Keyspace) {
        for db in other.dbs {
            self.inter(db);
        }
    }
}

impl Db {
    /// Gives away up to so many entries, from the last segment on; says whether segments are left.
    fn bury(&mut self, records: usize, mut give: impl FnMut(Record<Object>)) -> bool {
        let mut left = records;
        while left > 0 {
            let Some(segment) = self.segments.last_mut() else {
                return false;
            };
            let given = segment.table.take_some(left, &mut give);
            self.len -= given;
            // An empty segment is work too.
            left = left.saturating_sub(given.max(1));
            if segment.table.is_empty() {
                self.segments.pop();
            }
        }
        true
    }
}
