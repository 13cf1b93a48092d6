//! Who listens to what on one core.
//!
//! Two views of the same facts: the listeners of every name, for publishing, and the names of
//! every listener, for taking all of them back at once. A listener is a number to this part. The
//! first listener of a name and the end of the last one are news: they go to the name's home, the
//! core that counts each name once for all cores.

use super::interest::{Interest, Spot};
use crate::base::glob;
use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Channel,
    Pattern,
    Shard,
}

/// A name has its first listener on a core, or has lost the last one there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub kind: Kind,
    pub name: Bytes,
    pub has_listeners: bool,
}

/// The names of one listener, each with its place in the order in which they came.
#[derive(Debug, Default)]
struct Names {
    by_kind: [HashMap<Bytes, u64>; 3],
    next: u64,
}

/// The listeners of one core.
#[derive(Debug)]
pub struct Registry {
    core: usize,
    interest: Arc<Interest>,
    listeners: [HashMap<Bytes, HashSet<u64>>; 3],
    /// How many names share a spot.
    spots: HashMap<Spot, u32>,
    names: HashMap<u64, Names>,
    news: Vec<News>,
}

impl Registry {
    /// Nobody listens yet on this core.
    pub fn new(core: usize, interest: Arc<Interest>) -> Registry {
        Registry {
            core,
            interest,
            listeners: Default::default(),
            spots: HashMap::new(),
            names: HashMap::new(),
            news: Vec::new(),
        }
    }

