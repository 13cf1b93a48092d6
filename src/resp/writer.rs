//! Replies to bytes, in both versions of the protocol.
//!
//! A handler says what it means (a map, a double, null); the writer knows what that looks like for
//! this client. Source: the Redis serialization protocol specification, RESP2 and RESP3.

use super::errors::ErrorReply;
use super::output::{Mark, Output};
use super::request::put_number_line;
use crate::base::number;
use bytes::Bytes;

/// The version of the protocol a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Proof that a reply was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written;

/// Writes replies of one client.
pub struct Writer<'a> {
    out: &'a mut Output,
    protocol: Protocol,
}

impl<'a> Writer<'a> {
    #[inline]
    pub fn new(out: &'a mut Output, protocol: Protocol) -> Writer<'a> {
        Writer { out, protocol }
    }

    /// The version this client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Lets the client speak another version from here on.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Where replies go, for those that move whole replies.
    pub fn output(&mut self) -> &mut Output {
        self.out
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) -> Written {
        let out = self.out.buffer();
        out.reserve(text.len() + 3);
        out.push(kind);
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
        Written
    }

    #[inline]
    fn number_line(&mut self, kind: u8, number: i64) -> Written {
        if let Ok(number) = u64::try_from(number) {
            put_number_line(kind, number, self.out.buffer());
            return Written;
        }
        self.line(kind, itoa::Buffer::new().format(number).as_bytes())
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) -> Written {
        self.out.buffer().extend_from_slice(b"+OK\r\n");
        Written
    }

    /// A status line; the text has no line ends.
    pub fn status(&mut self, text: &str) -> Written {
        self.line(b'+', text.as_bytes())
    }

    /// An error; line ends in its text become blanks.
    pub fn error(&mut self, error: &ErrorReply) -> Written {
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        if !error.0.iter().any(is_line_end) {
            return self.line(b'-', &error.0);
        }
        let len = error.0.iter().rposition(|byte| !is_line_end(byte));
        let mut text = error.0[..len.map_or(0, |last| last + 1)].to_vec();
        for byte in text.iter_mut().filter(|byte| is_line_end(byte)) {
            *byte = b' ';
        }
        self.line(b'-', &text)
    }

    #[inline]
    pub fn integer(&mut self, number: i64) -> Written {
        self.number_line(b':', number)
    }

    /// A truth value, as 1 and 0 also in RESP3: what most commands reply.
    pub fn flag(&mut self, is_true: bool) -> Written {
        self.integer(i64::from(is_true))
    }

    /// A truth value that is a boolean in RESP3.
    pub fn boolean(&mut self, is_true: bool) -> Written {
        match (self.protocol, is_true) {
            (Protocol::Resp2, _) => self.flag(is_true),
            (Protocol::Resp3, true) => self.line(b'#', b"t"),
            (Protocol::Resp3, false) => self.line(b'#', b"f"),
        }
    }

    /// A string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) -> Written {
        self.number_line(b'$', bytes.len() as i64);
        let out = self.out.buffer();
        out.reserve(bytes.len() + 2);
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
        Written
    }

    /// A large string, by reference.
    pub fn shared(&mut self, bytes: &Bytes) -> Written {
        self.number_line(b'$', bytes.len() as i64);
        self.out.push_shared(bytes.clone());
        self.out.buffer().extend_from_slice(b"\r\n");
        Written
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_integer(&mut self, number: i64) -> Written {
        self.bulk(itoa::Buffer::new().format(number).as_bytes())
    }

    /// Nothing, where a string might be.
    #[inline]
    pub fn null(&mut self) -> Written {
        let bytes: &[u8] = match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        };
        self.out.buffer().extend_from_slice(bytes);
        Written
    }

