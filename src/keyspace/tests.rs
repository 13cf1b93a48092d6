//! The keyspace against a naive model: random changes, turned clocks, splits, sweeps and scans.
//!
//! Every case prints its seed. Hash tags crowd one slot, so that sub-directories split too.

use super::*;
use crate::base::prng::Prng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, channel};

const DB: DbIndex = DbIndex(0);
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;
type Seen = (DbIndex, Vec<u8>, Option<Vec<u8>>);

struct Witness(std::sync::mpsc::Sender<Seen>);

impl Observer for Witness {
    fn before_change(&mut self, db: DbIndex, key: &[u8], old: Option<EntryRef<'_>>) {
        let old = old.and_then(EntryRef::string);
        let old = old.map(|old| old.with_bytes(<[u8]>::to_vec));
        self.0.send((db, key.to_vec(), old)).unwrap();
    }
}

fn space(slots: std::ops::Range<u32>, seed: u64) -> Keyspace {
    let mut space = Keyspace::new(slots, 2, Prng::from_seed(seed));
    space.common.now_ms = 1_000_000;
    space
}

fn watched(seed: u64) -> (Keyspace, Receiver<Seen>) {
    let mut space = space(0..SLOTS, seed);
    let (sender, receiver) = channel();
    space.common.observer = Some(Box::new(Witness(sender)));
    (space, receiver)
}

/// A key of few or of many; one in three is in the crowded slot.
fn name(random: &mut Prng, keys: u64) -> Vec<u8> {
    let number = random.below(keys);
    match number % 3 {
        0 => format!("{{crowd}}{number}"),
        _ => format!("k{number}"),
    }
    .into_bytes()
}

/// What the tables say when everything in them is counted anew.
fn check_books(space: &Keyspace, seed: u64) {
    let db = space.db(DB);
    let (mut len, mut volatile) = (0, 0);
    for segment in &db.segments {
        let expiries = || {
            let records = segment.table.iter();
            records.filter_map(|(_, record)| record.extra())
        };
        assert_eq!(segment.table.iter().count(), segment.table.len());
        assert_eq!(expiries().count(), segment.volatile as usize, "seed {seed}");
        let earliest = expiries().min().unwrap_or(i64::MAX);
        assert!(
            segment.earliest_ms <= earliest,
            "seed {seed}: swept too late"
        );
        len += segment.table.len();
        volatile += segment.volatile as usize;
    }
    assert_eq!((db.len(), db.volatile()), (len, volatile), "seed {seed}");
}

fn check_content(space: &mut Keyspace, model: &Model, seed: u64) {
    let mut content = Model::new();
    space.each(DB, |entry| {
        let value = entry.string().unwrap().with_bytes(<[u8]>::to_vec);
        content.insert(entry.key().to_vec(), (value, entry.expires_at_ms()));
    });
    assert!(content == *model, "seed {seed}");
    for (key, (value, _)) in model.iter().take(50) {
        let found = space.door(DB).string(&Key::new(key), Lookup::Peek).unwrap();
        found
            .unwrap()
            .with_bytes(|bytes| assert_eq!(bytes, value, "seed {seed}"));
    }
}

/// One random change, in the keyspace and in the model.
fn change(space: &mut Keyspace, model: &mut Model, random: &mut Prng, keys: u64) -> Vec<u8> {
    let bytes = name(random, keys);
    let (key, now_ms) = (Key::new(&bytes), space.common.now_ms);
    let at = now_ms + 1 + random.below(5_000) as i64;
    let value = vec![b'v'; [3, 60, 20_000][random.below(20).min(2) as usize]];
    let mut door = space.door(DB);
    match random.below(9) {
        0..=2 => {
            door.set_bytes(&key, &value, Expiry::Clear);
            model.insert(bytes.clone(), (value, None));
        }
        3 => {
            door.set_bytes(&key, &value, Expiry::At(at));
            model.insert(bytes.clone(), (value, Some(at)));
        }
        4 => {
            door.set_bytes(&key, b"17", Expiry::Keep);
            let expiry = model.get(&bytes).and_then(|old| old.1);
            model.insert(bytes.clone(), (b"17".to_vec(), expiry));
        }
        5 => {
            let expiry = (random.below(2) == 0).then_some(at);
            let is_there = door.set_expiry(&key, expiry);
            assert_eq!(is_there, model.contains_key(&bytes));
            if let Some(old) = model.get_mut(&bytes) {
                old.1 = expiry;
            }
        }
        6 => {
            let taken = door.take(&key);
            assert_eq!(taken.is_some(), model.remove(&bytes).is_some());
        }
        7 => {
            door.edit_string(&key, |bytes| bytes.extend_from_slice(b"xy"));
            let old = model.entry(bytes.clone()).or_default();
            old.0.extend_from_slice(b"xy");
        }
        _ => assert_eq!(door.remove(&key), model.remove(&bytes).is_some()),
    }
    bytes
}

