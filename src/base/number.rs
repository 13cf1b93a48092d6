//! Numbers as text, exactly as Redis reads and writes them.
//!
//! Redis is strict about integers (one spelling per number, so that an integer-encoded string
//! gives back the bytes that were stored) and lenient about floats (whatever C's `strtod` takes,
//! minus leading spaces, NaN and results out of range). Both sets of rules are visible to clients
//! through INCR, ZADD, SETRANGE and OBJECT ENCODING, so they are reproduced here and nowhere else.
//!
//! | function                | Redis                        | used for                         |
//! |-------------------------|------------------------------|----------------------------------|
//! | `parse_i64`             | `string2ll`                  | every integer argument, INCR     |
//! | `parse_u64_strict`      | the same rules, unsigned     | cursors, ids                     |
//! | `parse_f64`             | `string2d`                   | scores, coordinates              |
//! | `parse_f64_as_c`        | `strtod`                     | ranges of scores                 |
//! | `format_f64`            | `%.17g`                      | scores in replies of Redis 7.0   |
//! | `format_f64_shortest`   | `d2string` since Redis 7.2   | scores in replies of Redis 7.2   |
//!
//! The 80-bit arithmetic of INCRBYFLOAT is in `long_double`; it shares `Literal` and `round_to`.
//! Memory units ("64mb") are a matter of directives and are not known here.

use std::io::Write;

/// Room for the text of any `i64` or `u64`; keep one on the stack and pass it to `format_i64`.
pub type IntText = itoa::Buffer;

/// The most bytes that `format_f64` or `format_f64_shortest` writes, rounded up.
pub const F64_TEXT_MAX: usize = 32;

/// Longest text of an `i64`: a sign and 19 digits.
const I64_TEXT_MAX: usize = 20;

/// Redis: integers below 2^52 print as such; from here on 7.2 writes 5e15 as "5e+15".
const F64_INTEGERS: f64 = 4_503_599_627_370_496.0;

/// Read an integer in its one canonical spelling: no plus, no leading zeros, no spaces, no "-0".
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > I64_TEXT_MAX {
        return None;
    }
    if text[0] != b'-' {
        return i64::try_from(parse_u64_strict(text)?).ok();
    }
    let magnitude = parse_u64_strict(&text[1..])?;
    // "-0" is not canonical; 2^63 is the one magnitude that only fits with the sign.
    if magnitude == 0 || magnitude > 1 << 63 {
        return None;
    }
    Some((magnitude as i64).wrapping_neg())
}

/// Read an unsigned integer in its one canonical spelling, over the whole range of `u64`.
#[inline]
pub fn parse_u64_strict(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    let lead = first.wrapping_sub(b'0');
    if lead == 0 && rest.is_empty() {
        return Some(0);
    }
    // Nineteen digits cannot overflow, only the twentieth has to look.
    if lead.wrapping_sub(1) > 8 || rest.len() > 19 {
        return None;
    }
    let (plain, last) = rest.split_at(rest.len().min(18));
    let mut value = u64::from(lead);
    for &byte in plain {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    let Some(&byte) = last.first() else {
        return Some(value);
    };
    let digit = byte.wrapping_sub(b'0');
    if digit > 9 {
        return None;
    }
    value.checked_mul(10)?.checked_add(u64::from(digit))
}

/// Write an integer into the buffer and return the digits.
#[inline]
pub fn format_i64(buffer: &mut IntText, value: i64) -> &[u8] {
    buffer.format(value).as_bytes()
}

/// Write an unsigned integer into the buffer and return the digits.
#[inline]
pub fn format_u64(buffer: &mut IntText, value: u64) -> &[u8] {
    buffer.format(value).as_bytes()
}

/// How many bytes `format_i64` would write.
pub fn digits_i64(value: i64) -> usize {
    usize::from(value < 0) + digits_u64(value.unsigned_abs())
}

/// How many bytes `format_u64` would write.
pub fn digits_u64(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Read a float as Redis's `string2d`: C's `strtod` on the whole text, hexadecimal included.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(integer) = parse_i64(text) {
        return Some(integer as f64);
    }
    match Literal::scan(text)? {
        Literal::Infinity { negative: true } => Some(f64::NEG_INFINITY),
        Literal::Infinity { negative: false } => Some(f64::INFINITY),
        Literal::Decimal(decimal) => decimal_to_f64(text, &decimal),
        Literal::Hex(hex) => hex_to_f64(&hex),
    }
}

/// Read a float as C's `strtod` does that has to take the whole string, which ends at its first
/// NUL: leading blanks are skipped, nothing at all is zero, what is out of range is infinite or
/// zero. So Redis reads the ends of ranges of scores.
pub fn parse_f64_as_c(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let text = &text[start..];
    match Literal::scan(text)? {
        Literal::Decimal(_) => std::str::from_utf8(text).ok()?.parse().ok(),
        Literal::Hex(hex) => Some(hex_to_f64(&hex).unwrap_or_else(|| {
            let size = if hex.exponent > 0 { f64::INFINITY } else { 0.0 };
            if hex.negative { -size } else { size }
        })),
        Literal::Infinity { .. } => parse_f64(text),
    }
}

/// Out of range at either end is refused, a denormal that lost digits is not: so does Redis.
fn decimal_to_f64(text: &[u8], decimal: &Decimal) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let vanished = value == 0.0 && !decimal.is_zero();
    (value.is_finite() && !vanished).then_some(value)
}

