//! Locks of operations that span several shards: who may run when, on this shard.
//!
//! An operation that spans shards draws a ticket, announces to each of its shards which keys it
//! will read or write, runs when all of them have granted it, and then releases them: two-phase
//! locking, so that the result is as if operations ran one at a time, in an order that agrees with
//! real time. Tickets prevent deadlock: *whoever waits, waits for a lower ticket*.
//!
//! ```text
//!   waiting 9 --waits for--> waiting 5 --waits for--> granted 3        never the other way
//! ```
//!
//! When a lower ticket arrives at a lock that a higher one has been granted, the shard asks the
//! higher one's coordinator to yield (wound-wait). A coordinator that still waits for another
//! shard yields, and waits behind; one that has all its grants runs and releases. Either way the
//! lower ticket proceeds; nobody retries, nobody starves.
//!
//! A single-shard command that meets a conflicting lock waits in the same queues with a ticket of
//! its own; when there are no locks at all, which is the usual case, it costs one comparison.
//!
//! Source of the idea: wound-wait, Rosenkrantz, Stearns and Lewis, "System level concurrency
//! control for distributed database systems", 1978.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::BTreeMap;

/// The place of an operation in the order of all that wait; drawn from one counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How a key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    Shared,
    Exclusive,
}

impl Lock {
    fn conflicts(self, other: Lock) -> bool {
        self == Lock::Exclusive || other == Lock::Exclusive
    }
}

/// What an operation will touch on one shard: keys by their hash, or everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intents {
    keys: Vec<(u64, Lock)>,
    whole: Option<Lock>,
}

impl Intents {
    /// Everything on the shard.
    pub fn whole(lock: Lock) -> Intents {
        Intents {
            keys: Vec::new(),
            whole: Some(lock),
        }
    }

    /// These keys, by hash; a key that is named twice counts by its stronger use.
    pub fn of_keys(mut keys: Vec<(u64, Lock)>) -> Intents {
        keys.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        keys.dedup_by_key(|key| key.0);
        Intents { keys, whole: None }
    }

    /// All these together.
    pub fn joined(all: impl IntoIterator<Item = Intents>) -> Intents {
        let (mut keys, mut whole) = (Vec::new(), None);
        for intents in all {
            keys.extend(intents.keys);
            whole = whole.max(intents.whole);
        }
        match whole {
            None => Intents::of_keys(keys),
            Some(lock) => {
                let strongest = keys.iter().map(|(_, lock)| *lock).max();
                Intents::whole(strongest.map_or(lock, |strongest| lock.max(strongest)))
            }
        }
    }

    /// The keys by their hashes; `None`: everything.
    pub fn hashes(&self) -> Option<impl Iterator<Item = u64>> {
        let hashes = self.keys.iter().map(|(hash, _)| *hash);
        self.whole.is_none().then_some(hashes)
    }

    /// Whether nothing will be touched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.whole.is_none()
    }
}

#[derive(Debug)]
struct Holder {
    intents: Intents,
    is_granted: bool,
}

/// Who wants one key, by ticket. Nearly always it is one, who needs no memory of its own.
#[derive(Debug, Default)]
struct Takers {
    lowest: Option<(Ticket, Lock)>,
    others: Vec<(Ticket, Lock)>,
}

impl Takers {
    fn iter(&self) -> impl Iterator<Item = (Ticket, Lock)> + '_ {
        self.lowest.iter().chain(&self.others).copied()
    }

    fn insert(&mut self, ticket: Ticket, lock: Lock) {
        match self.lowest.replace((ticket, lock)) {
            None => {}
            Some(lowest) if ticket < lowest.0 => self.others.insert(0, lowest),
            Some(lowest) => {
                self.lowest = Some(lowest);
                let place = self.others.partition_point(|other| other.0 < ticket);
                self.others.insert(place, (ticket, lock));
            }
        }
    }

    fn remove(&mut self, ticket: Ticket) {
        if self.lowest.is_none_or(|lowest| lowest.0 != ticket) {
            self.others.retain(|other| other.0 != ticket);
        } else if self.others.is_empty() {
            self.lowest = None;
        } else {
            self.lowest = Some(self.others.remove(0));
        }
    }
}

/// The locks of one shard.
#[derive(Debug, Default)]
pub struct Locks {
    holders: BTreeMap<Ticket, Holder>,
    /// How many of them wait.
    waiting: usize,
    keys: HashMap<u64, Takers>,
    /// Who wants everything.
    wholes: BTreeMap<Ticket, Lock>,
}

/// What came of asking for locks.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    pub is_granted: bool,
    /// Higher tickets that were granted what this one needs: ask them to yield.
    pub wounded: Vec<Ticket>,
}

