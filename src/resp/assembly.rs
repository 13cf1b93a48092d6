//! A request that arrives in pieces: the long way of the parser, resumable at any byte.
//!
//! Small arguments gather in one buffer; each large one gathers in memory of its own, which grows
//! as its bytes arrive and then becomes the value, without another copy. Every byte is looked at
//! once, however small the pieces are.

use super::parser::{
    LINE_MAX, Limits, Parsed, Span, check_bulk, check_count, check_kind, inline_line,
};
use bytes::Bytes;
use memchr::memchr;

/// From this length on an argument gets memory of its own, in bytes.
pub const BIG_ARGUMENT_MIN: usize = 16 * 1024;
/// What a big argument reserves at first; afterwards it doubles.
const BIG_RESERVE: usize = 64 * 1024;

/// What became of the bytes fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// All were taken and the request is not whole yet.
    More,
    /// The request is whole; so many bytes were taken.
    Whole(usize),
    /// There was no request after all (an empty one); so many bytes were taken.
    Nothing(usize),
    /// Not a request.
    Bad(String),
}

#[derive(Debug, Default)]
enum State {
    /// Before the first byte, or inside the first line.
    #[default]
    Head,
    /// Inside the line that announces an argument.
    BulkHead,
    /// So many bytes of a small argument and its line end are missing.
    Small(usize),
    /// So many bytes of a big argument are missing.
    Big(usize),
    /// So many bytes of the line end behind a big argument are missing.
    BigEnd(usize),
}

/// A request on its way.
#[derive(Debug, Default)]
pub struct Assembly {
    state: State,
    /// An unfinished line.
    line: Vec<u8>,
    /// Arguments still to be announced.
    left: u64,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    big: Vec<(usize, Bytes)>,
    filling: Vec<u8>,
    taken_bytes: usize,
    /// Bytes that had arrived of a big argument whose memory somebody has taken.
    lent_bytes: usize,
}

impl Assembly {
    /// Takes the next bytes.
    pub fn feed(&mut self, data: &[u8], limits: Limits) -> Fed {
        self.taken_bytes += data.len();
        let mut at = 0;
        loop {
            let rest = &data[at..];
            let step = match self.state {
                State::Head => self.head(rest, limits),
                State::BulkHead => self.bulk_head(rest, limits),
                State::Small(missing) => Ok(self.small(rest, missing)),
                State::Big(missing) => Ok(self.big(rest, missing)),
                State::BigEnd(missing) => Ok(self.big_end(rest, missing)),
            };
            match step {
                Err(text) => return Fed::Bad(text),
                Ok(Step::Took(taken)) => at += taken,
                Ok(Step::Nothing(taken)) => return Fed::Nothing(at + taken),
                Ok(Step::Argument(taken)) => {
                    at += taken;
                    self.left -= 1;
                    self.state = State::BulkHead;
                    if self.left == 0 {
                        return Fed::Whole(at);
                    }
                }
            }
            if at == data.len() {
                return Fed::More;
            }
        }
    }

    /// The small arguments' bytes, the spans of all, and the big ones by argument number.
    pub fn parts(&self) -> (&[u8], &[Span], &[(usize, Bytes)]) {
        (&self.bytes, &self.spans, &self.big)
    }

    /// Bytes that it was fed, as long as the request is not whole.
    pub fn taken_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// Bytes it holds.
    pub fn held_bytes(&self) -> usize {
        let big: usize = self.big.iter().map(|(_, bytes)| bytes.len()).sum();
        let spans = self.spans.len() * size_of::<Span>();
        let filling = self.filling.len() + self.lent_bytes;
        self.line.len() + self.bytes.len() + filling + big + spans
    }

    /// Bytes missing of the big argument that is arriving, if one is.
    pub fn big_missing(&self) -> usize {
        match self.state {
            State::Big(missing) => missing,
            _ => 0,
        }
    }

    /// When a big argument is what arrives next: its memory, with room for more, and how many
    /// bytes of it are missing. Give it back with [`Assembly::filled`].
    pub fn take_filling(&mut self) -> Option<(Vec<u8>, usize)> {
        let State::Big(missing) = self.state else {
            return None;
        };
        let mut filling = std::mem::take(&mut self.filling);
        self.lent_bytes = filling.len();
        reserve(&mut filling, missing);
        Some((filling, missing))
    }

