//! Ids of entries: a time in milliseconds and a number within it, in one order.
//!
//! Also the ways clients write them. Redis reads numbers as C does where its own strict reading
//! fails, so that blanks, signs and zeros before a number are let through; so do we.

use crate::base::number::{IntText, format_u64, parse_i64, parse_u64_strict};
use std::fmt;

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// What XADD is asked to use as an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the time, and whatever makes it the greatest.
    Auto,
    /// `5-*`: this time, and the next number within it.
    At(u64),
    Whole(StreamId),
}

/// Longer texts are no ids, in bytes; Redis's own limit.
const TEXT_MAX: usize = 127;

impl StreamId {
    /// The least, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The greatest.
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    pub fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The id right behind this one.
    pub fn next(self) -> Option<StreamId> {
        if let Some(seq) = self.seq.checked_add(1) {
            return Some(StreamId { seq, ..self });
        }
        let ms = self.ms.checked_add(1)?;
        Some(StreamId { ms, seq: 0 })
    }

    /// The id right before this one.
    pub fn previous(self) -> Option<StreamId> {
        if let Some(seq) = self.seq.checked_sub(1) {
            return Some(StreamId { seq, ..self });
        }
        let ms = self.ms.checked_sub(1)?;
        Some(StreamId { ms, seq: u64::MAX })
    }

    /// The id that lies so far from this one, as nodes note it.
    pub(super) fn offset(self, ms: i64, seq: i64) -> StreamId {
        StreamId {
            ms: self.ms.wrapping_add_signed(ms),
            seq: self.seq.wrapping_add_signed(seq),
        }
    }

    /// An id, `-` for the least or `+` for the greatest; `missing_seq` stands for a number that is
    /// not there.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match c_string(text)? {
            b"-" => Some(StreamId::MIN),
            b"+" => Some(StreamId::MAX),
            text => parse_whole(text, missing_seq),
        }
    }

    /// An id, and nothing that stands for one.
    pub fn parse_strict(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match c_string(text)? {
            b"-" | b"+" => None,
            text => parse_whole(text, missing_seq),
        }
    }

    /// Sixteen bytes that sort as ids do.
    pub fn to_be_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.ms.to_be_bytes());
        bytes[8..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// The id of such bytes.
    pub fn from_be_bytes(bytes: [u8; 16]) -> StreamId {
        let number = u128::from_be_bytes(bytes);
        StreamId {
            ms: (number >> 64) as u64,
            seq: number as u64,
        }
    }

    /// How it is written.
    pub fn text(self) -> IdText {
        let mut text = IdText {
            bytes: [0; ID_TEXT_MAX],
            len: 0,
        };
        let mut buffer = IntText::default();
        text.push(format_u64(&mut buffer, self.ms));
        text.push(b"-");
        text.push(format_u64(&mut buffer, self.seq));
        text
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl NewId {
    /// What XADD's argument asks for.
    pub fn parse(text: &[u8]) -> Option<NewId> {
        let text = c_string(text)?;
        if text == b"*" {
            return Some(NewId::Auto);
        }
        if let Some(text) = text.strip_suffix(b"-*")
            && !text.contains(&b'-')
        {
            return parse_number(text).map(NewId::At);
        }
        StreamId::parse_strict(text, 0).map(NewId::Whole)
    }
}

/// Two numbers and a dash.
const ID_TEXT_MAX: usize = 41;

/// An id in writing.
#[derive(Clone, Copy, Debug)]
pub struct IdText {
    bytes: [u8; ID_TEXT_MAX],
    len: usize,
}

impl IdText {
    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The bytes as C would see them: they end at the first zero.
fn c_string(text: &[u8]) -> Option<&[u8]> {
    if text.len() > TEXT_MAX {
        return None;
    }
    text.split(|byte| *byte == 0).next()
}

fn parse_whole(text: &[u8], missing_seq: u64) -> Option<StreamId> {
    let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
        return parse_number(text).map(|ms| StreamId::new(ms, missing_seq));
    };
    let ms = parse_number(&text[..dash])?;
    let seq = parse_number(&text[dash + 1..])?;
    Some(StreamId { ms, seq })
}

/// A number as C's `strtoull` reads it, but for those that are plainly negative.
fn parse_number(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_u64_strict(text) {
        return Some(number);
    }
    if parse_i64(text).is_some() {
        return None;
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let (is_negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0u64;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Option<StreamId> {
        Some(StreamId { ms, seq })
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        assert_eq!(StreamId::parse(b"5", 7), id(5, 7));
        assert_eq!(StreamId::parse(b"5-2", 7), id(5, 2));
        assert_eq!(StreamId::parse(b"-", 7), Some(StreamId::MIN));
        assert_eq!(StreamId::parse(b"+", 7), Some(StreamId::MAX));
        assert_eq!(StreamId::parse_strict(b"-", 7), None);
        assert_eq!(
            StreamId::parse(b" 007-+3", 0),
            id(7, 3),
            "strtoull is patient"
        );
        assert_eq!(StreamId::parse(b"1-1\0-x", 0), id(1, 1));
        assert_eq!(StreamId::parse(b"1--05", 0), id(1, 5u64.wrapping_neg()));
        assert_eq!(
            StreamId::parse(b"18446744073709551615-0", 0),
            id(u64::MAX, 0)
        );
        for bad in [
            &b""[..],
            b"abc",
            b"5-",
            b"-5",
            b"1--5",
            b"1-2-3",
            b"1 ",
            b"18446744073709551616",
            b"5-*",
            b" ",
            b"+-",
            &[b'1'; 128],
        ] {
            assert_eq!(StreamId::parse(bad, 0), None, "{bad:?}");
        }
    }

    #[test]
    fn xadd_leaves_parts_to_the_server() {
        assert_eq!(NewId::parse(b"*"), Some(NewId::Auto));
        assert_eq!(NewId::parse(b"5-*"), Some(NewId::At(5)));
        assert_eq!(NewId::parse(b"5"), Some(NewId::Whole(StreamId::new(5, 0))));
        assert_eq!(NewId::parse(b"-*"), None);
        assert_eq!(NewId::parse(b"1-2-*"), None);
        assert_eq!(NewId::parse(b"+"), None);
    }

    #[test]
    fn neighbours_and_texts() {
        assert_eq!(StreamId::new(1, u64::MAX).next(), id(2, 0));
        assert_eq!(StreamId::new(2, 0).previous(), id(1, u64::MAX));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        let longest = StreamId::MAX.text();
        assert_eq!(longest.as_bytes().len(), ID_TEXT_MAX);
        let id = StreamId::new(12, 0);
        assert_eq!(id.text().as_bytes(), b"12-0");
        assert_eq!(StreamId::from_be_bytes(id.to_be_bytes()), id);
    }
}
