//! Arithmetic of INCRBYFLOAT: the 80-bit floats of x87, in software.
//!
//! Redis adds in C's `long double` and prints with `%.17Lf`. On x86-64 that is a float with a
//! 64-bit significand, so 0.1 + 0.2 prints as 0.3 and not as 0.30000000000000004: no computation
//! in `f64` gives these digits. Doing it in integers gives them on every machine, also where C's
//! `long double` is something else.
//!
//! ```text
//!   value = (-1)^negative * significand * 2^exponent
//!
//!   normal     top bit of the significand set, -16445 <= exponent <= 16320
//!   denormal   top bit clear, exponent == -16445
//!   zero       significand 0
//!   infinity   exponent == i32::MAX
//! ```
//!
//! Reading, adding and printing each round once, half to even, as the hardware and glibc do. Texts
//! of up to 19 digits with a small exponent stay in 128-bit integers; the rest goes through
//! `Big`, whose size is bounded by `TEXT_MAX`. There is no NaN: reading refuses it and an addition
//! that would make one fails. Other operations are not here because no command needs them.

use super::number::{Decimal, Hex, IntText, Literal, format_u64, parse_i64, round_to};

/// Redis: texts of this length or more are not floats (MAX_LONG_DOUBLE_CHARS).
const TEXT_MAX: usize = 5 * 1024;

/// Exponent of the lowest bit of the smallest normal and of all denormal values.
const EXPONENT_MIN: i32 = -16445;

/// Exponent of the lowest bit of the largest finite values.
const EXPONENT_MAX: i32 = 16320;

/// Marks infinity; no finite value has it.
const EXPONENT_INFINITE: i32 = i32::MAX;

/// Digits behind the point in `%.17Lf`.
const FRACTION_DIGITS: usize = 17;

const TEN_TO_17: u128 = 100_000_000_000_000_000;

/// The largest power of ten that one step of `Big` takes: 10^19.
const STEP: u64 = 10_000_000_000_000_000_000;
const STEP_DIGITS: usize = 19;