    /// Takes back the memory of a big argument, with what has arrived in it.
    pub fn filled(&mut self, filling: Vec<u8>, arrived: usize) {
        let State::Big(missing) = self.state else {
            return;
        };
        self.filling = filling;
        self.taken_bytes += arrived;
        self.lent_bytes = 0;
        self.state = State::Big(missing - arrived);
        self.finish_big(missing - arrived);
    }

    /// Collects a line up to and with its end; how much of the data belongs to it when it is whole.
    ///
    /// Redis: the line of a number ends with a carriage return and whatever byte comes next, that
    /// of an inline request with a line feed.
    fn line(&mut self, data: &[u8], what: &str, is_number: bool) -> Result<Option<usize>, String> {
        if is_number && self.line.last() == Some(&b'\r') && !data.is_empty() {
            return Ok(Some(1));
        }
        let end = match is_number {
            true => memchr(b'\r', data).map(|end| end + 2),
            false => memchr(b'\n', data).map(|end| end + 1),
        };
        match end {
            Some(end) if end <= data.len() => Ok(Some(end)),
            Some(_) => {
                self.line.extend_from_slice(data);
                Ok(None)
            }
            None if self.line.len() + data.len() > LINE_MAX => Err(what.into()),
            None => {
                self.line.extend_from_slice(data);
                Ok(None)
            }
        }
    }

    fn head(&mut self, data: &[u8], limits: Limits) -> Result<Step, String> {
        let first = self.line.first().or(data.first()).copied().unwrap_or(b'*');
        let is_array = first == b'*';
        let what = if is_array {
            "too big mbulk count string"
        } else {
            "too big inline request"
        };
        let Some(taken) = self.line(data, what, is_array)? else {
            return Ok(Step::Took(data.len()));
        };
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(&data[..taken - 1]);
        if !is_array {
            return self.inline(&line, taken);
        }
        let count = check_count(number(&line[1..]), limits)?;
        if count <= 0 {
            return Ok(Step::Nothing(taken));
        }
        self.left = count as u64;
        self.state = State::BulkHead;
        Ok(Step::Took(taken))
    }

    fn inline(&mut self, line: &[u8], taken: usize) -> Result<Step, String> {
        match inline_line(line, taken) {
            Parsed::Bad(text) => Err(text),
            Parsed::Inline(args, _) => {
                for arg in args {
                    self.begin_span(arg.len());
                    self.bytes.extend_from_slice(&arg);
                }
                self.left = 1;
                Ok(Step::Argument(taken))
            }
            _ => Ok(Step::Nothing(taken)),
        }
    }

    fn bulk_head(&mut self, data: &[u8], limits: Limits) -> Result<Step, String> {
        if let Some(&kind) = self.line.first().or(data.first()) {
            check_kind(kind)?;
        }
        let Some(taken) = self.line(data, "too big bulk count string", true)? else {
            return Ok(Step::Took(data.len()));
        };
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(&data[..taken - 1]);
        let len = check_bulk(number(&line[1..]), limits)?;
        if len >= BIG_ARGUMENT_MIN {
            self.state = State::Big(len);
            return Ok(Step::Took(taken));
        }
        self.begin_span(len);
        self.state = State::Small(len + 2);
        Ok(Step::Took(taken))
    }

    fn begin_span(&mut self, len: usize) {
        let start = self.bytes.len() as u32;
        self.spans.push(Span {
            start,
            len: len as u32,
        });
    }

    fn small(&mut self, data: &[u8], missing: usize) -> Step {
        let taken = data.len().min(missing);
        let of_argument = taken.min(missing.saturating_sub(2));
        self.bytes.extend_from_slice(&data[..of_argument]);
        self.state = State::Small(missing - taken);
        if taken == missing {
            Step::Argument(taken)
        } else {
            Step::Took(taken)
        }
    }

    fn big(&mut self, data: &[u8], missing: usize) -> Step {
        let taken = data.len().min(missing);
        reserve(&mut self.filling, missing.min(taken.max(BIG_RESERVE)));
        self.filling.extend_from_slice(&data[..taken]);
        self.state = State::Big(missing - taken);
        self.finish_big(missing - taken);
        Step::Took(taken)
    }

