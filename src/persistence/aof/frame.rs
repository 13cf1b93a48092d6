//! Annotations: lines between commands that replay nothing.
//!
//! ```text
//!   #RS:1234 9ae0daaf8c4b5d31 7c1e0b52     the next 1234 bytes have this checksum; the last word
//!   *3 $3 SET ..                           is one of the line itself
//!   #TS:1700000000                         what follows is from this second on
//!   #RS:at <history> <offset> <db> 5d0c22aa     at the end: where the dataset is in its history
//! ```
//!
//! Stock Redis 7 passes over every line that begins with `#`, so our own checksums cost it nothing.
//! They stand *before* what they cover: only so a damaged length cannot pass for a file that ends
//! early. Stock servers append to the same file without any; what nothing covers is taken as it is.

use crate::persistence::Bookmark;
use crc_fast::{CrcAlgorithm, checksum};

/// No line of ours is longer.
pub const LINE_BYTES_MAX: usize = 1024;

const CHECKSUM: &str = "#RS:";
const TIMESTAMP: &str = "#TS:";
const BOOKMARK: &str = "#RS:at ";

/// What an annotation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Checksum(Cover),
    Bookmark(Bookmark),
    /// Unix seconds.
    Timestamp(i64),
    /// Of somebody else, for somebody else.
    Other,
    /// One of ours that has been damaged.
    Damaged,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    pub bytes: u64,
    checksum: u64,
}

impl Cover {
    /// Whether these are the bytes.
    pub fn holds(self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64 && self.checksum == crc64(bytes)
    }
}

/// CRC-64/XZ, which finds every single, double and triple error of a bit in such pieces.
fn crc64(bytes: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc64Xz, bytes)
}

/// The line that covers these bytes.
pub fn checksum_line(bytes: &[u8]) -> String {
    with_check(&format!("{CHECKSUM}{} {:016x}", bytes.len(), crc64(bytes)))
}

/// The line that says where the dataset is that ends here.
pub fn bookmark_line(bookmark: &Bookmark) -> String {
    with_check(&format!("{BOOKMARK}{}", bookmark.text()))
}

fn with_check(text: &str) -> String {
    let own = crc64(text.as_bytes()) as u32;
    format!("{text} {own:08x}\r\n")
}

/// The line that says from when what follows is, in Unix seconds.
pub fn timestamp_line(seconds: i64) -> String {
    format!("{TIMESTAMP}{seconds}\r\n")
}

/// Reads a line, without its end.
pub fn read_line(line: &[u8]) -> Line {
    let Ok(text) = std::str::from_utf8(line) else {
        return Line::Damaged;
    };
    if let Some(seconds) = text.strip_prefix(TIMESTAMP) {
        return seconds.parse().map_or(Line::Damaged, Line::Timestamp);
    }
    if text.starts_with(CHECKSUM) {
        return checked(text).unwrap_or(Line::Damaged);
    }
    // Nobody else writes lines that begin like these.
    match text.as_bytes() {
        [b'#', b'R' | b'T', ..] | [b'#', _, b'S', b':', ..] => Line::Damaged,
        _ => Line::Other,
    }
}

/// A line that ends with a checksum of its own.
fn checked(text: &str) -> Option<Line> {
    let (covered, own) = text.rsplit_once(' ')?;
    if own != format!("{:08x}", crc64(covered.as_bytes()) as u32) {
        return None;
    }
    if let Some(place) = covered.strip_prefix(BOOKMARK) {
        return Bookmark::parse(place).map(Line::Bookmark);
    }
    let (bytes, checksum) = covered.strip_prefix(CHECKSUM)?.split_once(' ')?;
    Some(Line::Checksum(Cover {
        bytes: bytes.parse().ok()?,
        checksum: u64::from_str_radix(checksum, 16).ok()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_covers() {
        let line = checksum_line(b"hello");
        let Line::Checksum(cover) = read_line(line.trim_end().as_bytes()) else {
            panic!("{line}");
        };
        assert!(cover.holds(b"hello"));
        assert!(!cover.holds(b"hellp") && !cover.holds(b"hell"));
        assert_eq!(
            read_line(timestamp_line(17).trim_end().as_bytes()),
            Line::Timestamp(17)
        );
        assert_eq!(read_line(b"# by hand"), Line::Other);
    }

    #[test]
    fn any_flipped_bit_of_a_line_is_noticed() {
        let place = Bookmark::of(&[b'a'; 40], 17, 0).unwrap();
        let lines = [
            checksum_line(b"hello"),
            timestamp_line(1_700_000_000),
            bookmark_line(&place),
        ];
        assert_eq!(
            read_line(lines[2].trim_end().as_bytes()),
            Line::Bookmark(place)
        );
        for line in lines {
            let line = line.trim_end().as_bytes();
            for bit in 8..line.len() * 8 {
                let mut flipped = line.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let read = read_line(&flipped);
                // Of a moment nothing depends.
                let is_moment = matches!(read, Line::Timestamp(_));
                assert!(read == Line::Damaged || is_moment, "bit {bit}: {read:?}");
            }
        }
    }
}
