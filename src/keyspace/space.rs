//! All databases of one shard, and what they have in common.
//!
//! The numbers, the frozen time and the observer live beside the databases, so that a [`Door`]
//! borrows one database and these, and nothing is shared between shards.

use super::EntryRef;
use super::access::AccessRule;
use super::db::Db;
use super::door::Door;
use super::evict::Candidates;
use super::graveyard::{Graveyard, Lazyfree};
use super::notes::Notes;
use super::pins::Pins;
use super::slot::Slot;
use super::snapshot::{Press, Snapshot};
use super::watch::Watches;
use crate::base::prng::Prng;
use crate::object::Packing;
use std::ops::Range;

/// The number of a database, as SELECT takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DbIndex(pub u32);

/// Whoever must see an entry before it changes: snapshots, the collector of gathered commands.
pub trait Observer {
    /// The entry of `key` is about to change; `old` is `None` when the key is new.
    fn before_change(&mut self, db: DbIndex, key: &[u8], old: Option<EntryRef<'_>>);
}

/// What the keyspace counts for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceStats {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    /// Keys that had to go because memory was short.
    pub evicted: u64,
    /// Fields of hashes whose time came.
    pub expired_fields: u64,
    /// Changes since the start, as rdb_changes_since_last_save counts them.
    pub changes: u64,
}

/// What all databases of a shard share.
pub struct Common {
    /// The time of the running command, Unix milliseconds: what expires by then is gone.
    pub now_ms: i64,
    /// The time from which a time to live counts; another one only where a master is obeyed, for
    /// whom nothing has expired that it has not deleted.
    pub clock_ms: i64,
    /// What has expired is unseen, and stays until the master deletes it.
    pub is_replica: bool,
    pub random: Prng,
    pub stats: SpaceStats,
    /// The longest string a command may make, in bytes (proto-max-bulk-len); whoever replays
    /// effects lifts it, as they were allowed where they happened.
    pub string_bytes_max: u64,
    pub observer: Option<Box<dyn Observer + Send>>,
    /// The running snapshot.
    pub(super) snapshot: Option<Box<Snapshot>>,
    /// The mark of entries that are born now, and that the running snapshot has.
    pub(super) epoch: bool,
    /// Who writes snapshots down.
    pub press: Option<Box<dyn Press>>,
    /// Who watches which keys.
    pub watches: Watches,
    /// Keys that stay although their time has come.
    pub pins: Pins,
    /// DEBUG SET-ACTIVE-EXPIRE 0 turns the sweeping off.
    pub active_expire: bool,
    /// Whether reading refreshes the access word (CLIENT NO-TOUCH turns it off).
    pub touches: bool,
    /// What the access word of an entry means.
    pub access: AccessRule,
    /// Up to where collections are packed.
    pub packing: Packing,
    /// Whether long strings in DUMP payloads are compressed (rdbcompression).
    pub compresses_dumps: bool,
    /// What is noticed of keys on the way, for whoever tells the outside.
    pub notes: Notes,
    /// Which values are freed lazily.
    pub lazyfree: Lazyfree,
    /// What is gone and still takes memory.
    pub(super) graveyard: Graveyard,
}

impl Common {
    /// Whether somebody must see entries before they change.
    #[inline]
    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some() | self.snapshot.is_some()
    }
}

/// All databases of one shard.
pub struct Keyspace {
    slots: Range<u32>,
    pub(super) dbs: Vec<Db>,
    /// Keys that may have to go next.
    pub(super) candidates: Candidates,
    pub common: Common,
}

impl Keyspace {
    /// Empty databases over these slots.
    pub fn new(slots: Range<u32>, databases: u32, random: Prng) -> Keyspace {
        let dbs = (0..databases).map(|_| Db::new(slots.clone())).collect();
        let common = Common {
            now_ms: 0,
            clock_ms: 0,
            is_replica: false,
            random,
            stats: SpaceStats::default(),
            string_bytes_max: u64::MAX,
            observer: None,
            snapshot: None,
            epoch: false,
            press: None,
            watches: Watches::default(),
            pins: Pins::default(),
            active_expire: true,
            touches: true,
            access: AccessRule::default(),
            packing: Packing::default(),
            compresses_dumps: true,
            notes: Notes::default(),
            lazyfree: Lazyfree::default(),
            graveyard: Graveyard::default(),
        };
        Keyspace {
            slots,
            dbs,
            candidates: Candidates::default(),
            common,
        }
    }

    /// How many databases there are.
    pub fn databases(&self) -> u32 {
        self.dbs.len() as u32
    }

    /// This shard's slots.
    pub(super) fn slots(&self) -> Range<u32> {
        self.slots.clone()
    }

    /// Whether a slot is this shard's.
    pub fn owns(&self, slot: Slot) -> bool {
        self.slots.contains(&u32::from(slot.0))
    }

    /// A database, to look at.
    pub fn db(&self, index: DbIndex) -> &Db {
        &self.dbs[index.0 as usize]
    }

    /// The door to a database.
    #[inline]
    pub fn door(&mut self, index: DbIndex) -> Door<'_> {
        Door::new(&mut self.dbs[index.0 as usize], index, &mut self.common)
    }

    /// Empties a database; what was in it is freed step by step, see [`Keyspace::bury_step`].
    pub fn flush(&mut self, index: DbIndex) {
        self.touch_present(index);
        self.observe_all(index);
        self.common.stats.changes += self.dbs[index.0 as usize].len() as u64;
        let empty = Db::new(self.slots.clone());
        let old = std::mem::replace(&mut self.dbs[index.0 as usize], empty);
        let old = match &mut self.common.snapshot {
            Some(snapshot) => snapshot.flushed(index, old),
            None => Some(old),
        };
        if let Some(old) = old {
            self.inter(old);
        }
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: DbIndex, other: DbIndex) {
        self.touch_swapped(one, other);
        self.observe_all(one);
        self.observe_all(other);
        self.common.stats.changes += 1;
        self.dbs.swap(one.0 as usize, other.0 as usize);
        if let Some(snapshot) = &mut self.common.snapshot {
            snapshot.swapped(one, other);
        }
    }

    fn observe_all(&mut self, index: DbIndex) {
        let Some(observer) = &mut self.common.observer else {
            return;
        };
        for segment in &self.dbs[index.0 as usize].segments {
            for (_, record) in segment.table.iter() {
                let entry = EntryRef { record };
                observer.before_change(index, entry.key(), Some(entry));
            }
        }
    }
}
