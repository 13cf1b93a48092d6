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
    pub fn of_keys(keys: Vec<(u64, Lock)>) -> Intents {
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
    /// Those who wait and cannot run before this one has gone or yielded. Each who waits is in one
    /// such list: nobody else has to be looked at when locks become free.
    followers: Vec<Ticket>,
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
        let Some(lowest) = self.lowest.as_mut() else {
            self.lowest = Some((ticket, lock));
            return;
        };
        if ticket == lowest.0 {
            lowest.1 = lowest.1.max(lock);
        } else if ticket < lowest.0 {
            let second = std::mem::replace(lowest, (ticket, lock));
            self.others.insert(0, second);
        } else {
            let place = self.others.partition_point(|other| other.0 < ticket);
            match self.others.get_mut(place).filter(|it| it.0 == ticket) {
                Some(same) => same.1 = same.1.max(lock),
                None => self.others.insert(place, (ticket, lock)),
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
        let last = self.last_blocking(ticket, rivals.iter().copied());
        let wounded = if last.is_none() {
            Vec::new()
        } else {
            rivals
                .into_iter()
                .filter(|rival| *rival > ticket && self.holders[rival].is_granted)
                .collect()
        };
        let holder = Holder {
            intents,
            is_granted: last.is_none(),
            followers: Vec::new(),
        };
        self.holders.insert(ticket, holder);
        self.follow(last, ticket);
        Asked {
            is_granted: last.is_none(),
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

    /// The last of those who keep a ticket from running. It will often be the last to go, too.
    fn last_blocking(
        &self,
        ticket: Ticket,
        rivals: impl Iterator<Item = Ticket>,
    ) -> Option<Ticket> {
        rivals.filter(|rival| self.blocks(*rival, ticket)).max()
    }

    /// Lets a ticket wait for another one.
    fn follow(&mut self, leader: Option<Ticket>, ticket: Ticket) {
        if let Some(leader) = leader.and_then(|leader| self.holders.get_mut(&leader)) {
            leader.followers.push(ticket);
        }
    }

    /// Takes a grant back: the operation waits again. Returns who is granted now.
    pub fn yield_grant(&mut self, ticket: Ticket) -> Vec<Ticket> {
        let Some(holder) = self.holders.get_mut(&ticket) else {
            return Vec::new();
        };
        let mut waiting = std::mem::take(&mut holder.followers);
        if std::mem::take(&mut holder.is_granted) {
            waiting.push(ticket);
        }
        self.grant(waiting)
    }

    /// Forgets an operation. Returns who is granted now.
    pub fn release(&mut self, ticket: Ticket) -> Vec<Ticket> {
        let Some(holder) = self.holders.remove(&ticket) else {
            return Vec::new();
        };
        for (key, _) in &holder.intents.keys {
            if let Entry::Occupied(mut takers) = self.keys.entry(*key) {
                takers.get_mut().remove(ticket);
                if takers.get().lowest.is_none() {
                    takers.remove();
                }
            }
        }
        self.wholes.remove(&ticket);
        self.grant(holder.followers)
    }

    /// Grants what these wait for where nobody is in their way any more, lowest tickets first; the
    /// others wait on, for somebody else.
    fn grant(&mut self, mut waiting: Vec<Ticket>) -> Vec<Ticket> {
        waiting.sort_unstable();
        let mut granted = Vec::new();
        for ticket in waiting {
            // Somebody who waited may have gone.
            let Some(holder) = self.holders.get(&ticket) else {
                continue;
            };
            let last = self.last_blocking(ticket, self.rivals(&holder.intents));
            if last.is_none() {
                granted.push(ticket);
                self.holders.get_mut(&ticket).expect("just seen").is_granted = true;
            }
            self.follow(last, ticket);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

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

    /// Random operations against the rule itself: who is granted conflicts with nobody granted,
    /// and who waits has a reason.
    #[test]
    fn nobody_waits_without_a_reason() {
        let mut prng = Prng::from_seed(7);
        let mut locks = Locks::default();
        let mut tickets: Vec<Ticket> = Vec::new();
        for step in 0..20_000 {
            let at = prng.below(12) as usize;
            match (prng.below(4), tickets.get(at).copied()) {
                (0, Some(ticket)) => {
                    locks.yield_grant(ticket);
                }
                (1, Some(ticket)) => {
                    tickets.swap_remove(at);
                    locks.release(ticket);
                }
                _ if tickets.len() < 12 => {
                    // Messages of two cores may come in another order than that of their tickets.
                    let ticket = Ticket(step * 8 + prng.below(40));
                    let lock = |prng: &mut Prng| match prng.below(2) {
                        0 => Lock::Shared,
                        _ => Lock::Exclusive,
                    };
                    let keys = (0..1 + prng.below(3)).map(|_| (prng.below(6), lock(&mut prng)));
                    let intents = Intents::of_keys(keys.collect());
                    let intents = match prng.below(20) {
                        0 => Intents::whole(lock(&mut prng)),
                        _ => intents,
                    };
                    if locks.intents(ticket).is_none() {
                        locks.ask(ticket, intents);
                        tickets.push(ticket);
                    }
                }
                _ => {}
            }
            for ticket in &tickets {
                let holder = &locks.holders[ticket];
                let rivals = locks.rivals(&holder.intents);
                let mut granted = rivals.filter(|rival| locks.blocks(*rival, *ticket));
                let is_right = match holder.is_granted {
                    true => granted.all(|rival| !locks.holders[&rival].is_granted),
                    false => granted.next().is_some(),
                };
                assert!(is_right, "step {step}, {ticket:?} in {locks:?}");
            }
        }
        tickets
            .iter()
            .for_each(|ticket| drop(locks.release(*ticket)));
        assert!(locks.is_empty() && locks.keys.is_empty() && locks.wholes.is_empty());
    }

    #[test]
    fn intents_join_to_the_strongest() {
        let one = || [exclusive(&[3]), shared(&[1, 3])];
        let mut locks = Locks::default();
        locks.ask(Ticket(1), Intents::joined(one()));
        assert!(locks.is_free(&shared(&[1])) && !locks.is_free(&exclusive(&[1])));
        assert!(
            !locks.is_free(&shared(&[3])),
            "named twice, once to be written"
        );
        locks.release(Ticket(1));
        assert!(locks.is_empty() && !locks.are_on(3));
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
