//! A consumer group: how far it has been served, and what was given to whom and not confirmed.
//!
//! A pending entry stands in the group's list with whom it was given to, when and how often, and
//! in the list of its consumer; the two are changed together, here. Consumers are numbered, so
//! that a pending entry names one in four bytes.

use super::id::StreamId;
use super::id_map::IdMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of a consumer in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// An entry that was given and not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub consumer: ConsumerId,
    /// Unix time in milliseconds.
    pub delivered_at_ms: i64,
    pub deliveries: u64,
}

/// Who takes entries of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    name: Arc<[u8]>,
    /// When it last asked, Unix time in milliseconds.
    pub seen_at_ms: i64,
    /// When it last got something, Unix time in milliseconds; -1 for never.
    pub active_at_ms: i64,
    pending: IdMap<()>,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Ids of the entries it has not confirmed.
    pub fn pending(&self) -> &IdMap<()> {
        &self.pending
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry that was given to somebody.
    pub last_id: StreamId,
    /// How many entries were given, where that is known.
    pub entries_read: Option<u64>,
    pending: IdMap<Pending>,
    consumers: Vec<Option<Consumer>>,
    numbers: BTreeMap<Arc<[u8]>, ConsumerId>,
}

impl PartialEq for Group {
    /// The same content, whatever the numbers of the consumers.
    fn eq(&self, other: &Group) -> bool {
        let facts = |group: &Group| (group.last_id, group.entries_read, group.pending.len());
        let details = |pending: &Pending| (pending.delivered_at_ms, pending.deliveries);
        let given = |group: &Group| -> Vec<_> {
            let pending = group.pending.iter();
            pending.map(|(id, one)| (id, details(one))).collect()
        };
        facts(self) == facts(other)
            && self.consumers().eq(other.consumers())
            && given(self) == given(other)
    }
}

impl Eq for Group {}

impl Group {
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            last_id,
            entries_read,
            ..Group::default()
        }
    }

    /// Entries that were given and not confirmed.
    pub fn pending(&self) -> &IdMap<Pending> {
        &self.pending
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> + Clone {
        self.numbers.values().map(|number| self.consumer(*number))
    }

    /// The number of the consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.numbers.get(name).copied()
    }

    pub fn consumer(&self, number: ConsumerId) -> &Consumer {
        let consumer = self.consumers[number.0 as usize].as_ref();
        consumer.expect("numbers are those of consumers")
    }

    pub fn consumer_mut(&mut self, number: ConsumerId) -> &mut Consumer {
        let consumer = self.consumers[number.0 as usize].as_mut();
        consumer.expect("numbers are those of consumers")
    }

    /// Adds a consumer; `None` when there is one of this name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerId> {
        if self.numbers.contains_key(name) {
            return None;
        }
        let name: Arc<[u8]> = name.into();
        let consumer = Some(Consumer {
            name: name.clone(),
            seen_at_ms: now_ms,
            active_at_ms: -1,
            pending: IdMap::default(),
        });
        let free = self.consumers.iter().position(Option::is_none);
        let at = free.unwrap_or(self.consumers.len());
        match free {
            Some(at) => self.consumers[at] = consumer,
            None => self.consumers.push(consumer),
        }
        let number = ConsumerId(at as u32);
        self.numbers.insert(name, number);
        Some(number)
    }

    /// Removes a consumer with all that was given to it; says how many entries that were.
    pub fn remove_consumer(&mut self, number: ConsumerId) -> usize {
        let consumer = self.consumers[number.0 as usize].take();
        let consumer = consumer.expect("numbers are those of consumers");
        self.numbers.remove(&consumer.name);
        for (id, ()) in consumer.pending.iter() {
            self.pending.remove(id);
        }
        consumer.pending.len()
    }

    /// Notes an entry as given, whoever had it before.
    pub fn give(&mut self, id: StreamId, pending: Pending) {
        let old = self.pending.insert(id, pending);
        let old = old.map(|old| old.consumer);
        if old == Some(pending.consumer) {
            return;
        }
        if let Some(old) = old {
            self.consumer_mut(old).pending.remove(id);
        }
        self.consumer_mut(pending.consumer).pending.insert(id, ());
    }

    /// Notes that an entry was given again to whom it belongs.
    pub fn give_again(&mut self, id: StreamId, now_ms: i64) -> Option<Pending> {
        let pending = self.pending.find_mut(id)?;
        pending.delivered_at_ms = now_ms;
        pending.deliveries = pending.deliveries.wrapping_add(1);
        Some(*pending)
    }

    /// Forgets that an entry was given; says whether it was.
    pub fn confirm(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else {
            return false;
        };
        self.consumer_mut(pending.consumer).pending.remove(id);
        true
    }

    /// Bytes it asks of the allocator.
    pub fn bytes(&self) -> usize {
        /// A consumer's place, its number's entry in the map, and the header of its name.
        const CONSUMER_BYTES: usize = size_of::<Consumer>() + 40 + 16;
        let of =
            |consumer: &Consumer| CONSUMER_BYTES + consumer.name.len() + consumer.pending.bytes();
        let consumers: usize = self.consumers().map(of).sum();
        size_of::<Group>() + self.pending.bytes() + consumers
    }

    /// Frees about so many pending entries; says whether there are more.
    pub(super) fn drop_some(&mut self, budget: usize) -> bool {
        if self.pending.drop_some(budget) {
            return true;
        }
        let consumers = self.consumers.iter_mut().flatten();
        let mut full = consumers.filter(|consumer| !consumer.pending.is_empty());
        full.next().is_some_and(|consumer| {
            consumer.pending.drop_some(budget);
            true
        })
    }
}
