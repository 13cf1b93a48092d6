//! Sorted sets in both forms against a sorted vector: every change, every range, every end.
//!
//! Each case prints its seed when it fails.

use super::*;
use crate::base::prng::Prng;
use crate::object::element::Item;
use crate::object::tape::Tape;
use crate::object::{Collection, Form, Holder, Packed, Packing};
use std::ops::Range;

/// Members and scores in order.
type Model = Vec<(f64, Vec<u8>)>;

const SCORES: [f64; 12] = [
    0.0,
    1.0,
    -1.0,
    2.5,
    1e300,
    -3.25,
    f64::INFINITY,
    f64::NEG_INFINITY,
    100.0,
    0.1,
    7e15,
    1.0,
];

fn name(random: &mut Prng, names: u64) -> Vec<u8> {
    match random.below(8) {
        0 => vec![b'x'; random.below(40) as usize],
        1 => random.below(names).to_string().into_bytes(),
        _ => format!("m:{}", random.below(names)).into_bytes(),
    }
}

fn model_put(model: &mut Model, member: &[u8], score: f64) {
    model.retain(|own| own.1 != member);
    let at = model.partition_point(|own| (own.0, own.1.as_slice()) < (score, member));
    model.insert(at, (score, member.to_vec()));
}

fn plain((member, score): (Item<'_>, f64)) -> (f64, Vec<u8>) {
    (score, member.to_vec())
}

fn check(set: &Collection, model: &Model, random: &mut Prng) {
    let view = ZsetRef::new(set.form());
    assert_eq!(view.len(), model.len());
    assert_eq!(&view.all().map(plain).collect::<Model>(), model);
    if let Form::Packed(_, bytes) = set.form() {
        assert!(is_sound(bytes));
    }
    for (rank, (score, member)) in model.iter().enumerate() {
        assert_eq!(view.rank(member), Some((rank, *score)));
    }
    for _ in 0..20 {
        let ends = [0, 0].map(|_| random.below(SCORES.len() as u64) as usize);
        let range = ScoreRange {
            min: SCORES[ends[0]],
            max: SCORES[ends[1]],
            is_min_excluded: random.one_in(2),
            is_max_excluded: random.one_in(2),
        };
        let inside: Vec<usize> = (0..model.len())
            .filter(|rank| !range.is_below(model[*rank].0) && range.is_up_to(model[*rank].0))
            .collect();
        let ranks = view.ranks_by_score(&range);
        assert_eq!(ranks.clone().collect::<Vec<_>>(), inside, "{range:?}");
        let mut back: Model = view.iter(ranks.clone(), true).map(plain).collect();
        back.reverse();
        assert_eq!(back, model[ranks]);
    }
}

fn step(set: &mut Collection, model: &mut Model, packing: &Packing, random: &mut Prng) {
    let names = 400;
    let mut edit = ZsetEdit::new(set, packing);
    let member = name(random, names);
    match random.below(10) {
        0..=5 => {
            let score = SCORES[random.below(SCORES.len() as u64) as usize];
            edit.set(&member, score);
            model_put(model, &member, score);
        }
        6 => {
            let old = model.iter().find(|own| own.1 == member).map(|own| own.0);
            assert_eq!(edit.remove(&member), old);
            model.retain(|own| own.1 != member);
        }
        7 if !model.is_empty() => {
            let end = if random.one_in(2) { End::Min } else { End::Max };
            let gone = match end {
                End::Min => model.remove(0),
                End::Max => model.pop().expect("it is not empty"),
            };
            assert_eq!(edit.pop(end, |member, score| plain((member, score))), gone);
        }
        8 => {
            let start = random.below(model.len() as u64 + 1) as usize;
            let end = (start + random.below(4) as usize).min(model.len());
            edit.remove_ranks(start..end);
            model.drain(start..end);
        }
        _ => rules(&mut edit, model, &member, random),
    }
}

fn rules(edit: &mut ZsetEdit<'_>, model: &mut Model, member: &[u8], random: &mut Prng) {
    let old = model.iter().find(|own| own.1 == member).map(|own| own.0);
    let score = SCORES[random.below(SCORES.len() as u64) as usize];
    let rules = Rules {
        only_new: random.one_in(4),
        only_present: random.one_in(4),
        only_greater: random.one_in(4),
        only_less: random.one_in(4),
        is_increment: random.one_in(2),
    };
    let sum = old.map_or(score, |old| {
        if rules.is_increment {
            old + score
        } else {
            score
        }
    });
    let expected = match old {
        None if rules.only_present => Ok(Change::Refused),
        None => Ok(Change::Added(score)),
        Some(_) if rules.only_new => Ok(Change::Refused),
        Some(_) if sum.is_nan() => Err(NotANumber),
        Some(old) if rules.only_greater && sum <= old => Ok(Change::Refused),
        Some(old) if rules.only_less && sum >= old => Ok(Change::Refused),
        Some(old) if sum == old => Ok(Change::Same(sum)),
        Some(_) => Ok(Change::Updated(sum)),
    };
    assert_eq!(edit.put(member, score, rules), expected);
    if let Ok(Change::Added(score) | Change::Updated(score)) = expected {
        model_put(model, member, score);
    }
}

#[test]
fn random_changes_follow_a_vector() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut random = Prng::from_seed(seed);
        let packing = Packing {
            zset_entries_max: [0, 10, 128, 100_000][seed as usize % 4],
            zset_value_bytes_max: [64, 20][seed as usize % 2],
            ..Packing::default()
        };
        let mut set = Collection::empty(Packed::Zset);
        let mut model = Model::new();
        for round in 0..600 {
            step(&mut set, &mut model, &packing, &mut random);
            if round % 50 == 0 {
                check(&set, &model, &mut random);
                assert_eq!(set.clone(), set);
            }
        }
        check(&set, &model, &mut random);
    }
}