    /// Nothing, where an array might be.
    pub fn null_array(&mut self) -> Written {
        let bytes: &[u8] = match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        };
        self.out.buffer().extend_from_slice(bytes);
        Written
    }

    /// The head of an array; as many replies have to follow.
    pub fn array(&mut self, len: usize) -> Written {
        self.number_line(b'*', len as i64)
    }

    /// Puts the head of an array before the `len` replies written since the mark, for those whose
    /// number is known only afterwards.
    pub fn array_since(&mut self, mark: Mark, len: usize) -> Written {
        self.head_since(mark, b'*', len)
    }

    /// The same with the head of a map (none of its own in RESP2: there a pair is an array).
    pub fn map_since(&mut self, mark: Mark, pairs: usize) -> Written {
        let kind = match self.protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => b'%',
        };
        self.head_since(mark, kind, pairs)
    }

    fn head_since(&mut self, mark: Mark, kind: u8, len: usize) -> Written {
        let mut buffer = itoa::Buffer::new();
        let head = [&[kind], buffer.format(len).as_bytes(), b"\r\n"].concat();
        self.out.insert(mark, &head);
        Written
    }

    /// The head of a set.
    pub fn set(&mut self, len: usize) -> Written {
        self.number_line(
            if self.protocol == Protocol::Resp3 {
                b'~'
            } else {
                b'*'
            },
            len as i64,
        )
    }

    /// The head of a map; keys and values follow in turn (a flat array in RESP2).
    pub fn map(&mut self, pairs: usize) -> Written {
        match self.protocol {
            Protocol::Resp2 => self.number_line(b'*', 2 * pairs as i64),
            Protocol::Resp3 => self.number_line(b'%', pairs as i64),
        }
    }

    /// The head of a push message (an array in RESP2).
    pub fn push(&mut self, len: usize) -> Written {
        self.number_line(
            if self.protocol == Protocol::Resp3 {
                b'>'
            } else {
                b'*'
            },
            len as i64,
        )
    }

    /// A floating point number (a string in RESP2), with the fewest digits as since Redis 7.2.
    pub fn double(&mut self, number: f64) -> Written {
        let mut buffer = [0; number::F64_TEXT_MAX];
        let text = number::format_f64_shortest(&mut buffer, number);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(b',', text),
        }
    }

    /// A floating point number that was written by somebody else (RESP3 only).
    pub fn double_text(&mut self, text: &str) -> Written {
        self.line(b',', text.as_bytes())
    }

    /// Text for people; `kind` is `txt` or `mkd`.
    pub fn verbatim(&mut self, kind: &str, text: &[u8]) -> Written {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        self.number_line(b'=', text.len() as i64 + 4);
        let out = self.out.buffer();
        out.extend_from_slice(kind.as_bytes());
        out.push(b':');
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
        Written
    }

    /// An array of status lines, as HELP subcommands reply.
    pub fn help(&mut self, lines: &[&str]) -> Written {
        self.array(lines.len());
        for line in lines {
            self.status(line);
        }
        Written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl Fn(&mut Writer<'_>)) -> String {
        let mut out = Output::default();
        write(&mut Writer::new(&mut out, protocol));
        String::from_utf8(out.to_bytes()).expect("tests write text")
    }

    fn check(write: impl Fn(&mut Writer<'_>), resp2: &str, resp3: &str) {
        assert_eq!(written(Protocol::Resp2, &write), resp2);
        assert_eq!(written(Protocol::Resp3, &write), resp3);
    }

    fn nothing(_: Written) {}

    #[test]
    fn both_versions() {
        check(|w| nothing(w.null()), "$-1\r\n", "_\r\n");
        check(|w| nothing(w.null_array()), "*-1\r\n", "_\r\n");
        check(|w| nothing(w.map(2)), "*4\r\n", "%2\r\n");
        check(|w| nothing(w.set(12)), "*12\r\n", "~12\r\n");
        check(|w| nothing(w.push(3)), "*3\r\n", ">3\r\n");
        check(|w| nothing(w.double(1.5)), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(|w| nothing(w.boolean(true)), ":1\r\n", "#t\r\n");
        check(
            |w| nothing(w.verbatim("txt", b"hi")),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
        check(
            |w| nothing(w.bulk_integer(-12)),
            "$3\r\n-12\r\n",
            "$3\r\n-12\r\n",
        );
        let error = ErrorReply::from(String::from("ERR two\r\nlines\r\n"));
        check(
            |w| nothing(w.error(&error)),
            "-ERR two  lines\r\n",
            "-ERR two  lines\r\n",
        );
    }
}
