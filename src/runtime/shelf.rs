//! A value that all cores read on every turn and somebody replaces once in a while.
//!
//! Readers keep their own reference and compare one version number a turn; only after a change
//! do they take the lock to fetch the new one. This is how configuration reaches the shards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place where the current value lies.
#[derive(Debug)]
pub struct Shelf<T> {
    version: AtomicU64,
    current: Mutex<Arc<T>>,
}

/// One core's copy of the reference.
#[derive(Debug)]
pub struct Held<T> {
    shelf: Arc<Shelf<T>>,
    version: u64,
    value: Arc<T>,
}

impl<T> Shelf<T> {
    /// A shelf with its first value.
    pub fn new(value: T) -> Arc<Shelf<T>> {
        let (version, current) = (AtomicU64::new(1), Mutex::new(Arc::new(value)));
        Arc::new(Shelf { version, current })
    }

    fn lock(&self) -> MutexGuard<'_, Arc<T>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current value.
    pub fn value(&self) -> Arc<T> {
        self.lock().clone()
    }

    /// Replaces the value by what `change` makes of it, or leaves it on an error. Changes happen
    /// one after the other.
    pub fn replace<E>(&self, change: impl FnOnce(&T) -> Result<T, E>) -> Result<(), E> {
        let mut current = self.lock();
        *current = Arc::new(change(&current)?);
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// A reference of one's own.
    pub fn hold(self: &Arc<Shelf<T>>) -> Held<T> {
        let version = self.version.load(Ordering::Acquire);
        Held {
            shelf: self.clone(),
            version,
            value: self.value(),
        }
    }
}

impl<T> Held<T> {
    /// Fetches the new value if there is one, and says whether there was.
    #[inline]
    pub fn refresh(&mut self) -> bool {
        let version = self.shelf.version.load(Ordering::Acquire);
        if version == self.version {
            return false;
        }
        self.version = version;
        self.value = self.shelf.value();
        true
    }

    /// The value, to keep.
    pub fn share(&self) -> Arc<T> {
        self.value.clone()
    }
}

impl<T> std::ops::Deref for Held<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_see_a_change_once() {
        let shelf = Shelf::new(1);
        let mut held = shelf.hold();
        assert_eq!((*held, held.refresh()), (1, false));
        assert_eq!(shelf.replace(|old| Ok::<_, ()>(old + 1)), Ok(()));
        assert_eq!(shelf.replace(|_| Err("refused")), Err("refused"));
        assert_eq!((held.refresh(), *held, held.refresh()), (true, 2, false));
    }
}
