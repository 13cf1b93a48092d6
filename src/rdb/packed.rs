//! Collections that lie in one string: checked, then kept as they are or built anew.
//!
//! What is a listpack or an intset and small enough by the configuration is kept, element for
//! element; older forms (ziplists, zipmaps) and larger ones are read element by element.

use super::build::{Build, TWICE};
use super::code::Code;
use super::damage::{Damage, ensure};
use super::ziplist::Ziplist;
use super::zipmap::Zipmap;
use crate::base::number::parse_f64;
use crate::object::element::Item;
use crate::object::listpack::{self, Listpack};
use crate::object::tape;
use crate::object::{Collection, Packed, Packing};
use std::borrow::Cow;
use std::collections::HashSet;

const HALF: Damage = Damage::Malformed("an element without its other half");

/// The collection in a string of this code.
pub(super) fn collection(
    code: Code,
    bytes: Cow<'_, [u8]>,
    packing: &Packing,
) -> Result<Collection, Damage> {
    match code {
        Code::SetIntset => ints(&bytes, packing),
        Code::HashZipmap => hash_of_zipmap(&bytes, packing),
        Code::ListZiplist => list_of_ziplist(&bytes, packing),
        Code::ZsetZiplist => zset(Ziplist::open(&bytes)?.iter(), packing),
        Code::HashZiplist => hash(Ziplist::open(&bytes)?.iter(), packing),
        Code::HashListpack => kept(Packed::Hash, bytes, packing),
        Code::SetListpack => kept(Packed::Set, bytes, packing),
        Code::ZsetListpack => kept(Packed::Zset, bytes, packing),
        Code::HashListpackExpiring | Code::HashListpackExpiringEarly => {
            expiring_hash(items(&bytes)?, packing)
        }
        _ => Err(Damage::Malformed("a value that is no string")),
    }
}

/// The elements of a listpack in foreign bytes.
pub(super) fn items(bytes: &[u8]) -> Result<impl Iterator<Item = Item<'_>>, Damage> {
    ensure(listpack::validate(bytes), "a listpack is damaged")?;
    Ok(Listpack::new(bytes).iter().map(|element| element.item))
}

/// The elements of a listpack as they came, if that is what a small collection looks like here;
/// else built anew.
fn kept(packed: Packed, bytes: Cow<'_, [u8]>, packing: &Packing) -> Result<Collection, Damage> {
    ensure(listpack::validate(&bytes), "a listpack is damaged")?;
    let list = Listpack::new(&bytes);
    let items = || list.iter().map(|element| element.item);
    let (entries_max, value_bytes_max, step) = match packed {
        Packed::Hash => (packing.hash_entries_max, packing.hash_value_bytes_max, 2),
        Packed::Set => (packing.set_entries_max, packing.set_value_bytes_max, 1),
        _ => (packing.zset_entries_max, packing.zset_value_bytes_max, 2),
    };
    let len = list.len();
    ensure(
        len.is_multiple_of(step),
        "an element without its other half",
    )?;
    let is_small = len <= entries_max.saturating_mul(step)
        && items().all(|item| item.len() <= value_bytes_max)
        && (packed != Packed::Zset || is_ascending(items()));
    if is_small {
        ensure(are_distinct(|| items().step_by(step), len), TWICE)?;
        let bytes = match packed {
            Packed::Set => bytes.into_owned(),
            _ => tape::from_listpack(list),
        };
        return Ok(Collection::Packed(packed, bytes));
    }
    match packed {
        Packed::Hash => hash(items(), packing),
        Packed::Set => set(items(), packing),
        _ => zset(items(), packing),
    }
}

/// Whether no element comes twice, as text or as a number.
fn are_distinct<'a, I: Iterator<Item = Item<'a>>>(items: impl Fn() -> I, len: usize) -> bool {
    /// Up to so many elements, comparing each with each is quicker than remembering them.
    const FEW: usize = 32;
    let known = |item: Item<'a>| match (item.integer(), item) {
        (Some(number), _) | (None, Item::Int(number)) => Ok(number),
        (None, Item::Bytes(bytes)) => Err(bytes),
    };
    if len <= FEW {
        let is_first = |(at, item)| items().take(at).all(|other| known(other) != known(item));
        return items().enumerate().all(is_first);
    }
    let mut seen: HashSet<_, ahash::RandomState> = HashSet::default();
    items().all(|item| seen.insert(known(item)))
}

