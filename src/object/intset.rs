//! The packed form of a set of integers: sorted numbers of one width, byte for byte as Redis's.
//!
//! ```text
//!  | width u32 (2, 4, 8) | count u32 | numbers, ascending, little-endian |
//! ```
//!
//! Numbers are found by halving, put in and taken out by moving what is behind them. A number that
//! is too wide widens all of them; nothing ever narrows them again. A view ([`Ints`]) trusts its
//! bytes; foreign ones pass [`validate`] first.
//!
//! Source of the format: Redis RDB and DUMP payloads.

use super::form::Room;
use std::cmp::Ordering;

const HEADER: usize = 8;

/// An empty one.
pub const EMPTY: [u8; HEADER] = [2, 0, 0, 0, 0, 0, 0, 0];

/// No intset gets more numbers than this, whatever the configuration says; Redis's own limit.
pub const LEN_MAX: usize = 1 << 30;

/// An intset to read. Its bytes are well-formed.
#[derive(Clone, Copy, Debug)]
pub struct Ints<'a> {
    bytes: &'a [u8],
}

impl<'a> Ints<'a> {
    pub fn new(bytes: &'a [u8]) -> Ints<'a> {
        Ints { bytes }
    }

    #[inline]
    fn width(self) -> usize {
        usize::from(self.bytes[0])
    }

    /// How many numbers there are.
    #[inline]
    pub fn len(self) -> usize {
        let count = self.bytes[4..HEADER].try_into().expect("four bytes");
        u32::from_le_bytes(count) as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number at an index, which has to be below the length.
    #[inline]
    pub fn at(self, index: usize) -> i64 {
        read(self.bytes, self.width(), index)
    }

    /// Where a number is, or where it would be.
    pub fn search(self, number: i64) -> Result<usize, usize> {
        let (mut from, mut to) = (0, self.len());
        // Numbers often come in ascending order.
        if to > 0 && number > self.at(to - 1) {
            return Err(to);
        }
        while from < to {
            let middle = (from + to) / 2;
            match self.at(middle).cmp(&number) {
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(from)
    }

    /// Whether a number is in it.
    #[inline]
    pub fn contains(self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// All numbers, ascending.
    pub fn iter(self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + 'a {
        (0..self.len()).map(move |index| self.at(index))
    }
}

#[inline]
fn read(bytes: &[u8], width: usize, index: usize) -> i64 {
    let at = HEADER + index * width;
    match width {
        2 => i64::from(i16::from_le_bytes([bytes[at], bytes[at + 1]])),
        4 => {
            let number = bytes[at..at + 4].try_into().expect("four bytes");
            i64::from(i32::from_le_bytes(number))
        }
        _ => i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")),
    }
}

/// Bytes a number needs.
fn width_of(number: i64) -> usize {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}

/// Adds a number; says whether it is new.
pub fn insert(room: &mut dyn Room, number: i64) -> bool {
    let ints = Ints::new(room.bytes());
    let (width, count) = (ints.width(), ints.len());
    if width_of(number) > width {
        widen(room, number);
        return true;
    }
    let Err(index) = ints.search(number) else {
        return false;
    };
    assert!(count < LEN_MAX, "its owner makes a table of it in time");
    room.rewrite(HEADER + index * width, 0, &number.to_le_bytes()[..width]);
    set_len(room, count + 1);
    true
}

/// Gives all numbers the width of one that is too wide to be among them, and adds it at its end.
fn widen(room: &mut dyn Room, number: i64) {
    let (ints, width) = (Ints::new(room.bytes()), width_of(number));
    let mut wide = Vec::with_capacity(HEADER + (ints.len() + 1) * width);
    wide.extend_from_slice(&(width as u32).to_le_bytes());
    wide.extend_from_slice(&(ints.len() as u32 + 1).to_le_bytes());
    let is_first = number < 0;
    let before = is_first.then_some(number);
    let behind = (!is_first).then_some(number);
    for number in before.into_iter().chain(ints.iter()).chain(behind) {
        wide.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    let len = room.bytes().len();
    room.rewrite(0, len, &wide);
}

/// Removes a number; says whether it was there.
pub fn remove(room: &mut dyn Room, number: i64) -> bool {
    let found = Ints::new(room.bytes()).search(number);
    if let Ok(index) = found {
        remove_at(room, index);
    }
    found.is_ok()
}

/// Removes the number at an index, which has to be below the length.
pub fn remove_at(room: &mut dyn Room, index: usize) {
    let ints = Ints::new(room.bytes());
    let (width, count) = (ints.width(), ints.len());
    room.rewrite(HEADER + index * width, width, b"");
    set_len(room, count - 1);
}

fn set_len(room: &mut dyn Room, count: usize) {
    room.rewrite(4, 4, &(count as u32).to_le_bytes());
}

/// Whether foreign bytes are an intset that holds something: width, length and order.
pub fn validate(bytes: &[u8]) -> bool {
    let Some((header, numbers)) = bytes.split_first_chunk::<HEADER>() else {
        return false;
    };
    let [2 | 4 | 8, 0, 0, 0, ..] = header else {
        return false;
    };
    let ints = Ints::new(bytes);
    let is_whole = ints.len().checked_mul(ints.width()) == Some(numbers.len());
    is_whole && !ints.is_empty() && ints.iter().is_sorted_by(|one, other| one < other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeSet;

    fn of(numbers: &[i64]) -> Vec<u8> {
        let mut bytes = EMPTY.to_vec();
        for number in numbers {
            insert(&mut bytes, *number);
        }
        bytes
    }

    #[test]
    fn it_is_redis_s_format() {
        assert_eq!(of(&[3, -1, 3]), b"\x02\0\0\0\x02\0\0\0\xff\xff\x03\0");
        assert_eq!(
            of(&[1, 40_000, -40_000]),
            b"\x04\0\0\0\x03\0\0\0\xc0\x63\xff\xff\x01\0\0\0\x40\x9c\0\0"
        );
        assert_eq!(
            of(&[1, -3_000_000_000]),
            b"\x08\0\0\0\x02\0\0\0\0\xa2\x2f\x4d\xff\xff\xff\xff\x01\0\0\0\0\0\0\0"
        );
        let mut bytes = of(&[70_000, 2]);
        remove(&mut bytes, 70_000);
        assert_eq!(bytes, b"\x04\0\0\0\x01\0\0\0\x02\0\0\0");
    }

    fn number(random: &mut Prng) -> i64 {
        let edges = [0x7fff, 0x8000, -0x8000, -0x8001, i64::MIN, i64::MAX];
        match random.below(8) {
            0 => edges[random.below(6) as usize],
            1 => random.next_u64() as i64 >> random.below(64),
            _ => random.below(80) as i64 - 40,
        }
    }

    #[test]
    fn random_edits_follow_a_model() {
        for seed in 0..100 {
            let mut random = Prng::from_seed(seed);
            let (mut bytes, mut model) = (EMPTY.to_vec(), BTreeSet::new());
            for _ in 0..300 {
                let number = number(&mut random);
                assert_eq!(
                    Ints::new(&bytes).contains(number),
                    model.contains(&number),
                    "seed {seed}"
                );
                match random.below(3) {
                    0 => assert_eq!(remove(&mut bytes, number), model.remove(&number)),
                    _ => assert_eq!(insert(&mut bytes, number), model.insert(number)),
                }
                assert!(Ints::new(&bytes).iter().eq(model.iter().copied()), "{seed}");
                assert_eq!(validate(&bytes), !model.is_empty(), "seed {seed}");
            }
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        let good = of(&[1, 2, 300]);
        assert!(validate(&good));
        for (at, byte) in [(0, 4), (0, 3), (1, 1), (4, 2), (4, 4), (7, 1), (10, 1)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert!(!validate(&bytes), "byte {at} = {byte}");
        }
        for len in 0..good.len() {
            assert!(!validate(&good[..len]), "{len} bytes");
        }
        assert!(!validate(&EMPTY));
    }
}