#[test]
fn behaves_like_a_map_with_expiries() {
    for seed in 1..=12 {
        let (mut space, _seen) = watched(seed);
        let mut random = Prng::from_seed(seed);
        let mut model = Model::new();
        let keys = [50, 3_000, 40_000][seed as usize % 3];
        for step in 0..30_000 {
            if random.one_in(500) {
                space.common.now_ms += random.below(400) as i64;
                let now_ms = space.common.now_ms;
                model.retain(|_, (_, expiry)| expiry.is_none_or(|at| at >= now_ms));
            }
            if random.one_in(50) {
                space.sweep(DB);
            }
            if random.one_in(9_000) {
                space.flush(DB);
                model.clear();
            }
            change(&mut space, &mut model, &mut random, keys);
            if step % 3_000 == 0 {
                check_books(&space, seed);
                check_content(&mut space, &model, seed);
            }
        }
    }
}

#[test]
fn a_sweep_removes_all_that_is_due_and_knows_what_comes_next() {
    for seed in 1..=12 {
        let mut space = space(0..SLOTS, seed);
        let mut random = Prng::from_seed(seed);
        let mut model = Model::new();
        for round in 0..30 {
            for _ in 0..1_500 {
                change(&mut space, &mut model, &mut random, 20_000);
                if random.one_in(20) {
                    space.sweep(DB);
                }
            }
            space.common.now_ms += 300;
            let now_ms = space.common.now_ms;
            model.retain(|_, (_, expiry)| expiry.is_none_or(|at| at >= now_ms));
            let lines: usize = space.db(DB).segments.iter().map(|s| s.table.lines()).sum();
            let segments = space.db(DB).segments.len();
            let mut steps = 0;
            while !space.sweep(DB).is_over {
                steps += 1;
                assert!(steps <= lines + segments, "seed {seed} round {round}");
            }
            assert_eq!(space.db(DB).len(), model.len(), "seed {seed} round {round}");
            let next = model.values().filter_map(|(_, expiry)| *expiry).min();
            let next = next.unwrap_or(i64::MAX);
            // A bound: a key that went or lives longer may be waited for in vain, once.
            assert!(space.next_expiry_ms() <= next, "seed {seed} round {round}");
            check_books(&space, seed);
        }
        space.common.now_ms += 10_000;
        while !space.sweep(DB).is_over {}
        assert_eq!(space.next_expiry_ms(), i64::MAX, "seed {seed}");
        assert_eq!(space.db(DB).volatile(), 0, "seed {seed}");
    }
}

#[test]
fn the_next_expiry_is_exact_when_keys_are_only_added() {
    let mut space = space(0..SLOTS, 3);
    let mut random = Prng::from_seed(3);
    let mut earliest = i64::MAX;
    for number in 0..20_000 {
        let at = space.common.now_ms + 1 + random.below(1 << 40) as i64;
        earliest = earliest.min(at);
        let key = format!("{{x}}{number}");
        space
            .door(DB)
            .set_bytes(&Key::new(key.as_bytes()), b"v", Expiry::At(at));
        assert_eq!(space.next_expiry_ms(), earliest);
        if random.one_in(10) {
            space.sweep(DB);
        }
    }
}

