//! One reply of the replies of several shards.
//!
//! Replies are merged as the bytes they are; a shard's error is the reply of the whole. How to
//! merge is said in the command's row.

use crate::base::prng::Prng;
use crate::command::Merge;
use crate::keyspace::{DIGEST_BYTES, Digest};
use crate::resp::{Output, Protocol, Writer, first_integer, skip_reply};
use std::borrow::Cow;

/// The reply of one shard's part, and which of the command's key groups it was about.
pub(super) struct PartReply<'a> {
    pub reply: Cow<'a, [u8]>,
    pub groups: &'a [u32],
}

/// Writes the merged reply.
pub(super) fn merge(
    how: Merge,
    parts: &[PartReply<'_>],
    protocol: Protocol,
    random: &mut Prng,
    out: &mut Output,
) {
    if let Some(error) = parts.iter().find(|part| part.reply.first() == Some(&b'-')) {
        return out.buffer().extend_from_slice(&error.reply);
    }
    match how {
        Merge::AllOk => out.buffer().extend_from_slice(&parts[0].reply),
        Merge::Sum => {
            let sum = parts.iter().map(|part| first_integer(&part.reply)).sum();
            Writer::new(out, protocol).integer(sum);
        }
        Merge::InOrder => in_order(parts, protocol, out),
        Merge::Concat => concat(parts, out),
        Merge::Draw => draw(parts, random, out),
        Merge::Xor => xor(parts, protocol, out),
        Merge::Pages => pages(parts, out),
    }
}

/// The first element and where the second begins.
fn elements(reply: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = first_integer(reply).max(0);
    let mut at = reply
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    (0..count).map(move |_| {
        let start = at;
        at = skip_reply(reply, at);
        &reply[start..at]
    })
}

fn in_order(parts: &[PartReply<'_>], protocol: Protocol, out: &mut Output) {
    let count: usize = parts.iter().map(|part| part.groups.len()).sum();
    let mut ordered: Vec<&[u8]> = vec![b""; count];
    for part in parts {
        for (group, element) in part.groups.iter().zip(elements(&part.reply)) {
            ordered[*group as usize] = element;
        }
    }
    Writer::new(out, protocol).array(count);
    for element in ordered {
        out.buffer().extend_from_slice(element);
    }
}

fn concat(parts: &[PartReply<'_>], out: &mut Output) {
    let kind = parts[0].reply[0];
    let count: i64 = parts
        .iter()
        .map(|part| first_integer(&part.reply).max(0))
        .sum();
    out.buffer().push(kind);
    out.buffer()
        .extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.buffer().extend_from_slice(b"\r\n");
    for part in parts {
        for element in elements(&part.reply) {
            out.buffer().extend_from_slice(element);
        }
    }
}

fn draw(parts: &[PartReply<'_>], random: &mut Prng, out: &mut Output) {
    let weight = |part: &PartReply<'_>| {
        elements(&part.reply)
            .next()
            .map_or(0, |weight| first_integer(weight).max(0) as u64)
    };
    let total: u64 = parts.iter().map(weight).sum();
    let mut drawn = if total == 0 { 0 } else { random.below(total) };
    let mut chosen = &parts[0];
    for part in parts {
        chosen = part;
        if drawn < weight(part) {
            break;
        }
        drawn -= weight(part);
    }
    let reply = elements(&chosen.reply)
        .nth(1)
        .expect("a weighted reply has two elements");
    out.buffer().extend_from_slice(reply);
}

fn xor(parts: &[PartReply<'_>], protocol: Protocol, out: &mut Output) {
    let mut databases: Vec<Digest> = Vec::new();
    for part in parts {
        let len = first_integer(&part.reply).max(0) as usize;
        let body = &part.reply[part.reply.len() - 2 - len..part.reply.len() - 2];
        let (digests, _) = body.as_chunks::<DIGEST_BYTES>();
        databases.resize(databases.len().max(digests.len()), Digest::default());
        for (database, digest) in databases.iter_mut().zip(digests) {
            database.join(Digest(*digest));
        }
    }
    Writer::new(out, protocol).status(&Digest::of_dataset(&databases).hex());
}

fn pages(parts: &[PartReply<'_>], out: &mut Output) {
    let lists: Vec<PartReply<'_>> = parts
        .iter()
        .map(|part| PartReply {
            reply: Cow::Borrowed(elements(&part.reply).nth(1).unwrap_or_default()),
            groups: &[],
        })
        .collect();
    let cursor = parts.last().and_then(|part| elements(&part.reply).next());
    out.buffer().extend_from_slice(b"*2\r\n");
    out.buffer().extend_from_slice(cursor.unwrap_or_default());
    concat(&lists, out);
}

/// The cursor that a page ends with; none when the reply is an error.
pub(super) fn page_cursor(reply: &[u8]) -> Option<&[u8]> {
    if reply.first() != Some(&b'*') {
        return None;
    }
    let bulk = elements(reply).next()?;
    let start = bulk.iter().position(|byte| *byte == b'\n')? + 1;
    bulk.get(start..bulk.len() - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(how: Merge, parts: &[(&str, &[u32])]) -> String {
        let parts: Vec<_> = parts
            .iter()
            .map(|(reply, groups)| PartReply {
                reply: Cow::Borrowed(reply.as_bytes()),
                groups,
            })
            .collect();
        let mut out = Output::default();
        merge(
            how,
            &parts,
            Protocol::Resp2,
            &mut Prng::from_seed(1),
            &mut out,
        );
        String::from_utf8(out.to_bytes()).expect("replies in tests are text")
    }

    #[test]
    fn replies_become_one() {
        assert_eq!(
            merged(Merge::AllOk, &[("+OK\r\n", &[]), ("+OK\r\n", &[])]),
            "+OK\r\n"
        );
        assert_eq!(
            merged(Merge::Sum, &[(":2\r\n", &[]), (":40\r\n", &[])]),
            ":42\r\n"
        );
        assert_eq!(
            merged(Merge::Sum, &[(":2\r\n", &[]), ("-ERR x\r\n", &[])]),
            "-ERR x\r\n"
        );
        let parts: [(&str, &[u32]); 2] = [
            ("*2\r\n$1\r\na\r\n$-1\r\n", &[2, 0]),
            ("*1\r\n:7\r\n", &[1]),
        ];
        assert_eq!(
            merged(Merge::InOrder, &parts),
            "*3\r\n$-1\r\n:7\r\n$1\r\na\r\n"
        );
        assert_eq!(
            merged(Merge::Concat, &parts),
            "*3\r\n$1\r\na\r\n$-1\r\n:7\r\n"
        );
        let parts: [(&str, &[u32]); 2] = [
            ("*2\r\n:0\r\n$-1\r\n", &[]),
            ("*2\r\n:3\r\n$1\r\nk\r\n", &[]),
        ];
        assert_eq!(merged(Merge::Draw, &parts), "$1\r\nk\r\n");
        let parts: [(&str, &[u32]); 2] = [
            ("*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n", &[]),
            ("*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\n", &[]),
        ];
        assert_eq!(
            merged(Merge::Pages, &parts),
            "*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"
        );
        assert_eq!(page_cursor(parts[0].0.as_bytes()), Some(&b"17"[..]));
        assert_eq!(page_cursor(b"-ERR x\r\n"), None);
    }
}