fn hex_to_f64(hex: &Hex) -> Option<f64> {
    let sign = u64::from(hex.negative) << 63;
    if hex.bits == 0 {
        return Some(f64::from_bits(sign));
    }
    let exponent = hex.exponent.clamp(-5000, 5000);
    if exponent > 1023 {
        return None;
    }
    // Below 2^-1022 a double gives up one bit of its 53 per step.
    let keep = 53 - (-1022 - exponent).max(0);
    let kept = if keep < 0 {
        0
    } else {
        round_to(hex.bits, hex.inexact, keep as u32) as u64
    };
    // A carry out of the fraction runs into the exponent field, which is the right answer.
    let bits = if exponent >= -1022 {
        ((exponent + 1022) as u64 * (1 << 52)) + kept
    } else {
        kept
    };
    let value = f64::from_bits(bits | sign);
    (kept != 0 && value.is_finite()).then_some(value)
}

/// Write a float with 17 significant digits, C's `%.17g`: replies of Redis 7.0, score texts.
pub fn format_f64(buffer: &mut [u8; F64_TEXT_MAX], value: f64) -> &[u8] {
    if let Some(len) = format_plain(buffer, value) {
        return &buffer[..len];
    }
    let mut raw = [0; F64_TEXT_MAX];
    let (digits, exponent) = scientific(&mut raw, format_args!("{:.16e}", value.abs()));
    let digits = without_trailing_zeros(digits);
    let mut out = Cursor::new(buffer, value);
    if (-4..17).contains(&exponent) {
        out.positional(digits, exponent);
    } else {
        // C pads the exponent to two digits.
        out.scientific(digits, exponent, 2);
    }
    out.text()
}

/// Write a float with the fewest digits that read back the same: replies of Redis 7.2.
///
/// Redis 7.2 takes its digits from Grisu2, which in one of about a thousand values gives a digit
/// more than needed; here they are always the fewest.
pub fn format_f64_shortest(buffer: &mut [u8; F64_TEXT_MAX], value: f64) -> &[u8] {
    if let Some(len) = format_plain(buffer, value) {
        return &buffer[..len];
    }
    let mut raw = [0; F64_TEXT_MAX];
    let (digits, exponent) = scientific(&mut raw, format_args!("{:e}", value.abs()));
    let mut out = Cursor::new(buffer, value);
    // `scale` is the power of ten of the last digit; these borders are those of Redis's printer.
    let scale = exponent - (digits.len() as i32 - 1);
    let integer = scale >= 0 && exponent < digits.len() as i32 + 7;
    let decimal = scale < 0 && (scale > -7 || exponent.abs() < 4);
    if integer || decimal {
        out.positional(digits, exponent);
    } else {
        out.scientific(digits, exponent, 1);
    }
    out.text()
}

/// NaN, infinities, zeros and small integers read the same in every format.
fn format_plain(buffer: &mut [u8; F64_TEXT_MAX], value: f64) -> Option<usize> {
    let mut integer = IntText::new();
    let text: &[u8] = if value.is_nan() {
        b"nan"
    } else if value.is_infinite() {
        if value < 0.0 { b"-inf" } else { b"inf" }
    } else if value == 0.0 {
        if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        }
    } else if value.abs() < F64_INTEGERS && value.trunc() == value {
        format_i64(&mut integer, value as i64)
    } else {
        return None;
    };
    buffer[..text.len()].copy_from_slice(text);
    Some(text.len())
}

