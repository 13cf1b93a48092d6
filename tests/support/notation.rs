//! redis-cli's notation, both ways: a typed line to arguments, a reply to the lines that
//! `redis-cli --no-raw` prints.
//!
//! People read and write this notation every day, so tests in it need no explanation. What it
//! cannot show (the three kinds of nil, a status against a verbatim text) the dialogues check on
//! the bytes.

use super::Reply;
use std::fmt::Write;

/// Splits a typed line as redis-cli does: double quotes with escapes, single quotes without. None
/// if the quotes do not balance.
pub fn split_line(line: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = line.as_bytes();
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        at += bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        if at == bytes.len() {
            return Some(args);
        }
        let (arg, end) = match bytes[at] {
            b'"' => double_quoted(bytes, at + 1)?,
            b'\'' => single_quoted(bytes, at + 1)?,
            _ => {
                let len = bytes[at..]
                    .iter()
                    .take_while(|b| !b.is_ascii_whitespace())
                    .count();
                (bytes[at..at + len].to_vec(), at + len)
            }
        };
        args.push(arg);
        at = end;
    }
}

fn double_quoted(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    loop {
        match *bytes.get(at)? {
            b'"' => return Some((out, at + 1)),
            b'\\' if bytes.get(at + 1) == Some(&b'x') => {
                let digits = std::str::from_utf8(bytes.get(at + 2..at + 4)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 4;
            }
            b'\\' => {
                out.push(unescape(*bytes.get(at + 1)?));
                at += 2;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

fn unescape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn single_quoted(bytes: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    let len = bytes[at..].iter().position(|b| *b == b'\'')?;
    Some((bytes[at..at + len].to_vec(), at + len + 1))
}

/// A string in double quotes, unprintable bytes escaped.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            7 => out.push_str("\\a"),
            8 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}").expect("a string takes all"),
        }
    }
    out.push('"');
    out
}

/// The lines redis-cli prints for a reply.
pub fn lines(reply: &Reply) -> Vec<String> {
    let mut out = String::new();
    format(reply, 0, &mut out);
    out.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn format(reply: &Reply, indent: usize, out: &mut String) {
    let lossy = String::from_utf8_lossy;
    match reply {
        Reply::Simple(text) => out.push_str(&lossy(text)),
        Reply::Error(text) => write!(out, "(error) {}", lossy(text)).expect("a string takes all"),
        Reply::Integer(value) => write!(out, "(integer) {value}").expect("a string takes all"),
        Reply::Double(text) => write!(out, "(double) {}", lossy(text)).expect("a string takes all"),
        Reply::BigNumber(text) => write!(out, "(bignum) {}", lossy(text)).expect("takes all"),
        Reply::Bulk(text) => out.push_str(&quoted(text)),
        Reply::Verbatim(text) => out.push_str(lossy(&text[4..]).trim_end_matches('\n')),
        Reply::NilBulk | Reply::NilArray | Reply::Null => out.push_str("(nil)"),
        Reply::Boolean(value) => out.push_str(if *value { "(true)" } else { "(false)" }),
        Reply::Array(items) => many(items, "(empty array)", ')', indent, out),
        Reply::Push(items) => many(items, "(empty push)", ')', indent, out),
        Reply::Set(items) => many(items, "(empty set)", '~', indent, out),
        Reply::Map(items) => many(items, "(empty hash)", '#', indent, out),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn many(items: &[Reply], empty: &str, separator: char, indent: usize, out: &mut String) {
    if items.is_empty() {
        out.push_str(empty);
        return;
    }
    let step = if separator == '#' { 2 } else { 1 };
    let width = (items.len() / step).to_string().len();
    for (i, group) in items.chunks(step).enumerate() {
        let pad = if i == 0 { 0 } else { indent };
        let number = i + 1;
        write!(out, "{:pad$}{number:width$}{separator} ", "").expect("a string takes all");
        format(&group[0], indent + width + 2, out);
        if let Some(value) = group.get(1) {
            out.pop();
            out.push_str(" => ");
            format(value, indent + width + 2, out);
        }
    }
}
