//! COMMAND INFO and COMMAND DOCS, fact by fact.
//!
//! Replies become lines `command path = value`, sorted within sets, so that a failure reads as
//! what is missing and what is too much, and a deliberate difference is one line of this file.

use crate::support::Reply;
use crate::{ask, golden, promised};
use ringshard::commands::local::LocalNode;
use ringshard::commands::table;
use std::collections::BTreeSet;

/// Lines of ours that redis-server 7.0 does not have, and lines of its that we do not have, by
/// their beginnings; each with its reason.
const DIFFERENCES: &[&str] = &[
    // 7.2 gave COMMAND GETKEYS and GETKEYSANDFLAGS the arguments they always had.
    "command|getkeys arguments",
    "command|getkeysandflags arguments",
    // 7.2 gave them the tips that CONFIG SET has, and CONFIG GET an argument without a block.
    "config|resetstat tips",
    "config|rewrite tips",
    "config|get arguments.0",
    // 7.2 says that sources may be left out, as they always could.
    "pfmerge arguments.1",
    // 7.2: two choices in place of a string, and a longer name.
    "bitop arguments.0",
    "lcs arguments.4 name",
    // 7.2: a pattern without a block around it.
    "psubscribe arguments",
    // 7.4 gave HSCAN the option NOVALUES.
    "hscan arguments.4",
    // 7.2 says that no member need be named, as it always was.
    "geohash arguments.1 flags",
    "geopos arguments.1 flags",
    // 7.2 gave them WITHSCORE.
    "zrank arity",
    "zrank arguments.2",
    "zrevrank arity",
    "zrevrank arguments.2",
    // 7.2: names of their own for what is shown as ip:port, a choice for SKIPME, no block for ID.
    "client|kill arguments",
    "client|list arguments.1",
];

