//! The dictionary against a naive model: growth, shrinking, scans meanwhile, expiry, randomness.
//!
//! Each case prints its seed when it fails.

use super::*;
use crate::base::prng::Prng;
use std::collections::{BTreeMap, BTreeSet};

fn key(number: u64) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn content(dict: &Dict) -> Model {
    let pair = |element: Element<'_>| {
        let value = (element.value().to_vec(), element.expires_at_ms());
        (element.key().to_vec(), value)
    };
    dict.iter().map(pair).collect()
}

fn scanned(dict: &Dict, count: usize) -> BTreeSet<Vec<u8>> {
    let (mut seen, mut cursor) = (BTreeSet::new(), 0);
    loop {
        cursor = dict.scan(cursor, count, |element| {
            seen.insert(element.key().to_vec());
        });
        if cursor == 0 {
            return seen;
        }
    }
}

fn bytes_of_elements(dict: &Dict) -> usize {
    dict.iter().map(Element::bytes).sum()
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..6 {
        let mut random = Prng::from_seed(seed);
        let (mut dict, mut model) = (Dict::default(), Model::new());
        for step in 0..60_000u64 {
            let name = key(random.below(20_000));
            let value = vec![b'v'; random.below(600) as usize];
            let is_growing = (step / 20_000) % 2 == 0;
            match random.below(if is_growing { 4 } else { 8 }) {
                0 | 1 => {
                    let is_new = dict.set(&name, &value);
                    let before = model.insert(name, (value, None));
                    assert_eq!(is_new, before.is_none(), "seed {seed} step {step}");
                }
                2 => {
                    let at = Some(random.below(1000) as i64).filter(|at| *at > 100);
                    if let Some(spot) = dict.locate(Dict::hash(&name), &name) {
                        dict.put_expiry(spot, at);
                        model.get_mut(&name).expect("both have it").1 = at;
                    }
                }
                3 => {
                    let is_new = dict.add(&name, &value);
                    assert_eq!(
                        is_new,
                        !model.contains_key(&name),
                        "seed {seed} step {step}"
                    );
                    model.entry(name).or_insert((value, None));
                }
                _ => {
                    let taken = dict
                        .remove(&name)
                        .map(|taken| taken.as_ref().inline().to_vec());
                    let expected = model.remove(&name).map(|(value, _)| value);
                    assert_eq!(taken, expected, "seed {seed} step {step}");
                }
            }
            if step % 9_000 == 0 {
                assert_eq!(content(&dict), model, "seed {seed} step {step}");
                let volatile = model.values().filter(|(_, at)| at.is_some()).count();
                assert_eq!(dict.volatile(), volatile, "seed {seed} step {step}");
                let earliest = model.values().filter_map(|(_, at)| *at).min();
                assert!(dict.earliest_ms() <= earliest.unwrap_or(i64::MAX));
                assert_eq!(dict.clone(), dict, "seed {seed} step {step}");
                assert_eq!(
                    dict.len(),
                    scanned(&dict, 10).len(),
                    "seed {seed} step {step}"
                );
                assert_eq!(dict.record_bytes(), bytes_of_elements(&dict));
            }
        }
    }
}

#[test]
fn a_scan_misses_nothing_that_stays() {
    for seed in 0..12 {
        let mut random = Prng::from_seed(seed);
        let mut dict = Dict::default();
        for number in 0..500 {
            dict.add(&key(number), b"");
        }
        let (mut cursor, mut seen, mut next, mut rounds) = (0, BTreeSet::new(), 500, 0);
        let (mut extra, burst) = (Vec::new(), 1 + random.below(1500));
        loop {
            cursor = dict.scan(cursor, 10, |element| {
                seen.insert(element.key().to_vec());
            });
            rounds += 1;
            if cursor == 0 {
                break;
            }
            let is_growing = random.below(2) == 0 && rounds < 200;
            for _ in 0..burst {
                if is_growing {
                    dict.add(&key(next), b"");
                    extra.push(next);
                    next += 1;
                } else if let Some(number) = extra.pop() {
                    assert!(dict.remove(&key(number)).is_some(), "seed {seed}");
                }
            }
        }
        let missed = (0..500).filter(|number| !seen.contains(&key(*number)));
        assert_eq!(missed.count(), 0, "seed {seed}, {rounds} rounds");
    }
}

#[test]
fn an_emptied_dictionary_gives_its_memory_back() {
    let mut dict = Dict::default();
    for number in 0..100_000 {
        dict.add(&key(number), b"");
    }
    assert!(dict.parts.len() > 20);
    let table_bytes = dict.bytes() - bytes_of_elements(&dict);
    assert!(table_bytes < 100_000 * 12, "{table_bytes}");
    for number in 10..100_000 {
        dict.remove(&key(number));
    }
    assert_eq!((dict.len(), dict.parts.len()), (10, 1));
    assert!(dict.bytes() < 1200, "{}", dict.bytes());
    assert_eq!(scanned(&dict, 1).len(), 10);
}

