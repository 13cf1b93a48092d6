//! Elements as listpacks encode them: strings and integers, each with its length in front.
//!
//! ```text
//!  0xxxxxxx  integer 0..127            110xxxxx +1   13-bit signed integer
//!  10xxxxxx  string up to 63 bytes     1110xxxx +1   string up to 4095 bytes
//!  0xF0 +4   string                    0xF1 +2, 0xF2 +3, 0xF3 +4, 0xF4 +8   integers
//! ```
//!
//! No element begins with a byte above 0xF4, so larger ones are free for whoever strings elements
//! together: [listpacks](super::listpack), which are Redis's, and [tapes](super::tape), ours.
//!
//! Source: the listpack specification, <https://github.com/antirez/listpack>.

use crate::base::number::parse_i64;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// Lets `read` see the element as the bytes a client sees.
    #[inline]
    pub fn with_bytes<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Item::Int(number) => read(itoa::Buffer::new().format(number).as_bytes()),
            Item::Bytes(bytes) => read(bytes),
        }
    }

    /// A copy of the bytes a client sees.
    pub fn to_vec(self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// Length in bytes as a client sees it.
    pub fn len(self) -> usize {
        self.with_bytes(<[u8]>::len)
    }

    /// Whether it is the empty string.
    pub fn is_empty(self) -> bool {
        self == Item::Bytes(b"")
    }

    /// The integer it is or reads as, in the one way an integer is written.
    pub fn integer(self) -> Option<i64> {
        match self {
            Item::Int(number) => Some(number),
            Item::Bytes(bytes) => parse_i64(bytes),
        }
    }
}

/// What is being looked for: bytes, and the integer they read as.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    bytes: &'a [u8],
    integer: Option<i64>,
}

impl<'a> Wanted<'a> {
    pub fn new(bytes: &'a [u8]) -> Wanted<'a> {
        // No integer is longer; most strings need not be read.
        let integer = if bytes.len() <= 20 {
            parse_i64(bytes)
        } else {
            None
        };
        Wanted { bytes, integer }
    }

    /// Whether an element is this one.
    #[inline]
    pub fn is(&self, item: Item<'_>) -> bool {
        match item {
            Item::Int(number) => self.integer == Some(number),
            Item::Bytes(bytes) => self.bytes == bytes,
        }
    }
}

/// An element where it lies, with its place and the place behind it.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    pub item: Item<'a>,
    pub at: usize,
    pub next: usize,
}

/// Content of the element at a place, and the length of encoding and content.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let first = bytes[at];
    let text = |header: usize, len: usize| {
        let start = at + header;
        (Item::Bytes(&bytes[start..start + len]), header + len)
    };
    match first {
        0..=0x7f => (Item::Int(i64::from(first)), 1),
        0x80..=0xbf => text(1, usize::from(first & 0x3f)),
        0xc0..=0xdf => {
            let raw = i64::from(first & 0x1f) << 8 | i64::from(bytes[at + 1]);
            (Item::Int((raw << 51) >> 51), 2)
        }
        0xe0..=0xef => text(
            2,
            usize::from(first & 0x0f) << 8 | usize::from(bytes[at + 1]),
        ),
        0xf0 => {
            let len = bytes[at + 1..at + 5].try_into().expect("four bytes");
            text(5, u32::from_le_bytes(len) as usize)
        }
        _ => {
            let width = match first {
                0xf1 => 2,
                0xf2 => 3,
                0xf3 => 4,
                _ => 8,
            };
            let mut raw = [0; 8];
            raw[8 - width..].copy_from_slice(&bytes[at + 1..at + 1 + width]);
            let number = i64::from_le_bytes(raw) >> (64 - 8 * width);
            (Item::Int(number), 1 + width)
        }
    }
}

/// Length of an element by its first byte; 0 where that says only what kind of string it is.
const LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut first = 0;
    while first < 256 {
        lengths[first] = match first {
            0..=0x7f => 1,
            0x80..=0xbf => 1 + (first & 0x3f) as u8,
            0xc0..=0xdf => 2,
            0xf1 => 3,
            0xf2 => 4,
            0xf3 => 5,
            0xf4 => 9,
            _ => 0,
        };
        first += 1;
    }
    lengths
};

/// Length of encoding and content of the element at a place.
#[inline]
pub(super) fn len(bytes: &[u8], at: usize) -> usize {
    match LENGTHS[usize::from(bytes[at])] {
        0 => decode(bytes, at).1,
        len => usize::from(len),
    }
}

/// Shows the parts of an element put together, without an allocation while they are short.
#[inline]
pub(super) fn joined<T>(parts: [&[u8]; 3], show: impl FnOnce(&[u8]) -> T) -> T {
    const SHORT: usize = 128;
    let len = parts.iter().map(|part| part.len()).sum();
    if len > SHORT {
        return show(&parts.concat());
    }
    let (mut bytes, mut at) = ([0; SHORT], 0);
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    show(&bytes[..len])
}

/// What stands before the content of an element: for an integer it is the whole element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    bytes: [u8; 9],
    len: usize,
}

impl Head {
    /// The head of a value, and the content that follows it.
    #[inline]
    pub(super) fn of(value: &[u8]) -> (Head, &[u8]) {
        match Wanted::new(value).integer {
            Some(number) => (Head::integer(number), b""),
            None => (Head::text(value.len()), value),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn integer(number: i64) -> Head {
        let mut bytes = [0; 9];
        let raw = number.to_le_bytes();
        let mut wide = |first: u8, width: usize| {
            bytes[0] = first;
            bytes[1..=width].copy_from_slice(&raw[..width]);
            1 + width
        };
        let len = match number {
            0..=127 => {
                bytes[0] = number as u8;
                1
            }
            -4096..=4095 => {
                bytes[0] = 0xc0 | (number >> 8) as u8 & 0x1f;
                bytes[1] = number as u8;
                2
            }
            -32_768..=32_767 => wide(0xf1, 2),
            -8_388_608..=8_388_607 => wide(0xf2, 3),
            -2_147_483_648..=2_147_483_647 => wide(0xf3, 4),
            _ => wide(0xf4, 8),
        };
        Head { bytes, len }
    }

    fn text(text_len: usize) -> Head {
        let mut bytes = [0; 9];
        let len = match text_len {
            0..=63 => {
                bytes[0] = 0x80 | text_len as u8;
                1
            }
            64..=4095 => {
                bytes[0] = 0xe0 | (text_len >> 8) as u8;
                bytes[1] = text_len as u8;
                2
            }
            _ => {
                bytes[0] = 0xf0;
                bytes[1..5].copy_from_slice(&(text_len as u32).to_le_bytes());
                5
            }
        };
        Head { bytes, len }
    }
}

/// Length of encoding and content of the element at a place, if it lies inside the bytes.
pub(super) fn checked_len(bytes: &[u8], at: usize) -> Option<usize> {
    let second = || bytes.get(at + 1).map(|byte| usize::from(*byte));
    let len = match bytes[at] {
        0..=0x7f => 1,
        first @ 0x80..=0xbf => 1 + usize::from(first & 0x3f),
        0xc0..=0xdf => 2,
        first @ 0xe0..=0xef => 2 + (usize::from(first & 0x0f) << 8 | second()?),
        0xf0 => {
            let len = bytes.get(at + 1..at + 5)?.try_into().expect("four bytes");
            5 + u32::from_le_bytes(len) as usize
        }
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => return None,
    };
    (len <= bytes.len() - at).then_some(len)
}
