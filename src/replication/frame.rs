//! Frames: what two nodes of our own send each other on the connection of a shard.
//!
//! ```text
//!   *3 $8 REPLCONF $5 frame $<len>      a request like any other, whose last argument is
//!     kind | offset | position | body ..............| checksum
//!       1      8         8      at most 256 KiB          8        little-endian
//! ```
//!
//! The offset counts what of its kind came before, so nothing can be missing or come twice
//! unnoticed: bodies of a snapshot on this connection, bytes of the shard's stream, on the first
//! connection those of the history. The position says where in the history it was when the frame
//! was made; the checksum is about all before it. Whoever reads needs no more memory than one
//! frame.

use crate::rdb::{CHECKSUM_BYTES, Checksum};
use bytes::Bytes;
use std::iter::once;
use std::ops::Range;

/// The longest body.
pub const BODY_MAX: usize = 256 * 1024;

/// No frame is longer, with all that stands around its body.
pub const BYTES_MAX: usize = BODY_MAX + 256;

const PREFIX: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$5\r\nframe\r\n$";
const HEADER_BYTES: usize = 17;
/// What stands around the body in the argument.
const AROUND_BYTES: usize = HEADER_BYTES + CHECKSUM_BYTES;
/// Digits of the longest argument's length.
const DIGITS_MAX: usize = 6;
const LINE_END: &[u8] = b"\r\n";

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole entries of a snapshot, in RDB, the database first.
    Entries,
    /// Pieces of large entries, which together, in order, are whole ones.
    Longs,
    /// Nothing: the shard's part of the snapshot ends here.
    End,
    /// A stretch of the shard's stream.
    Stream,
    /// In which order the streams of all shards happened; on the first connection.
    Order,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::Entries,
        Kind::Longs,
        Kind::End,
        Kind::Stream,
        Kind::Order,
    ];

    fn number(self) -> u8 {
        self as u8 + 1
    }

    fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What stands before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub offset: u64,
    pub position: u64,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.kind.number();
        bytes[1..9].copy_from_slice(&self.offset.to_le_bytes());
        bytes[9..].copy_from_slice(&self.position.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Header> {
        let (kind, rest) = bytes.split_first()?;
        let (offset, position) = rest.split_first_chunk()?;
        Some(Header {
            kind: Kind::from_number(*kind)?,
            offset: u64::from_le_bytes(*offset),
            position: u64::from_le_bytes(*position.first_chunk()?),
        })
    }

    /// What is sent before and behind the body that is in these pieces.
    pub fn around<B: AsRef<[u8]>>(&self, body: &[B]) -> (Vec<u8>, Vec<u8>) {
        let header = self.bytes();
        let (mut checksum, mut bytes) = (Checksum::default(), 0);
        checksum.update(&header);
        for piece in body.iter().map(AsRef::as_ref) {
            checksum.update(piece);
            bytes += piece.len();
        }
        debug_assert!(bytes <= BODY_MAX, "whoever sends splits");
        let len = (AROUND_BYTES + bytes).to_string();
        let head = [PREFIX, len.as_bytes(), LINE_END, &header].concat();
        let tail = [&checksum.value().to_le_bytes()[..], LINE_END].concat();
        (head, tail)
    }
}

/// A whole frame, at an offset of its connection and a position of the history; its body is in
/// these pieces.
pub fn encode<B: AsRef<[u8]>>(kind: Kind, (offset, position): (u64, u64), body: &[B]) -> Bytes {
    let header = Header {
        kind,
        offset,
        position,
    };
    let (head, tail) = header.around(body);
    let pieces = body.iter().map(AsRef::as_ref);
    let parts: Vec<&[u8]> = once(&head[..])
        .chain(pieces)
        .chain(once(&tail[..]))
        .collect();
    Bytes::from(parts.concat())
}

/// Why something is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It does not look like one.
    Shape,
    /// Its bytes have changed on the way.
    Checksum,
    /// It is not the one that comes next.
    Gap,
}

