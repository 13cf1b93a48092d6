//! The snapshot on its way from a master: how much of what arrives belongs to it.
//!
//! ```text
//!   $<length>\r\n  bytes                 from a file: the length is known
//!   $EOF:<mark>\r\n  bytes <mark>        from the socket of a running save: 40 bytes end it
//! ```
//!
//! Whatever comes behind is the stream already.

/// Bytes of a mark.
pub const MARK_LEN: usize = 40;

/// How the end of a snapshot is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Mark([u8; MARK_LEN]),
}

impl Framing {
    /// Reads the line in front of a snapshot, without its end.
    pub fn read(line: &[u8]) -> Option<Framing> {
        let rest = line.strip_prefix(b"$")?;
        if let Some(mark) = rest.strip_prefix(b"EOF:") {
            return mark.try_into().ok().map(Framing::Mark);
        }
        let length = crate::base::number::parse_i64(rest)?;
        u64::try_from(length).ok().map(Framing::Length)
    }

    /// Bytes of the whole snapshot, if that is known.
    pub fn total(&self) -> Option<u64> {
        match self {
            Framing::Length(length) => Some(*length),
            Framing::Mark(_) => None,
        }
    }
}

/// A snapshot that is arriving.
#[derive(Debug)]
pub struct Payload {
    framing: Framing,
    taken: u64,
    /// The latest bytes, which may be the beginning of the mark.
    held: Vec<u8>,
    is_whole: bool,
}

impl Payload {
    /// A snapshot of which nothing has come yet.
    pub fn new(framing: Framing) -> Payload {
        let is_whole = framing == Framing::Length(0);
        Payload {
            framing,
            taken: 0,
            held: Vec::new(),
            is_whole,
        }
    }

    /// Whether all of it has come.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Splits what has arrived: bytes of the snapshot, and those behind it.
    pub fn take(&mut self, arrived: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        if self.is_whole {
            return (Vec::new(), arrived);
        }
        match self.framing {
            Framing::Length(length) => self.take_counted(length, arrived),
            Framing::Mark(mark) => self.take_marked(&mark, arrived),
        }
    }

    fn take_counted(&mut self, length: u64, mut arrived: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let left = length - self.taken;
        let rest = match (arrived.len() as u64) < left {
            true => Vec::new(),
            false => arrived.split_off(left as usize),
        };
        self.taken += arrived.len() as u64;
        self.is_whole = self.taken == length;
        (arrived, rest)
    }

    fn take_marked(&mut self, mark: &[u8; MARK_LEN], arrived: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(&arrived);
        if let Some(at) = memchr::memmem::find(&bytes, mark) {
            let rest = bytes.split_off(at + MARK_LEN);
            bytes.truncate(at);
            self.taken += at as u64;
            self.is_whole = true;
            return (bytes, rest);
        }
        self.held = bytes.split_off(bytes.len().saturating_sub(MARK_LEN - 1));
        self.taken += bytes.len() as u64;
        (bytes, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: [u8; MARK_LEN] = [b'm'; MARK_LEN];

    /// Feeds a stream in pieces of this size; what the snapshot was, and what came behind.
    fn split(framing: &Framing, stream: &[u8], step: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut payload, mut inside, mut behind) =
            (Payload::new(framing.clone()), Vec::new(), Vec::new());
        for piece in stream.chunks(step) {
            let (bytes, rest) = payload.take(piece.to_vec());
            inside.extend(bytes);
            behind.extend(rest);
        }
        assert!(payload.is_whole());
        assert_eq!(payload.taken, inside.len() as u64);
        (inside, behind)
    }

    #[test]
    fn pieces_of_any_size_split_at_the_same_place() {
        let snapshot: Vec<u8> = (0..200)
            .map(|n| if n % 50 < 39 { b'm' } else { n })
            .collect();
        let marked = [&snapshot[..], &MARK, b"*1\r\n"].concat();
        let counted = [&snapshot[..], b"*1\r\n"].concat();
        for step in 1..=marked.len() {
            let expected = (snapshot.clone(), b"*1\r\n".to_vec());
            let length = Framing::Length(snapshot.len() as u64);
            assert_eq!(split(&length, &counted, step), expected);
            let (mut inside, behind) = split(&Framing::Mark(MARK), &marked, step);
            // A snapshot that ends like the mark ends earlier; this one does not.
            inside.truncate(snapshot.len());
            assert_eq!((inside, behind), expected);
        }
    }

    #[test]
    fn lines_that_announce_a_snapshot() {
        assert_eq!(Framing::read(b"$12"), Some(Framing::Length(12)));
        let line = [b"$EOF:", &MARK[..]].concat();
        assert_eq!(Framing::read(&line), Some(Framing::Mark(MARK)));
        for bad in ["$-1", "$EOF:short", "12", "$", "$1x"] {
            assert_eq!(Framing::read(bad.as_bytes()), None, "{bad}");
        }
        assert!(Payload::new(Framing::Length(0)).is_whole());
    }
}
