//! Who waits on this shard for an element of a key, and in which order.
//!
//! ```text
//!   a   7 -> 12 -> 30        tickets; who waited longest is served first
//!   b   12 -> 41             the same one may wait for several keys
//! ```
//!
//! A waiter's ticket is drawn when it begins to wait and stays its own until it is served, however
//! often it finds nothing: a client that was woken in vain keeps its place. Whether anything is
//! there for it is found out by running its command; this only knows for whom that may be worth
//! while. A waiter whose command has been asked for and has not run yet is *busy*: until then, who
//! is behind it has to wait too, and the keys where that is so are remembered with it.

use super::locks::Ticket;
use crate::command::ArgStore;
use crate::keyspace::{Awaited, DbIndex, DbKey};
use crate::object::Kind;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::ops::{Bound, Range};

/// What a command that found nothing wants to wait for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// The positions of the keys.
    pub keys: Range<usize>,
    /// Milliseconds; `None` is for ever.
    pub timeout_ms: Option<i64>,
    /// What has to be at a key.
    pub kind: Kind,
    /// It wants to know, too, when a key has gone or holds something else.
    pub hears_absence: bool,
    /// With which arguments it is to be run again, if not with its own.
    pub args: Option<ArgStore>,
}

/// One who waits.
#[derive(Clone, Debug)]
pub struct Waiter {
    pub keys: Vec<DbKey>,
    pub kind: Kind,
    pub hears_absence: bool,
}

impl Waiter {
    /// One who waits for some of the keys of a command.
    pub fn new<'k>(wait: &Wait, db: DbIndex, keys: impl Iterator<Item = &'k [u8]>) -> Waiter {
        let mut keys: Vec<DbKey> = keys.map(|key| (db, key.into())).collect();
        keys.sort_unstable();
        keys.dedup();
        Waiter {
            keys,
            kind: wait.kind,
            hears_absence: wait.hears_absence,
        }
    }
}

#[derive(Debug)]
struct Place {
    waiter: Waiter,
    is_busy: bool,
    /// Keys whose later waiters wait for this one.
    behind: Vec<DbKey>,
}

#[derive(Debug, Default)]
struct Queue {
    tickets: BTreeSet<Ticket>,
    /// How many of them want to hear that there is nothing.
    hear_absence: usize,
}

/// All who wait on one shard.
#[derive(Debug, Default)]
pub struct Waiters {
    places: HashMap<Ticket, Place>,
    queues: HashMap<DbKey, Queue>,
    /// Queues of which somebody wants to hear that there is nothing.
    absence_queues: usize,
}

impl Waiters {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// For how many keys somebody waits, and for how many somebody who hears when they have gone.
    pub fn keys(&self) -> (usize, usize) {
        (self.queues.len(), self.absence_queues)
    }

    /// Takes in one who begins to wait.
    pub fn add(&mut self, ticket: Ticket, waiter: Waiter, awaited: &mut Awaited) {
        for key in &waiter.keys {
            awaited.add(key);
            let queue = self.queues.entry(key.clone()).or_default();
            queue.tickets.insert(ticket);
            if waiter.hears_absence {
                queue.hear_absence += 1;
                self.absence_queues += usize::from(queue.hear_absence == 1);
            }
        }
        let place = Place {
            waiter,
            is_busy: false,
            behind: Vec::new(),
        };
        self.places.insert(ticket, place);
    }

    /// Lets one go. Returns the keys whose later waiters waited for this one.
    pub fn remove(&mut self, ticket: Ticket, awaited: &mut Awaited) -> Vec<DbKey> {
        let Some(place) = self.places.remove(&ticket) else {
            return Vec::new();
        };
        for key in &place.waiter.keys {
            awaited.remove(key);
            let Some(queue) = self.queues.get_mut(key) else {
                continue;
            };
            queue.tickets.remove(&ticket);
            if place.waiter.hears_absence {
                queue.hear_absence -= 1;
                self.absence_queues -= usize::from(queue.hear_absence == 0);
            }
            if queue.tickets.is_empty() {
                self.queues.remove(key);
            }
        }
        place.behind
    }

