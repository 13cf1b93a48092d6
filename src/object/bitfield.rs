//! Integers of any width at any bit of a string: what BITFIELD computes.
//!
//! A field has 1 to 64 bits with a sign or 1 to 63 without, and lies most significant bit first,
//! in the numbering of `bits`:
//!
//! ```text
//!   u5 at 6:   byte 0  ......aa   byte 1  aaa.....
//! ```
//!
//! Reads behind the end of the string give zeros; before a write the caller makes the string as
//! long as `Field::bytes_for` says. Parsing of whole commands and the replies are not here.

use crate::base::number::parse_i64;

/// The type of a field: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    signed: bool,
    bits: u32,
}

/// What happens to a result that does not fit its field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The lowest bits stay.
    #[default]
    Wrap,
    /// The nearest value that fits.
    Saturate,
    /// Nothing is written, and the reply is null.
    Fail,
}

impl Field {
    /// A field type by its parts, None if there is no such type.
    pub fn new(signed: bool, bits: u32) -> Option<Field> {
        let most = if signed { 64 } else { 63 };
        (1..=most).contains(&bits).then_some(Field { signed, bits })
    }

    /// Read a type like `i16` or `u8`; None is Redis's "Invalid bitfield type".
    pub fn parse(text: &[u8]) -> Option<Field> {
        let (&sign, width) = text.split_first()?;
        let signed = match sign {
            b'i' => true,
            b'u' => false,
            _ => return None,
        };
        Field::new(signed, u32::try_from(parse_i64(width)?).ok()?)
    }

    pub fn bits(self) -> u32 {
        self.bits
    }

    /// The length a string needs to hold this field at the offset.
    pub fn bytes_for(self, offset: u64) -> usize {
        ((offset + u64::from(self.bits) - 1) >> 3) as usize + 1
    }

    /// The value at a bit offset (GET).
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = load(bytes, offset >> 3);
        let raw = (window << (offset & 7) >> (128 - self.bits)) as u64;
        self.extend(raw)
    }

    /// Write the lowest bits of a value at a bit offset, inside the string.
    pub fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let shift = 128 - self.bits - (offset & 7) as u32;
        let mask = (u128::MAX >> (128 - self.bits)) << shift;
        let window = load(bytes, offset >> 3);
        let window = (window & !mask) | ((value as u64 as u128) << shift & mask);
        let start = (offset >> 3) as usize;
        let end = self.bytes_for(offset);
        bytes[start..end].copy_from_slice(&window.to_be_bytes()[..end - start]);
    }

    /// What SET stores of this value, None if it must fail.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        match self.check(value, 0) {
            None => Some(value),
            Some(limit) => self.settle(value, limit, overflow),
        }
    }

    /// What INCRBY stores and replies, None if it must fail; `old` was read from this field.
    pub fn increment(self, old: i64, by: i64, overflow: Overflow) -> Option<i64> {
        let sum = old.wrapping_add(by);
        match self.check(old, by) {
            None => Some(sum),
            Some(limit) => self.settle(sum, limit, overflow),
        }
    }

    /// The limit that `value + by` passes, if it does.
    fn check(self, value: i64, by: i64) -> Option<i64> {
        if !self.signed {
            let max = i64::MAX >> (63 - self.bits);
            // Redis: a negative value to SET is a huge one, so that it saturates at the top.
            return if value < 0 || value > max || by > max - value {
                Some(max)
            } else {
                (by < -value).then_some(0)
            };
        }
        let max = i64::MAX >> (64 - self.bits);
        let min = -max - 1;
        if self.bits == 64 {
            let over = value.checked_add(by).is_none();
            return over.then_some(if by > 0 { max } else { min });
        }
        // Redis: these two wrap if a value to SET is far below the minimum, which then saturates
        // at the top.
        if value > max || by > max.wrapping_sub(value) {
            return Some(max);
        }
        (value < min || by < min.wrapping_sub(value)).then_some(min)
    }

    fn settle(self, value: i64, limit: i64, overflow: Overflow) -> Option<i64> {
        match overflow {
            Overflow::Wrap => Some(self.extend(value as u64)),
            Overflow::Saturate => Some(limit),
            Overflow::Fail => None,
        }
    }

    /// The number that the lowest bits of a word stand for.
    fn extend(self, raw: u64) -> i64 {
        let top = (raw << (64 - self.bits)) as i64;
        if self.signed {
            top >> (64 - self.bits)
        } else {
            (top as u64 >> (64 - self.bits)) as i64
        }
    }
}