impl Locks {
    /// Whether nobody holds or awaits anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// What an operation holds or awaits.
    pub fn intents(&self, ticket: Ticket) -> Option<&Intents> {
        self.holders.get(&ticket).map(|holder| &holder.intents)
    }

    /// Whether a single-shard command may run now.
    pub fn is_free(&self, intents: &Intents) -> bool {
        self.rivals(intents).next().is_none()
    }

    /// Whether anybody holds or awaits this key, by hash.
    pub fn are_on(&self, hash: u64) -> bool {
        !self.wholes.is_empty() || self.keys.contains_key(&hash)
    }

    /// Asks for locks.
    pub fn ask(&mut self, ticket: Ticket, intents: Intents) -> Asked {
        let rivals = self.enter(ticket, &intents);
        let is_granted = !rivals.iter().any(|rival| self.blocks(*rival, ticket));
        let wounded = if is_granted {
            Vec::new()
        } else {
            rivals
                .into_iter()
                .filter(|rival| *rival > ticket && self.holders[rival].is_granted)
                .collect()
        };
        self.waiting += usize::from(!is_granted);
        self.holders.insert(
            ticket,
            Holder {
                intents,
                is_granted,
            },
        );
        Asked {
            is_granted,
            wounded,
        }
    }

    /// Notes what a ticket wants; returns everybody else who wants something that conflicts.
    fn enter(&mut self, ticket: Ticket, intents: &Intents) -> Vec<Ticket> {
        let mut rivals = Vec::new();
        if intents.whole.is_some() || !self.wholes.is_empty() {
            rivals = self.rivals(intents).collect();
        }
        for (key, lock) in &intents.keys {
            let takers = self.keys.entry(*key).or_default();
            let others = takers.iter().filter(|other| other.1.conflicts(*lock));
            rivals.extend(others.map(|(ticket, _)| ticket));
            takers.insert(ticket, *lock);
        }
        if let Some(lock) = intents.whole {
            self.wholes.insert(ticket, lock);
        }
        rivals
    }

    /// Everybody else who wants something that conflicts; some may be named twice.
    fn rivals<'l>(&'l self, intents: &'l Intents) -> impl Iterator<Item = Ticket> + 'l {
        let strongest = intents
            .whole
            .or(intents.keys.iter().map(|(_, lock)| *lock).max());
        let by_key = intents.keys.iter().flat_map(|(key, lock)| {
            let takers = self.keys.get(key).into_iter().flat_map(Takers::iter);
            takers
                .filter(|(_, other)| other.conflicts(*lock))
                .map(|(ticket, _)| ticket)
        });
        let wholes = self.wholes.iter().filter(move |(_, other)| {
            strongest.is_some_and(|strongest| other.conflicts(strongest))
        });
        let everybody = intents.whole.into_iter().flat_map(|lock| {
            let conflicts =
                move |holder: &Holder| holder.intents.keys.iter().any(|key| key.1.conflicts(lock));
            self.holders
                .iter()
                .filter(move |(_, h)| conflicts(h))
                .map(|(ticket, _)| *ticket)
        });
        by_key
            .chain(wholes.map(|(ticket, _)| *ticket))
            .chain(everybody)
    }

    /// Whether `rival`, which wants something conflicting, keeps `ticket` from running.
    fn blocks(&self, rival: Ticket, ticket: Ticket) -> bool {
        rival != ticket && (rival < ticket || self.holders[&rival].is_granted)
    }

    /// Takes a grant back: the operation waits again. Returns who is granted now.
    pub fn yield_grant(&mut self, ticket: Ticket) -> Vec<Ticket> {
        let Some(holder) = self.holders.get_mut(&ticket) else {
            return Vec::new();
        };
        self.waiting += usize::from(std::mem::take(&mut holder.is_granted));
        let intents = holder.intents.clone();
        self.grant(&intents)
    }

    /// Forgets an operation. Returns who is granted now.
    pub fn release(&mut self, ticket: Ticket) -> Vec<Ticket> {
        let Some(holder) = self.holders.remove(&ticket) else {
            return Vec::new();
        };
        self.waiting -= usize::from(!holder.is_granted);
        for (key, _) in &holder.intents.keys {
            if let Entry::Occupied(mut takers) = self.keys.entry(*key) {
                takers.get_mut().remove(ticket);
                if takers.get().lowest.is_none() {
                    takers.remove();
                }
            }
        }
        self.wholes.remove(&ticket);
        self.grant(&holder.intents)
    }