/// A float with a 64-bit significand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    significand: u64,
    exponent: i32,
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> LongDouble {
        LongDouble::exact(value < 0, u128::from(value.unsigned_abs()), 0)
    }
}

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble {
        negative: false,
        significand: 0,
        exponent: EXPONENT_MIN,
    };

    /// Read a float as Redis's `string2ld`: C's `strtold` on the whole text, without leading
    /// spaces, NaN and values that overflow or vanish.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        if let Some(integer) = parse_i64(text) {
            return Some(LongDouble::from(integer));
        }
        match Literal::scan(text)? {
            Literal::Infinity { negative } => Some(LongDouble::infinity(negative)),
            Literal::Decimal(decimal) => parse_decimal(&decimal),
            Literal::Hex(hex) => parse_hex(&hex),
        }
    }

    pub fn is_infinite(&self) -> bool {
        self.exponent == EXPONENT_INFINITE
    }

    /// The sum, unless it is infinite or not a number; Redis then refuses the increment.
    pub fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        // 62 bits of room below the larger operand, one above for the carry; what falls off the
        // smaller one only matters for being there or not, and then no bits cancel.
        let distance = (high.exponent - low.exponent) as u32;
        let large = u128::from(high.significand) << 62;
        let shifted = u128::from(low.significand) << 62;
        let small = shifted.checked_shr(distance).unwrap_or(0);
        let inexact = small.checked_shl(distance) != Some(shifted) && shifted != 0;
        let small = small | u128::from(inexact);
        let (negative, sum) = match (high.negative == low.negative, large >= small) {
            (true, _) => (high.negative, large + small),
            (false, true) => (high.negative, large - small),
            (false, false) => (low.negative, small - large),
        };
        if sum == 0 {
            return Some(LongDouble {
                negative: high.negative && low.negative,
                ..LongDouble::ZERO
            });
        }
        let sum = LongDouble::exact(negative, sum, high.exponent - 62);
        (!sum.is_infinite()).then_some(sum)
    }

    /// Append the text that INCRBYFLOAT stores and replies: `%.17Lf` without the zeros at its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.is_infinite() {
            return out.extend_from_slice(if self.negative { b"-inf" } else { b"inf" });
        }
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        if self.exponent > 0 {
            return Big::from_bits(self.significand, self.exponent as u32).write(out);
        }
        let (whole, fraction) = self.rounded();
        out.extend_from_slice(format_u64(&mut IntText::new(), whole));
        write_fraction(out, fraction);
        // Redis: a negative value that rounds to nothing loses its sign.
        if &out[start..] == b"-0" {
            out.remove(start);
        }
    }

    /// The text of `write`, for callers that keep it.
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(40);
        self.write(&mut text);
        text
    }

    /// A value without fractions of 2^exponent split at the point, the fraction in units of 10^-17.
    fn rounded(&self) -> (u64, u64) {
        let below = self.exponent.unsigned_abs();
        let whole = self.significand.checked_shr(below).unwrap_or(0);
        let mask = 1u64
            .checked_shl(below)
            .map_or(u64::MAX, |bit| bit.wrapping_sub(1));
        // At most 64 + 57 bits, so a shift by 128 or more leaves less than half.
        let scaled = u128::from(self.significand & mask) * TEN_TO_17;
        let Some(kept) = scaled.checked_shr(below) else {
            return (whole, 0);
        };
        let rest = scaled - (kept << below);
        let half = 1u128.checked_shl(below).map_or(0, |unit| unit >> 1);
        let up = below > 0 && (rest > half || (rest == half && kept & 1 == 1));
        let kept = kept + u128::from(up);
        (whole + (kept / TEN_TO_17) as u64, (kept % TEN_TO_17) as u64)
    }

    fn infinity(negative: bool) -> LongDouble {
        LongDouble {
            negative,
            significand: 1 << 63,
            exponent: EXPONENT_INFINITE,
        }
    }

    /// Round `bits * 2^exponent`, where all bits are known.
    fn exact(negative: bool, bits: u128, exponent: i32) -> LongDouble {
        LongDouble::round(negative, bits, false, i64::from(exponent))
    }

    /// Round `bits * 2^exponent`, with more below the bits if `inexact` (then at least 66 of them
    /// are needed). Overflow gives infinity, underflow zero.
    fn round(negative: bool, bits: u128, inexact: bool, exponent: i64) -> LongDouble {
        let zero = LongDouble {
            negative,
            ..LongDouble::ZERO
        };
        let shift = bits.leading_zeros();
        if shift == 128 {
            return zero;
        }
        let lowest = exponent - i64::from(shift) + 64;
        let lost = (i64::from(EXPONENT_MIN) - lowest).max(0);
        if lost > 64 {
            return zero;
        }
        let rounded = round_to(bits << shift, inexact, (64 - lost) as u32);
        let carried = rounded >> 64 != 0;
        let significand = if carried { 1 << 63 } else { rounded as u64 };
        let exponent = lowest + lost + i64::from(carried);
        if exponent > i64::from(EXPONENT_MAX) {
            return LongDouble::infinity(negative);
        }
        LongDouble {
            negative,
            significand,
            exponent: exponent as i32,
        }
    }

    /// Redis: a number as written must neither overflow nor vanish.
    fn in_range(self) -> Option<LongDouble> {
        (!self.is_infinite() && self.significand != 0).then_some(self)
    }
}

fn write_fraction(out: &mut Vec<u8>, mut fraction: u64) {
    if fraction == 0 {
        return;
    }
    let mut digits = [b'0'; FRACTION_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += (fraction % 10) as u8;
        fraction /= 10;
    }
    let len = digits
        .iter()
        .rposition(|&digit| digit != b'0')
        .map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..len]);
}

fn parse_hex(hex: &Hex) -> Option<LongDouble> {
    if hex.bits == 0 {
        return Some(LongDouble {
            negative: hex.negative,
            ..LongDouble::ZERO
        });
    }
    // The bits stand for 1.xxx, so their lowest weighs 2^-127 of the leading one.
    LongDouble::round(hex.negative, hex.bits, hex.inexact, hex.exponent - 127).in_range()
}

