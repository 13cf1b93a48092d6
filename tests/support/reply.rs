//! A RESP2 or RESP3 reply as a tree that loses nothing a client could see.
//!
//! The three spellings of "nothing" stay apart, because clients behave differently on them. Doubles
//! stay text: their digits are part of the contract.

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    /// `$-1`
    NilBulk,
    /// `*-1`
    NilArray,
    /// `_`
    Null,
    Array(Vec<Reply>),
    /// Keys and values in turn.
    Map(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Double(Vec<u8>),
    Boolean(bool),
    BigNumber(Vec<u8>),
    /// With its three-letter format and colon.
    Verbatim(Vec<u8>),
}

impl Reply {
    /// Reads one reply from the front of `bytes` and says how long it is; none if it is not whole.
    pub fn parse(bytes: &[u8]) -> Option<(Reply, usize)> {
        let end = memchr::memchr(b'\n', bytes)?;
        assert!(
            end >= 2 && bytes[end - 1] == b'\r',
            "no CRLF: {}",
            show(bytes)
        );
        let (kind, line, body) = (bytes[0], &bytes[1..end - 1], end + 1);
        let reply = match kind {
            b'+' => Reply::Simple(line.to_vec()),
            b'-' => Reply::Error(line.to_vec()),
            b':' => Reply::Integer(number(line)),
            b',' => Reply::Double(line.to_vec()),
            b'(' => Reply::BigNumber(line.to_vec()),
            b'#' => Reply::Boolean(line == b"t"),
            b'_' => Reply::Null,
            b'$' | b'=' => return parse_bulk(kind, bytes, body, number(line)),
            b'*' | b'~' | b'>' | b'%' => return parse_many(kind, bytes, body, number(line)),
            _ => panic!("not a reply: {}", show(bytes)),
        };
        Some((reply, body))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Reply::NilBulk | Reply::NilArray | Reply::Null)
    }

    /// The elements of any aggregate.
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) | Reply::Map(items) | Reply::Set(items) | Reply::Push(items) => {
                items
            }
            _ => &[],
        }
    }

    pub fn integer(&self) -> i64 {
        match self {
            Reply::Integer(value) => *value,
            other => panic!("no integer: {other:?}"),
        }
    }

    /// The text of a string, status or error.
    pub fn text(&self) -> String {
        match self {
            Reply::Simple(text) | Reply::Error(text) | Reply::Bulk(text) => show(text),
            Reply::Verbatim(text) => show(&text[4..]),
            other => panic!("no text: {other:?}"),
        }
    }
}

fn parse_bulk(kind: u8, bytes: &[u8], body: usize, len: i64) -> Option<(Reply, usize)> {
    let Ok(len) = usize::try_from(len) else {
        return Some((Reply::NilBulk, body));
    };
    if bytes.len() < body + len + 2 {
        return None;
    }
    let content = bytes[body..body + len].to_vec();
    assert_eq!(
        &bytes[body + len..body + len + 2],
        b"\r\n",
        "bulk without CRLF"
    );
    let reply = if kind == b'$' {
        Reply::Bulk(content)
    } else {
        Reply::Verbatim(content)
    };
    Some((reply, body + len + 2))
}

fn parse_many(kind: u8, bytes: &[u8], body: usize, len: i64) -> Option<(Reply, usize)> {
    let Ok(len) = usize::try_from(len) else {
        return Some((Reply::NilArray, body));
    };
    let len = if kind == b'%' { 2 * len } else { len };
    let mut items = Vec::new();
    let mut at = body;
    for _ in 0..len {
        let (item, used) = Reply::parse(&bytes[at..])?;
        items.push(item);
        at += used;
    }
    let reply = match kind {
        b'*' => Reply::Array(items),
        b'~' => Reply::Set(items),
        b'>' => Reply::Push(items),
        _ => Reply::Map(items),
    };
    Some((reply, at))
}

fn number(line: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(line);
    text.parse()
        .unwrap_or_else(|_| panic!("not a number in a reply: {text}"))
}

pub fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