#[test]
fn any_cursor_is_answered() {
    let mut random = Prng::from_seed(5);
    let mut dict = Dict::default();
    assert_eq!(dict.scan(u64::MAX, 10, |_| {}), 0);
    for number in 0..30_000 {
        dict.add(&key(number), b"");
    }
    for _ in 0..2000 {
        let cursor = dict.scan(random.next_u64(), 1 + random.below(20) as usize, |_| {});
        assert!(cursor < 1 << 53);
    }
    let mut visited = 0;
    dict.scan(0, usize::MAX, |_| visited += 1);
    assert!((10_000..10_100).contains(&visited), "{visited}");
}

#[test]
fn expires_in_steps() {
    let mut dict = Dict::default();
    for number in 0..20_000u64 {
        dict.add(&key(number), b"value");
        let name = key(number);
        let spot = dict.locate(Dict::hash(&name), &name).expect("just added");
        if number % 4 != 0 {
            dict.put_expiry(spot, Some(number as i64));
        }
    }
    let (mut gone, mut steps) = (BTreeSet::new(), 0);
    while dict.earliest_ms() < 10_000 {
        let before = gone.len();
        dict.expire(10_000, 700, |taken| {
            gone.insert(taken.as_ref().key().to_vec());
        });
        assert!(gone.len() - before <= 700);
        steps += 1;
        assert!(steps < 100, "it ends");
    }
    let expected: BTreeSet<Vec<u8>> = (0..10_000).filter(|n| n % 4 != 0).map(key).collect();
    assert_eq!(gone, expected);
    assert_eq!((dict.len(), dict.volatile()), (12_500, 7_500));
    assert_eq!(dict.earliest_ms(), 10_001);
}

#[test]
fn every_element_is_drawn_as_often() {
    let mut random = Prng::from_seed(9);
    for len in [1, 7, 50, 5000] {
        let mut dict = Dict::default();
        assert!(dict.random(&mut random).is_none());
        for number in 0..len {
            dict.add(&key(number), b"");
        }
        let mut draws: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mean = 400;
        for _ in 0..len * mean {
            let spot = dict.random(&mut random).expect("it is not empty");
            *draws.entry(dict.at(spot).key().to_vec()).or_default() += 1;
        }
        assert_eq!(draws.len() as u64, len);
        let range = mean as u32 * 7 / 10..=mean as u32 * 13 / 10;
        assert!(draws.values().all(|count| range.contains(count)), "{len}");
    }
}

/// Walks to the end, changing something between the slices; what was shown, sorted.
fn walked(dict: &mut Dict, mut change: impl FnMut(&mut Dict)) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut shown, mut cursor) = (Vec::new(), 0);
    dict.begin_walk(7);
    loop {
        change(dict);
        cursor = dict.walk(cursor, 3, &mut |element| {
            shown.push((element.key().to_vec(), element.value().to_vec()));
        });
        if cursor == 0 {
            shown.sort();
            return shown;
        }
    }
}

#[test]
fn a_walk_shows_what_was_there_when_it_began() {
    for seed in 0..30 {
        let mut random = Prng::from_seed(seed);
        let mut dict = Dict::default();
        for number in 0..random.below(9_000) {
            dict.add(&key(number), &(number as u32).to_le_bytes());
        }
        for _ in 0..3 {
            let mut expected: Vec<_> = dict
                .iter()
                .map(|element| (element.key().to_vec(), element.value().to_vec()))
                .collect();
            expected.sort();
            let shown = walked(&mut dict, |dict| {
                for _ in 0..random.below(30) {
                    let key = key(random.below(12_000));
                    match random.below(4) {
                        0 => drop(dict.remove(&key)),
                        1 => drop(dict.set(&key, b"of another length")),
                        2 => drop(dict.set(&key, &[1; 4])),
                        _ => drop(dict.add(&key, b"new")),
                    }
                }
            });
            assert!(shown == expected, "seed {seed}");
            assert!(dict.walk_id().is_none() && dict.clone() == dict);
        }
    }
}

#[test]
fn is_freed_in_steps() {
    let mut dict = Dict::default();
    for number in 0..10_000 {
        dict.add(&key(number), b"");
    }
    let mut steps = 0;
    while dict.drop_some(1000) {
        steps += 1;
        assert!(dict.len() >= 10_000 - 1000 * steps);
    }
    assert!(dict.is_empty() && steps >= 9);
}