fn parse_decimal(decimal: &Decimal) -> Option<LongDouble> {
    let digits = || {
        decimal
            .whole
            .iter()
            .chain(decimal.fraction)
            .map(|&byte| byte - b'0')
    };
    let zeros = digits().take_while(|&digit| digit == 0).count();
    let count = decimal.whole.len() + decimal.fraction.len() - zeros;
    if count == 0 {
        return Some(LongDouble {
            negative: decimal.negative,
            ..LongDouble::ZERO
        });
    }
    let power = decimal.exponent - decimal.fraction.len() as i64;
    // 10^4933 overflows and 10^-4952 vanishes: beyond these borders no digits need be looked at.
    let magnitude = power + count as i64;
    if !(-4960..=4940).contains(&magnitude) {
        return None;
    }
    if count <= STEP_DIGITS && (-18..=19).contains(&power) {
        let value = digits().fold(0, |value: u64, digit| value * 10 + u64::from(digit));
        return Some(short_decimal(decimal.negative, value, power as i32));
    }
    let mut big = Big::from_digits(digits().skip(zeros));
    if power >= 0 {
        big.multiply_by_ten(power as usize);
        let (bits, inexact, exponent) = big.top();
        return LongDouble::round(decimal.negative, bits, inexact, exponent).in_range();
    }
    let shift = big.divide_by_ten(power.unsigned_abs() as usize);
    let (bits, inexact, exponent) = big.top();
    LongDouble::round(decimal.negative, bits, inexact, exponent - shift).in_range()
}

/// `digits * 10^power` for a power from -18 to 19, in two machine words.
fn short_decimal(negative: bool, digits: u64, power: i32) -> LongDouble {
    let ten = 10u64.pow(power.unsigned_abs());
    if power >= 0 {
        return LongDouble::exact(negative, u128::from(digits) * u128::from(ten), 0);
    }
    // The quotient of 128 by at most 60 bits keeps 68: enough below the 64 to round by.
    let shift = u128::from(digits).leading_zeros();
    let dividend = u128::from(digits) << shift;
    let inexact = dividend % u128::from(ten) != 0;
    LongDouble::round(
        negative,
        dividend / u128::from(ten),
        inexact,
        -i64::from(shift),
    )
}

/// A natural number of any size, for texts that do not fit two machine words.
struct Big {
    /// Least significant first, no zeros at the end.
    limbs: Vec<u64>,
    /// A division left a remainder.
    inexact: bool,
}

impl Big {
    fn from_bits(bits: u64, shift: u32) -> Big {
        let mut big = Big {
            limbs: vec![bits],
            inexact: false,
        };
        big.shift_left(shift as usize);
        big
    }

    fn from_digits(digits: impl Iterator<Item = u8>) -> Big {
        let mut big = Big {
            limbs: Vec::new(),
            inexact: false,
        };
        let (mut chunk, mut factor) = (0, 1);
        for digit in digits {
            chunk = chunk * 10 + u64::from(digit);
            factor *= 10;
            if factor == STEP {
                big.multiply_add(factor, chunk);
                (chunk, factor) = (0, 1);
            }
        }
        big.multiply_add(factor, chunk);
        big
    }

