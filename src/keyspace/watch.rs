//! Watched keys: who wants to know whether a key has changed since (WATCH).
//!
//! A client watches keys on the shard where they live, and asks there later whether any of them
//! has changed. Every change of an entry passes [`Watches::touch`]; while nobody watches, that is
//! one look at a number. A key that has expired is removed before it is watched, so that a watched
//! key either is there or is not, and *any* change of it counts: also that its time comes.

use super::Lookup;
use super::awaited::Awaited;
use super::slot::{Key, ShardId};
use super::space::{DbIndex, Keyspace};
use hashbrown::HashMap;

/// A client of the node: its core, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    pub core: ShardId,
    pub session: u64,
}

#[derive(Debug, Default)]
struct Watcher {
    keys: Vec<(DbIndex, Box<[u8]>)>,
    is_broken: bool,
}

/// Who watches which keys of one shard, and which keys somebody waits for.
#[derive(Debug, Default)]
pub struct Watches {
    pub awaited: Awaited,
    /// By database, as far as any of them has been watched.
    keys: Vec<HashMap<Box<[u8]>, Vec<Client>>>,
    clients: HashMap<Client, Watcher>,
    is_hushed: bool,
}

/// What became of the keys of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// One of them has changed.
    pub is_broken: bool,
    /// When the first of them expires, Unix milliseconds.
    pub expires_at_ms: i64,
}

impl Watched {
    /// The keys of one who watches none here.
    pub const NOTHING: Watched = Watched {
        is_broken: false,
        expires_at_ms: i64::MAX,
    };
}

impl Watches {
    /// Whether nobody watches anything or waits for anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Both numbers in one: there is one branch for every change of an entry.
        self.clients.len() | self.awaited.len() == 0
    }

    fn add(&mut self, client: Client, db: DbIndex, key: &[u8]) {
        let index = db.0 as usize;
        if self.keys.len() <= index {
            self.keys.resize_with(index + 1, HashMap::new);
        }
        let clients = self.keys[index].entry(key.into()).or_default();
        if !clients.contains(&client) {
            clients.push(client);
            let watcher = self.clients.entry(client).or_default();
            watcher.keys.push((db, key.into()));
        }
    }

    /// Forgets a client and all that it has watched.
    pub fn forget(&mut self, client: Client) {
        let Some(watcher) = self.clients.remove(&client) else {
            return;
        };
        for (db, key) in watcher.keys {
            let keys = &mut self.keys[db.0 as usize];
            let Some(clients) = keys.get_mut(&key) else {
                continue;
            };
            clients.retain(|other| *other != client);
            if clients.is_empty() {
                keys.remove(&key);
            }
        }
    }

    /// A key changes: whoever watches it finds out when it asks, whoever waits for it is served
    /// when the command has run.
    #[inline]
    pub fn touch(&mut self, db: DbIndex, key: &[u8]) {
        if !self.is_empty() && !self.is_hushed {
            self.break_for(db, key);
        }
    }

    /// Says nothing of changes while they are made, for commands that know for
    /// themselves whether there was one: then they call [`Watches::touch`].
    pub fn hush(&mut self, is_hushed: bool) {
        self.is_hushed = is_hushed;
    }

    #[cold]
    fn break_for(&mut self, db: DbIndex, key: &[u8]) {
        self.awaited.touch(db, key);
        let clients = self.keys.get(db.0 as usize).and_then(|keys| keys.get(key));
        for client in clients.into_iter().flatten() {
            if let Some(watcher) = self.clients.get_mut(client) {
                watcher.is_broken = true;
            }
        }
    }

    /// The hashes of the keys that a client watches, for locks.
    pub fn hashes(&self, client: Client) -> impl Iterator<Item = u64> {
        let watcher = self.clients.get(&client).into_iter();
        watcher.flat_map(|watcher| watcher.keys.iter().map(|(_, key)| Key::new(key).hash))
    }

    fn keys_in(&self, db: DbIndex) -> Vec<Box<[u8]>> {
        let keys = self.keys.get(db.0 as usize).into_iter();
        let watched = keys.flat_map(|keys| keys.keys().cloned());
        let awaited = self.awaited.keys_in(db).map(Box::from);
        watched.chain(awaited).collect()
    }
}

impl Keyspace {
    /// Lets a client watch a key. What has expired is gone before.
    pub fn watch(&mut self, client: Client, db: DbIndex, key: &Key<'_>) {
        self.door(db).contains(key);
        self.common.watches.add(client, db, key.bytes);
    }

    /// What became of the keys that a client watches.
    pub fn watched(&mut self, client: Client) -> Watched {
        let mut watched = Watched::NOTHING;
        let Some(watcher) = self.common.watches.clients.get(&client) else {
            return watched;
        };
        if !watcher.is_broken {
            for (db, key) in watcher.keys.clone() {
                // Finding it removes what has expired, which breaks the watch.
                let entry = self.door(db).find(&Key::new(&key), Lookup::Write);
                let at = entry.and_then(|entry| entry.expires_at_ms());
                watched.expires_at_ms = at.unwrap_or(i64::MAX).min(watched.expires_at_ms);
            }
        }
        let watcher = self.common.watches.clients.get(&client);
        watched.is_broken = watcher.is_some_and(|watcher| watcher.is_broken);
        watched
    }

    /// A database is emptied: the watched and awaited keys that are there change.
    pub(super) fn touch_present(&mut self, db: DbIndex) {
        for key in self.common.watches.keys_in(db) {
            if self.door(db).contains(&Key::new(&key)) {
                self.common.watches.touch(db, &key);
            }
        }
    }

    /// Two databases change places: a watched key changes that is there before or afterwards.
    pub(super) fn touch_swapped(&mut self, one: DbIndex, other: DbIndex) {
        if one == other {
            return;
        }
        let mut keys = self.common.watches.keys_in(one);
        keys.extend(self.common.watches.keys_in(other));
        for key in keys {
            let name = Key::new(&key);
            let is_here = self.door(one).contains(&name);
            let is_there = self.door(other).contains(&name);
            if is_here || is_there {
                self.common.watches.touch(one, &key);
                self.common.watches.touch(other, &key);
            }
        }
    }
}