    /// Begins to listen; false when it did already.
    pub fn subscribe(&mut self, kind: Kind, listener: u64, name: &[u8]) -> bool {
        let names = self.names.entry(listener).or_default();
        if names.by_kind[kind as usize].contains_key(name) {
            return false;
        }
        let listeners = &mut self.listeners[kind as usize];
        let name = match listeners.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => Bytes::copy_from_slice(name),
        };
        names.by_kind[kind as usize].insert(name.clone(), names.next);
        names.next += 1;
        let all = listeners.entry(name.clone()).or_default();
        all.insert(listener);
        if all.len() == 1 {
            self.begin(kind, name);
        }
        true
    }

    fn begin(&mut self, kind: Kind, name: Bytes) {
        let spot = Interest::spot(kind, &name);
        let sharing = self.spots.entry(spot).or_insert(0);
        *sharing += 1;
        if *sharing == 1 {
            self.interest.begin(spot, self.core);
        }
        self.tell(kind, name, true);
    }

    fn end(&mut self, kind: Kind, name: Bytes) {
        let spot = Interest::spot(kind, &name);
        let sharing = self.spots.get_mut(&spot).expect("every name has its spot");
        *sharing -= 1;
        if *sharing == 0 {
            self.spots.remove(&spot);
            self.interest.end(spot, self.core);
        }
        self.tell(kind, name, false);
    }

    fn tell(&mut self, kind: Kind, name: Bytes, has_listeners: bool) {
        self.news.push(News {
            kind,
            name,
            has_listeners,
        });
    }

    /// Stops listening; false when it did not.
    pub fn unsubscribe(&mut self, kind: Kind, listener: u64, name: &[u8]) -> bool {
        let Some(names) = self.names.get_mut(&listener) else {
            return false;
        };
        let Some((name, _)) = names.by_kind[kind as usize].remove_entry(name) else {
            return false;
        };
        if names.by_kind.iter().all(HashMap::is_empty) {
            self.names.remove(&listener);
        }
        self.forget(kind, listener, name);
        true
    }

    fn forget(&mut self, kind: Kind, listener: u64, name: Bytes) {
        let listeners = &mut self.listeners[kind as usize];
        let all = listeners.get_mut(&name).expect("both views agree");
        all.remove(&listener);
        if all.is_empty() {
            listeners.remove(&name);
            self.end(kind, name);
        }
    }

    /// Stops listening to all names of a kind. Returns them in the order in which they came.
    pub fn unsubscribe_all(&mut self, kind: Kind, listener: u64) -> Vec<Bytes> {
        let Some(names) = self.names.get_mut(&listener) else {
            return Vec::new();
        };
        let mut ended: Vec<(Bytes, u64)> = std::mem::take(&mut names.by_kind[kind as usize])
            .into_iter()
            .collect();
        if names.by_kind.iter().all(HashMap::is_empty) {
            self.names.remove(&listener);
        }
        ended.sort_unstable_by_key(|(_, place)| *place);
        let ended: Vec<Bytes> = ended.into_iter().map(|(name, _)| name).collect();
        for name in &ended {
            self.forget(kind, listener, name.clone());
        }
        ended
    }

    /// How many names of a kind a listener has.
    pub fn names_of(&self, kind: Kind, listener: u64) -> usize {
        let names = self.names.get(&listener);
        names.map_or(0, |names| names.by_kind[kind as usize].len())
    }

    /// How many listen to a name here.
    pub fn listeners_of(&self, kind: Kind, name: &[u8]) -> usize {
        self.listeners[kind as usize]
            .get(name)
            .map_or(0, HashSet::len)
    }

    /// Those who listen to a channel by its name; then those who do by a pattern, with it.
    pub fn audience<'r>(
        &'r self,
        kind: Kind,
        channel: &'r [u8],
    ) -> impl Iterator<Item = (Option<&'r Bytes>, &'r HashSet<u64>)> {
        let by_name = self.listeners[kind as usize].get(channel);
        let patterns = (kind == Kind::Channel).then_some(&self.listeners[Kind::Pattern as usize]);
        let by_pattern = patterns.into_iter().flatten();
        let matching = by_pattern.filter(|(pattern, _)| glob::matches(pattern, channel, false));
        by_name
            .map(|all| (None, all))
            .into_iter()
            .chain(matching.map(|(pattern, all)| (Some(pattern), all)))
    }

    /// Takes the news that have gathered.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Whether there are any.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeSet;

    const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

    fn audience(registry: &Registry, channel: &str) -> BTreeSet<(Option<String>, u64)> {
        let mut all = BTreeSet::new();
        for (pattern, listeners) in registry.audience(Kind::Channel, channel.as_bytes()) {
            let pattern = pattern.map(|name| String::from_utf8_lossy(name).into_owned());
            all.extend(listeners.iter().map(|who| (pattern.clone(), *who)));
        }
        all
    }

    #[test]
    fn agrees_with_a_plain_list_of_pairs() {
        let interest = Arc::new(Interest::new(1));
        let mut registry = Registry::new(0, interest.clone());
        let mut pairs: Vec<(usize, u64, &str)> = Vec::new();
        let mut counted: BTreeSet<(usize, Bytes)> = BTreeSet::new();
        let mut random = Prng::from_seed(11);
        let names = ["a", "b", "ab", "a*", "*b", "?"];
        for round in 0..20_000 {
            let kind = random.below(3) as usize;
            let (who, name) = (random.below(4), names[random.below(6) as usize]);
            let place = pairs.iter().position(|pair| *pair == (kind, who, name));
            match random.below(20) {
                0 => {
                    let ended = registry.unsubscribe_all(KINDS[kind], who);
                    let is_ended = |pair: &&(usize, u64, &str)| pair.0 == kind && pair.1 == who;
                    let expected: Vec<_> =
                        pairs.iter().filter(is_ended).map(|pair| pair.2).collect();
                    assert_eq!(ended, expected, "round {round}");
                    pairs.retain(|pair| !is_ended(&pair));
                }
                1..=9 => {
                    let done = registry.unsubscribe(KINDS[kind], who, name.as_bytes());
                    assert_eq!(done, place.map(|at| pairs.remove(at)).is_some());
                }
                _ => {
                    let done = registry.subscribe(KINDS[kind], who, name.as_bytes());
                    assert_eq!(done, place.is_none(), "round {round}");
                    if done {
                        pairs.push((kind, who, name));
                    }
                }
            }
            for news in registry.take_news() {
                let entry = (news.kind as usize, news.name);
                match news.has_listeners {
                    true => assert!(counted.insert(entry)),
                    false => assert!(counted.remove(&entry)),
                }
            }
            let expected: BTreeSet<_> = pairs
                .iter()
                .filter(|(kind, _, name)| match KINDS[*kind] {
                    Kind::Channel => *name == "ab",
                    Kind::Pattern => ["ab", "a*", "*b"].contains(name),
                    Kind::Shard => false,
                })
                .map(|(kind, who, name)| ((*kind == 1).then(|| name.to_string()), *who))
                .collect();
            assert_eq!(audience(&registry, "ab"), expected, "round {round}");
            let is_wanted = interest.cores(Kind::Channel, b"ab").count() == 1;
            assert!(is_wanted || expected.is_empty(), "round {round}");
            let names: BTreeSet<_> = pairs
                .iter()
                .map(|pair| (pair.0, Bytes::from_static(pair.2.as_bytes())))
                .collect();
            assert_eq!(counted, names, "round {round}");
        }
    }
}