impl FrameError {
    /// A line for the log.
    pub fn line(self) -> &'static str {
        match self {
            FrameError::Shape => "a frame of another shape than agreed",
            FrameError::Checksum => "a frame with a wrong checksum",
            FrameError::Gap => "a frame that is not the next one",
        }
    }
}

/// Reads the argument of a frame: what stands before its body, and the body.
pub fn read(argument: &[u8]) -> Result<(Header, &[u8]), FrameError> {
    let checked = argument.split_last_chunk::<CHECKSUM_BYTES>();
    let (rest, stored) = checked.ok_or(FrameError::Shape)?;
    if rest.len() < HEADER_BYTES || rest.len() > HEADER_BYTES + BODY_MAX {
        return Err(FrameError::Shape);
    }
    if crate::rdb::crc64(rest) != u64::from_le_bytes(*stored) {
        return Err(FrameError::Checksum);
    }
    let (header, body) = rest.split_at(HEADER_BYTES);
    Ok((Header::read(header).ok_or(FrameError::Shape)?, body))
}

/// Where the argument of the frame lies with which these bytes begin, and where the frame ends;
/// none until all of it has come.
pub fn find(bytes: &[u8]) -> Result<Option<(Range<usize>, usize)>, FrameError> {
    let known = bytes.len().min(PREFIX.len());
    if bytes[..known] != PREFIX[..known] {
        return Err(FrameError::Shape);
    }
    let digits = &bytes[known..];
    let Some(end) = memchr::memchr(b'\r', &digits[..digits.len().min(DIGITS_MAX + 1)]) else {
        return match digits.len() > DIGITS_MAX {
            true => Err(FrameError::Shape),
            false => Ok(None),
        };
    };
    if digits.get(end + 1).is_some_and(|byte| *byte != b'\n') {
        return Err(FrameError::Shape);
    }
    let len = crate::base::number::parse_i64(&digits[..end]).ok_or(FrameError::Shape)?;
    let fits = |len: &usize| (AROUND_BYTES..=AROUND_BYTES + BODY_MAX).contains(len);
    let len = usize::try_from(len).ok().filter(fits);
    let len = len.ok_or(FrameError::Shape)?;
    let start = PREFIX.len() + end + LINE_END.len();
    let range = start..start + len;
    let total = range.end + LINE_END.len();
    Ok((bytes.len() >= total).then_some((range, total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: Header, body: &[u8]) -> Vec<u8> {
        let (head, tail) = header.around(&[body]);
        [&head[..], body, &tail].concat()
    }

    const HEADER: Header = Header {
        kind: Kind::Stream,
        offset: 77,
        position: u64::MAX - 5,
    };

    #[test]
    fn a_frame_comes_as_it_went() {
        for kind in Kind::ALL {
            for len in [0, 1, 1000, BODY_MAX] {
                let (header, body) = (Header { kind, ..HEADER }, vec![b'x'; len]);
                let bytes = [frame(header, &body), b"*3\r".to_vec()].concat();
                let (range, end) = find(&bytes).unwrap().unwrap();
                assert_eq!(end, bytes.len() - 3);
                assert_eq!(read(&bytes[range]), Ok((header, &body[..])));
            }
        }
    }

    #[test]
    fn a_part_of_a_frame_is_none_yet() {
        let bytes = frame(HEADER, b"*1\r\n$4\r\nPING\r\n");
        for len in 0..bytes.len() {
            assert_eq!(find(&bytes[..len]), Ok(None), "{len}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = frame(HEADER, b"*2\r\n$4\r\nINCR\r\n$1\r\nx\r\n");
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let found = find(&bad).map(|found| found.map(|(range, _)| read(&bad[range]).is_ok()));
            // A line end behind the argument is looked at by whoever parses requests.
            let is_end = bit / 8 >= bytes.len() - 2;
            assert!(is_end || found != Ok(Some(true)), "bit {bit}");
        }
    }

    #[test]
    fn nobody_announces_more_than_a_frame_may_have() {
        for len in ["24", "0", "-1", "262170", "9999999", "x"] {
            let bytes = [PREFIX, len.as_bytes(), b"\r\n"].concat();
            assert_eq!(find(&bytes), Err(FrameError::Shape), "{len}");
        }
    }
}