#[test]
fn a_table_begins_where_redis_begins_one() {
    let packing = Packing::default();
    let mut set = Collection::empty(Packed::Zset);
    for number in 0..128 {
        ZsetEdit::new(&mut set, &packing).set(format!("{number}").as_bytes(), 1.0);
    }
    assert!(matches!(set.form(), Form::Packed(..)));
    ZsetEdit::new(&mut set, &packing).set(b"5", 2.0);
    assert!(matches!(set.form(), Form::Packed(..)));
    ZsetEdit::new(&mut set, &packing).set(b"one more", 2.0);
    assert!(matches!(set.form(), Form::Object(_)));
    let mut set = Collection::empty(Packed::Zset);
    ZsetEdit::new(&mut set, &packing).set(&[b'a'; 64], 2.0);
    assert!(matches!(set.form(), Form::Packed(..)));
    ZsetEdit::new(&mut set, &packing).set(&[b'a'; 65], 2.0);
    assert!(matches!(set.form(), Form::Object(_)));
}

#[test]
fn packed_elements_are_those_of_redis() {
    let mut set = Collection::empty(Packed::Zset);
    for (member, score) in [("b", 2.5), ("a", 10.0), ("c", -0.0)] {
        ZsetEdit::new(&mut set, &Packing::default()).set(member.as_bytes(), score);
    }
    let Form::Packed(_, bytes) = set.form() else {
        panic!("three members are packed")
    };
    let expected = b"\x19\0\0\0\x06\0\x81c\x02\0\x01\x81b\x02\x832.5\x04\x81a\x02\x0a\x01\xff";
    assert_eq!(Tape::new(bytes).to_listpack(), expected);
    assert!(is_sound(bytes));
    assert!(!is_sound(b"\x81c\x01\x81b\0"));
}

fn lex(set: &Collection, min: &str, max: &str) -> Range<usize> {
    let range = LexRange::parse(min.as_bytes(), max.as_bytes()).expect("tests write ranges");
    ZsetRef::new(set.form()).ranks_by_member(&range)
}

#[test]
fn ranges_of_members() {
    for entries_max in [0, 128] {
        let packing = Packing {
            zset_entries_max: entries_max,
            ..Packing::default()
        };
        let mut set = Collection::empty(Packed::Zset);
        for member in ["a", "b", "c", "d", "dd"] {
            ZsetEdit::new(&mut set, &packing).set(member.as_bytes(), 0.0);
        }
        assert_eq!(lex(&set, "-", "+"), 0..5);
        assert_eq!(lex(&set, "[b", "(d"), 1..3);
        assert_eq!(lex(&set, "(b", "[d"), 2..4);
        assert_eq!(lex(&set, "(a", "(b").len(), 0);
        assert_eq!(lex(&set, "[b", "[b"), 1..2);
        assert_eq!(lex(&set, "[b", "(b").len(), 0);
        assert_eq!(lex(&set, "+", "-").len(), 0);
        assert_eq!(lex(&set, "[", "[cc"), 0..3);
    }
    assert!(LexRange::parse(b"a", b"+").is_none() && LexRange::parse(b"-x", b"+").is_none());
}

#[test]
fn a_member_of_a_table_is_kept_once() {
    let packing = Packing::default();
    let mut random = Prng::from_seed(3);
    let mut set = Collection::empty(Packed::Zset);
    for number in 0..20_000 {
        let score = random.below(1 << 30) as f64;
        ZsetEdit::new(&mut set, &packing).set(format!("m:{number:08}").as_bytes(), score);
    }
    let Collection::Object(object) = &set else {
        panic!("so many members are a table")
    };
    let each = object.bytes() / 20_000;
    assert!(each < 66, "{each} bytes per member");
    let ZsetRef::Table(table) = ZsetRef::new(set.form()) else {
        panic!("an object is a table")
    };
    let mut seen = std::collections::HashSet::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, 10, |member, score| {
            assert_eq!(table.rank(member).map(|found| found.1), Some(score));
            seen.insert(member.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 20_000);
    let crate::object::Object::Zset(table) = set.object_mut() else {
        panic!("an object is a table")
    };
    let mut steps = 0;
    while table.drop_some(1000) {
        steps += 1;
    }
    assert!((20..60).contains(&steps), "{steps}");
}
