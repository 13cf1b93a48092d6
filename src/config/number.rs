//! Numbers in directives: integers, bytes with units, octal modes, percentages.
//!
//! The rules are Redis's own and are odd in places: an integer admits no sign `+`, no blanks and no
//! leading zero, a byte count may have a unit (`1k` is 1000, `1kb` is 1024) but no fraction, and an
//! empty byte count is 0. Values are `i128` so that one type carries u64 and negative bounds.
//! The error texts are what redis-server prints, because clients and operators read them.

use std::borrow::Cow;

use crate::base::number::parse_i64;

/// Why a value was refused, in Redis's words.
pub type Reason = Cow<'static, str>;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Plain,
    Bytes,
    /// Bytes, or `N%`, which is kept as `-N`.
    BytesOrPercent,
    Octal,
}

/// The unit and the bounds of a numeric directive.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub unit: Unit,
    pub min: i128,
    pub max: i128,
}

impl Bounds {
    /// Reads and checks a value.
    pub fn parse(&self, text: &[u8]) -> Result<i128, Reason> {
        let value = self.unit.parse(text)?;
        if self.unit == Unit::BytesOrPercent && value < 0 {
            return if value < self.min {
                Err(format!("percentage argument must be less or equal to {}", -self.min).into())
            } else {
                Ok(value)
            };
        }
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(self.complaint())
        }
    }

    fn complaint(&self) -> Reason {
        let Bounds { unit, min, max } = *self;
        match unit {
            Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
            _ => format!("argument must be between {min} and {max} inclusive"),
        }
        .into()
    }
}

impl Unit {
    fn parse(self, text: &[u8]) -> Result<i128, Reason> {
        let (value, complaint) = match self {
            Unit::Plain => (integer(text), "argument couldn't be parsed into an integer"),
            Unit::Bytes => (
                bytes(text).map(i128::from),
                "argument must be a memory value",
            ),
            Unit::BytesOrPercent => (
                bytes(text).map(i128::from).or_else(|| percent(text)),
                "argument must be a memory or percent value",
            ),
            Unit::Octal => (
                octal(text),
                "argument couldn't be parsed as an octal number",
            ),
        };
        value.ok_or(Cow::Borrowed(complaint))
    }

    /// As CONFIG GET shows it.
    pub fn show(self, value: i128) -> String {
        match self {
            Unit::Octal => format!("{value:o}"),
            Unit::BytesOrPercent if value < 0 => format!("{}%", -value),
            _ => value.to_string(),
        }
    }

    /// As CONFIG REWRITE writes it: with the largest unit that divides it.
    pub fn write(self, value: i128) -> String {
        match self {
            Unit::Bytes | Unit::BytesOrPercent if value > 0 => with_unit(value),
            _ => self.show(value),
        }
    }
}

/// `64mb` for 67108864.
pub fn with_unit(value: i128) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if value != 0 && value % (1 << shift) == 0 {
            return format!("{}{unit}", value >> shift);
        }
    }
    value.to_string()
}

/// A 64-bit integer in its only spelling.
fn integer(text: &[u8]) -> Option<i128> {
    parse_i64(text).map(i128::from)
}

/// A byte count with an optional unit.
pub fn bytes(text: &[u8]) -> Option<u64> {
    if text.first() == Some(&b'-') {
        return None;
    }
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let scale: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // Redis: too many digits saturate, too large a product wraps; neither is an error.
    let value = digits.iter().try_fold(0u64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    Some(value.unwrap_or(u64::MAX).wrapping_mul(scale))
}

/// What C's `strtoll` makes of a whole text in base 10: blanks and a sign first, nothing behind.
pub fn lenient(text: &[u8]) -> Option<i64> {
    radix(text, 10).map(|value| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

fn percent(text: &[u8]) -> Option<i128> {
    let digits = text.strip_suffix(b"%")?;
    integer(digits)
        .filter(|value| *value >= 0)
        .map(|value| -value)
}

fn octal(text: &[u8]) -> Option<i128> {
    radix(text, 8).filter(|value| i64::try_from(*value).is_ok())
}

fn radix(text: &[u8], base: u32) -> Option<i128> {
    let blank = |byte: &u8| *byte == b' ' || (9..=13).contains(byte);
    let start = text
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(text.len());
    let (negative, digits) = match &text[start..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    // C reports "no digits" by pointing at the start, which is also the end of an empty text.
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let mut value = 0i128;
    for digit in digits {
        let digit = char::from(*digit).to_digit(base)?;
        value = (value * i128::from(base) + i128::from(digit)).min(1 << 64);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_know_both_kilos() {
        for (text, expected) in [
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("2MB", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("1gB", Some(1 << 30)),
            ("", Some(0)),
            ("b", Some(0)),
            ("-1", None),
            ("1.5gb", None),
            ("10GiB", None),
            ("18446744073709551616", Some(u64::MAX)),
            ("99999999999gb", Some(15140462030378500096)),
        ] {
            assert_eq!(bytes(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn units_are_written_only_when_whole() {
        assert_eq!(with_unit(0), "0");
        assert_eq!(with_unit(1 << 30), "1gb");
        assert_eq!(with_unit(100 << 20), "100mb");
        assert_eq!(with_unit(1000), "1000");
    }

    #[test]
    fn lenient_reads_like_strtoll() {
        for (text, expected) in [
            ("+5", Some(5)),
            ("-0", Some(0)),
            (" \t7", Some(7)),
            ("", Some(0)),
            ("7 ", None),
            ("x", None),
            ("-", None),
            (" ", None),
            ("99999999999999999999999999999999999999999", Some(i64::MAX)),
        ] {
            assert_eq!(lenient(text.as_bytes()), expected, "{text:?}");
        }
    }
}
