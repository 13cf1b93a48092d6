//! DEBUG PROTOCOL: one reply of each type, by which authors of clients test their parsers.
//!
//! The values are those of Redis. Types that no command of ours replies with (big numbers,
//! attributes) are written here by hand.

use crate::resp::{ErrorReply, Protocol, Writer, Written};

const UNKNOWN: &str = "ERR Wrong protocol type name. Please use one of the following: \
    string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// Redis: this many digits of pi, not the nearest double to it.
#[expect(clippy::approx_constant, reason = "the sample is 3.141")]
const DOUBLE: f64 = 3.141;

const BIG_NUMBER: &str = "1234567999999999999999999999999999999";

/// Replies with a value of a type.
pub(super) fn sample(reply: &mut Writer<'_>, kind: &[u8]) -> Result<Written, ErrorReply> {
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => Ok(reply.bulk(b"Hello World")),
        b"integer" => Ok(reply.integer(12345)),
        b"double" => Ok(reply.double(DOUBLE)),
        b"bignum" => Ok(big_number(reply)),
        b"null" => Ok(reply.null()),
        b"array" => {
            reply.array(3);
            Ok(numbers(reply))
        }
        b"set" => {
            reply.set(3);
            Ok(numbers(reply))
        }
        b"map" => Ok(map(reply)),
        b"attrib" => Ok(attributes(reply)),
        b"push" => push(reply),
        b"verbatim" => Ok(reply.verbatim("txt", b"This is a verbatim\nstring")),
        b"true" => Ok(reply.boolean(true)),
        b"false" => Ok(reply.boolean(false)),
        _ => Err(UNKNOWN.into()),
    }
}

fn numbers(reply: &mut Writer<'_>) -> Written {
    (0..3).fold(Written, |_, number| reply.integer(number))
}

fn map(reply: &mut Writer<'_>) -> Written {
    reply.map(3);
    (0..3).fold(Written, |_, number| {
        reply.integer(number);
        reply.boolean(number == 1)
    })
}

fn big_number(reply: &mut Writer<'_>) -> Written {
    if reply.protocol() == Protocol::Resp2 {
        return reply.bulk(BIG_NUMBER.as_bytes());
    }
    raw(reply, &format!("({BIG_NUMBER}\r\n"));
    Written
}

fn attributes(reply: &mut Writer<'_>) -> Written {
    if reply.protocol() == Protocol::Resp3 {
        raw(reply, "|1\r\n");
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.integer(90);
    }
    reply.bulk(b"Some real reply following the attribute")
}

fn push(reply: &mut Writer<'_>) -> Result<Written, ErrorReply> {
    if reply.protocol() == Protocol::Resp2 {
        return Err("ERR RESP2 is not supported by this command".into());
    }
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.integer(42);
    Ok(reply.bulk(b"Some real reply following the push reply"))
}

fn raw(reply: &mut Writer<'_>, text: &str) {
    reply.output().buffer().extend_from_slice(text.as_bytes());
}