/// Sixteen bytes from an index, zeros behind the end: a field of 64 bits touches up to nine.
fn load(bytes: &[u8], index: u64) -> u128 {
    let mut window = [0; 16];
    let start = usize::try_from(index).map_or(bytes.len(), |index| index.min(bytes.len()));
    let rest = &bytes[start..];
    let len = rest.len().min(16);
    window[..len].copy_from_slice(&rest[..len]);
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use crate::object::bits::{PositionRange, Unit, bit, count_range, position, set_bit};

    fn field(text: &str) -> Field {
        Field::parse(text.as_bytes()).expect("a field type")
    }

    fn random_field(prng: &mut Prng) -> Field {
        let signed = prng.one_in(2);
        let bits = prng.below(if signed { 64 } else { 63 }) as u32 + 1;
        Field::new(signed, bits).expect("a width in range")
    }

    #[test]
    fn types_as_redis_reads_them() {
        assert_eq!(Field::parse(b"i64"), Field::new(true, 64));
        assert_eq!(Field::parse(b"u63"), Field::new(false, 63));
        for text in [
            "i0", "u0", "u64", "i65", "u01", "u+1", "I8", "i8x", "i", "", "i 8", "8", "u-1",
        ] {
            assert_eq!(Field::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn fields_agree_with_bits() {
        for seed in 0..20_000 {
            let mut prng = Prng::from_seed(seed);
            let mut bytes = vec![0u8; prng.below(30) as usize];
            prng.fill(&mut bytes);
            let field = random_field(&mut prng);
            let offset = prng.below(260);
            let bits = u64::from(field.bits());
            let naive = (0..bits).fold(0u64, |sum, at| {
                sum << 1 | u64::from(bit(&bytes, offset + at))
            });
            let negative = field.signed && bit(&bytes, offset);
            let naive = if negative && bits < 64 {
                naive | u64::MAX << bits
            } else {
                naive
            };
            assert_eq!(
                field.read(&bytes, offset),
                naive as i64,
                "seed {seed} {field:?} {offset}"
            );

            bytes.resize(bytes.len().max(field.bytes_for(offset)), 0);
            let value = prng.next_u64();
            let mut model = bytes.clone();
            for at in 0..bits {
                set_bit(&mut model, offset + at, value >> (bits - 1 - at) & 1 == 1);
            }
            field.write(&mut bytes, offset, value as i64);
            assert_eq!(bytes, model, "seed {seed} {field:?} {offset}");
        }
        assert_eq!(field("i64").read(b"\xff", u64::MAX >> 4), 0);
    }

    #[test]
    fn increments_agree_with_wide_arithmetic() {
        for seed in 0..50_000 {
            let mut prng = Prng::from_seed(seed);
            let field = random_field(&mut prng);
            let old = field.extend(prng.next_u64());
            let by = (prng.next_u64() as i64) >> prng.below(64);
            let sum = i128::from(old) + i128::from(by);
            let wide = field.bits - u32::from(field.signed);
            let (min, max) = (
                if field.signed { -1i128 << wide } else { 0 },
                (1i128 << wide) - 1,
            );
            let fits = (min..=max).contains(&sum);
            let at = format!("seed {seed} {field:?} {old} + {by}");
            let saturated = sum.clamp(min, max) as i64;
            assert_eq!(
                field.increment(old, by, Overflow::Saturate),
                Some(saturated),
                "{at}"
            );
            assert_eq!(
                field.increment(old, by, Overflow::Fail),
                fits.then_some(sum as i64),
                "{at}"
            );
            let wrapped = (sum - min).rem_euclid(max - min + 1) + min;
            assert_eq!(
                field.increment(old, by, Overflow::Wrap),
                Some(wrapped as i64),
                "{at}"
            );
        }
    }

    /// Recorded from Redis, where the surprising ones come from.
    #[test]
    fn values_to_set_at_the_limits() {
        use Overflow::{Fail, Saturate, Wrap};
        let cases = [
            ("i8", 127, Saturate, Some(127)),
            ("i8", 128, Saturate, Some(127)),
            ("i8", -129, Saturate, Some(-128)),
            ("i8", i64::MIN, Saturate, Some(127)),
            ("i8", i64::MIN + 108, Saturate, Some(127)),
            ("i8", 300, Wrap, Some(44)),
            ("i8", 300, Fail, None),
            ("u8", -1, Saturate, Some(255)),
            ("u8", -1, Wrap, Some(255)),
            ("u8", 256, Wrap, Some(0)),
            ("u8", 256, Fail, None),
            ("u63", -1, Saturate, Some(i64::MAX)),
            ("i64", i64::MIN, Fail, Some(i64::MIN)),
            ("u1", 1, Fail, Some(1)),
            ("i1", 1, Wrap, Some(-1)),
        ];
        for (name, value, overflow, stored) in cases {
            assert_eq!(
                field(name).fit(value, overflow),
                stored,
                "{name} {value} {overflow:?}"
            );
        }
        assert_eq!(field("i8").increment(-100, i64::MIN, Saturate), Some(-128));
        assert_eq!(field("u63").increment(5, i64::MIN, Saturate), Some(0));
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits = text.trim_matches('-');
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn number(text: &str) -> i64 {
        parse_i64(text.as_bytes()).expect("an integer")
    }

    fn unit(text: &str) -> Unit {
        if text == "BIT" { Unit::Bit } else { Unit::Byte }
    }

    /// The reply and the string afterwards, as BITFIELD with one operation gives them.
    fn operate(mut bytes: Vec<u8>, words: &[&str]) -> (Option<i64>, Vec<u8>) {
        let overflow = match words[0] {
            "WRAP" => Overflow::Wrap,
            "SAT" => Overflow::Saturate,
            _ => Overflow::Fail,
        };
        let (field, offset, value) = (field(words[2]), number(words[3]) as u64, number(words[4]));
        bytes.resize(bytes.len().max(field.bytes_for(offset)), 0);
        let old = field.read(&bytes, offset);
        let (new, reply) = if words[1] == "SET" {
            let new = field.fit(value, overflow);
            (new, new.and(Some(old)))
        } else {
            let new = field.increment(old, value, overflow);
            (new, new)
        };
        if let Some(new) = new {
            field.write(&mut bytes, offset, new);
        }
        (reply, bytes)
    }

    /// Every line was recorded from Redis; see the README beside the file.
    #[test]
    fn same_answers_as_redis() {
        let golden = include_str!("../../tests/golden/bits-7.0.txt");
        assert!(golden.lines().count() >= 4000);
        for line in golden.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let bytes = from_hex(words[1]);
            let position = |start, end, unit| {
                position(&bytes, words[2] == "1", PositionRange { start, end, unit })
            };
            let ours = match words[0] {
                "BITCOUNT" => {
                    let (start, end) = (number(words[2]), number(words[3]));
                    count_range(&bytes, start, end, unit(words[4])) as i64
                }
                "BITPOS" if words.len() == 4 => position(0, None, Unit::Byte),
                "BITPOS" if words.len() == 5 => position(number(words[3]), None, Unit::Byte),
                "BITPOS" => position(number(words[3]), Some(number(words[4])), unit(words[5])),
                _ => {
                    let (reply, after) = operate(bytes, &words[2..7]);
                    assert_eq!(after, from_hex(words[8]), "{line}");
                    assert_eq!(reply, words[7].parse().ok(), "{line}");
                    continue;
                }
            };
            assert_eq!(Some(&ours.to_string().as_str()), words.last(), "{line}");
        }
    }
}