    fn finish_big(&mut self, missing: usize) {
        if missing > 0 {
            return;
        }
        self.big.push((
            self.spans.len(),
            Bytes::from(std::mem::take(&mut self.filling)),
        ));
        self.begin_span(0);
        self.state = State::BigEnd(2);
    }

    fn big_end(&mut self, data: &[u8], missing: usize) -> Step {
        let taken = data.len().min(missing);
        self.state = State::BigEnd(missing - taken);
        if taken == missing {
            Step::Argument(taken)
        } else {
            Step::Took(taken)
        }
    }
}

enum Step {
    Took(usize),
    Argument(usize),
    Nothing(usize),
}

/// Makes room for at least some of the missing bytes: never more than has arrived already.
fn reserve(filling: &mut Vec<u8>, missing: usize) {
    if filling.len() == filling.capacity() {
        filling.reserve_exact(missing.min(filling.len().max(BIG_RESERVE)));
    }
}

/// The number in a line that ends with a carriage return.
fn number(line: &[u8]) -> Option<i64> {
    crate::base::number::parse_i64(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    const LIMITS: Limits = Limits {
        bulk_max: 512 << 20,
        is_trusted: true,
    };

    fn request(args: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            bytes.extend_from_slice(arg);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    fn arguments(assembly: &Assembly) -> Vec<Vec<u8>> {
        let (bytes, spans, big) = assembly.parts();
        let mut args: Vec<Vec<u8>> = spans
            .iter()
            .map(|span| bytes[span.start as usize..][..span.len as usize].to_vec())
            .collect();
        for (number, value) in big {
            args[*number] = value.to_vec();
        }
        args
    }

    #[test]
    fn resumes_at_any_byte() {
        let large = vec![b'x'; BIG_ARGUMENT_MIN + 5];
        let args: Vec<&[u8]> = vec![b"SET", b"", b"key", &large, b"EX", b"10"];
        let bytes = request(&args);
        for step in [1, 2, 3, 7, 1000, 16_383, bytes.len()] {
            let mut assembly = Assembly::default();
            let mut fed = Fed::More;
            for piece in bytes.chunks(step) {
                assert_eq!(fed, Fed::More);
                fed = assembly.feed(piece, LIMITS);
            }
            assert!(matches!(fed, Fed::Whole(_)), "step {step}");
            assert_eq!(arguments(&assembly), args, "step {step}");
        }
    }

    #[test]
    fn both_ways_agree_on_what_is_bad() {
        let bad: [&[u8]; 9] = [
            b"*x\r\n",
            b"*2147483648\r\n",
            b"*1\r\n!3\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$x\r\n",
            b"*1\r\n$999999999999\r\n",
            b"GET \"open\r\n",
            b"*1\r\n$+1\r\n",
            b"*01\r\n",
        ];
        for bytes in bad {
            let Parsed::Bad(text) = parse(bytes, 0, &mut Vec::new(), LIMITS) else {
                panic!("{bytes:?} is bad");
            };
            assert_eq!(
                Assembly::default().feed(bytes, LIMITS),
                Fed::Bad(text),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn empty_requests_and_inline_ones() {
        assert_eq!(Assembly::default().feed(b"*0\r\n", LIMITS), Fed::Nothing(4));
        assert_eq!(
            Assembly::default().feed(b"*-1\r\n", LIMITS),
            Fed::Nothing(5)
        );
        assert_eq!(Assembly::default().feed(b"\r\n", LIMITS), Fed::Nothing(2));
        let mut assembly = Assembly::default();
        assert_eq!(assembly.feed(b"SET 'a", LIMITS), Fed::More);
        assert_eq!(assembly.feed(b" b' c\r\nPING", LIMITS), Fed::Whole(7));
        assert_eq!(
            arguments(&assembly),
            [b"SET".to_vec(), b"a b".to_vec(), b"c".to_vec()]
        );
    }

    #[test]
    fn an_announced_length_reserves_little() {
        let mut assembly = Assembly::default();
        let fed = assembly.feed(b"*2147483647\r\n$536870912\r\nabc", LIMITS);
        assert_eq!(fed, Fed::More);
        assert!(assembly.filling.capacity() <= BIG_RESERVE);
        let (filling, missing) = assembly.take_filling().expect("a big argument arrives");
        assert_eq!((filling.len(), missing), (3, (512 << 20) - 3));
        assert!(filling.capacity() <= 2 * BIG_RESERVE);
    }
}