/// Whether members and scores in turn are in the order of a sorted set.
fn is_ascending<'a>(mut items: impl Iterator<Item = Item<'a>>) -> bool {
    let mut last: Option<(f64, Item<'a>)> = None;
    while let Some(member) = items.next() {
        let Some(score) = items.next().and_then(score) else {
            return false;
        };
        let is_behind = last.is_none_or(|(before, other)| {
            before < score
                || before == score
                    && other.with_bytes(|other| member.with_bytes(|member| other < member))
        });
        if !is_behind {
            return false;
        }
        last = Some((score, member));
    }
    true
}

fn score(item: Item<'_>) -> Option<f64> {
    match item {
        Item::Int(number) => Some(number as f64),
        Item::Bytes(text) => parse_f64(text),
    }
}

fn ints(bytes: &[u8], packing: &Packing) -> Result<Collection, Damage> {
    let numbers = intset(bytes)?;
    let mut building = Build::set(packing, numbers.len() as u64);
    for number in numbers {
        Item::Int(number).with_bytes(|text| building.member(text))?;
    }
    Ok(building.finish())
}

/// The numbers of an intset in foreign bytes.
fn intset(bytes: &[u8]) -> Result<Vec<i64>, Damage> {
    let wrong = Damage::Malformed("an intset is damaged");
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(wrong.clone())?;
    let width = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
    let count = u32::from_le_bytes(head[4..].try_into().expect("four bytes")) as usize;
    let is_sized = matches!(width, 2 | 4 | 8) && Some(rest.len()) == count.checked_mul(width);
    ensure(is_sized, "an intset of another length")?;
    let read = |raw: &[u8]| {
        let mut wide = [0; 8];
        wide[8 - width..].copy_from_slice(raw);
        i64::from_le_bytes(wide) >> (64 - 8 * width)
    };
    let numbers: Vec<i64> = rest.chunks_exact(width).map(read).collect();
    let is_ascending = numbers.is_sorted_by(|one, next| one < next);
    ensure(is_ascending, "an intset out of order")?;
    Ok(numbers)
}

fn list_of_ziplist(bytes: &[u8], packing: &Packing) -> Result<Collection, Damage> {
    let mut building = Build::list(packing);
    for item in Ziplist::open(bytes)?.iter() {
        item.with_bytes(|text| building.push(text));
    }
    Ok(building.finish())
}

fn set<'a>(items: impl Iterator<Item = Item<'a>>, packing: &Packing) -> Result<Collection, Damage> {
    let mut building = Build::set(packing, 0);
    for item in items {
        item.with_bytes(|text| building.member(text))?;
    }
    Ok(building.finish())
}

fn hash_of_zipmap(bytes: &[u8], packing: &Packing) -> Result<Collection, Damage> {
    let mut building = Build::hash(packing, 0);
    for (field, value) in Zipmap::open(bytes)?.iter() {
        building.field(field, value, None)?;
    }
    Ok(building.finish())
}

fn hash<'a>(
    mut items: impl Iterator<Item = Item<'a>>,
    packing: &Packing,
) -> Result<Collection, Damage> {
    let mut building = Build::hash(packing, 0);
    while let Some(field) = items.next() {
        let value = items.next().ok_or(HALF)?;
        field.with_bytes(|field| value.with_bytes(|value| building.field(field, value, None)))?;
    }
    Ok(building.finish())
}

fn expiring_hash<'a>(
    mut items: impl Iterator<Item = Item<'a>>,
    packing: &Packing,
) -> Result<Collection, Damage> {
    let mut building = Build::hash(packing, 0);
    while let Some(field) = items.next() {
        let (value, at) = (items.next().ok_or(HALF)?, items.next().ok_or(HALF)?);
        let at = at.integer().and_then(|at| u64::try_from(at).ok());
        let at = field_expiry(at.ok_or(Damage::Malformed("an expiry that is no time"))?)?;
        field.with_bytes(|field| value.with_bytes(|value| building.field(field, value, at)))?;
    }
    Ok(building.finish())
}

/// When a field expires, from the number that is written for it: 0 is never.
pub(super) fn field_expiry(at: u64) -> Result<Option<i64>, Damage> {
    /// The last moment Redis has for a field.
    const LAST_MS: u64 = (1 << 46) - 2;
    ensure(at <= LAST_MS, "an expiry beyond the last moment")?;
    Ok((at > 0).then_some(at as i64))
}

fn zset<'a>(
    mut items: impl Iterator<Item = Item<'a>>,
    packing: &Packing,
) -> Result<Collection, Damage> {
    let mut building = Build::zset(packing);
    while let Some(member) = items.next() {
        let score = score(items.next().ok_or(HALF)?)
            .ok_or(Damage::Malformed("a score that is not a number"))?;
        member.with_bytes(|member| building.scored(member, score))?;
    }
    Ok(building.finish())
}