/// Digits without their point, and the power of ten of the first one, out of "d.ddde-x".
fn scientific<'a>(raw: &'a mut [u8; F64_TEXT_MAX], text: std::fmt::Arguments) -> (&'a [u8], i32) {
    let mut rest = &mut raw[..];
    rest.write_fmt(text)
        .expect("seventeen digits and an exponent fit");
    let len = F64_TEXT_MAX - rest.len();
    let mark = raw[..len]
        .iter()
        .position(|&byte| byte == b'e')
        .expect("the format has an e");
    let exponent = std::str::from_utf8(&raw[mark + 1..len])
        .ok()
        .and_then(|e| e.parse().ok());
    // The first digit moves onto the point, so that the digits lie side by side.
    if mark > 1 {
        raw[1] = raw[0];
    }
    let first = usize::from(mark > 1);
    (
        &raw[first..mark],
        exponent.expect("the format ends in an integer"),
    )
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    let len = digits
        .iter()
        .rposition(|&byte| byte != b'0')
        .map_or(1, |last| last + 1);
    &digits[..len]
}

/// Writes the parts of one float into its buffer.
struct Cursor<'a> {
    buffer: &'a mut [u8; F64_TEXT_MAX],
    len: usize,
}

impl<'a> Cursor<'a> {
    fn new(buffer: &'a mut [u8; F64_TEXT_MAX], value: f64) -> Self {
        let mut cursor = Cursor { buffer, len: 0 };
        if value.is_sign_negative() {
            cursor.push(b"-");
        }
        cursor
    }

    fn push(&mut self, bytes: &[u8]) {
        self.buffer[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn zeros(&mut self, count: usize) {
        self.buffer[self.len..self.len + count].fill(b'0');
        self.len += count;
    }

    fn positional(&mut self, digits: &[u8], exponent: i32) {
        if exponent < 0 {
            self.push(b"0.");
            self.zeros((-exponent - 1) as usize);
            return self.push(digits);
        }
        let whole = exponent as usize + 1;
        if whole >= digits.len() {
            self.push(digits);
            return self.zeros(whole - digits.len());
        }
        self.push(&digits[..whole]);
        self.push(b".");
        self.push(&digits[whole..]);
    }

    fn scientific(&mut self, digits: &[u8], exponent: i32, width: usize) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
        self.push(if exponent < 0 { b"e-" } else { b"e+" });
        let mut integer = IntText::new();
        let text = format_u64(&mut integer, u64::from(exponent.unsigned_abs()));
        self.zeros(width.saturating_sub(text.len()));
        self.push(text);
    }

    fn text(self) -> &'a [u8] {
        &self.buffer[..self.len]
    }
}

/// A float as written, before anyone decides on a precision; NaN is not among them.
pub(super) enum Literal<'a> {
    Infinity { negative: bool },
    Decimal(Decimal<'a>),
    Hex(Hex),
}

/// `whole.fraction * 10^exponent`, the digits still text.
pub(super) struct Decimal<'a> {
    pub(super) negative: bool,
    pub(super) whole: &'a [u8],
    pub(super) fraction: &'a [u8],
    pub(super) exponent: i64,
}

/// `1.bits * 2^exponent` with the leading one as the top bit; `inexact` says that digits that are
/// not zero follow below. Zero has no bits.
pub(super) struct Hex {
    pub(super) negative: bool,
    pub(super) bits: u128,
    pub(super) inexact: bool,
    pub(super) exponent: i64,
}

/// Exponents saturate here: far beyond any float, far from overflowing an `i64`.
const EXPONENT_MAX: i64 = 1 << 40;

impl<'a> Literal<'a> {
    /// Take apart what `strtod` would consume, if that is the whole text.
    pub(super) fn scan(text: &'a [u8]) -> Option<Literal<'a>> {
        let negative = text.first() == Some(&b'-');
        let signed = negative || text.first() == Some(&b'+');
        let body = &text[usize::from(signed)..];
        if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
            return Some(Literal::Infinity { negative });
        }
        let is_hex = body.len() > 2 && body[..2].eq_ignore_ascii_case(b"0x");
        if is_hex {
            let (whole, fraction, exponent) = split(&body[2..], u8::is_ascii_hexdigit, b'p')?;
            return Some(Literal::Hex(Hex::new(negative, whole, fraction, exponent)));
        }
        let (whole, fraction, exponent) = split(body, u8::is_ascii_digit, b'e')?;
        Some(Literal::Decimal(Decimal {
            negative,
            whole,
            fraction,
            exponent,
        }))
    }
}

