//! A command as COMMAND INFO and COMMAND DOCS show it.
//!
//! Shapes are those of Redis 7.2 in both protocols: sets of flags, maps of facts, trees of
//! arguments. What is shown comes from the row and from nowhere else.

use crate::command::syntax::{Argument, Kind, arguments};
use crate::command::{Begin, Doc, Find, KeySpec};
use crate::commands::{Command, table};
use crate::resp::{Writer, Written};

/// The ten facts of COMMAND INFO.
pub fn facts(reply: &mut Writer<'_>, command: &Command) -> Written {
    let spec = &command.spec;
    reply.array(10);
    reply.bulk(spec.name.as_bytes());
    reply.integer(i64::from(spec.arity));
    flags(reply, spec.flags.names());
    for number in legacy_range(spec.keys) {
        reply.integer(number);
    }
    let categories: Vec<String> = spec
        .categories()
        .names()
        .map(|name| format!("@{name}"))
        .collect();
    flags(reply, categories.iter().map(String::as_str));
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(spec.keys.len());
    for keys in spec.keys {
        key_spec(reply, keys);
    }
    if command.listed.is_empty() {
        return reply.set(0);
    }
    let mut written = reply.array(command.listed.len());
    for number in &command.listed {
        written = facts(reply, table().command(*number));
    }
    written
}

/// A set of words.
pub fn flags<'w>(reply: &mut Writer<'_>, words: impl Iterator<Item = &'w str>) -> Written {
    let words: Vec<&str> = words.collect();
    let mut written = reply.set(words.len());
    for word in words {
        written = reply.status(word);
    }
    written
}

/// First key, last key and step, as clients knew them before key specifications: those that one
/// range without gaps can express.
fn legacy_range(specs: &[KeySpec]) -> [i64; 3] {
    let mut ranges = specs
        .iter()
        .filter_map(|spec| match (spec.begin, spec.find) {
            (Begin::Index(index) | Begin::Unless(index, _), Find::Range { last, step, .. }) => {
                let (first, last) = (i64::from(index), i64::from(last));
                let last = if last >= 0 { first + last } else { last };
                Some((first, last, i64::from(step)))
            }
            _ => None,
        });
    let Some((first, mut last, step)) = ranges.next() else {
        return [0, 0, 0];
    };
    for range in ranges {
        if step != 1 || range.2 != 1 || range.0 != last + 1 {
            break;
        }
        last = range.1;
    }
    [first, last, step]
}

fn key_spec(reply: &mut Writer<'_>, spec: &KeySpec) -> Written {
    reply.map(3 + usize::from(!spec.note.is_empty()));
    if !spec.note.is_empty() {
        field(reply, "notes", spec.note);
    }
    reply.bulk(b"flags");
    flags(reply, spec.flags.names());
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) | Begin::Unless(index, _) => {
            typed(reply, "index", &[("index", i64::from(index))])
        }
        Begin::Keyword(word, from)
        | Begin::Option(word, from, _)
        | Begin::Instead(word, from, ..) => {
            reply.map(2);
            field(reply, "type", "keyword");
            reply.bulk(b"spec");
            reply.map(2);
            field(reply, "keyword", word);
            number(reply, "startfrom", i64::from(from))
        }
        Begin::Unknown => typed(reply, "unknown", &[]),
    };
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let (last, step, limit) = (i64::from(last), i64::from(step), i64::from(limit));
            let fields = [("lastkey", last), ("keystep", step), ("limit", limit)];
            typed(reply, "range", &fields)
        }
        Find::KeyCount { count, first, step } => {
            let (count, first, step) = (i64::from(count), i64::from(first), i64::from(step));
            let fields = [("keynumidx", count), ("firstkey", first), ("keystep", step)];
            typed(reply, "keynum", &fields)
        }
        Find::Option { .. } | Find::Derived => typed(reply, "unknown", &[]),
    }
}

fn typed(reply: &mut Writer<'_>, kind: &str, fields: &[(&str, i64)]) -> Written {
    reply.map(2);
    field(reply, "type", kind);
    reply.bulk(b"spec");
    let mut written = reply.map(fields.len());
    for (name, value) in fields {
        written = number(reply, name, *value);
    }
    written
}

fn field(reply: &mut Writer<'_>, name: &str, value: &str) -> Written {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes())
}

fn number(reply: &mut Writer<'_>, name: &str, value: i64) -> Written {
    reply.bulk(name.as_bytes());
    reply.integer(value)
}