#[test]
fn an_observer_sees_each_change_before_it() {
    for seed in 1..=5 {
        let (mut space, seen) = watched(seed);
        let mut random = Prng::from_seed(seed);
        let mut model = Model::new();
        for _ in 0..5_000 {
            let before = model.clone();
            let key = change(&mut space, &mut model, &mut random, 60);
            let is_changed = model.get(&key) != before.get(&key);
            let told: Vec<Seen> = seen.try_iter().collect();
            assert!(told.len() <= 1, "seed {seed}: {told:?}");
            assert!(
                !is_changed || told.len() == 1,
                "seed {seed}: nobody was told"
            );
            for (db, about, old) in told {
                assert_eq!((db, &about), (DB, &key), "seed {seed}");
                assert_eq!(
                    old,
                    before.get(&key).map(|old| old.0.clone()),
                    "seed {seed}"
                );
            }
        }
        space.common.now_ms += 10_000;
        while !space.sweep(DB).is_over {}
        let gone: BTreeSet<Vec<u8>> = seen.try_iter().map(|(_, key, _)| key).collect();
        let due = model.iter().filter(|(_, (_, expiry))| expiry.is_some());
        assert_eq!(
            gone,
            due.map(|(key, _)| key.clone()).collect(),
            "seed {seed}"
        );
        space.flush(DB);
        let left = model.values().filter(|(_, expiry)| expiry.is_none());
        assert_eq!(seen.try_iter().count(), left.count(), "seed {seed}");
    }
}

#[test]
fn one_slot_takes_twenty_thousand_keys() {
    let mut space = space(0..SLOTS, 1);
    for number in 0..20_000 {
        let key = format!("{{one}}{number}");
        space
            .door(DB)
            .set_bytes(&Key::new(key.as_bytes()), key.as_bytes(), Expiry::Clear);
    }
    check_books(&space, 1);
    assert!(
        space.db(DB).table_bytes() < 2 << 20,
        "{}",
        space.db(DB).table_bytes()
    );
    for number in (0..20_000).rev() {
        let key = format!("{{one}}{number}");
        assert!(space.door(DB).remove(&Key::new(key.as_bytes())), "{key}");
    }
    assert!(space.db(DB).is_empty());
    check_books(&space, 1);
}

/// Scans while others write; every key that stays must come.
fn scan_amid_changes(slots: std::ops::Range<u32>, seed: u64, crowd: bool) {
    let mut space = space(slots.clone(), seed);
    let mut random = Prng::from_seed(seed);
    let named = |number: u64| match crowd {
        true => format!("{{c}}{number}").into_bytes(),
        false => format!("k{number}").into_bytes(),
    };
    let owned = |bytes: &[u8]| slots.contains(&u32::from(Slot::of(bytes).0));
    let stay: BTreeSet<_> = (0..4_000).map(named).filter(|key| owned(key)).collect();
    for key in &stay {
        space
            .door(DB)
            .set_bytes(&Key::new(key), b"v", Expiry::Clear);
    }
    let (mut seen, mut calls) = (BTreeSet::new(), 0);
    let mut cursor = Cursor::at_slot(slots.start);
    let end = Cursor::at_slot(slots.end);
    loop {
        cursor = space.scan(DB, cursor, 10, |entry| {
            seen.insert(entry.key().to_vec());
        });
        calls += 1;
        assert!(calls < 1_000_000, "seed {seed}: a scan must end");
        assert!(
            cursor.0 < 1 << 53,
            "seed {seed}: clients keep cursors as doubles"
        );
        if cursor == end {
            break;
        }
        let is_growing = calls / 200 % 2 == 0;
        for _ in 0..random.below(60) {
            let key = named(4_000 + random.below(30_000));
            let key = Key::new(&key);
            match is_growing {
                _ if !owned(key.bytes) => {}
                true => space.door(DB).set_bytes(&key, b"w", Expiry::Clear),
                false => drop(space.door(DB).remove(&key)),
            }
        }
    }
    assert!(
        stay.is_subset(&seen),
        "seed {seed}: a key that stayed did not come"
    );
    check_books(&space, seed);
}

