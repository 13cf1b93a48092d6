//! Where a command runs, read off its spec and its keys.
//!
//! Plain functions over data: the same decision serves dispatch, locks and the look-ahead.

use crate::command::{ArgStore, Args, Begin, Find, KeyFlags, KeySpec, Plan, Spec, positions};
use crate::keyspace::{Cursor, Key, ShardId, Slot, SlotMap};
use crate::shard::{Intents, Lock};

/// Where a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// On one shard. With the position, slot and hash of the first key if there is one.
    One(ShardId, Option<(usize, Slot, u64)>),
    /// On any shard.
    Any,
    /// On several shards, as one operation.
    Several,
}

/// The position of the only key of a command that has exactly one.
#[inline]
pub fn only_key(spec: &Spec) -> Option<usize> {
    match spec.keys {
        [
            KeySpec {
                begin: Begin::Index(at),
                find: Find::Range { last: 0, .. },
                flags,
                ..
            },
        ] if !flags.has(KeyFlags::NOT_KEY) => Some(*at as usize),
        _ => None,
    }
}

/// Where a command runs.
#[inline]
pub fn route(map: SlotMap, spec: &Spec, args: Args<'_>) -> Route {
    match spec.plan {
        Plan::Here => Route::Any,
        Plan::Everywhere(merge) if map.shards() == 1 && !merge.unwraps() => Route::Any,
        Plan::Everywhere(_) => Route::Several,
        Plan::Cursor(at) => {
            let shard = cursor_shard(map, args, at as usize);
            // Only the last shard's page is surely not followed by another one.
            match shard.0 as usize + 1 == map.shards() {
                true => Route::One(shard, None),
                false => Route::Several,
            }
        }
        Plan::Gather | Plan::Split(_) => by_keys(map, spec, args),
    }
}

/// The shard that the cursor at this argument points at; any for what is no cursor.
pub(super) fn cursor_shard(map: SlotMap, args: Args<'_>, at: usize) -> ShardId {
    let cursor = args.try_get(at).and_then(Cursor::parse);
    map.shard(cursor.unwrap_or(Cursor(0)).slot())
}

#[inline]
fn by_keys(map: SlotMap, spec: &Spec, args: Args<'_>) -> Route {
    if let Some(at) = only_key(spec) {
        let key = Key::new(args.get(at));
        return Route::One(map.shard(key.slot), Some((at, key.slot, key.hash)));
    }
    if map.shards() > 1 && spec.derives_keys(args) {
        return Route::Several;
    }
    if matches!(spec.plan, Plan::Split(_)) && !spec.keys.iter().all(|keys| keys.ends_whole(args)) {
        // Nothing that could be split: the handler refuses it on any shard.
        return Route::Any;
    }
    let mut keys = positions(spec.keys, args).map(|(at, _)| at);
    let Some(first) = keys.next() else {
        return Route::Any;
    };
    let key = Key::new(args.get(first));
    let shard = map.shard(key.slot);
    let is_one = map.shards() == 1 || keys.all(|at| map.shard(Slot::of(args.get(at))) == shard);
    if is_one {
        Route::One(shard, Some((first, key.slot, key.hash)))
    } else {
        Route::Several
    }
}

/// What a command will touch on a shard, of the keys that live there.
pub fn lock_intents(map: SlotMap, spec: &Spec, args: Args<'_>, shard: ShardId) -> Intents {
    if let Plan::Everywhere(_) = spec.plan {
        let is_write = spec.flags.has(crate::command::Flags::WRITE);
        return Intents::whole(if is_write {
            Lock::Exclusive
        } else {
            Lock::Shared
        });
    }
    if spec.derives_keys(args) {
        return Intents::whole(derived_lock(map, spec, args, shard));
    }
    let keys = positions(spec.keys, args).filter_map(|(at, flags)| {
        let key = Key::new(args.get(at));
        (map.shard(key.slot) == shard).then_some((key.hash, key_lock(flags)))
    });
    Intents::of_keys(keys.collect())
}

/// Keys whose names are not known yet may be any: everything, alone where a key is written.
pub(super) fn derived_lock(map: SlotMap, spec: &Spec, args: Args<'_>, shard: ShardId) -> Lock {
    let is_written = positions(spec.keys, args).any(|(at, flags)| {
        let owner = map.shard(Slot::of(args.get(at)));
        owner == shard && !flags.is_read_only()
    });
    if is_written {
        Lock::Exclusive
    } else {
        Lock::Shared
    }
}

pub(super) fn key_lock(flags: KeyFlags) -> Lock {
    if flags.is_read_only() {
        Lock::Shared
    } else {
        Lock::Exclusive
    }
}

/// The shards of a command, and which of its key groups each of them has.
pub(super) fn shares(map: SlotMap, spec: &Spec, args: Args<'_>) -> Vec<(ShardId, Vec<u32>)> {
    let all = || (0..map.shards()).map(|shard| (ShardId(shard as u16), Vec::new()));
    match spec.plan {
        Plan::Everywhere(_) => return all().collect(),
        Plan::Cursor(at) => return vec![(cursor_shard(map, args, at as usize), Vec::new())],
        _ => {}
    }
    let mut shares: Vec<(ShardId, Vec<u32>)> = match spec.derives_keys(args) {
        true => all().collect(),
        false => Vec::new(),
    };
    for (group, (at, _)) in positions(spec.keys, args).enumerate() {
        let owner = map.shard(Slot::of(args.get(at)));
        let found = shares.iter().position(|(shard, _)| *shard == owner);
        let index = found.unwrap_or_else(|| {
            shares.push((owner, Vec::new()));
            shares.len() - 1
        });
        shares[index].1.push(group as u32);
    }
    shares
}

/// What each shard is to run of a split command: the command with its own key groups only.
pub fn split_parts(map: SlotMap, spec: &Spec, args: Args<'_>) -> Vec<(ShardId, ArgStore)> {
    let shares = shares(map, spec, args).into_iter();
    shares
        .map(|(shard, groups)| (shard, part_args(spec, args, &groups)))
        .collect()
}

/// What one shard is to run: a split command with its own key groups only, any other as it is.
pub(super) fn part_args(spec: &Spec, args: Args<'_>, groups: &[u32]) -> ArgStore {
    let mut store = ArgStore::default();
    write_part(spec, args, groups, &mut store);
    store
}

/// The same, behind what is in a store already.
pub(super) fn write_part(spec: &Spec, args: Args<'_>, groups: &[u32], store: &mut ArgStore) {
    let is_split = matches!(spec.plan, Plan::Split(_));
    let Some(keys) = spec.keys.first().filter(|_| is_split) else {
        store.add(args);
        return;
    };
    let positions = keys.positions(args);
    let (mut first, mut step) = (args.len(), 1);
    if let (Some(one), Some(two)) = (positions.clone().next(), positions.clone().nth(1)) {
        (first, step) = (one, two - one);
    }
    for at in 0..first {
        store.push_from(args, at);
    }
    for group in groups {
        for at in 0..step {
            store.push_from(args, first + *group as usize * step + at);
        }
    }
}