/// The documentation of COMMAND DOCS.
pub fn docs(reply: &mut Writer<'_>, command: &Command) -> Written {
    let doc = &command.spec.doc;
    // A test on the table reads all lines; one that cannot be read would show no arguments.
    let arguments = arguments(&command.spec).unwrap_or_default();
    let mut fields = vec![("summary", doc.summary), ("since", doc.since)];
    fields.push(("group", command.spec.group.name()));
    if !doc.complexity.is_empty() {
        fields.push(("complexity", doc.complexity));
    }
    let doc_flags = doc_flags(command);
    let lists = [
        !doc_flags.is_empty(),
        !doc.history.is_empty(),
        !arguments.is_empty(),
        !command.listed.is_empty(),
    ];
    let lists = lists.iter().filter(|is_there| **is_there).count();
    let deprecated = 2 * usize::from(doc.deprecated.is_some());
    let mut written = reply.map(fields.len() + lists + deprecated);
    for (name, value) in fields {
        written = field(reply, name, value);
    }
    if !doc_flags.is_empty() {
        reply.bulk(b"doc_flags");
        written = flags(reply, doc_flags.into_iter());
    }
    if let Some((since, by)) = doc.deprecated {
        field(reply, "deprecated_since", since);
        written = field(reply, "replaced_by", by);
    }
    if !doc.history.is_empty() {
        written = history(reply, doc);
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        written = tree(reply, &arguments);
    }
    if !command.listed.is_empty() {
        written = subcommands(reply, command);
    }
    written
}

fn doc_flags(command: &Command) -> Vec<&'static str> {
    let doc = &command.spec.doc;
    let deprecated = doc.deprecated.map(|_| "deprecated");
    let internal = doc.is_internal.then_some("syscmd");
    deprecated.into_iter().chain(internal).collect()
}

fn history(reply: &mut Writer<'_>, doc: &Doc) -> Written {
    reply.bulk(b"history");
    let mut written = reply.set(doc.history.len());
    for (version, change) in doc.history {
        reply.array(2);
        reply.bulk(version.as_bytes());
        written = reply.bulk(change.as_bytes());
    }
    written
}

fn subcommands(reply: &mut Writer<'_>, command: &Command) -> Written {
    reply.bulk(b"subcommands");
    let mut written = reply.map(command.listed.len());
    for number in &command.listed {
        let command = table().command(*number);
        reply.bulk(command.spec.name.as_bytes());
        written = docs(reply, command);
    }
    written
}

fn tree(reply: &mut Writer<'_>, arguments: &[Argument<'_>]) -> Written {
    let mut written = reply.array(arguments.len());
    for inner in arguments {
        written = argument(reply, inner);
    }
    written
}

fn argument(reply: &mut Writer<'_>, argument: &Argument<'_>) -> Written {
    let is_group = matches!(argument.kind, Kind::OneOf | Kind::Block);
    let shown = match argument.kind {
        Kind::PureToken => &argument.name,
        _ => argument.text,
    };
    let texts = [
        ("display_text", (!is_group).then_some(shown)),
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ];
    let flags = [
        (argument.is_optional, "optional"),
        (argument.is_multiple, "multiple"),
        (argument.is_multiple_token, "multiple_token"),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter(|flag| flag.0)
        .map(|flag| flag.1)
        .collect();
    let others = [argument.key_spec.is_some(), !flags.is_empty(), is_group];
    let others = others.iter().filter(|is_there| **is_there).count();
    let said = texts.iter().filter(|(_, text)| text.is_some()).count();
    reply.map(2 + said + others);
    field(reply, "name", &argument.name);
    let mut written = field(reply, "type", argument.kind.name());
    for (name, text) in texts {
        if let Some(text) = text {
            written = field(reply, name, text);
        }
        if let (Some(spec), "display_text") = (argument.key_spec, name) {
            written = number(reply, "key_spec_index", spec as i64);
        }
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        written = self::flags(reply, flags.into_iter());
    }
    if is_group {
        reply.bulk(b"arguments");
        written = tree(reply, &argument.arguments);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{KeyFlags, LAST, keys, keys_from, one_key};

    #[test]
    fn ranges_for_old_clients() {
        const RO: KeyFlags = KeyFlags::RO;
        let check = |specs: &[KeySpec], expected: [i64; 3]| {
            assert_eq!(legacy_range(specs), expected, "{specs:?}");
        };
        check(&[], [0, 0, 0]);
        check(&[one_key(1, RO)], [1, 1, 1]);
        check(&[keys(1, LAST, 2, RO)], [1, -1, 2]);
        check(&[keys(1, 1, 1, RO)], [1, 2, 1]);
        check(&[one_key(1, RO), one_key(2, RO)], [1, 2, 1]);
        check(&[one_key(2, RO), keys(3, LAST, 1, RO)], [2, -1, 1]);
        check(&[one_key(1, RO), keys_from(2, RO)], [1, 1, 1]);
        check(&[keys_from(1, RO)], [0, 0, 0]);
    }
}