#[test]
fn a_scan_returns_every_key_that_stays() {
    for seed in 1..=6 {
        scan_amid_changes(0..SLOTS, seed, false);
        scan_amid_changes(0..SLOTS, seed, true);
        scan_amid_changes(SlotMap::new(7).range(ShardId(6)), seed, false);
        scan_amid_changes(SlotMap::new(7).range(ShardId(3)), seed, false);
    }
}

#[test]
fn any_cursor_and_any_count_are_harmless() {
    let mut random = Prng::from_seed(9);
    for shard in 0..7 {
        let mut space = space(SlotMap::new(7).range(ShardId(shard)), 9);
        for number in 0..30_000 {
            let key = format!("k{number}");
            let key = Key::new(key.as_bytes());
            if space.owns(key.slot) {
                space.door(DB).set_bytes(&key, b"v", Expiry::Clear);
            }
        }
        for _ in 0..3_000 {
            let mut cursor = Cursor(random.next_u64() >> random.below(64));
            let mut visited = 0;
            for _ in 0..3 {
                cursor = space.scan(DB, cursor, usize::MAX, |_| visited += 1);
            }
            assert!(visited <= 31_000, "{visited}");
        }
    }
}

#[test]
fn every_key_is_drawn_as_often() {
    let mut space = space(0..SLOTS, 2);
    for number in 0..20_000 {
        let key = format!("k{number}");
        space
            .door(DB)
            .set_bytes(&Key::new(key.as_bytes()), b"v", Expiry::Clear);
    }
    for number in 40..20_000 {
        space
            .door(DB)
            .remove(&Key::new(format!("k{number}").as_bytes()));
    }
    let mut drawn = BTreeMap::new();
    for _ in 0..40_000 {
        *drawn
            .entry(space.door(DB).random_key().unwrap())
            .or_insert(0) += 1;
    }
    assert_eq!(drawn.len(), 40);
    assert!(
        drawn.values().all(|&times| (800..1_200).contains(&times)),
        "{drawn:?}"
    );
}

#[test]
fn flushed_databases_are_buried_step_by_step() {
    let mut space = space(0..SLOTS, 2);
    for number in 0..10_000 {
        let key = format!("k{number}");
        space
            .door(DB)
            .set_bytes(&Key::new(key.as_bytes()), b"v", Expiry::At(i64::MAX));
    }
    space.sweep(DB);
    space.flush(DB);
    assert_eq!((space.db(DB).len(), space.buried()), (0, 10_000));
    assert_eq!(space.next_expiry_ms(), i64::MAX);
    space
        .door(DB)
        .set_bytes(&Key::new(b"k1"), b"new", Expiry::Clear);
    let (mut left, mut is_more) = (space.buried(), true);
    while is_more {
        is_more = space.bury_step();
        assert!(left - space.buried() <= 512);
        left = space.buried();
    }
    assert_eq!((space.db(DB).len(), left), (1, 0));
}

#[test]
fn digests_are_those_of_redis() {
    // Recorded from DEBUG DIGEST and DEBUG DIGEST-VALUE of redis-server 7.0.15.
    let mut space = space(0..SLOTS, 2);
    let whole = |space: &Keyspace| {
        let digests: Vec<Digest> = (0..2).map(|db| space.digest(DbIndex(db))).collect();
        Digest::of_dataset(&digests).hex()
    };
    assert_eq!(whole(&space), "0000000000000000000000000000000000000000");
    space
        .door(DB)
        .set_bytes(&Key::new(b"a"), b"1", Expiry::Clear);
    assert_eq!(whole(&space), "943d800368fb9c0e951138f1bc0e313ac769d91f");
    space
        .door(DB)
        .set_bytes(&Key::new(b"b"), b"some text", Expiry::At(i64::MAX));
    space
        .door(DbIndex(1))
        .set_bytes(&Key::new(b"c"), b"", Expiry::Clear);
    assert_eq!(whole(&space), "8ef71d0347a5801db080f71f6ef5106968e0ca52");
    let entry = space.door(DB).find(&Key::new(b"b"), Lookup::Peek).unwrap();
    assert_eq!(
        Digest::of_value(entry).hex(),
        "6c4bf37fd2938ff682e12396ce967c2c7eabfdbe"
    );
}
