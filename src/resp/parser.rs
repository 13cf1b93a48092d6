//! Requests to argument slices, without copying: the short way, for requests that lie whole in one
//! buffer.
//!
//! ```text
//!   *2\r\n $3\r\n GET\r\n $5\r\n hello\r\n
//!              ^^^           ^^^^^          spans into the buffer
//! ```
//!
//! A request that ends in the middle of a buffer is left to [`super::Assembly`], which resumes at
//! any byte. Both enforce the same limits with the same texts; nothing is reserved for an
//! announced length. Source: the Redis serialization protocol specification; texts and limits of
//! Redis 7.2.

use super::inline::split_line;
use memchr::memchr;

/// Where an argument lies in its buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

/// How much a client may announce.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// proto-max-bulk-len, in bytes.
    pub bulk_max: u64,
    /// Whether the client is authenticated; the others may announce very little.
    pub is_trusted: bool,
}

/// What stands at the start of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request; its arguments were added to the spans. It ends before this position.
    Request(usize),
    /// An inline request: its arguments are copies, because quotes were taken off.
    Inline(Vec<Vec<u8>>, usize),
    /// An empty request, to be passed over, up to this position.
    Nothing(usize),
    /// The beginning of a request.
    Incomplete,
    /// Not a request; the connection ends with this text.
    Bad(String),
}

pub(super) const LINE_MAX: usize = 64 * 1024;
const UNTRUSTED_ARGUMENTS_MAX: i64 = 10;
const UNTRUSTED_BULK_MAX: u64 = 16 * 1024;

/// Reads one request from `buffer[at..]`, adding its arguments to `spans`.
#[inline]
pub fn parse(buffer: &[u8], at: usize, spans: &mut Vec<Span>, limits: Limits) -> Parsed {
    match buffer.get(at) {
        None => Parsed::Incomplete,
        Some(b'*') => match parse_array(buffer, at + 1, spans, limits) {
            Ok(parsed) => parsed,
            Err(text) => Parsed::Bad(text),
        },
        Some(_) => parse_inline(buffer, at),
    }
}

#[inline]
fn parse_array(
    buffer: &[u8],
    at: usize,
    spans: &mut Vec<Span>,
    limits: Limits,
) -> Result<Parsed, String> {
    let Some((count, mut at)) = number(buffer, at) else {
        return too_long(buffer, at, "too big mbulk count string");
    };
    let count = check_count(count, limits)?;
    if count <= 0 {
        return Ok(Parsed::Nothing(at));
    }
    let first = spans.len();
    for _ in 0..count {
        let Some(&kind) = buffer.get(at) else {
            spans.truncate(first);
            return Ok(Parsed::Incomplete);
        };
        check_kind(kind)?;
        let Some((len, body)) = number(buffer, at + 1) else {
            spans.truncate(first);
            return too_long(buffer, at + 1, "too big bulk count string");
        };
        let len = check_bulk(len, limits)?;
        let next = body + len + 2;
        if next > buffer.len() {
            spans.truncate(first);
            return Ok(Parsed::Incomplete);
        }
        spans.push(Span {
            start: body as u32,
            len: len as u32,
        });
        at = next;
    }
    Ok(Parsed::Request(at))
}

fn too_long(buffer: &[u8], at: usize, text: &str) -> Result<Parsed, String> {
    let line = &buffer[at..];
    if line.len() > LINE_MAX && memchr(b'\r', line).is_none() {
        return Err(text.into());
    }
    Ok(Parsed::Incomplete)
}

/// A number up to the line end: `None` when the line is not whole, `Some(None)` when it is not a
/// number.
#[inline]
fn number(buffer: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    let mut value = 0i64;
    let mut i = at;
    // The usual case: a few digits and the line end.
    while let Some(&byte) = buffer.get(i) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 || i - at > 17 {
            break;
        }
        value = value * 10 + i64::from(digit);
        i += 1;
    }
    if i > at && (buffer[at] != b'0' || i == at + 1) && buffer.get(i) == Some(&b'\r') {
        return (i + 1 < buffer.len()).then_some((Some(value), i + 2));
    }
    let end = at + memchr(b'\r', buffer.get(at..)?)?;
    if end + 1 >= buffer.len() {
        return None;
    }
    Some((crate::base::number::parse_i64(&buffer[at..end]), end + 2))
}

pub(super) fn check_count(count: Option<i64>, limits: Limits) -> Result<i64, String> {
    match count {
        Some(count) if count > i64::from(i32::MAX) => Err("invalid multibulk length".into()),
        Some(count) if count > UNTRUSTED_ARGUMENTS_MAX && !limits.is_trusted => {
            Err("unauthenticated multibulk length".into())
        }
        Some(count) => Ok(count),
        None => Err("invalid multibulk length".into()),
    }
}

#[inline]
pub(super) fn check_kind(kind: u8) -> Result<(), String> {
    if kind == b'$' {
        return Ok(());
    }
    Err(format!("expected '$', got '{}'", char::from(kind)))
}

#[inline]
pub(super) fn check_bulk(len: Option<i64>, limits: Limits) -> Result<usize, String> {
    match len {
        Some(len) if len < 0 || len as u64 > limits.bulk_max => Err("invalid bulk length".into()),
        Some(len) if len as u64 > UNTRUSTED_BULK_MAX && !limits.is_trusted => {
            Err("unauthenticated bulk length".into())
        }
        Some(len) => Ok(len as usize),
        None => Err("invalid bulk length".into()),
    }
}

fn parse_inline(buffer: &[u8], at: usize) -> Parsed {
    let line = &buffer[at..];
    let Some(end) = memchr(b'\n', line) else {
        if line.len() > LINE_MAX {
            return Parsed::Bad("too big inline request".into());
        }
        return Parsed::Incomplete;
    };
    inline_line(&line[..end], at + end + 1)
}

pub(super) fn inline_line(line: &[u8], next: usize) -> Parsed {
    if line.len() > LINE_MAX {
        return Parsed::Bad("too big inline request".into());
    }
    match split_line(line.strip_suffix(b"\r").unwrap_or(line)) {
        None => Parsed::Bad("unbalanced quotes in request".into()),
        Some(args) if args.is_empty() => Parsed::Nothing(next),
        Some(args) => Parsed::Inline(args, next),
    }
}
