//! Ziplists: what small collections were before listpacks, up to RDB version 9. Only read.
//!
//! ```text
//!  | total bytes u32 | place of the last element u32 | count u16 (65535 = walk) | ... | 0xFF |
//!
//!  element   length of the one before (1 byte, or 0xFE and 4) | encoding | content
//!
//!  00LLLLLL string   01LLLLLL +1 string   10------ +4 string    (lengths big-endian)
//!  0xC0 16 bits   0xD0 32 bits   0xE0 64 bits   0xF0 24 bits   0xFE 8 bits   0xF1..0xFD 0..12
//! ```
//!
//! Every length is checked before the first element is given out. Source of the format: the
//! documentation of RDB files and files written by Redis 2.6 to 6.2.

use super::damage::{Damage, ensure};
use crate::object::element::Item;

const HEADER: usize = 10;
const END: u8 = 0xff;
const LONG: u8 = 0xfe;
const COUNT_UNKNOWN: usize = u16::MAX as usize;

/// A ziplist whose bytes are well-formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ziplist<'a> {
    elements: &'a [u8],
}

impl<'a> Ziplist<'a> {
    /// Checks foreign bytes in every detail.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Ziplist<'a>, Damage> {
        let is_framed = bytes.len() > HEADER && bytes.last() == Some(&END);
        ensure(is_framed, "a ziplist without beginning or end")?;
        let word = |at: usize| {
            let word = bytes[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(word) as usize
        };
        ensure(word(0) == bytes.len(), "a ziplist of another length")?;
        let claimed = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let elements = &bytes[HEADER..bytes.len() - 1];
        let (mut at, mut last, mut count) = (0, 0, 0);
        let mut before = 0;
        while at < elements.len() {
            let (previous, element) = split(&elements[at..])?;
            ensure(previous == before, "a ziplist that cannot be walked back")?;
            (last, before) = (at, element);
            at += element;
            count += 1;
        }
        ensure(word(4) == HEADER + last, "a ziplist with a wrong tail")?;
        let is_counted = claimed == COUNT_UNKNOWN || claimed == count;
        ensure(is_counted, "a ziplist with a wrong count")?;
        Ok(Ziplist { elements })
    }

    /// The elements from the first on.
    pub(super) fn iter(self) -> impl Iterator<Item = Item<'a>> {
        let mut rest = self.elements;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (item, len) = decode(rest).expect("checked when it was opened");
            rest = &rest[len..];
            Some(item)
        })
    }
}

/// The claimed length of the element before, and the length of this one.
fn split(bytes: &[u8]) -> Result<(usize, usize), Damage> {
    let malformed = Damage::Malformed("a ziplist element that is cut off");
    let (_, len) = decode(bytes).ok_or(malformed)?;
    let previous = match bytes[0] {
        LONG => u32::from_le_bytes(bytes[1..5].try_into().expect("decoded")) as usize,
        short => usize::from(short),
    };
    Ok((previous, len))
}

/// The element at the beginning of these bytes, and its length.
fn decode(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let back = match *bytes.first()? {
        LONG => 5,
        END => return None,
        _ => 1,
    };
    let rest = bytes.get(back..)?;
    let (&first, tail) = rest.split_first()?;
    let text = |header: usize, len: usize| {
        let text = rest.get(header..)?.get(..len)?;
        Some((Item::Bytes(text), back + header + len))
    };
    let integer = |width: usize| {
        let mut raw = [0; 8];
        raw[8 - width..].copy_from_slice(tail.get(..width)?);
        let number = i64::from_le_bytes(raw) >> (64 - 8 * width);
        Some((Item::Int(number), back + 1 + width))
    };
    match first {
        0..=0x3f => text(1, usize::from(first)),
        0x40..=0x7f => text(
            2,
            usize::from(first & 0x3f) << 8 | usize::from(*tail.first()?),
        ),
        0x80..=0xbf => {
            let len = tail.get(..4)?.try_into().expect("four bytes");
            text(5, u32::from_be_bytes(len) as usize)
        }
        0xc0 => integer(2),
        0xd0 => integer(4),
        0xe0 => integer(8),
        0xf0 => integer(3),
        0xfe => integer(1),
        0xf1..=0xfd => Some((Item::Int(i64::from(first - 0xf1)), back + 1)),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::number::parse_i64;
    use crate::base::prng::Prng;

    fn encode(value: &[u8]) -> Vec<u8> {
        match parse_i64(value) {
            Some(number @ 0..=12) => vec![0xf1 + number as u8],
            Some(number) if i8::try_from(number).is_ok() => vec![0xfe, number as u8],
            Some(number) => {
                let (first, width) = match number.unsigned_abs() {
                    0..=0x7fff => (0xc0, 2),
                    0x8000..=0x7f_ffff => (0xf0, 3),
                    0x80_0000..=0x7fff_ffff => (0xd0, 4),
                    _ => (0xe0, 8),
                };
                [&[first], &number.to_le_bytes()[..width]].concat()
            }
            None => {
                let len = value.len();
                let head = match len {
                    0..=63 => vec![len as u8],
                    64..=16_383 => vec![0x40 | (len >> 8) as u8, len as u8],
                    _ => [&[0x80][..], &(len as u32).to_be_bytes()].concat(),
                };
                [head, value.to_vec()].concat()
            }
        }
    }

    /// A ziplist of these values as an old server writes it.
    pub(in crate::rdb) fn ziplist(values: &[&[u8]]) -> Vec<u8> {
        let (mut elements, mut before, mut last) = (Vec::new(), 0usize, 0);
        for value in values {
            last = elements.len();
            match u8::try_from(before) {
                Ok(short) if short < LONG => elements.push(short),
                _ => {
                    elements.push(LONG);
                    elements.extend((before as u32).to_le_bytes());
                }
            }
            elements.extend(encode(value));
            before = elements.len() - last;
        }
        let mut bytes = ((HEADER + elements.len() + 1) as u32)
            .to_le_bytes()
            .to_vec();
        bytes.extend(((HEADER + last) as u32).to_le_bytes());
        bytes.extend((values.len() as u16).to_le_bytes());
        bytes.extend(elements);
        bytes.push(END);
        bytes
    }

    #[test]
    fn all_encodings_are_read() {
        let long = vec![b'x'; 300];
        let huge = vec![b'y'; 20_000];
        let values: Vec<&[u8]> = vec![
            b"a",
            b"",
            b"0",
            b"12",
            b"13",
            b"-128",
            b"-129",
            b"32767",
            b"8388607",
            b"-8388608",
            b"2147483647",
            b"9223372036854775807",
            b"007",
            &long,
            &huge,
            b"end",
        ];
        let bytes = ziplist(&values);
        let list = Ziplist::open(&bytes).expect("well-formed");
        let read: Vec<_> = list.iter().map(Item::to_vec).collect();
        assert_eq!(read, values);
        // The empty one.
        assert!(Ziplist::open(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff").is_ok());
    }

    #[test]
    fn damage_is_found_or_harmless() {
        let mut random = Prng::from_seed(11);
        let good = ziplist(&[b"one", b"2", b"-300", &[b'z'; 100], b"70000", b"last"]);
        for _ in 0..30_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] = random.next_u64() as u8;
            }
            bytes.truncate(bytes.len() - random.below(3) as usize / 2);
            if let Ok(list) = Ziplist::open(&bytes) {
                assert!(list.iter().count() <= bytes.len());
            }
        }
        for len in 0..good.len() {
            assert!(Ziplist::open(&good[..len]).is_err());
        }
    }
}