/// Digits before the point, digits after it, exponent behind its mark.
fn split(text: &[u8], is_digit: fn(&u8) -> bool, mark: u8) -> Option<(&[u8], &[u8], i64)> {
    let (whole, rest) = digits(text, is_digit);
    let (fraction, rest) = match rest.first() {
        Some(b'.') => digits(&rest[1..], is_digit),
        _ => (&rest[..0], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest.split_first() {
        None => 0,
        Some((byte, rest)) if byte.to_ascii_lowercase() == mark => parse_exponent(rest)?,
        Some(_) => return None,
    };
    Some((whole, fraction, exponent))
}

fn digits(text: &[u8], is_digit: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let len = text
        .iter()
        .position(|byte| !is_digit(byte))
        .unwrap_or(text.len());
    text.split_at(len)
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let negative = text.first() == Some(&b'-');
    let signed = negative || text.first() == Some(&b'+');
    let (digits, rest) = digits(&text[usize::from(signed)..], u8::is_ascii_digit);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let value = digits.iter().fold(0, |sum: i64, digit| {
        (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    Some(if negative { -value } else { value })
}

impl Decimal<'_> {
    pub(super) fn is_zero(&self) -> bool {
        self.whole
            .iter()
            .chain(self.fraction)
            .all(|&digit| digit == b'0')
    }
}

impl Hex {
    fn new(negative: bool, whole: &[u8], fraction: &[u8], exponent: i64) -> Hex {
        let mut bits: u128 = 0;
        let mut inexact = false;
        // The power of two of the lowest bit taken in so far.
        let mut scale = exponent;
        for (position, &byte) in whole.iter().chain(fraction).enumerate() {
            let digit = (byte as char)
                .to_digit(16)
                .expect("the scanner saw a hex digit");
            let full = bits >> 124 != 0;
            if full {
                inexact |= digit != 0;
            } else {
                bits = bits << 4 | u128::from(digit);
            }
            scale += 4 * i64::from(full);
            scale -= 4 * i64::from(position >= whole.len());
        }
        let shift = bits.leading_zeros();
        let bits = bits.checked_shl(shift).unwrap_or(0);
        Hex {
            negative,
            bits,
            inexact,
            exponent: scale + 127 - i64::from(shift),
        }
    }
}

/// The top `keep` bits (at most 64) of a value whose top bit is set, rounded half to even; a carry
/// shows as a result of `2^keep`. `inexact` says that more bits follow below.
pub(super) fn round_to(bits: u128, inexact: bool, keep: u32) -> u128 {
    const HALF: u128 = 1 << 127;
    let kept = bits.checked_shr(128 - keep).unwrap_or(0);
    let rest = bits << keep;
    let up = rest > HALF || (rest == HALF && (inexact || kept & 1 == 1));
    kept + u128::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_spelling() {
        let good: &[(&str, i64)] = &[
            ("0", 0),
            ("-1", -1),
            ("10", 10),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("1000000000000000000", 1_000_000_000_000_000_000),
        ];
        for &(text, value) in good {
            assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
            assert_eq!(format_i64(&mut IntText::new(), value), text.as_bytes());
            assert_eq!(digits_i64(value), text.len());
        }
        let bad = [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            "00",
            " 1",
            "1 ",
            "1a",
            "a",
            "1.0",
            "--1",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "/",
            ":",
            "99999999999999999999",
            "100000000000000000000",
            "1844674407370955161:",
        ];
        for text in bad {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_u64_strict(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64_strict(b"18446744073709551616"), None);
        assert_eq!(parse_u64_strict(b"99999999999999999999"), None);
        assert_eq!(parse_u64_strict(b"-1"), None);
    }

    #[test]
    fn integers_at_every_power_of_ten() {
        let mut power: u64 = 1;
        for _ in 0..20 {
            for value in [power - 1, power, power + 1] {
                let text = value.to_string();
                assert_eq!(parse_u64_strict(text.as_bytes()), Some(value));
                assert_eq!(parse_i64(text.as_bytes()), text.parse().ok());
                assert_eq!(digits_u64(value), text.len());
            }
            power = power.saturating_mul(10);
        }
    }

    #[test]
    fn floats_as_redis_accepts_them() {
        let good: &[(&str, f64)] = &[
            ("0x10", 16.0),
            ("0X1P3", 8.0),
            ("-0x1.8p1", -3.0),
            ("0x.8", 0.5),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.00000000000008p0", 1.0),
            (
                "0x1.000000000000080000000000000000000000000001p0",
                1.0 + f64::EPSILON,
            ),
            ("0x0.0000000000000000000000000000000000000001p160", 1.0),
            ("0x1p-1074", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x0p99999999999999999999", 0.0),
            ("inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            (".5", 0.5),
            ("5.", 5.0),
            ("+5", 5.0),
            ("-5e-1", -0.5),
            ("007", 7.0),
            ("1e+5", 1e5),
            ("0e-400", 0.0),
            ("4.9e-324", 5e-324),
            ("1e-320", 1e-320),
            ("9223372036854775807", 9_223_372_036_854_775_807.0),
            ("179769313486231570000e288", 1.7976931348623157e308),
        ];
        for &(text, value) in good {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        assert!(parse_f64(b"-0").is_some_and(|zero| zero.is_sign_negative()));
        let bad = [
            "",
            " 1",
            "1 ",
            "nan",
            "NaN",
            "nan(1)",
            "infinit",
            "infi",
            "1e400",
            "-1e400",
            "1e-400",
            "0x",
            "0x.",
            "0xg",
            "0x1p",
            "0x1p-1080",
            "0x1p-1075",
            "0x1p1024",
            "0x1.fffffffffffff8p1023",
            ".",
            "1e",
            "1e+",
            "e5",
            ".e5",
            "+",
            "-",
            "+-1",
            "1\0",
            "1,5",
            "1_0",
            "1e5.0",
            "1e99999999999999999999",
        ];
        for text in bad {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn floats_as_c_reads_them() {
        let good: &[(&[u8], f64)] = &[
            (b"", 0.0),
            (b" 1", 1.0),
            (b"\t\x0b-2.5", -2.5),
            (b"1\0x", 1.0),
            (b"1e400", f64::INFINITY),
            (b"-1e400", f64::NEG_INFINITY),
            (b"1e-400", 0.0),
            (b"0x1p1024", f64::INFINITY),
            (b"-0x1p-1080", 0.0),
            (b"-inf", f64::NEG_INFINITY),
        ];
        for &(text, value) in good {
            assert_eq!(parse_f64_as_c(text), Some(value), "{text:?}");
        }
        for bad in [" ", "1 ", "nan", "(1", "x", "1x", "1,5"] {
            assert_eq!(parse_f64_as_c(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn floats_with_seventeen_digits() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (3.0, "3"),
            (-3.5, "-3.5"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (-0.00012345678901234567, "-0.00012345678901234567"),
            (4.9e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            // Exactly half way between two texts of 17 digits: to the even one.
            (12345678901234.0 + 0.0625, "12345678901234.062"),
            (12345678901234.0 + 0.1875, "12345678901234.188"),
        ];
        for &(value, text) in cases {
            let mut buffer = [0; F64_TEXT_MAX];
            assert_eq!(
                std::str::from_utf8(format_f64(&mut buffer, value)),
                Ok(text)
            );
        }
    }

    #[test]
    fn floats_with_the_fewest_digits() {
        let cases: &[(f64, &str)] = &[
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (0.30000000000000004, "0.30000000000000004"),
            (4503599627370496.0, "4503599627370496"),
            (4503599627370000.0, "4503599627370000"),
            (5e15, "5e+15"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.25e-9, "1.25e-9"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for &(value, text) in cases {
            let mut buffer = [0; F64_TEXT_MAX];
            assert_eq!(
                std::str::from_utf8(format_f64_shortest(&mut buffer, value)),
                Ok(text)
            );
        }
    }

    #[test]
    fn floats_survive_both_formats() {
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..200_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(seed ^ seed >> 29);
            if !value.is_finite() {
                continue;
            }
            let mut buffer = [0; F64_TEXT_MAX];
            assert_eq!(parse_f64(format_f64(&mut buffer, value)), Some(value));
            assert_eq!(
                parse_f64(format_f64_shortest(&mut buffer, value)),
                Some(value)
            );
        }
    }
}
