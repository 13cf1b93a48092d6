//! Databases that were flushed, and give their memory back in bounded steps.
//!
//! FLUSHALL answers at once whatever it removes: the old databases come here, and the core lets a
//! few hundred entries go between other things. Nothing in here can be found any more.

use super::db::Db;
use super::space::Keyspace;

/// Entries a step frees: some tens of microseconds.
const RECORDS_A_STEP: usize = 512;

impl Keyspace {
    /// Frees a little of what was flushed; says whether there is more.
    pub fn bury_step(&mut self) -> bool {
        let Some(db) = self.graveyard.last_mut() else {
            return false;
        };
        if !db.bury(RECORDS_A_STEP) {
            self.graveyard.pop();
        }
        !self.graveyard.is_empty()
    }

    /// Entries that were flushed and still take memory.
    pub fn buried(&self) -> usize {
        self.graveyard.iter().map(Db::len).sum()
    }

    pub(super) fn inter(&mut self, db: Db) {
        if !db.is_empty() {
            self.graveyard.push(db);
        }
    }
}

impl Db {
    /// Drops up to so many entries, from the last segment on; says whether segments are left.
    fn bury(&mut self, records: usize) -> bool {
        let mut left = records;
        while left > 0 {
            let Some(segment) = self.segments.last_mut() else {
                return false;
            };
            let dropped = segment.table.drop_some(left);
            self.len -= dropped;
            // An empty segment is work too.
            left = left.saturating_sub(dropped.max(1));
            if segment.table.is_empty() {
                self.segments.pop();
            }
        }
        true
    }
}
