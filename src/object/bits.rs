//! Strings as arrays of bits: what SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP compute.
//!
//! Bit 0 is the most significant bit of byte 0, so that a bitmap reads from left to right:
//!
//! ```text
//!   byte      0                 1
//!   bit       0 1 2 3 4 5 6 7   8 9 10 ...
//!   weight  128 . . . . . . 1   128 ...
//! ```
//!
//! Everything here works on byte slices and walks them in words of 64 bits. Behind its end a
//! bitmap is all zeros; growing the string is the caller's part (`bytes_for_bit` says to what
//! length). Bit fields are in `bitfield`; keys, replies and the limit on string sizes elsewhere,
//! except that `parse_offset` knows how Redis applies that limit to an offset.

use crate::base::number::parse_i64;

/// Read a bit offset as SETBIT, GETBIT and BITFIELD take it. `field_bits` allows the form `#N`,
/// the N-th field of that width. None is "bit offset is not an integer or out of range".
pub fn parse_offset(text: &[u8], field_bits: Option<u32>, bulk_bytes_max: u64) -> Option<u64> {
    let offset = match (text.first(), field_bits) {
        // Redis multiplies without looking, so that a product may wrap to a valid offset.
        (Some(b'#'), Some(bits)) => parse_i64(&text[1..])?.wrapping_mul(i64::from(bits)),
        _ => parse_i64(text)?,
    };
    let offset = u64::try_from(offset).ok()?;
    (offset >> 3 < bulk_bytes_max).then_some(offset)
}

/// The length a string needs to hold this bit.
pub fn bytes_for_bit(offset: u64) -> usize {
    (offset >> 3) as usize + 1
}

/// The bit at this offset (GETBIT).
pub fn bit(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset >> 3)
        .ok()
        .and_then(|index| bytes.get(index));
    byte.is_some_and(|byte| byte >> (7 - (offset & 7)) & 1 == 1)
}

/// Set a bit inside the string and return what it was (SETBIT).
pub fn set_bit(bytes: &mut [u8], offset: u64, on: bool) -> bool {
    let byte = &mut bytes[(offset >> 3) as usize];
    let mask = 0x80 >> (offset & 7);
    let was = *byte & mask != 0;
    *byte = if on { *byte | mask } else { *byte & !mask };
    was
}

/// What the two ends of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Byte,
    Bit,
}

/// The bits from `first` to `last`, both included, inside a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// Resolve a client's range, where negative ends count from the end; None if it is empty.
    fn resolve(len: usize, start: i64, end: i64, unit: Unit) -> Option<Span> {
        let total = if unit == Unit::Bit {
            len as i64 * 8
        } else {
            len as i64
        };
        let from_end = |index: i64| {
            if index < 0 {
                (total + index).max(0)
            } else {
                index
            }
        };
        let (start, end) = (from_end(start), from_end(end).min(total - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(match unit {
            Unit::Bit => Span {
                first: start,
                last: end,
            },
            Unit::Byte => Span {
                first: start * 8,
                last: end * 8 + 7,
            },
        })
    }

    /// The bytes it touches, with the masks of what is inside in the first and the last of them.
    fn cut(self, bytes: &[u8]) -> (&[u8], u8, u8) {
        let inside = &bytes[(self.first >> 3) as usize..=(self.last >> 3) as usize];
        (
            inside,
            0xff >> (self.first & 7),
            0xff << (7 - (self.last & 7)),
        )
    }
}

/// How many bits are set (BITCOUNT without a range).
pub fn count(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has the one instruction that the function asks for.
        return unsafe { count_popcnt(bytes) };
    }
    count_words(bytes)
}

/// The same loop, compiled to the instruction that the baseline of x86-64 lacks.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn count_popcnt(bytes: &[u8]) -> u64 {
    count_words(bytes)
}

#[inline(always)]
fn count_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    // Four sums, so that no addition waits for the one before.
    let (fours, singles) = words.as_chunks::<4>();
    let mut sums = [0u64; 4];
    for four in fours {
        for (sum, word) in sums.iter_mut().zip(four) {
            *sum += u64::from(u64::from_ne_bytes(*word).count_ones());
        }
    }
    let single = |word: &[u8; 8]| u64::from(u64::from_ne_bytes(*word).count_ones());
    let singles: u64 = singles.iter().map(single).sum();
    let rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    sums.iter().sum::<u64>() + singles + rest
}