    /// Grants what has become free around these intents, lowest tickets first.
    fn grant(&mut self, freed: &Intents) -> Vec<Ticket> {
        if self.waiting == 0 {
            return Vec::new();
        }
        let mut waiting: Vec<Ticket> = if freed.whole.is_some() {
            self.holders.keys().copied().collect()
        } else {
            let takers = freed.keys.iter().filter_map(|(key, _)| self.keys.get(key));
            takers
                .flat_map(|takers| takers.iter().map(|(ticket, _)| ticket))
                .chain(self.wholes.keys().copied())
                .collect()
        };
        waiting.sort_unstable();
        waiting.dedup();
        let mut granted = Vec::new();
        for ticket in waiting {
            let holder = &self.holders[&ticket];
            let is_free = || {
                !self
                    .rivals(&holder.intents)
                    .any(|rival| self.blocks(rival, ticket))
            };
            if !holder.is_granted && is_free() {
                granted.push(ticket);
                self.holders.get_mut(&ticket).expect("just seen").is_granted = true;
                self.waiting -= 1;
            } else if !holder.is_granted && freed.keys.len() == 1 && self.is_exclusive(freed) {
                break;
            }
        }
        granted
    }

    /// Whether everybody who waits for the only freed key wants it alone: then nobody behind the
    /// first who may not run may run either, and a long queue need not be walked.
    fn is_exclusive(&self, freed: &Intents) -> bool {
        let takers = self.keys.get(&freed.keys[0].0);
        let are_exclusive = |takers: &Takers| takers.iter().all(|it| it.1 == Lock::Exclusive);
        self.wholes.is_empty() && takers.is_none_or(are_exclusive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exclusive(keys: &[u64]) -> Intents {
        Intents::of_keys(keys.iter().map(|key| (*key, Lock::Exclusive)).collect())
    }

    fn shared(keys: &[u64]) -> Intents {
        Intents::of_keys(keys.iter().map(|key| (*key, Lock::Shared)).collect())
    }

    fn granted() -> Asked {
        Asked {
            is_granted: true,
            wounded: Vec::new(),
        }
    }

    fn waits(wounded: &[u64]) -> Asked {
        Asked {
            is_granted: false,
            wounded: wounded.iter().map(|t| Ticket(*t)).collect(),
        }
    }

    #[test]
    fn readers_share_and_writers_wait_their_turn() {
        let mut locks = Locks::default();
        assert_eq!(locks.ask(Ticket(1), shared(&[7])), granted());
        assert_eq!(locks.ask(Ticket(2), shared(&[7])), granted());
        assert_eq!(locks.ask(Ticket(3), exclusive(&[7])), waits(&[]));
        assert_eq!(locks.ask(Ticket(4), shared(&[7])), waits(&[]));
        assert_eq!(locks.ask(Ticket(5), exclusive(&[8])), granted());
        assert_eq!(locks.release(Ticket(1)), []);
        assert_eq!(locks.release(Ticket(2)), [Ticket(3)]);
        assert_eq!(locks.release(Ticket(3)), [Ticket(4)]);
        assert!(!locks.is_free(&exclusive(&[7])) && locks.is_free(&shared(&[7])));
        locks.release(Ticket(4));
        locks.release(Ticket(5));
        assert!(locks.is_empty());
    }

    #[test]
    fn a_lower_ticket_wounds_a_higher_grant() {
        let mut locks = Locks::default();
        assert_eq!(locks.ask(Ticket(7), exclusive(&[1])), granted());
        assert_eq!(locks.ask(Ticket(5), exclusive(&[1, 2])), waits(&[7]));
        assert_eq!(locks.yield_grant(Ticket(7)), [Ticket(5)]);
        assert_eq!(locks.release(Ticket(5)), [Ticket(7)]);
    }

    #[test]
    fn intents_join_to_the_strongest() {
        let one = || [exclusive(&[3]), shared(&[1, 3])];
        let both = Intents::of_keys(vec![(1, Lock::Shared), (3, Lock::Exclusive)]);
        assert_eq!(Intents::joined(one()), both);
        let whole = Intents::whole(Lock::Shared);
        let joined = Intents::joined([whole.clone(), shared(&[1])]);
        assert_eq!(joined, whole);
        let joined = Intents::joined(one().into_iter().chain([whole]));
        assert_eq!(joined, Intents::whole(Lock::Exclusive));
        assert!(Intents::joined([]).is_empty());
    }

    #[test]
    fn everything_conflicts_with_the_whole() {
        let mut locks = Locks::default();
        assert_eq!(locks.ask(Ticket(1), exclusive(&[1])), granted());
        assert_eq!(
            locks.ask(Ticket(2), Intents::whole(Lock::Exclusive)),
            waits(&[])
        );
        assert_eq!(locks.ask(Ticket(3), shared(&[9])), waits(&[]));
        assert_eq!(locks.release(Ticket(1)), [Ticket(2)]);
        assert_eq!(locks.release(Ticket(2)), [Ticket(3)]);
        assert_eq!(
            locks.ask(Ticket(4), Intents::whole(Lock::Shared)),
            granted()
        );
        assert_eq!(locks.ask(Ticket(5), shared(&[2])), granted());
    }
}
