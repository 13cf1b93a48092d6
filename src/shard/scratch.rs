//! Gathered commands: the ordinary handler, on copies of keys that live on several shards.
//!
//! The keys are locked where they live, their entries come to the core the command arrived at, a
//! scratch keyspace is filled with them, and the handler runs there as if there were one shard.
//! The observer of the scratch keyspace tells which keys it changed; those go back to where they
//! live. So a handler never asks how many shards exist, and no command needs a second version.

use super::journal::Records;
use super::run::{Call, Shard, run};
use super::waiters::Wait;
use crate::keyspace::{DbIndex, Entry, EntryRef, Key, Keyspace, Lookup, Observer, SLOTS};
use crate::resp::{ErrorReply, Output};
use std::sync::mpsc::{Sender, channel};

/// Copies of the entries of one key, in every database that has it.
pub type Fetched = Vec<(DbIndex, Box<[u8]>, Entry)>;

/// What became of a key: its new entry, or none.
pub type Changed = Vec<(DbIndex, Box<[u8]>, Option<Entry>)>;

/// Copies what a shard has of these keys.
pub fn fetch<'k>(shard: &mut Shard, keys: impl Iterator<Item = &'k [u8]>) -> Fetched {
    let mut fetched = Vec::new();
    let now_ms = shard.see_expired();
    for bytes in keys {
        let key = Key::new(bytes);
        for db in (0..shard.space.databases()).map(DbIndex) {
            if shard.space.db(db).is_empty() {
                continue;
            }
            if let Some(entry) = shard.space.door(db).find(&key, Lookup::Write) {
                fetched.push((db, bytes.into(), entry.to_entry()));
            }
        }
    }
    shard.space.common.now_ms = now_ms;
    shard.gather_notes();
    fetched
}

/// Puts changed keys into the shard they belong to.
pub fn install(shard: &mut Shard, changed: Changed) {
    // What there was to notice was noticed where the command ran.
    let notes = std::mem::take(&mut shard.space.common.notes);
    let now_ms = shard.see_expired();
    for (db, bytes, entry) in changed {
        let key = Key::new(&bytes);
        match entry {
            Some(entry) => shard.space.door(db).put(&key, entry),
            None => drop(shard.space.door(db).remove(&key)),
        }
    }
    shard.space.common.now_ms = now_ms;
    shard.space.common.notes = notes;
}

/// Notes which keys change.
struct Collector(Sender<(DbIndex, Box<[u8]>)>);

impl Observer for Collector {
    fn before_change(&mut self, db: DbIndex, key: &[u8], _: Option<EntryRef<'_>>) {
        // The receiver lives as long as the run; when it is gone nobody needs to know.
        let _ = self.0.send((db, key.into()));
    }
}

/// What a command on copies has left behind.
pub struct Gathered {
    pub changed: Changed,
    /// Its effects, for the shards that install the changes to say.
    pub records: Records,
    /// What it wants to wait for, if it has found nothing.
    pub result: Result<Option<Box<Wait>>, ErrorReply>,
}

/// Runs a command on fetched entries; the reply is in `out`, unless it wants to wait. The changes
/// are returned. Its effects are kept if those who install the changes keep theirs.
pub fn run_gathered(
    shard: &mut Shard,
    call: &Call<'_>,
    fetched: Fetched,
    is_recording: bool,
    out: &mut Output,
) -> Gathered {
    let has_big = fetched.iter().any(|(_, _, entry)| entry.is_big());
    let mut effects = shard.effects.of_copies(is_recording);
    let mut space = scratch(shard, fetched);
    effects.want_notes(&mut space.common.notes);
    let (sender, receiver) = channel();
    space.common.observer = Some(Box::new(Collector(sender)));
    let result = run(&mut space, &mut effects, call, out);
    let mut touched: Vec<_> = receiver.try_iter().collect();
    touched.sort_unstable();
    touched.dedup();
    let stats = space.common.stats;
    shard.space.common.stats.hits += stats.hits;
    shard.space.common.stats.misses += stats.misses;
    let (records, events) = effects.take_all();
    shard.effects.add_events(events);
    space.common.observer = None;
    let changed = touched
        .into_iter()
        .map(|(db, key)| {
            let entry = space.door(db).take(&Key::new(&key));
            (db, key, entry)
        })
        .collect();
    if has_big {
        shard.space.inter_all(space);
    }
    Gathered {
        changed,
        records,
        result,
    }
}

/// A keyspace like the shard's that holds nothing but these entries.
fn scratch(shard: &mut Shard, fetched: Fetched) -> Keyspace {
    let common = &mut shard.space.common;
    let (now_ms, random, access) = (common.now_ms, common.random.fork(), common.access);
    let clock = (common.clock_ms, common.is_replica);
    let (string_bytes_max, packing) = (common.string_bytes_max, common.packing);
    let compresses_dumps = common.compresses_dumps;
    let mut space = Keyspace::new(0..SLOTS, shard.space.databases(), random);
    space.common.now_ms = now_ms;
    (space.common.clock_ms, space.common.is_replica) = clock;
    space.common.access = access;
    space.common.string_bytes_max = string_bytes_max;
    space.common.packing = packing;
    space.common.compresses_dumps = compresses_dumps;
    for (db, key, entry) in fetched {
        space.door(db).put(&Key::new(&key), entry);
    }
    space
}
