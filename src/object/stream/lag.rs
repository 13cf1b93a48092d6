//! How far a group is behind: counting the entries that were ever added, without looking at them.
//!
//! Every entry has a number, how many had been added up to it. Where no deleted entry lies between
//! an id and the end, its number can be told from the number of the last one; elsewhere it is not
//! known.

use super::id::StreamId;
use super::log::Log;

impl Log {
    /// How many entries had been added up to an id, where that can be told.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if id == self.last_id || (self.len == 0 && id < self.last_id) {
            return Some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !is_whole || id > self.first_id {
            return None;
        }
        let before = self.entries_added.wrapping_sub(self.len);
        Some(before.wrapping_add(u64::from(id == self.first_id)))
    }

    /// Whether an entry was deleted from this id on, as far as is remembered.
    pub fn has_deleted_from(&self, id: StreamId) -> bool {
        // What was deleted before the first entry might as well have been trimmed.
        let is_within = self.len > 0 && self.first_id <= self.max_deleted_id;
        is_within && id <= self.max_deleted_id
    }

    /// How many entries a group has not been given yet, where that can be told.
    pub fn lag(&self, last_id: StreamId, entries_read: Option<u64>) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let read = entries_read.filter(|_| !self.has_deleted_from(last_id));
        let read = read.or_else(|| self.entries_up_to(last_id))?;
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    /// The count of entries read once the entry with this id has been given to a group.
    pub fn entries_read_after(&self, id: StreamId, entries_read: Option<u64>) -> Option<u64> {
        match entries_read {
            Some(read) if !self.has_deleted_from(id) => Some(read.wrapping_add(1)),
            read if self.entries_added == 0 => read,
            _ => self.entries_up_to(id),
        }
    }
}
