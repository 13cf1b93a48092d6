//! What is to be sent: bytes, and large values that go out by reference.
//!
//! Replies are written one after the other into `bytes`; a large value leaves only its position
//! there and is sent from where it lies. Moving one output behind another keeps the order.
//!
//! A buffer that grows is moved again and again, and moving many megabytes takes as many
//! milliseconds. So whoever adds to an output that cannot be sent yet *seals* what is there. A
//! replica's stream does so by itself: it is kept in stretches that have all their room.

use bytes::Bytes;
use std::borrow::Cow;

/// From so many bytes on a stretch of small ones is worth being sealed.
const SEALED_BYTES_MIN: usize = 64 * 1024;

/// From so many bytes on a stretch of a stream has room for as many as are sealed. That it moves
/// then costs a few microseconds; doubled on, the last time takes fifty, most of them page faults.
const ROOMY_BYTES_MIN: usize = 8 * 1024;

/// Replies on their way to a client or to the core that asked for them.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Values to be sent before `bytes[position..]`, by ascending position.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

/// A point in an output to which it can be cut back.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

impl Output {
    /// An output that reuses a buffer.
    pub fn reusing(mut bytes: Vec<u8>) -> Output {
        bytes.clear();
        Output {
            bytes,
            ..Output::default()
        }
    }