#[test]
fn all_promised_commands_have_rows() {
    let mut missing = Vec::new();
    for name in promised() {
        if table().find(name.as_bytes()).is_none() {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "no rows for {}", missing.join(" "));
}

#[test]
fn facts_are_those_of_redis() {
    let (theirs, _) = Reply::parse(&golden("command-7.0.txt")).expect("a whole reply");
    let mut node = LocalNode::new(1, 1);
    let mut found = Vec::new();
    for theirs in theirs.items() {
        let name = theirs.items()[0].text();
        let ours = ask(&mut node, &["COMMAND", "INFO", &name]);
        let ours = &ours.items()[0];
        if !ours.is_nil() {
            compare_facts(ours, theirs, &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

const FACTS: [&str; 9] = [
    "name",
    "arity",
    "flags",
    "first",
    "last",
    "step",
    "categories",
    "tips",
    "keys",
];

fn compare_facts(ours: &Reply, theirs: &Reply, found: &mut Vec<String>) {
    let name = theirs.items()[0].text();
    let lines = |reply: &Reply| {
        let mut lines = BTreeSet::new();
        for (fact, value) in FACTS.iter().zip(reply.items()) {
            match *fact {
                "keys" => flatten(value, &format!("{name} {fact}"), &mut lines),
                _ => set_lines(value, &format!("{name} {fact}"), &mut lines),
            }
        }
        lines
    };
    report(&lines(ours), &lines(theirs), found);
    let subcommands = ours.items()[9].items();
    for theirs in theirs.items()[9].items() {
        let name = theirs.items()[0].text();
        match subcommands
            .iter()
            .find(|ours| ours.items()[0].text() == name)
        {
            Some(ours) => compare_facts(ours, theirs, found),
            None => report(&BTreeSet::new(), &BTreeSet::from([name]), found),
        }
    }
}

/// A value, or each member of a set.
fn set_lines(value: &Reply, path: &str, lines: &mut BTreeSet<String>) {
    let members = match value {
        Reply::Array(members) => members.as_slice(),
        single => std::slice::from_ref(single),
    };
    lines.extend(
        members
            .iter()
            .map(|member| format!("{path} {}", text(member))),
    );
}

fn text(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        other => other.text(),
    }
}

/// Every leaf with the way to it.
fn flatten(reply: &Reply, path: &str, lines: &mut BTreeSet<String>) {
    let Reply::Array(items) = reply else {
        lines.insert(format!("{path} = {}", text(reply)));
        return;
    };
    for (at, item) in items.iter().enumerate() {
        if let Reply::Simple(_) = item {
            lines.insert(format!("{path} has {}", item.text()));
        } else {
            flatten(item, &format!("{path}.{at}"), lines);
        }
    }
}

fn report(ours: &BTreeSet<String>, theirs: &BTreeSet<String>, found: &mut Vec<String>) {
    let is_meant = |line: &str| DIFFERENCES.iter().any(|begin| line.starts_with(begin));
    let more = ours.difference(theirs).filter(|line| !is_meant(line));
    found.extend(more.map(|line| format!("ours only:   {line}")));
    let less = theirs.difference(ours).filter(|line| !is_meant(line));
    found.extend(less.map(|line| format!("theirs only: {line}")));
}

#[test]
fn documentation_is_that_of_redis() {
    let (theirs, _) = Reply::parse(&golden("command-docs-7.0.txt")).expect("a whole reply");
    let mut node = LocalNode::new(1, 1);
    let mut found = Vec::new();
    for pair in theirs.items().chunks(2) {
        let ours = ask(&mut node, &["COMMAND", "DOCS", &pair[0].text()]);
        if let [name, ours] = ours.items() {
            compare_docs(&name.text(), ours, &pair[1], &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn compare_docs(name: &str, ours: &Reply, theirs: &Reply, found: &mut Vec<String>) {
    report(&docs_lines(name, ours), &docs_lines(name, theirs), found);
    let subcommands = field(ours, "subcommands").map_or(&[][..], Reply::items);
    for pair in field(theirs, "subcommands")
        .map_or(&[][..], Reply::items)
        .chunks(2)
    {
        match subcommands.chunks(2).find(|ours| ours[0] == pair[0]) {
            Some(own) => compare_docs(&pair[0].text(), &own[1], &pair[1], found),
            None => report(&BTreeSet::new(), &BTreeSet::from([pair[0].text()]), found),
        }
    }
}

fn field<'r>(map: &'r Reply, name: &str) -> Option<&'r Reply> {
    let mut pairs = map.items().chunks(2);
    pairs
        .find(|pair| pair[0].text() == name)
        .map(|pair| &pair[1])
}

fn docs_lines(name: &str, docs: &Reply) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for pair in docs.items().chunks(2) {
        let key = pair[0].text();
        let path = format!("{name} {key}");
        match key.as_str() {
            "summary" | "subcommands" => {}
            "arguments" => argument_lines(&pair[1], &path, &mut lines),
            "doc_flags" => set_lines(&pair[1], &path, &mut lines),
            // Later versions only add to it.
            "history" => {}
            _ => flatten(&pair[1], &path, &mut lines),
        }
    }
    lines
}

/// An argument is known by its place; names of groups and display texts are newer than 7.0.
fn argument_lines(arguments: &Reply, path: &str, lines: &mut BTreeSet<String>) {
    for (at, argument) in arguments.items().iter().enumerate() {
        let path = format!("{path}.{at}");
        let kind = field(argument, "type").unwrap().text();
        let is_group = kind == "oneof" || kind == "block";
        for pair in argument.items().chunks(2) {
            let key = pair[0].text();
            match key.as_str() {
                "name" if is_group => {}
                "display_text" => {}
                "arguments" => argument_lines(&pair[1], &path, lines),
                _ => set_lines(&pair[1], &format!("{path} {key}"), lines),
            }
        }
    }
}

#[test]
fn resp3_has_maps_and_sets() {
    let mut node = LocalNode::new(2, 1);
    let client = node.connect(1);
    node.talk(client, b"HELLO 3\r\n");
    let reply = node.talk(client, b"COMMAND DOCS get nosuch\r\n");
    assert!(reply.starts_with(b"%1\r\n$3\r\nget\r\n%5\r\n"), "{reply:?}");
    let reply = node.talk(client, b"COMMAND INFO get nosuch\r\n");
    assert!(
        reply.starts_with(b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n"),
        "{reply:?}"
    );
    assert!(reply.ends_with(b"~0\r\n_\r\n"), "{reply:?}");
    let reply = node.talk(client, b"COMMAND LIST FILTERBY PATTERN GE?\r\n");
    assert_eq!(reply, b"*1\r\n$3\r\nget\r\n");
}
