//! Requests, written: what clients, logs, masters and replicas send.
//!
//! Source: the Redis serialization protocol specification; a request is an array of bulk strings.

use super::Span;
use std::ops::Range;

/// A line with a number, in one piece where that has one or two digits.
#[inline(always)]
pub fn put_number_line(kind: u8, number: u64, out: &mut Vec<u8>) {
    let digit = |number: u64| b'0' + number as u8;
    match number {
        0..=9 => out.extend_from_slice(&[kind, digit(number), b'\r', b'\n']),
        10..=99 => {
            let line = [kind, digit(number / 10), digit(number % 10), b'\r', b'\n'];
            out.extend_from_slice(&line);
        }
        _ => put_long_line(kind, number, out),
    }
}

#[inline(never)]
fn put_long_line(kind: u8, number: u64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A bulk string.
#[inline]
pub fn put_word(word: &[u8], out: &mut Vec<u8>) {
    put_number_line(b'$', word.len() as u64, out);
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// A whole request.
pub fn put_request<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>, out: &mut Vec<u8>) {
    put_number_line(b'*', words.len() as u64, out);
    for word in words {
        put_word(word, out);
    }
}

/// The first eight bytes from a place on.
#[inline(always)]
fn eight(bytes: &[u8], from: usize) -> Option<u64> {
    let eight = bytes.get(from..)?.first_chunk()?;
    Some(u64::from_le_bytes(*eight))
}

/// Where the word begins before which, from a place on, lies what [`put_word`] writes between the
/// word before it and this one.
#[inline(always)]
fn word_behind(bytes: &[u8], from: usize, len: u32) -> Option<usize> {
    let digit = |number: u32| b'0' + number as u8;
    let line = |line: u64, len: usize| {
        // There always are eight: what follows is the word and the end of its line.
        let is_there = (eight(bytes, from)? ^ line) << (64 - 8 * len) == 0;
        is_there.then_some(from + len)
    };
    match len {
        0..=9 => {
            let [a, b, c, _, d, e] = *b"\r\n$_\r\n";
            let bytes = [a, b, c, digit(len), d, e, 0, 0];
            line(u64::from_le_bytes(bytes), 6)
        }
        10..=99 => {
            let [a, b, c, _, _, d, e] = *b"\r\n$__\r\n";
            let bytes = [a, b, c, digit(len / 10), digit(len % 10), d, e, 0];
            line(u64::from_le_bytes(bytes), 7)
        }
        _ => long_word_behind(bytes, from, len),
    }
}

#[inline(never)]
fn long_word_behind(bytes: &[u8], from: usize, len: u32) -> Option<usize> {
    let rest = bytes.get(from..)?.strip_prefix(b"\r\n$")?;
    let mut buffer = itoa::Buffer::new();
    let rest = rest.strip_prefix(buffer.format(len).as_bytes())?;
    let rest = rest.strip_prefix(b"\r\n")?;
    Some(bytes.len() - rest.len())
}

/// Where the request lies that has these words, if it is there in one piece and just as
/// [`put_request`] would write it: then copying it is enough. Requests of ten words and more, or
/// with a name of as many letters, are not looked for.
#[inline]
pub fn find_request(bytes: &[u8], words: &[Span]) -> Option<Range<usize>> {
    let (first, rest) = words.split_first()?;
    if words.len() > 9 || first.len > 9 {
        return None;
    }
    let [a, _, b, c, d, _, e, f] = *b"*_\r\n$_\r\n";
    let digit = |number: u8| b'0' + number;
    let (count, len) = (digit(words.len() as u8), digit(first.len as u8));
    let heads = [a, count, b, c, d, len, e, f];
    let start = (first.start as usize).checked_sub(heads.len())?;
    if eight(bytes, start)? != u64::from_le_bytes(heads) {
        return None;
    }
    let mut end = (first.start + first.len) as usize;
    for word in rest {
        if word_behind(bytes, end, word.len)? != word.start as usize {
            return None;
        }
        end = word.start as usize + word.len as usize;
    }
    let is_ended = bytes.get(end..)?.starts_with(b"\r\n");
    is_ended.then_some(start..end + 2)
}

/// A whole request, by itself.
pub fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_request(words.iter().copied(), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Limits, Parsed, parse};

    #[test]
    fn lengths_of_any_number_of_digits_are_written_alike() {
        for number in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut line = Vec::new();
            put_number_line(b'$', number, &mut line);
            assert_eq!(line, format!("${number}\r\n").into_bytes());
        }
        let (long, expected) = (vec![b'x'; 10], b"*2\r\n$0\r\n\r\n$10\r\nxxxxxxxxxx\r\n");
        assert_eq!(request(&[b"", &long]), expected);
    }

    const LIMITS: Limits = Limits {
        bulk_max: 1 << 20,
        is_trusted: true,
    };

    fn spans(bytes: &[u8], from: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        let parsed = parse(bytes, from, &mut spans, LIMITS);
        assert!(matches!(parsed, Parsed::Request(_)), "{parsed:?}");
        spans
    }

    #[test]
    fn a_request_is_found_where_it_was_written() {
        let long = vec![b'v'; 12_345];
        let nine = [&b"w"[..]; 9];
        let seventy = &long[..70];
        for words in [
            &[&b"SET"[..], b"k", &long][..],
            &[b"SET", seventy, seventy],
            &[b"FLUSHALL"],
            &[b"", b"", b""],
            &nine,
        ] {
            let mut bytes = b"*1\r\n$4\r\nPING\r\n".to_vec();
            let from = bytes.len();
            put_request(words.iter().copied(), &mut bytes);
            let end = bytes.len();
            bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
            let spans = spans(&bytes, from);
            assert_eq!(find_request(&bytes, &spans), Some(from..end));
            // Fewer words are another request, and a part of the bytes is none.
            assert_eq!(find_request(&bytes, &spans[..spans.len() - 1]), None);
            assert_eq!(find_request(&bytes[..end - 1], &spans), None);
            assert_eq!(find_request(&bytes, &spans[1..]), None);
        }
    }

    #[test]
    fn what_is_long_is_not_looked_for() {
        let many = [&b"w"[..]; 10];
        for words in [&[&b"PFSELFTEST"[..]][..], &many] {
            let bytes = request(words);
            assert_eq!(find_request(&bytes, &spans(&bytes, 0)), None);
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_not_taken_for_a_request() {
        for bytes in [
            &b"SET      a      b\r\n"[..],
            b"PING\r\n",
            b"*02\r\n$3\r\nGET\r\n$1\r\na\r\n",
            b"*2\r\n$03\r\nGET\r\n$1\r\na\r\n",
        ] {
            let mut all = Vec::new();
            if let Parsed::Request(_) = parse(bytes, 0, &mut all, LIMITS) {
                assert_eq!(find_request(bytes, &all), None, "{bytes:?}");
            }
        }
        // Words that lie side by side, or in another order, or where something else is.
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        let [get, a] = spans(bytes, 0)[..] else {
            panic!("two words");
        };
        assert_eq!(find_request(bytes, &[a, get]), None);
        assert_eq!(find_request(bytes, &[get, get]), None);
        let beyond = Span {
            start: u32::MAX,
            len: 7,
        };
        assert_eq!(find_request(bytes, &[get, beyond]), None);
        assert_eq!(find_request(bytes, &[beyond]), None);
        assert_eq!(find_request(bytes, &[]), None);
    }
}
