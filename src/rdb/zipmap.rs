//! Zipmaps: how Redis before 2.6 kept small hashes. Only read.
//!
//! ```text
//!  | count (254 and 255 = walk) | length, field, length, free, value, free bytes | ... | 0xFF |
//!
//!  length   one byte below 254, or 0xFE and four bytes little-endian
//! ```
//!
//! Checked whole before the first field is given out.

use super::damage::{Damage, ensure};

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// A zipmap whose bytes are well-formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zipmap<'a> {
    pairs: &'a [u8],
}

impl<'a> Zipmap<'a> {
    /// Checks foreign bytes in every detail.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Zipmap<'a>, Damage> {
        let (&claimed, pairs) = bytes
            .split_first()
            .ok_or(Damage::Malformed("a zipmap without a beginning"))?;
        let (mut rest, mut count) = (pairs, 0usize);
        while rest.first() != Some(&END) {
            let pair = pair(rest).ok_or(Damage::Malformed("a zipmap that is cut off"))?;
            (rest, count) = (pair.rest, count + 1);
        }
        ensure(rest.len() == 1, "a zipmap that ends too early")?;
        let is_counted = claimed >= LONG || usize::from(claimed) == count;
        ensure(is_counted, "a zipmap with a wrong count")?;
        Ok(Zipmap { pairs })
    }

    /// Fields and values.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.pairs;
        std::iter::from_fn(move || {
            let pair = pair(rest)?;
            rest = pair.rest;
            Some((pair.field, pair.value))
        })
    }
}

struct Pair<'a> {
    field: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// The first pair; `None` at the end, or when it is cut off.
fn pair(bytes: &[u8]) -> Option<Pair<'_>> {
    let (len, rest) = length(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = length(rest)?;
    let (&free, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    let rest = rest.get(usize::from(free)..)?;
    Some(Pair { field, value, rest })
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        END => None,
        LONG => {
            let (len, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        short => Some((short.into(), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    const GOOD: &[u8] = b"\x02\x03foo\x03\0bar\x05hello\xfe\x05\0\0\0\x02world--\xff";

    #[test]
    fn pairs_are_read() {
        let map = Zipmap::open(GOOD).expect("well-formed");
        let pairs: Vec<_> = map.iter().collect();
        assert_eq!(pairs, [(&b"foo"[..], &b"bar"[..]), (b"hello", b"world")]);
        assert_eq!(Zipmap::open(b"\0\xff").map(|map| map.iter().count()), Ok(0));
    }

    #[test]
    fn damage_is_found_or_harmless() {
        let mut random = Prng::from_seed(2);
        for _ in 0..20_000 {
            let mut bytes = GOOD.to_vec();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next_u64() as u8;
            if let Ok(map) = Zipmap::open(&bytes) {
                assert!(map.iter().count() <= bytes.len());
            }
        }
        for len in 0..GOOD.len() {
            assert!(Zipmap::open(&GOOD[..len]).is_err(), "{len}");
        }
    }
}