/// How many bits of a range are set (BITCOUNT start end BYTE|BIT).
pub fn count_range(bytes: &[u8], start: i64, end: i64, unit: Unit) -> u64 {
    // Redis: two negative ends in the wrong order are empty even where both are cut to 0.
    if start < 0 && end < 0 && start > end {
        return 0;
    }
    let Some(span) = Span::resolve(bytes.len(), start, end, unit) else {
        return 0;
    };
    let (inside, head, tail) = span.cut(bytes);
    let outside =
        (inside[0] & !head).count_ones() + (inside[inside.len() - 1] & !tail).count_ones();
    count(inside) - u64::from(outside)
}

/// The range of BITPOS: an end that the client gave is an end, one it left out is the string's,
/// behind which clear bits go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRange {
    pub start: i64,
    pub end: Option<i64>,
    pub unit: Unit,
}

impl PositionRange {
    /// The whole string: BITPOS without a range.
    pub const ALL: PositionRange = PositionRange {
        start: 0,
        end: None,
        unit: Unit::Byte,
    };
}

/// The first bit with this value (BITPOS), or -1. For a key that does not exist Redis answers 0 to
/// a search for a clear bit, which is for the caller to know: an empty string has none.
pub fn position(bytes: &[u8], value: bool, range: PositionRange) -> i64 {
    let end = range.end.unwrap_or(-1);
    let Some(span) = Span::resolve(bytes.len(), range.start, end, range.unit) else {
        return -1;
    };
    let (inside, head, tail) = span.cut(bytes);
    let found = first(inside, value, head, tail);
    let base = span.first & !7;
    match found {
        Some(position) => (base + position) as i64,
        None if !value && range.end.is_none() => bytes.len() as i64 * 8,
        None => -1,
    }
}

/// The first such bit in the bytes, where the masks hide the ends of the first and the last one.
fn first(bytes: &[u8], value: bool, head: u8, tail: u8) -> Option<u64> {
    // A search for a clear bit is one for a set bit in the complement.
    let flip = if value { 0 } else { 0xff };
    let last = bytes.len() - 1;
    let in_byte = |index: usize| {
        let mut byte = bytes[index] ^ flip;
        byte &= if index == 0 { head } else { 0xff };
        byte &= if index == last { tail } else { 0xff };
        (byte != 0).then(|| index as u64 * 8 + u64::from(byte.leading_zeros()))
    };
    if let Some(position) = in_byte(0) {
        return Some(position);
    }
    let middle = &bytes[1.min(last)..last];
    let skipped = 1.min(last) + skip(middle, !flip);
    (skipped..=last).find_map(in_byte)
}

/// How many bytes at the start may be passed over because they hold nothing but the value that is
/// not looked for; `wanted` is a byte full of the other one.
fn skip(bytes: &[u8], wanted: u8) -> usize {
    let boring = [!wanted; 32];
    let (blocks, rest) = bytes.as_chunks::<32>();
    let full = blocks.iter().position(|block| *block != boring);
    let start = full.unwrap_or(blocks.len()) * 32;
    let tail = if full.is_some() {
        &bytes[start..start + 32]
    } else {
        rest
    };
    start + tail.iter().take_while(|&&byte| byte == !wanted).count()
}

/// The operations of BITOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    And,
    Or,
    Xor,
    /// Takes the first source only.
    Not,
}