    /// Whether there is nothing to send.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.shared.is_empty()
    }

    /// Bytes to send, large values included.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Room for small bytes that is there already.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How much of that room is not in use.
    pub fn free_bytes(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// The small bytes, to write to.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Adds bytes of a stream, which may wait for long. Marks of before are of no use any more.
    #[inline]
    pub fn push_stream(&mut self, bytes: &[u8]) {
        if bytes.len() > self.free_bytes() {
            self.make_room(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) {
        if self.bytes.len() < ROOMY_BYTES_MIN {
            return;
        }
        if self.bytes.len() + bytes > SEALED_BYTES_MIN {
            self.seal_rest();
        }
        let room = SEALED_BYTES_MIN.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(room.max(bytes));
    }

    /// Adds a large value, by reference.
    pub fn push_shared(&mut self, value: Bytes) {
        self.shared_bytes += value.len();
        self.shared.push((self.bytes.len(), value));
    }

    /// Makes large values of the small bytes if they are many. Marks of before are of no use any
    /// more.
    #[inline]
    pub fn seal(&mut self) {
        if self.bytes.len() >= SEALED_BYTES_MIN {
            self.seal_rest();
        }
    }

    /// What lies between large values is not copied: it stays where it is, in parts.
    fn seal_rest(&mut self) {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.shared_bytes += bytes.len();
        let sealed = self.shared.partition_point(|(position, _)| *position == 0);
        let mut from = 0;
        for (position, value) in self.shared.split_off(sealed) {
            if position > from {
                self.shared.push((0, bytes.slice(from..position)));
                from = position;
            }
            self.shared.push((0, value));
        }
        if from < bytes.len() {
            self.shared.push((0, bytes.slice(from..)));
        }
    }

    /// Where the next reply will begin.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            shared: self.shared.len(),
        }
    }

    /// Takes back all that was written since the mark.
    pub fn cut_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        let cut = self
            .shared
            .drain(mark.shared..)
            .map(|(_, value)| value.len())
            .sum::<usize>();
        self.shared_bytes -= cut;
    }

    /// What was written since the mark, large values by reference.
    pub fn split_off(&mut self, mark: Mark) -> Output {
        let bytes = self.bytes.split_off(mark.bytes);
        let shared: Vec<_> = self
            .shared
            .drain(mark.shared..)
            .map(|(position, value)| (position - mark.bytes, value))
            .collect();
        let shared_bytes = shared.iter().map(|(_, value)| value.len()).sum();
        self.shared_bytes -= shared_bytes;
        Output {
            bytes,
            shared,
            shared_bytes,
        }
    }

    /// Puts bytes before all that was written since the mark.
    pub fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        let len = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.bytes
            .copy_within(mark.bytes..len, mark.bytes + bytes.len());
        self.bytes[mark.bytes..mark.bytes + bytes.len()].copy_from_slice(bytes);
        for (position, _) in &mut self.shared[mark.shared..] {
            *position += bytes.len();
        }
    }

    /// Whether the bytes since the mark begin with this one.
    #[inline]
    pub fn starts_with(&self, mark: Mark, first: u8) -> bool {
        self.bytes.get(mark.bytes) == Some(&first)
    }

    /// The small bytes written since the mark.
    pub fn since(&self, mark: Mark) -> &[u8] {
        &self.bytes[mark.bytes..]
    }

    /// The part between two marks, in one piece.
    pub fn part(&self, from: Mark, to: Mark) -> Cow<'_, [u8]> {
        if from.shared == to.shared {
            return Cow::Borrowed(&self.bytes[from.bytes..to.bytes]);
        }
        let mut part = Output::default();
        part.append_part(self, from, to);
        Cow::Owned(part.to_bytes())
    }

    /// Moves the part between two marks of another output behind this one.
    pub fn append_part(&mut self, other: &Output, from: Mark, to: Mark) {
        for (position, value) in &other.shared[from.shared..to.shared] {
            self.shared
                .push((self.bytes.len() + position - from.bytes, value.clone()));
            self.shared_bytes += value.len();
        }
        self.bytes
            .extend_from_slice(&other.bytes[from.bytes..to.bytes]);
    }

    /// Moves another output behind this one.
    pub fn append(&mut self, other: &mut Output) {
        if self.is_empty() && other.len() > 4096 {
            std::mem::swap(self, other);
            return;
        }
        let at = self.bytes.len();
        let moved = other.shared.drain(..);
        self.shared
            .extend(moved.map(|(position, value)| (at + position, value)));
        self.shared_bytes += std::mem::take(&mut other.shared_bytes);
        self.bytes.append(&mut other.bytes);
    }

    /// Forgets everything, keeping the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// The start of the output.
    pub fn start() -> Mark {
        Mark {
            bytes: 0,
            shared: 0,
        }
    }

    /// The small bytes, when there is nothing else.
    pub fn plain(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.bytes[..])
    }

    /// Takes the output apart: all small bytes, and the large values with their positions.
    pub fn into_parts(self) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        (self.bytes, self.shared)
    }

    /// Everything as one piece, for tests and tools.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut all, mut at) = (Vec::with_capacity(self.len()), 0);
        for (position, value) in &self.shared {
            all.extend_from_slice(&self.bytes[at..*position]);
            all.extend_from_slice(value);
            at = *position;
        }
        all.extend_from_slice(&self.bytes[at..]);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(parts: &[&str]) -> Output {
        let mut output = Output::default();
        for part in parts {
            match part.strip_prefix('@') {
                Some(large) => output.push_shared(Bytes::copy_from_slice(large.as_bytes())),
                None => output.buffer().extend_from_slice(part.as_bytes()),
            }
        }
        output
    }

    #[test]
    fn sealing_changes_nothing_but_where_bytes_lie() {
        let (mut output, mut expected) = (output(&["a", "@BIG", "b"]), b"aBIGb".to_vec());
        for number in 0..100_000u32 {
            let line = format!("line {number}\r\n");
            output.buffer().extend_from_slice(line.as_bytes());
            expected.extend_from_slice(line.as_bytes());
            if number % 1_000 == 0 {
                output.push_shared(Bytes::from_static(b"BIG"));
                expected.extend_from_slice(b"BIG");
            }
            if number % 7 == 0 {
                output.seal();
                assert!(output.capacity() < 4 * SEALED_BYTES_MIN, "it does not grow");
            }
        }
        assert_eq!(output.len(), expected.len());
        assert!(output.shared.len() > 10);
        assert!(output.to_bytes() == expected);
    }

    #[test]
    fn a_stream_that_waits_is_moved_only_while_it_is_short() {
        let (mut output, mut expected) = (Output::default(), Vec::new());
        let mut moved = 0;
        for number in 0..300_000u32 {
            let line = format!("line {number}\r\n");
            let (before, len) = (output.buffer().as_ptr(), output.buffer().len());
            output.push_stream(line.as_bytes());
            expected.extend_from_slice(line.as_bytes());
            if output.buffer().as_ptr() != before && output.buffer().len() > line.len() {
                moved += 1;
                assert!(len < 2 * ROOMY_BYTES_MIN, "{len} bytes are moved");
            }
            if number % 10_000 == 0 {
                output.push_shared(Bytes::from_static(b"BIG"));
                expected.extend_from_slice(b"BIG");
            }
            assert!(output.capacity() <= SEALED_BYTES_MIN);
        }
        output.push_stream(&[b'x'; 3 * SEALED_BYTES_MIN]);
        expected.extend_from_slice(&[b'x'; 3 * SEALED_BYTES_MIN]);
        assert!(moved < 16, "only the first stretch grows: {moved}");
        assert_eq!(output.len(), expected.len());
        assert!(output.to_bytes() == expected);
    }

    #[test]
    fn order_survives_moving_and_splitting() {
        let mut one = output(&["a", "@BIG", "b"]);
        let mark = one.mark();
        one.append(&mut output(&["c", "@BIGGER", "@2", "d"]));
        assert_eq!(one.to_bytes(), b"aBIGbcBIGGER2d");
        assert_eq!(one.len(), 14);
        assert_eq!(one.part(Output::start(), mark), &b"aBIGb"[..]);
        assert_eq!(one.part(mark, one.mark()), &b"cBIGGER2d"[..]);
        let rest = one.split_off(mark);
        assert_eq!(
            (one.to_bytes(), rest.to_bytes()),
            (b"aBIGb".to_vec(), b"cBIGGER2d".to_vec())
        );
        assert_eq!((one.len(), rest.len()), (5, 9));
    }

    #[test]
    fn what_is_inserted_stands_before_what_came_since() {
        let mut one = output(&["a", "@BIG"]);
        let mark = one.mark();
        one.append(&mut output(&["c", "@BIGGER", "d"]));
        one.insert(mark, b"*123");
        assert_eq!(one.to_bytes(), b"aBIG*123cBIGGERd");
    }

    #[test]
    fn cutting_back_forgets_what_came_since() {
        let mut one = output(&["a"]);
        let mark = one.mark();
        one.push_shared(Bytes::from_static(b"large"));
        one.cut_back(mark);
        assert_eq!((one.to_bytes(), one.len()), (b"a".to_vec(), 1));
    }
}
