//! Sets against a naive model, in all encodings, with thresholds that are met often.
//!
//! Each case prints its seed when it fails.

use super::*;
use crate::base::prng::Prng;
use crate::object::element::Item;
use crate::object::{Collection, Encoding, Form, Holder, Packed, Packing, intset, listpack};
use std::collections::BTreeSet;

type Model = BTreeSet<Vec<u8>>;

fn content(view: SetRef<'_>) -> Model {
    let all: Vec<Vec<u8>> = view.iter().map(Item::to_vec).collect();
    let model: Model = all.iter().cloned().collect();
    assert_eq!(model.len(), all.len(), "a member came twice");
    assert_eq!(model.len(), view.len());
    model
}

fn is_well_formed(holder: &Collection) -> bool {
    match holder.form() {
        Form::Packed(Packed::Ints, bytes) => bytes == intset::EMPTY || intset::validate(bytes),
        Form::Packed(_, bytes) => listpack::validate(bytes),
        Form::Object(_) => true,
    }
}

fn member(random: &mut Prng, texts: u64) -> Vec<u8> {
    if random.below(100) >= texts {
        let number = random.below(200) as i64 - 100;
        return number.to_string().into_bytes();
    }
    match random.below(3) {
        0 => format!("0{}", random.below(20)).into_bytes(),
        1 => vec![b'a' + random.below(20) as u8; random.below(12) as usize],
        _ => format!("member:{}", random.below(60)).into_bytes(),
    }
}

fn small_packing(seed: u64) -> Packing {
    Packing {
        set_ints_max: [10, 40, 512][seed as usize % 3],
        set_entries_max: [5, 30, 128][seed as usize / 3 % 3],
        set_value_bytes_max: [8, 64][seed as usize % 2],
        ..Packing::default()
    }
}

#[test]
fn behaves_like_a_set() {
    for seed in 0..90 {
        let mut random = Prng::from_seed(seed);
        let packing = small_packing(seed);
        let texts = [0, 3, 50][seed as usize / 2 % 3];
        let mut holder = Collection::empty([Packed::Ints, Packed::Set][seed as usize % 2]);
        let mut model = Model::new();
        for step in 0..600 {
            let name = member(&mut random, texts);
            let mut edit = SetEdit::new(&mut holder, &packing);
            assert_eq!(edit.view().contains(&name), model.contains(&name), "{seed}");
            match random.below(8) {
                0..=3 => assert_eq!(edit.add(&name), model.insert(name), "{seed} {step}"),
                4 => {
                    let number = random.below(100) as i64;
                    let is_new = model.insert(number.to_string().into_bytes());
                    assert_eq!(edit.add_item(Item::Int(number)), is_new, "{seed} {step}");
                }
                5 | 6 => assert_eq!(edit.remove(&name), model.remove(&name), "{seed} {step}"),
                _ => {
                    let mut taken = None;
                    edit.take_random(&mut random, |member| taken = Some(member.to_vec()));
                    assert_eq!(taken.is_none(), model.is_empty(), "{seed} {step}");
                    assert!(taken.is_none_or(|taken| model.remove(&taken)), "{seed}");
                }
            }
            assert_eq!(content(SetRef::new(holder.form())), model, "{seed} {step}");
            assert!(is_well_formed(&holder), "seed {seed} step {step}");
        }
    }
}

fn encoding_after(packing: &Packing, members: impl IntoIterator<Item = String>) -> Encoding {
    let mut holder = Collection::empty(Packed::Ints);
    let mut edit = SetEdit::new(&mut holder, packing);
    for member in members {
        edit.add(member.as_bytes());
    }
    holder.form().encoding()
}

#[test]
fn encodings_change_at_redis_s_thresholds() {
    let packing = Packing::default();
    let ints = |count: usize| (0..count).map(|number| number.to_string());
    let with = |count: usize, text: &str| ints(count).chain([text.to_owned()]).collect::<Vec<_>>();
    assert_eq!(encoding_after(&packing, ints(512)), Encoding::Intset);
    assert_eq!(encoding_after(&packing, ints(513)), Encoding::Hashtable);
    assert_eq!(encoding_after(&packing, with(127, "a")), Encoding::Listpack);
    assert_eq!(
        encoding_after(&packing, with(128, "a")),
        Encoding::Hashtable
    );
    let (short, long) = ("x".repeat(64), "x".repeat(65));
    assert_eq!(
        encoding_after(&packing, with(1, &short)),
        Encoding::Listpack
    );
    assert_eq!(
        encoding_after(&packing, with(1, &long)),
        Encoding::Hashtable
    );
    let texts = |count: usize| (0..count).map(|number| format!("m{number}"));
    assert_eq!(encoding_after(&packing, texts(128)), Encoding::Listpack);
    assert_eq!(encoding_after(&packing, texts(129)), Encoding::Hashtable);
    let narrow = Packing {
        set_value_bytes_max: 2,
        ..packing
    };
    let few = ["-10", "a"].map(str::to_owned);
    assert_eq!(encoding_after(&narrow, few), Encoding::Hashtable);
}

#[test]
fn results_of_integers_become_intsets() {
    let packing = Packing::default();
    for (count, text, expected) in [
        (200, "5", Encoding::Intset),
        (513, "5", Encoding::Hashtable),
        (20, "x", Encoding::Listpack),
    ] {
        let mut holder = Collection::empty(Packed::Set);
        let mut edit = SetEdit::new(&mut holder, &packing);
        for number in 0..count {
            edit.add(number.to_string().as_bytes());
        }
        edit.add(text.as_bytes());
        let before = content(edit.view());
        edit.pack_integers();
        assert_eq!(holder.form().encoding(), expected, "{count} {text}");
        assert_eq!(content(SetRef::new(holder.form())), before);
    }
}

#[test]
fn random_members_are_equally_likely() {
    const MEMBERS: usize = 10;
    const DRAWS: usize = 20_000;
    for (packed, prefix, longest) in [
        (Packed::Ints, "", 64),
        (Packed::Set, "m", 64),
        (Packed::Set, "m", 0),
    ] {
        let packing = Packing {
            set_value_bytes_max: longest,
            ..Packing::default()
        };
        let mut holder = Collection::empty(packed);
        let mut edit = SetEdit::new(&mut holder, &packing);
        for number in 0..MEMBERS {
            edit.add(format!("{prefix}{number}").as_bytes());
        }
        let mut random = Prng::from_seed(3);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..DRAWS {
            let drawn = SetRef::new(holder.form()).random(&mut random);
            *counts
                .entry(drawn.expect("it is not empty").to_vec())
                .or_insert(0) += 1;
        }
        assert_eq!(counts.len(), MEMBERS);
        let mean = DRAWS / MEMBERS;
        let is_near = |count: &usize| count.abs_diff(mean) < mean / 5;
        assert!(counts.values().all(is_near), "{counts:?}");
    }
}

#[test]
fn scans_meet_every_member() {
    for count in [3, 100, 5000] {
        let packing = Packing::default();
        let mut holder = Collection::empty(Packed::Set);
        let mut edit = SetEdit::new(&mut holder, &packing);
        for number in 0..count {
            edit.add(format!("m{number}").as_bytes());
        }
        let (view, mut seen, mut cursor) = (SetRef::new(holder.form()), Model::new(), 0);
        loop {
            cursor = view.scan(cursor, 10, |member| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen, content(view));
    }
}
