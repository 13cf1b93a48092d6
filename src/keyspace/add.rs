//! Entries that come from outside whole: loaded from a file or sent by a master.
//!
//! They are no changes of a client: nobody watches, counts or hears of them.

use super::door::Door;
use super::entry::{self, Entry};
use super::slot::Key;

impl Door<'_> {
    /// Adds an entry whose key is new; false if it was there, expired or not.
    pub fn add(&mut self, key: &Key<'_>, entry: Entry) -> bool {
        if self.holds(key) {
            return false;
        }
        self.attach(key, entry::record(*key, entry));
        true
    }

    fn holds(&self, key: &Key<'_>) -> bool {
        let segment = &self.db.segments[self.db.segment_of(key)];
        let tag = super::segment::Segment::tag(key);
        let found = segment.table.find(tag, |record| record.key() == key.bytes);
        found.is_some()
    }
}
