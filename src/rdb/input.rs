//! The pieces of which RDB is made, read from bytes: lengths, strings, numbers.
//!
//! ```text
//!  00LLLLLL               length up to 63          11000000 +1   string of an 8-bit integer
//!  01LLLLLL +1            length up to 16383       11000001 +2   16 bits
//!  10000000 +4 (big end)  length of 32 bits        11000010 +4   32 bits
//!  10000001 +8 (big end)  length of 64 bits        11000011      compressed string: length in
//!                                                                LZF, length, bytes
//! ```
//!
//! A piece is read whole or not at all: when bytes are missing the input stays before it, so that
//! a loader brings more and asks again. A length is believed only as far as there are bytes.

use super::damage::{Damage, Stop, ensure};
use super::lzf;
use crate::base::number::parse_f64;
use std::borrow::Cow;

/// Bytes at hand, and how far they have been read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    Int(i64),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Text<'a> {
    /// Lets `read` see the bytes a client sees.
    pub fn with_bytes<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Text::Int(number) => read(itoa::Buffer::new().format(*number).as_bytes()),
            Text::Bytes(bytes) => read(bytes),
        }
    }

    /// The bytes a client sees.
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Text::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Text::Bytes(bytes) => bytes,
        }
    }
}

/// What the first bytes of a length or a string say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    Length(u64),
    Int8,
    Int16,
    Int32,
    Lzf,
}