impl BitOp {
    /// Combine strings, the shorter ones filled up with zeros; as long as the longest.
    pub fn apply(self, sources: &[&[u8]]) -> Vec<u8> {
        let Some((&head, others)) = sources.split_first() else {
            return Vec::new();
        };
        if self == BitOp::Not {
            return head.iter().map(|byte| !byte).collect();
        }
        let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
        let mut result = Vec::with_capacity(len);
        result.extend_from_slice(head);
        result.resize(len, 0);
        for source in others {
            let (common, beyond) = result.split_at_mut(source.len());
            // One loop for each, so that the compiler makes vectors of them.
            let pairs = common.iter_mut().zip(*source);
            match self {
                BitOp::And => {
                    pairs.for_each(|(to, from)| *to &= from);
                    beyond.fill(0);
                }
                BitOp::Or => pairs.for_each(|(to, from)| *to |= from),
                BitOp::Xor | BitOp::Not => pairs.for_each(|(to, from)| *to ^= from),
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn to_bits(bytes: &[u8]) -> Vec<bool> {
        bytes
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1))
            .collect()
    }

    /// Long runs of equal bytes with something in between, so that the fast paths have to stop.
    fn random_bytes(prng: &mut Prng, most: u64) -> Vec<u8> {
        let len = prng.below(most);
        let fill = [0x00, 0xff, 0x5a][prng.below(3) as usize];
        let rare = prng.below(40) + 1;
        (0..len)
            .map(|_| {
                if prng.one_in(rare) {
                    prng.next_u64() as u8
                } else {
                    fill
                }
            })
            .collect()
    }

    fn random_end(prng: &mut Prng, most: usize) -> i64 {
        prng.below(most as u64 * 2 + 20) as i64 - most as i64 - 10
    }

    /// The bits that a range of Redis covers, one by one.
    fn covered(len: usize, start: i64, end: i64, unit: Unit) -> Vec<usize> {
        let scale = if unit == Unit::Bit { 1 } else { 8 };
        let total = (len * 8 / scale) as i64;
        let fix = |index: i64| {
            if index < 0 {
                (index + total).max(0)
            } else {
                index
            }
        };
        let inside = |bit: &usize| {
            let at = (*bit / scale) as i64;
            fix(start) <= at && at <= fix(end)
        };
        (0..len * 8).filter(inside).collect()
    }

    #[test]
    fn single_bits() {
        for seed in 0..300 {
            let mut prng = Prng::from_seed(seed);
            let mut bytes = random_bytes(&mut prng, 40);
            let mut model = to_bits(&bytes);
            for _ in 0..50 {
                let offset = prng.below(400);
                assert_eq!(
                    bit(&bytes, offset),
                    model.get(offset as usize) == Some(&true)
                );
                bytes.resize(bytes.len().max(bytes_for_bit(offset)), 0);
                model.resize(bytes.len() * 8, false);
                let on = prng.one_in(2);
                let was = std::mem::replace(&mut model[offset as usize], on);
                assert_eq!(set_bit(&mut bytes, offset, on), was, "seed {seed}");
            }
            assert_eq!(to_bits(&bytes), model, "seed {seed}");
        }
        assert!(!bit(b"\xff", u64::MAX));
    }

    #[test]
    fn counts_agree_with_counting() {
        for seed in 0..20_000 {
            let mut prng = Prng::from_seed(seed);
            let bytes = random_bytes(&mut prng, 150);
            let bits = to_bits(&bytes);
            assert_eq!(
                count(&bytes),
                bits.iter().filter(|&&bit| bit).count() as u64
            );
            assert_eq!(count(&bytes), count_words(&bytes));
            for unit in [Unit::Byte, Unit::Bit] {
                let most = if unit == Unit::Bit {
                    bits.len()
                } else {
                    bytes.len()
                };
                let (start, end) = (random_end(&mut prng, most), random_end(&mut prng, most));
                let swapped = start < 0 && end < 0 && start > end;
                let expected = covered(bytes.len(), start, end, unit)
                    .iter()
                    .filter(|&&at| bits[at])
                    .count();
                let expected = if swapped { 0 } else { expected as u64 };
                let ours = count_range(&bytes, start, end, unit);
                assert_eq!(
                    ours, expected,
                    "seed {seed}: {bytes:?} {start} {end} {unit:?}"
                );
            }
        }
        assert_eq!(count_range(b"\xff", i64::MIN, i64::MAX, Unit::Bit), 8);
        assert_eq!(count_range(b"", 0, -1, Unit::Byte), 0);
    }

    #[test]
    fn positions_agree_with_looking() {
        for seed in 0..20_000 {
            let mut prng = Prng::from_seed(seed);
            let bytes = random_bytes(&mut prng, 150);
            let bits = to_bits(&bytes);
            let unit = if prng.one_in(2) {
                Unit::Byte
            } else {
                Unit::Bit
            };
            let most = if unit == Unit::Bit {
                bits.len()
            } else {
                bytes.len()
            };
            let start = random_end(&mut prng, most);
            let end = if prng.one_in(3) {
                None
            } else {
                Some(random_end(&mut prng, most))
            };
            let value = prng.one_in(2);
            let inside = covered(bytes.len(), start, end.unwrap_or(i64::MAX), unit);
            let found = inside.iter().find(|&&at| bits[at] == value);
            let expected = match found {
                Some(&at) => at as i64,
                None if !inside.is_empty() && !value && end.is_none() => bits.len() as i64,
                None => -1,
            };
            let ours = position(&bytes, value, PositionRange { start, end, unit });
            assert_eq!(
                ours, expected,
                "seed {seed}: {bytes:?} {value} {start} {end:?} {unit:?}"
            );
        }
    }

    #[test]
    fn positions_at_the_ends() {
        let all = PositionRange::ALL;
        let range = |start, end, unit| PositionRange { start, end, unit };
        assert_eq!(position(b"", false, all), -1);
        assert_eq!(position(b"\xff\xff", false, all), 16);
        assert_eq!(
            position(b"\xff\xff", false, range(0, Some(-1), Unit::Byte)),
            -1
        );
        assert_eq!(position(b"\xff\xf0", false, range(1, None, Unit::Byte)), 12);
        assert_eq!(
            position(b"\x00\x0f", true, range(0, Some(11), Unit::Bit)),
            -1
        );
        assert_eq!(
            position(b"\x00\x0f", true, range(12, Some(12), Unit::Bit)),
            12
        );
        assert_eq!(position(b"\x00\x00", true, all), -1);
        assert_eq!(position(b"\xff", false, range(2, None, Unit::Byte)), -1);
    }

    #[test]
    fn operations_agree_with_bits() {
        for seed in 0..2000 {
            let mut prng = Prng::from_seed(seed);
            let strings: Vec<Vec<u8>> = (0..=prng.below(4))
                .map(|_| random_bytes(&mut prng, 80))
                .collect();
            let sources: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            let len = strings.iter().map(Vec::len).max().unwrap_or(0);
            let at = |source: &[u8], index: usize| source.get(index).copied().unwrap_or(0);
            for op in [BitOp::And, BitOp::Or, BitOp::Xor] {
                let fold = |x: u8, y: u8| match op {
                    BitOp::And => x & y,
                    BitOp::Or => x | y,
                    _ => x ^ y,
                };
                let expected: Vec<u8> = (0..len)
                    .map(|i| sources.iter().map(|s| at(s, i)).reduce(fold).unwrap_or(0))
                    .collect();
                assert_eq!(op.apply(&sources), expected, "seed {seed} {op:?}");
            }
            let flipped: Vec<u8> = strings[0].iter().map(|byte| !byte).collect();
            assert_eq!(BitOp::Not.apply(&sources[..1]), flipped);
        }
        assert_eq!(BitOp::And.apply(&[]), b"");
    }

    #[test]
    fn offsets_as_redis_reads_them() {
        let max = 512 << 20;
        assert_eq!(parse_offset(b"0", None, max), Some(0));
        assert_eq!(
            parse_offset(b"4294967295", None, max),
            Some(u64::from(u32::MAX))
        );
        assert_eq!(
            parse_offset(b"#536870911", Some(8), max),
            Some(536_870_911 * 8)
        );
        assert_eq!(parse_offset(b"#3", Some(5), max), Some(15));
        for text in ["4294967296", "-1", "01", "+1", "#1", "", "x"] {
            assert_eq!(parse_offset(text.as_bytes(), None, max), None, "{text}");
        }
        for text in ["#536870912", "#", "#-1", "##1"] {
            assert_eq!(parse_offset(text.as_bytes(), Some(8), max), None, "{text}");
        }
    }
}