    /// Who is next at a key, behind this ticket, and may find what it wants in what is there.
    pub fn next(&self, key: &DbKey, after: Option<Ticket>, there: Option<Kind>) -> Option<Ticket> {
        let queue = self.queues.get(key)?;
        if there.is_none() && queue.hear_absence == 0 {
            return None;
        }
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut later = queue.tickets.range((from, Bound::Unbounded));
        later
            .find(|ticket| {
                let waiter = &self.places[*ticket].waiter;
                waiter.hears_absence || there == Some(waiter.kind)
            })
            .copied()
    }

    /// Whether the command of a waiter is on its way already; if so, those behind it at this key
    /// have to wait for it.
    pub fn is_busy_for(&mut self, ticket: Ticket, key: &DbKey) -> bool {
        let Some(place) = self.places.get_mut(&ticket).filter(|place| place.is_busy) else {
            return false;
        };
        place.behind.push(key.clone());
        true
    }

    /// The command of a waiter is on its way.
    pub fn set_busy(&mut self, ticket: Ticket) {
        if let Some(place) = self.places.get_mut(&ticket) {
            place.is_busy = true;
        }
    }

    /// It has found nothing: its place is as it was. Returns the keys whose later waiters waited
    /// for this one.
    pub fn set_idle(&mut self, ticket: Ticket) -> Vec<DbKey> {
        let Some(place) = self.places.get_mut(&ticket) else {
            return Vec::new();
        };
        place.is_busy = false;
        std::mem::take(&mut place.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> DbKey {
        (DbIndex(0), name.as_bytes().into())
    }

    fn waiter(names: &[&str], kind: Kind, hears_absence: bool) -> Waiter {
        Waiter {
            keys: names.iter().map(|name| key(name)).collect(),
            kind,
            hears_absence,
        }
    }

    #[test]
    fn the_longest_waiter_of_the_right_kind_is_next() {
        let (mut waiters, mut awaited) = (Waiters::default(), Awaited::default());
        let mut add = |ticket, names: &[&str], kind, hears| {
            waiters.add(Ticket(ticket), waiter(names, kind, hears), &mut awaited);
        };
        add(9, &["a"], Kind::List, false);
        add(4, &["a", "b"], Kind::Zset, false);
        add(7, &["a"], Kind::List, false);
        add(5, &["a"], Kind::Stream, true);
        let next = |after: Option<u64>, there| {
            let next = waiters.next(&key("a"), after.map(Ticket), there);
            next.map(|ticket| ticket.0)
        };
        assert_eq!(next(None, Some(Kind::List)), Some(5));
        assert_eq!(next(Some(5), Some(Kind::List)), Some(7));
        assert_eq!(next(Some(9), Some(Kind::List)), None);
        assert_eq!(next(None, Some(Kind::Zset)), Some(4));
        assert_eq!(next(None, None), Some(5));
        assert_eq!(waiters.keys(), (2, 1));
        waiters.remove(Ticket(5), &mut awaited);
        assert_eq!(waiters.next(&key("a"), None, None), None);
        assert_eq!(waiters.keys(), (2, 0));
        for ticket in [4, 7, 9] {
            waiters.remove(Ticket(ticket), &mut awaited);
        }
        assert!(waiters.is_empty() && waiters.keys() == (0, 0) && awaited.is_empty());
    }

    #[test]
    fn who_is_behind_a_busy_one_is_remembered() {
        let (mut waiters, mut awaited) = (Waiters::default(), Awaited::default());
        let one = Ticket(1);
        waiters.add(one, waiter(&["a"], Kind::List, false), &mut awaited);
        assert!(!waiters.is_busy_for(one, &key("a")));
        waiters.set_busy(one);
        assert!(waiters.is_busy_for(one, &key("a")));
        assert_eq!(waiters.set_idle(one), [key("a")]);
        assert!(!waiters.is_busy_for(one, &key("a")));
        assert!(waiters.set_idle(one).is_empty());
    }
}