impl<'a> Input<'a> {
    /// All of these bytes, from the first on.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Bytes read since a position.
    pub fn since(&self, position: usize) -> &'a [u8] {
        &self.bytes[position..self.at]
    }

    /// Reads a piece whole, or stays where it is.
    pub fn whole<T>(
        &mut self,
        read: impl FnOnce(&mut Input<'a>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut ahead = *self;
        let value = read(&mut ahead)?;
        *self = ahead;
        Ok(value)
    }

    /// The next so many bytes.
    #[inline]
    pub fn take(&mut self, len: u64) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(len) {
            Ok(len) if len <= rest.len() => {
                self.at += len;
                Ok(&rest[..len])
            }
            _ => Err(Stop::Short(len - rest.len() as u64)),
        }
    }

    /// The next so many bytes, their number known to the compiler.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("as many as were taken"))
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    fn prefix(&mut self) -> Result<Prefix, Stop> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        match (first >> 6, first) {
            (0, _) => Ok(Prefix::Length(low)),
            (1, _) => Ok(Prefix::Length(low << 8 | u64::from(self.byte()?))),
            (_, 0x80) => Ok(Prefix::Length(u32::from_be_bytes(self.array()?).into())),
            (_, 0x81) => Ok(Prefix::Length(u64::from_be_bytes(self.array()?))),
            (_, 0xc0) => Ok(Prefix::Int8),
            (_, 0xc1) => Ok(Prefix::Int16),
            (_, 0xc2) => Ok(Prefix::Int32),
            (_, 0xc3) => Ok(Prefix::Lzf),
            _ => Err(Damage::Malformed("a length that means nothing").into()),
        }
    }

    /// A length or another number that is written as one.
    #[inline]
    pub fn length(&mut self) -> Result<u64, Stop> {
        self.whole(|input| match input.prefix()? {
            Prefix::Length(len) => Ok(len),
            _ => Err(Damage::Malformed("a string where a length should be").into()),
        })
    }

    /// A string.
    #[inline]
    pub fn text(&mut self) -> Result<Text<'a>, Stop> {
        self.whole(|input| {
            let number = match input.prefix()? {
                Prefix::Length(len) => return Ok(Text::Bytes(Cow::Borrowed(input.take(len)?))),
                Prefix::Lzf => return input.compressed().map(Text::Bytes),
                Prefix::Int8 => i8::from_le_bytes(input.array()?).into(),
                Prefix::Int16 => i16::from_le_bytes(input.array()?).into(),
                Prefix::Int32 => i32::from_le_bytes(input.array()?).into(),
            };
            Ok(Text::Int(number))
        })
    }

    /// A string, as bytes.
    pub fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Stop> {
        self.text().map(Text::into_bytes)
    }

    fn compressed(&mut self) -> Result<Cow<'a, [u8]>, Stop> {
        let (packed, len) = (self.length()?, self.length()?);
        let packed = self.take(packed)?;
        let original = usize::try_from(len)
            .ok()
            .and_then(|len| lzf::decompress(packed, len));
        let original = original.ok_or(Damage::Malformed("a compressed string is damaged"))?;
        Ok(Cow::Owned(original))
    }

    /// Passes over a string.
    pub fn skip_text(&mut self) -> Result<(), Stop> {
        self.whole(|input| {
            let len = match input.prefix()? {
                Prefix::Length(len) => len,
                Prefix::Int8 => 1,
                Prefix::Int16 => 2,
                Prefix::Int32 => 4,
                Prefix::Lzf => {
                    let packed = input.length()?;
                    input.length()?;
                    packed
                }
            };
            input.take(len).map(drop)
        })
    }

    /// A time in milliseconds, or another signed number of eight bytes.
    pub fn millis(&mut self) -> Result<i64, Stop> {
        self.array().map(i64::from_le_bytes)
    }

    /// A score in binary; no score is not a number.
    pub fn score(&mut self) -> Result<f64, Stop> {
        let score = f64::from_le_bytes(self.array()?);
        ensure(!score.is_nan(), "a score that is not a number")?;
        Ok(score)
    }

    /// A score as text, as written up to version 7.
    pub fn score_text(&mut self) -> Result<f64, Stop> {
        self.whole(|input| {
            let wrong = Damage::Malformed("a score that is not a number");
            match input.byte()? {
                255 => Ok(f64::NEG_INFINITY),
                254 => Ok(f64::INFINITY),
                253 => Err(wrong.into()),
                len => Ok(parse_f64(input.take(len.into())?).ok_or(wrong)?),
            }
        })
    }

    /// Passes over a score as text.
    pub fn skip_score_text(&mut self) -> Result<(), Stop> {
        self.whole(|input| match input.byte()? {
            253..=255 => Ok(()),
            len => input.take(len.into()).map(drop),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_all_widths() {
        for (bytes, value) in [
            (&b"\x3f"[..], 63),
            (b"\x7f\xff", 16_383),
            (b"\x80\0\x01\0\0", 65_536),
            (b"\x81\0\0\0\x01\0\0\0\0", 1 << 32),
        ] {
            assert_eq!(Input::new(bytes).length(), Ok(value));
            for len in 0..bytes.len() {
                let mut input = Input::new(&bytes[..len]);
                assert!(matches!(input.length(), Err(Stop::Short(1..))), "{bytes:?}");
                assert_eq!(input.position(), 0);
            }
        }
        for bytes in [&b"\x82"[..], b"\xc4", b"\xff", b"\xc0\x01"] {
            assert!(matches!(Input::new(bytes).length(), Err(Stop::Damage(_))));
        }
    }

    #[test]
    fn strings_in_all_encodings() {
        let text = |bytes: &[u8]| Input::new(bytes).bytes().map(Cow::into_owned);
        assert_eq!(text(b"\x03abcd"), Ok(b"abc".to_vec()));
        assert_eq!(text(b"\xc0\xff"), Ok(b"-1".to_vec()));
        assert_eq!(text(b"\xc1\x00\x01"), Ok(b"256".to_vec()));
        assert_eq!(text(b"\xc2\x00\x00\x01\x00"), Ok(b"65536".to_vec()));
        assert_eq!(text(b"\xc3\x05\x0a\x00a\xe0\x00\x00"), Ok(vec![b'a'; 10]));
        assert!(matches!(
            text(b"\xc3\x05\x0b\x00a\xe0\x00\x00"),
            Err(Stop::Damage(_))
        ));
        assert_eq!(
            text(b"\x80\xff\xff\xff\xff12"),
            Err(Stop::Short((1 << 32) - 3))
        );
    }

    #[test]
    fn scores_of_old_versions() {
        assert_eq!(Input::new(b"\xff").score_text(), Ok(f64::NEG_INFINITY));
        assert_eq!(Input::new(b"\xfe").score_text(), Ok(f64::INFINITY));
        assert_eq!(Input::new(b"\x031.5").score_text(), Ok(1.5));
        assert!(matches!(
            Input::new(b"\xfd").score_text(),
            Err(Stop::Damage(_))
        ));
        assert!(matches!(
            Input::new(b"\x031x5").score_text(),
            Err(Stop::Damage(_))
        ));
    }
}
