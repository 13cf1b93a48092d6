//! Awaited keys: for which of them clients wait (BLPOP, XREAD BLOCK), and which of those were
//! touched.
//!
//! Only names and marks: who waits, for what and in which order is the business of whoever looks
//! at the marks after a command has run. Any change of an entry marks its key, whatever the change
//! is, so that no handler has to remember to say that it made something available.

use super::space::DbIndex;
use hashbrown::HashMap;

/// A key of a database.
pub type DbKey = (DbIndex, Box<[u8]>);

#[derive(Debug, Default)]
struct Mark {
    waiting: u32,
    is_touched: bool,
}

/// The awaited keys of one shard.
#[derive(Debug, Default)]
pub struct Awaited {
    /// By database, as far as any of them has been waited for.
    marks: Vec<HashMap<Box<[u8]>, Mark>>,
    keys: usize,
    touched: Vec<DbKey>,
}

impl Awaited {
    /// Whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// How many keys are waited for.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// One more waits for a key.
    pub fn add(&mut self, (db, key): &DbKey) {
        let index = db.0 as usize;
        if self.marks.len() <= index {
            self.marks.resize_with(index + 1, HashMap::new);
        }
        let mark = self.marks[index].entry(key.clone()).or_default();
        mark.waiting += 1;
        self.keys += usize::from(mark.waiting == 1);
    }

    /// One of those who wait for a key does so no more.
    pub fn remove(&mut self, (db, key): &DbKey) {
        let Some(marks) = self.marks.get_mut(db.0 as usize) else {
            return;
        };
        let Some(mark) = marks.get_mut(key) else {
            return;
        };
        mark.waiting -= 1;
        if mark.waiting == 0 {
            marks.remove(key);
            self.keys -= 1;
        }
    }

    /// A key changes: marks it if anybody waits for it.
    #[cold]
    pub fn touch(&mut self, db: DbIndex, key: &[u8]) {
        let marks = self.marks.get_mut(db.0 as usize);
        let Some(mark) = marks.and_then(|marks| marks.get_mut(key)) else {
            return;
        };
        if !std::mem::replace(&mut mark.is_touched, true) {
            self.touched.push((db, key.into()));
        }
    }

    /// The keys of a database that are waited for.
    pub fn keys_in(&self, db: DbIndex) -> impl Iterator<Item = &[u8]> {
        let marks = self.marks.get(db.0 as usize).into_iter();
        marks.flat_map(|marks| marks.keys().map(|key| &**key))
    }

    /// How many keys are marked and have not been taken.
    #[inline]
    pub fn touched(&self) -> usize {
        self.touched.len()
    }

    /// Takes the marks away from the keys touched since there were so many.
    pub fn forget_since(&mut self, touched: usize) {
        while self.touched.len() > touched {
            if let Some(key) = self.touched.pop() {
                self.unmark(&key);
            }
        }
    }

    /// Takes all marked keys, in the order in which they were touched.
    pub fn take_touched(&mut self) -> Vec<DbKey> {
        let touched = std::mem::take(&mut self.touched);
        for key in &touched {
            self.unmark(key);
        }
        touched
    }

    fn unmark(&mut self, (db, key): &DbKey) {
        let marks = self.marks.get_mut(db.0 as usize);
        if let Some(mark) = marks.and_then(|marks| marks.get_mut(key)) {
            mark.is_touched = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DbKey {
        (DbIndex(0), name.as_bytes().into())
    }

    #[test]
    fn only_awaited_keys_are_marked_and_once() {
        let mut awaited = Awaited::default();
        awaited.add(&key("a"));
        awaited.add(&key("a"));
        awaited.add(&key("b"));
        for name in ["b", "a", "c", "a"] {
            awaited.touch(DbIndex(0), name.as_bytes());
        }
        awaited.touch(DbIndex(1), b"a");
        assert_eq!(awaited.take_touched(), [key("b"), key("a")]);
        awaited.touch(DbIndex(0), b"b");
        awaited.touch(DbIndex(0), b"a");
        awaited.forget_since(1);
        awaited.touch(DbIndex(0), b"a");
        assert_eq!(awaited.take_touched(), [key("b"), key("a")]);
        awaited.remove(&key("a"));
        assert_eq!(awaited.len(), 2);
        awaited.remove(&key("a"));
        awaited.remove(&key("b"));
        awaited.touch(DbIndex(0), b"a");
        assert!(awaited.is_empty() && awaited.touched() == 0);
    }
}