    fn multiply_add(&mut self, factor: u64, summand: u64) {
        let mut carry = summand;
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            self.limbs.push(carry);
        }
    }

    /// Divide and return the remainder.
    fn divide(&mut self, divisor: u64) -> u64 {
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = u128::from(rest) << 64 | u128::from(*limb);
            *limb = (dividend / u128::from(divisor)) as u64;
            rest = (dividend % u128::from(divisor)) as u64;
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        rest
    }

    fn shift_left(&mut self, bits: usize) {
        self.multiply_add(1 << (bits % 64), 0);
        self.limbs.splice(0..0, std::iter::repeat_n(0, bits / 64));
    }

    fn multiply_by_ten(&mut self, power: usize) {
        for _ in 0..power / STEP_DIGITS {
            self.multiply_add(STEP, 0);
        }
        self.multiply_add(10u64.pow((power % STEP_DIGITS) as u32), 0);
    }

    /// Divide by a power of ten after a shift that leaves more than 128 bits of quotient; returns
    /// the shift. Dropping the remainder of every step does not change the last quotient.
    fn divide_by_ten(&mut self, power: usize) -> i64 {
        // log2(10) is below 10/3; one limb more for the bits of the quotient, one for rounding up.
        let needed = (power * 10 / 3) / 64 + 4;
        let shift = 64 * needed.saturating_sub(self.limbs.len());
        self.shift_left(shift);
        for _ in 0..power / STEP_DIGITS {
            self.inexact |= self.divide(STEP) != 0;
        }
        self.inexact |= self.divide(10u64.pow((power % STEP_DIGITS) as u32)) != 0;
        shift as i64
    }

    /// The top 128 bits, whether others follow, and the power of two of the lowest of them.
    fn top(&self) -> (u128, bool, i64) {
        let count = self.limbs.len();
        let limb = |from_top: usize| count.checked_sub(from_top).map_or(0, |i| self.limbs[i]);
        let zeros = limb(1).leading_zeros();
        let high = u128::from(limb(1)) << 64 | u128::from(limb(2));
        let bits = high << zeros | u128::from(limb(3)) >> (64 - zeros);
        let cut = limb(3) << zeros != 0;
        let rest = self.limbs[..count.saturating_sub(3)]
            .iter()
            .any(|&limb| limb != 0);
        let exponent = 64 * (count as i64 - 2) - i64::from(zeros);
        (bits, self.inexact || cut || rest, exponent)
    }

    fn write(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            chunks.push(self.divide(STEP));
        }
        let mut buffer = IntText::new();
        for (position, &chunk) in chunks.iter().rev().enumerate() {
            let text = format_u64(&mut buffer, chunk);
            if position > 0 {
                out.extend(std::iter::repeat_n(b'0', STEP_DIGITS - text.len()));
            }
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::number::{F64_TEXT_MAX, format_f64, parse_f64};

    fn increment(value: &str, by: &str) -> Option<String> {
        let value = LongDouble::parse(value.as_bytes())?;
        let sum = value.checked_add(LongDouble::parse(by.as_bytes())?)?;
        Some(String::from_utf8(sum.to_text()).expect("digits are ASCII"))
    }

    /// Every line was recorded from Redis; see the README beside the file.
    #[test]
    fn same_texts_as_redis() {
        let golden = include_str!("../../tests/golden/floats-7.0.txt");
        assert!(golden.lines().count() >= 4000);
        for line in golden.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let ours = match words[..] {
                ["incr", value, by, _] => increment(value, by),
                ["score", text, _] => parse_f64(text.as_bytes()).map(|score| {
                    let mut buffer = [0; F64_TEXT_MAX];
                    // Redis keeps an integral score of a small zset as an integer: no "-0".
                    let text = format_f64(&mut buffer, score + 0.0);
                    String::from_utf8_lossy(text).into_owned()
                }),
                _ => panic!("not a golden line: {line}"),
            };
            let theirs = words[words.len() - 1];
            assert_eq!(ours.as_deref().unwrap_or("ERR"), theirs, "{line}");
        }
    }

    #[test]
    fn sums_that_show_the_precision() {
        let cases = [
            ("0.1", "0.2", Some("0.3")),
            ("10.50", "0.1", Some("10.6")),
            ("5.0e3", "2.0e2", Some("5200")),
            ("3", "1.1", Some("4.1")),
            ("0", "-1e-20", Some("0")),
            ("-0", "-0", Some("0")),
            ("1", "-1", Some("0")),
            ("9223372036854775807", "1", Some("9223372036854775808")),
            ("18446744073709551615", "1", Some("18446744073709551616")),
            ("0.99999999999999999999", "0", Some("1")),
            ("1.18973149535723176502e+4932", "1e4920", None),
            ("inf", "-inf", None),
            ("inf", "1", None),
        ];
        for (value, by, sum) in cases {
            assert_eq!(increment(value, by).as_deref(), sum, "{value} + {by}");
        }
    }

    #[test]
    fn texts_out_of_range_are_refused() {
        let long = "1".repeat(TEXT_MAX);
        let many_zeros = format!("0.{}1e4000", "0".repeat(4000));
        assert_eq!(LongDouble::parse(long.as_bytes()), None);
        assert_eq!(LongDouble::parse(b"1e5000"), None);
        assert_eq!(LongDouble::parse(b"1e-4952"), None);
        assert_eq!(LongDouble::parse(b"1e99999999999999999999999999"), None);
        assert_eq!(LongDouble::parse(b"0e99999999999"), Some(LongDouble::ZERO));
        assert_eq!(
            LongDouble::parse(many_zeros.as_bytes()),
            LongDouble::parse(b"0.1")
        );
        assert!(LongDouble::parse(b"-inf").is_some_and(|value| value.is_infinite()));
        assert_eq!(
            LongDouble::parse(b"inf").map(|value| value.to_text()),
            Some(b"inf".to_vec())
        );
    }

    /// The short way through two machine words and the long one through `Big` round alike.
    #[test]
    fn both_ways_of_reading_agree() {
        let mut seed: u64 = 42;
        for round in 0..100_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round | 1);
            let digits = seed >> (seed % 50);
            let power = (seed >> 20) % 18 + 1;
            let short = format!("{}e-{power}", digits / 10);
            let long = format!("{}{}e-{}", digits / 10, "0".repeat(30), power + 30);
            let read = |text: &str| LongDouble::parse(text.as_bytes());
            assert_eq!(read(&short), read(&long), "{short}");
        }
    }
}
