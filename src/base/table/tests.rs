//! The table against a naive model: random insertions, removals, growth, splits and scans.
//!
//! Hashes are drawn from few tags, so that lines overflow, wrap around and are pulled back.
//! Each case prints its seed when it fails.

use super::*;
use crate::base::record::Content;
use crate::base::record::Record;
use std::collections::BTreeMap;

fn record(key: u32) -> Record<String> {
    Record::new(
        u64::from(key),
        None,
        &key.to_le_bytes(),
        Content::Inline(b"v"),
    )
}

fn find(table: &Table<String>, tag: Tag, key: u32) -> Option<Place> {
    table.find(tag, |record| record.key() == key.to_le_bytes())
}

/// A hash whose tags crowd at both ends of the table.
fn crowded(key: u32, tags: u64) -> Tag {
    let mixed = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let tag = mixed % tags;
    Tag::from_index(if mixed & 1 << 20 == 0 {
        tag as u32
    } else {
        u32::MAX - tag as u32
    })
}

fn keys_of(table: &Table<String>) -> Vec<u32> {
    let mut keys: Vec<u32> = table
        .iter()
        .map(|(_, record)| record.owner() as u32)
        .collect();
    keys.sort_unstable();
    keys
}

fn scanned(table: &Table<String>) -> Vec<u32> {
    let (mut keys, mut from) = (Vec::new(), Some(0));
    while let Some(index) = from {
        from = table.scan(Tag::from_index(index), |record| {
            keys.push(record.owner() as u32)
        });
    }
    keys.sort_unstable();
    keys
}

#[test]
fn behaves_like_a_map() {
    for seed in 1..40u64 {
        let tags = [3, 40, 500, 1 << 19][seed as usize % 4];
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        let mut state = seed;
        for step in 0..4000u32 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let key = (state >> 33) as u32 % 600;
            let tag = crowded(key, tags);
            let place = find(&table, tag, key);
            assert_eq!(
                place.is_some(),
                model.contains_key(&key),
                "seed {seed} step {step}"
            );
            let grow = (step / 700) % 2 == 0;
            match place {
                Some(place) if !grow || state & 1 << 60 == 0 => {
                    assert_eq!(table.remove(place).as_ref().owner(), u64::from(key));
                    model.remove(&key);
                }
                Some(_) => {}
                None => {
                    let place = table.insert(tag, record(key));
                    assert_eq!(table.at(place).owner(), u64::from(key));
                    model.insert(key, ());
                }
            }
            if step % 97 == 0 {
                table.shrink();
                let expected: Vec<u32> = model.keys().copied().collect();
                assert_eq!(keys_of(&table), expected, "seed {seed} step {step}");
                assert_eq!(scanned(&table), expected, "seed {seed} step {step}");
            }
        }
    }
}

#[test]
fn takes_what_it_promises_and_splits_in_two() {
    let mut table = Table::default();
    for key in 0..TABLE_RECORDS_MAX as u32 {
        table.insert(crowded(key, 1 << 19), record(key));
    }
    assert!(table.is_full());
    assert!(table.bytes() <= 32 * 1024);
    let other = table.split_off(|record| record.owner() % 2 == 1);
    assert_eq!(table.len() + other.len(), TABLE_RECORDS_MAX);
    for key in 0..TABLE_RECORDS_MAX as u32 {
        let (holder, without) = if key % 2 == 1 {
            (&other, &table)
        } else {
            (&table, &other)
        };
        assert!(find(holder, crowded(key, 1 << 19), key).is_some());
        assert!(find(without, crowded(key, 1 << 19), key).is_none());
    }
}

#[test]
fn a_scan_survives_growth() {
    let mut table = Table::default();
    for key in 0..100 {
        table.insert(crowded(key, 1 << 19), record(key));
    }
    let (mut seen, mut from, mut extra) = (Vec::new(), Some(0), 1000);
    while let Some(index) = from {
        from = table.scan(Tag::from_index(index), |record| {
            seen.push(record.owner() as u32)
        });
        for _ in 0..20 {
            table.insert(crowded(extra, 1 << 19), record(extra));
            extra += 1;
        }
    }
    assert!((0..100).all(|key| seen.contains(&key)));
}

#[test]
fn records_change_and_keep_their_place() {
    let mut table = Table::default();
    let place = table.insert(Tag::of(77), record(1));
    table.change(place, |record| record.with_extra(Some(9)).resized(100));
    table.change_in_place(place, |record| record.inline_mut()[0] = b'w');
    assert_eq!(table.at(place).extra(), Some(9));
    assert_eq!(&table.at(place).inline()[..2], b"w\0");
}
