//! Hashes against a naive model, packed, expiring and large, with thresholds that are met often.
//!
//! Each case prints its seed when it fails.

use super::*;
use crate::base::prng::Prng;
use crate::object::{Collection, Encoding, Form, Holder, Packed, Packing, tape};
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn content(view: HashRef<'_>) -> Model {
    let pairs = view.iter();
    pairs
        .map(|pair| {
            (
                pair.field.to_vec(),
                (pair.value.to_vec(), pair.expires_at_ms),
            )
        })
        .collect()
}

fn is_well_formed(holder: &Collection) -> bool {
    let Form::Packed(packed, bytes) = holder.form() else {
        return true;
    };
    let expiries: Vec<i64> = HashRef::new(holder.form())
        .iter()
        .map(|pair| pair.expires_at_ms.unwrap_or(i64::MAX))
        .collect();
    let is_whole = packed == Packed::Hash || expiries.is_sorted();
    is_whole && tape::is_sound(bytes)
}

fn word(random: &mut Prng, longest: u64) -> Vec<u8> {
    if random.below(3) == 0 {
        return random.below(300).to_string().into_bytes();
    }
    vec![b'a' + random.below(20) as u8; random.below(longest) as usize]
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..60 {
        let mut random = Prng::from_seed(seed);
        let packing = Packing {
            hash_entries_max: [4, 30, 512][seed as usize % 3],
            hash_value_bytes_max: [8, 64][seed as usize % 2],
            ..Packing::default()
        };
        let mut holder = Collection::empty(Packed::Hash);
        let mut model = Model::new();
        let longest = if seed % 5 == 0 { 90 } else { 7 };
        for step in 0..400 {
            let mut edit = HashEdit::new(&mut holder, &packing);
            let (field, value) = (word(&mut random, 5), word(&mut random, longest));
            let at = Some(1 + random.below(1000) as i64);
            let case = format!("seed {seed} step {step}");
            match random.below(8) {
                0..=2 => {
                    let is_new = edit.set(&field, &value);
                    let old = model.insert(field, (value, None));
                    assert_eq!(is_new, old.is_none(), "{case}");
                }
                3 => {
                    let is_new = edit.set_value(&field, &value);
                    assert_eq!(is_new, !model.contains_key(&field), "{case}");
                    model.entry(field).or_default().0 = value;
                }
                4 => {
                    let is_gone = edit.remove(&field);
                    assert_eq!(is_gone, model.remove(&field).is_some(), "{case}");
                }
                5 | 6 => {
                    let at = at.filter(|_| random.below(4) > 0);
                    let is_there = edit.set_expiry(&field, at);
                    let entry = model.get_mut(&field);
                    assert_eq!(is_there, entry.is_some(), "{case}");
                    entry.into_iter().for_each(|entry| entry.1 = at);
                }
                _ => {
                    let (now_ms, mut gone) = (random.below(400) as i64, 0);
                    edit.expire(now_ms, 1000, |field| {
                        let entry = model.remove(field);
                        let at = entry.and_then(|entry| entry.1);
                        assert!(at.is_some_and(|at| at < now_ms), "{case}");
                        gone += 1;
                    });
                    assert!(edit.view().earliest_ms() >= now_ms, "{case}");
                }
            }
            let view = HashRef::new(holder.form());
            assert_eq!(content(view), model, "{case}");
            assert_eq!(view.len(), model.len(), "{case}");
            let live = model
                .values()
                .filter(|entry| entry.1.is_none_or(|at| at >= 500));
            assert_eq!(view.live_len(500), live.count(), "{case}");
            assert!(is_well_formed(&holder), "{case}");
            let longest = model.iter().map(|(f, v)| f.len().max(v.0.len())).max();
            if model.len() > packing.hash_entries_max
                || longest.unwrap_or(0) > packing.hash_value_bytes_max
            {
                assert_eq!(holder.form().encoding(), Encoding::Hashtable, "{case}");
            }
            assert_eq!(holder.clone(), holder, "{case}");
        }
    }
}

#[test]
fn encodings_follow_the_thresholds() {
    let packing = Packing::default();
    let mut holder = Collection::empty(Packed::Hash);
    for number in 0..512 {
        HashEdit::new(&mut holder, &packing).set(format!("f{number}").as_bytes(), b"1");
    }
    assert_eq!(holder.form().encoding(), Encoding::Listpack);
    let mut expiring = holder.clone();
    let mut edit = HashEdit::new(&mut expiring, &packing);
    assert!(edit.set_expiry(b"f7", Some(5)) && !edit.set_expiry(b"g", Some(5)));
    assert_eq!(expiring.form().encoding(), Encoding::ListpackEx);
    assert_eq!(earliest_ms(expiring.form()), 5);
    HashEdit::new(&mut holder, &packing).set(b"one more", b"1");
    assert_eq!(holder.form().encoding(), Encoding::Hashtable);
    HashEdit::new(&mut expiring, &packing).set(b"f7", &[b'v'; 65]);
    assert_eq!(expiring.form().encoding(), Encoding::Hashtable);
    assert_eq!(earliest_ms(expiring.form()), i64::MAX);
    let mut many = Collection::empty(Packed::Hash);
    HashEdit::new(&mut many, &packing).expect(513);
    assert_eq!(many.form().encoding(), Encoding::Hashtable);
}

#[test]
fn budgets_are_kept() {
    for entries_max in [0, 1000] {
        let packing = Packing {
            hash_entries_max: entries_max,
            ..Packing::default()
        };
        let mut holder = Collection::empty(Packed::Hash);
        let mut edit = HashEdit::new(&mut holder, &packing);
        for number in 0..100 {
            let field = format!("f{number}");
            edit.set(field.as_bytes(), b"1");
            edit.set_expiry(field.as_bytes(), Some(1 + number % 2));
        }
        let mut gone = 0;
        edit.expire(2, 20, |_| gone += 1);
        assert_eq!((gone, edit.view().len()), (20, 80));
        edit.expire(2, 100, |_| gone += 1);
        assert_eq!((gone, edit.view().len()), (50, 50));
        assert_eq!(edit.view().earliest_ms(), 2);
    }
}
