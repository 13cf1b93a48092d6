//! A command's arguments: slices into the buffer they arrived in, and typed readings of them.
//!
//! [`Args`] is what handlers see, wherever the bytes lie: in the receive buffer of this core, in a
//! message from another one, in a script. [`ArgStore`] owns the bytes of many commands at once.

use crate::base::long_double::LongDouble;
use crate::base::number;
use crate::resp::{ErrorReply, Span, errors, find_request};
use bytes::Bytes;

/// The arguments of one command, its name first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    /// Large arguments that already lie where they may live, by position.
    big: &'a [(usize, Bytes)],
    /// The position of the first argument in the numbering of `big`.
    base: usize,
}

impl<'a> Args<'a> {
    /// Arguments as spans into `bytes`; those listed in `big` lie elsewhere.
    #[inline]
    pub fn new(bytes: &'a [u8], spans: &'a [Span], big: &'a [(usize, Bytes)]) -> Args<'a> {
        Args {
            bytes,
            spans,
            big,
            base: 0,
        }
    }

    /// Number of arguments, the name included.
    #[inline]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there are none, which no command of a client's ever has.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at a position that the arity or a check guarantees.
    #[inline]
    pub fn get(self, at: usize) -> &'a [u8] {
        if !self.big.is_empty()
            && let Some(bytes) = self.shared(at)
        {
            return bytes;
        }
        let span = self.spans[at];
        &self.bytes[span.start as usize..][..span.len as usize]
    }

    /// The argument at a position, if there is one.
    pub fn try_get(self, at: usize) -> Option<&'a [u8]> {
        (at < self.len()).then(|| self.get(at))
    }

    /// The argument as memory that can be kept without copying, if it is large.
    #[inline]
    pub fn shared(self, at: usize) -> Option<&'a Bytes> {
        let at = self.base + at;
        // They lie in the order of their positions, and a transaction may have many.
        let found = self
            .big
            .binary_search_by_key(&at, |(position, _)| *position);
        found.ok().map(|index| &self.big[index].1)
    }

    /// Bytes of all of them together.
    pub fn total_bytes(self) -> usize {
        self.from(0).map(<[u8]>::len).sum()
    }

    /// All arguments from a position on.
    pub fn from(self, first: usize) -> impl ExactSizeIterator<Item = &'a [u8]> {
        (first.min(self.len())..self.len()).map(move |at| self.get(at))
    }

    /// The arguments from this position on, as a command of their own.
    pub fn behind(self, first: usize) -> Args<'a> {
        let first = first.min(self.len());
        Args {
            spans: &self.spans[first..],
            base: self.base + first,
            ..self
        }
    }

    /// The request that they are, if it lies here just as it would be written.
    #[inline]
    pub fn as_request(self) -> Option<&'a [u8]> {
        Some(&self.bytes[self.find_request()?])
    }

    fn find_request(self) -> Option<std::ops::Range<usize>> {
        match self.big {
            [] => find_request(self.bytes, self.spans),
            _ => None,
        }
    }

    /// Whether the argument is this word, in any case.
    pub fn is(self, at: usize, word: &str) -> bool {
        self.get(at).eq_ignore_ascii_case(word.as_bytes())
    }

    /// An integer, or Redis's "value is not an integer or out of range".
    #[inline]
    pub fn integer(self, at: usize) -> Result<i64, ErrorReply> {
        number::parse_i64(self.get(at)).ok_or_else(|| errors::NOT_AN_INTEGER.into())
    }

    /// How long to wait from this time on, in seconds that may have a fraction, as milliseconds;
    /// `None` is for ever.
    pub fn timeout(self, at: usize, now_ms: i64) -> Result<Option<i64>, ErrorReply> {
        const NO_FLOAT: &str = "ERR timeout is not a float or out of range";
        const TOO_LONG: &str = "ERR timeout is out of range";
        let text = self.get(at);
        LongDouble::parse(text).ok_or(NO_FLOAT)?;
        let seconds = number::parse_f64_as_c(text).ok_or(NO_FLOAT)?;
        match (seconds * 1000.0).ceil() {
            ms if ms < 0.0 => Err("ERR timeout is negative".into()),
            ms if ms >= (i64::MAX - now_ms) as f64 => Err(TOO_LONG.into()),
            0.0 => Ok(None),
            ms => Ok(Some(ms as i64)),
        }
    }

    /// A floating point number, or Redis's "value is not a valid float".
    pub fn float(self, at: usize) -> Result<f64, ErrorReply> {
        number::parse_f64(self.get(at)).ok_or_else(|| errors::NOT_A_FLOAT.into())
    }
}

/// Owned arguments of one or many commands.
#[derive(Clone, Debug, Default)]
pub struct ArgStore {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    big: Vec<(usize, Bytes)>,
}

impl ArgStore {
    /// A copy of one command.
    pub fn of(args: Args<'_>) -> ArgStore {
        let mut store = ArgStore::default();
        store.add(args);
        store
    }

    /// A command from its words.
    pub fn from_words<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> ArgStore {
        let mut store = ArgStore::default();
        for word in words {
            store.push(word);
        }
        store
    }

    /// Adds one argument.
    #[inline]
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(arg);
        self.spans.push(Span {
            start,
            len: arg.len() as u32,
        });
    }

    /// Adds the argument at a position of another command, large ones by reference.
    #[inline]
    pub fn push_from(&mut self, args: Args<'_>, at: usize) {
        match args.shared(at) {
            None => self.push(args.get(at)),
            Some(bytes) => {
                self.big.push((self.spans.len(), bytes.clone()));
                self.push(&[]);
            }
        }
    }

    /// Adds a whole command; it can be had again by the range of arguments returned.
    #[inline]
    pub fn add(&mut self, args: Args<'_>) -> std::ops::Range<u32> {
        let first = self.spans.len() as u32;
        match args.find_request() {
            Some(request) => self.add_request(args, request),
            None => (0..args.len()).for_each(|at| self.push_from(args, at)),
        }
        first..self.spans.len() as u32
    }

    /// Adds a command as the request that it came as: one copy, and whoever passes it on has the
    /// request again.
    fn add_request(&mut self, args: Args<'_>, request: std::ops::Range<usize>) {
        let (from, to) = (request.start as u32, self.bytes.len() as u32);
        self.bytes.extend_from_slice(&args.bytes[request]);
        self.spans.extend(args.spans.iter().map(|span| Span {
            start: to + (span.start - from),
            ..*span
        }));
    }

    /// Makes room for so many more arguments and bytes of them.
    pub fn reserve(&mut self, args: usize, bytes: usize) {
        self.spans.reserve(args);
        self.bytes.reserve(bytes);
    }

    /// Number of arguments in the store.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the store is empty.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// All arguments, as one command.
    pub fn args(&self) -> Args<'_> {
        self.command(0..self.spans.len() as u32)
    }

    /// The command that was added as this range.
    #[inline]
    pub fn command(&self, range: std::ops::Range<u32>) -> Args<'_> {
        let spans = &self.spans[range.start as usize..range.end as usize];
        Args {
            bytes: &self.bytes,
            spans,
            big: &self.big,
            base: range.start as usize,
        }
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.big.clear();
    }

    /// Bytes of memory that it takes, large arguments included.
    pub fn held_bytes(&self) -> usize {
        let big = self.big.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>() + big
    }

    /// Bytes of arguments in the store.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}
