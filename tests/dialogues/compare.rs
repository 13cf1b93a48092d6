//! Whether printed replies are what a dialogue expects.
//!
//! Kept apart from running so that it can be tested by itself: a comparison that always agrees
//! would make every dialogue worthless. Nothing here talks to a server.

use crate::support::Reply;

/// Whether `lines` fit `expected`, in which `...` stands for any number of lines.
pub fn fits(expected: &[String], lines: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else {
        return lines.is_empty();
    };
    if first.trim() == "..." {
        return (0..=lines.len()).any(|skip| fits(rest, &lines[skip..]));
    }
    lines
        .split_first()
        .is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others))
}

/// One line, with `<number>` and `<any>` as placeholders.
fn line_fits(expected: &str, line: &str) -> bool {
    let Some((at, placeholder)) = first_placeholder(expected) else {
        return expected == line;
    };
    let Some(rest) = line.strip_prefix(&expected[..at]) else {
        return false;
    };
    let after = &expected[at + placeholder.len()..];
    let stands_for = |text: &str| placeholder == "<any>" || is_number(text);
    let ends = (0..=rest.len()).filter(|end| rest.is_char_boundary(*end));
    ends.rev()
        .any(|end| stands_for(&rest[..end]) && line_fits(after, &rest[end..]))
}

fn first_placeholder(text: &str) -> Option<(usize, &'static str)> {
    let found = ["<number>", "<any>"]
        .into_iter()
        .filter_map(|p| Some((text.find(p)?, p)));
    found.min()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether the expected lines pin the reply down to the byte.
pub fn is_exact(expected: &[String]) -> bool {
    !expected
        .iter()
        .any(|line| line.trim() == "..." || first_placeholder(line).is_some())
}

/// The reply with its elements sorted; of a SCAN reply, those of its page.
pub fn sorted(reply: Reply) -> Reply {
    match reply {
        Reply::Array(mut items) => {
            if let [Reply::Bulk(_), Reply::Array(page)] = items.as_mut_slice() {
                page.sort();
            } else {
                items.sort();
            }
            Reply::Array(items)
        }
        Reply::Set(mut items) => {
            items.sort();
            Reply::Set(items)
        }
        Reply::Map(items) => {
            let mut pairs: Vec<_> = items.chunks(2).map(<[Reply]>::to_vec).collect();
            pairs.sort();
            Reply::Map(pairs.concat())
        }
        other => other,
    }
}
