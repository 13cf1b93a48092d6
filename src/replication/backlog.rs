//! The latest part of the stream, for replicas that come back.
//!
//! Offsets count the bytes of the whole history, the first one being 1. The backlog holds those up
//! to the newest, as many as `repl-backlog-size` says:
//!
//! ```text
//!   offset   ...  first                    end
//!            gone  [=======================]  still to come
//! ```

use std::collections::VecDeque;

/// A part of the stream, up to its end.
#[derive(Debug)]
pub struct Backlog {
    bytes: VecDeque<u8>,
    /// The offset of the last byte.
    end: u64,
    /// How many bytes are kept.
    size: usize,
}

impl Backlog {
    /// An empty backlog behind this offset.
    pub fn new(size: usize, end: u64) -> Backlog {
        let bytes = VecDeque::new();
        Backlog { bytes, end, size }
    }

    /// How many bytes there are.
    pub fn count(&self) -> usize {
        self.bytes.len()
    }

    /// The offset of the first byte there is, or of the first one that will come.
    pub fn first(&self) -> u64 {
        self.end + 1 - self.bytes.len() as u64
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Keeps so many bytes from now on.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
        self.trim();
    }

    /// Takes in what the stream goes on with.
    pub fn push(&mut self, bytes: &[u8]) {
        self.end += bytes.len() as u64;
        let kept = &bytes[bytes.len().saturating_sub(self.size)..];
        self.bytes.extend(kept);
        if kept.len() < bytes.len() {
            let before = self.bytes.len() - kept.len();
            self.bytes.drain(..before);
        }
        self.trim();
    }

    fn trim(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.size);
        self.bytes.drain(..excess);
    }

    /// All bytes from this offset on, if they are all still there.
    pub fn since(&self, offset: u64) -> Option<Vec<u8>> {
        if offset < self.first() || offset > self.end + 1 {
            return None;
        }
        let skipped = (offset - self.first()) as usize;
        let (front, back) = self.bytes.as_slices();
        let mut bytes = Vec::with_capacity(self.bytes.len() - skipped);
        bytes.extend_from_slice(&front[skipped.min(front.len())..]);
        bytes.extend_from_slice(&back[skipped.saturating_sub(front.len())..]);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bytes_stay() {
        let mut backlog = Backlog::new(8, 100);
        assert_eq!((backlog.first(), backlog.since(101)), (101, Some(vec![])));
        backlog.push(b"abcdef");
        assert_eq!(backlog.since(101).as_deref(), Some(&b"abcdef"[..]));
        backlog.push(b"ghij");
        assert_eq!((backlog.first(), backlog.count()), (103, 8));
        assert_eq!(backlog.since(102), None);
        assert_eq!(backlog.since(103).as_deref(), Some(&b"cdefghij"[..]));
        assert_eq!(backlog.since(110).as_deref(), Some(&b"j"[..]));
        assert_eq!(backlog.since(111).as_deref(), Some(&b""[..]));
        assert_eq!(backlog.since(112), None);
        backlog.push(b"0123456789abcdef");
        assert_eq!(
            backlog.since(backlog.first()).as_deref(),
            Some(&b"89abcdef"[..])
        );
        backlog.resize(2);
        assert_eq!(backlog.since(125).as_deref(), Some(&b"ef"[..]));
    }

    #[test]
    fn any_offset_gives_the_same_bytes_as_the_whole_stream() {
        let stream: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut backlog = Backlog::new(1000, 0);
        let (mut at, mut step) = (0, 1);
        while at < stream.len() {
            let next = (at + step).min(stream.len());
            backlog.push(&stream[at..next]);
            (at, step) = (next, step * 7 % 311 + 1);
            for offset in backlog.first()..=at as u64 + 1 {
                let since = backlog.since(offset).expect("it is kept");
                assert_eq!(since, stream[offset as usize - 1..at]);
            }
        }
    }
}
