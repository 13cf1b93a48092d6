//! Syntax lines and the trees they stand for.
//!
//! Trees are written in one line: `name:type`, then the word in quotes, versions, `?` optional,
//! `*` multiple, `**` multiple with its word, arguments in parentheses.

use super::*;
use crate::base::prng::Prng;
use crate::command::{Flags, Group as Family, LAST, keys, one_key};

fn show(argument: &Argument<'_>) -> String {
    let mut text = format!("{}:{}", argument.name, argument.kind.name());
    if let Some(token) = argument.token {
        text += &format!(" '{token}'");
    }
    if !argument.text.is_empty() && argument.token != Some(argument.text) {
        if argument.text != argument.name {
            text += &format!(" shown {}", argument.text);
        }
    }
    if let Some(version) = argument.since {
        text += &format!(" @{version}");
    }
    if let Some(version) = argument.deprecated_since {
        text += &format!(" !{version}");
    }
    if argument.is_optional {
        text.push('?');
    }
    if argument.is_multiple {
        text.push('*');
    }
    if argument.is_multiple_token {
        text.push('*');
    }
    if !argument.arguments.is_empty() {
        text += &format!(" ({})", show_all(&argument.arguments));
    }
    text
}

fn show_all(arguments: &[Argument<'_>]) -> String {
    let all: Vec<String> = arguments.iter().map(show).collect();
    all.join("; ")
}

fn check(line: &str, expected: &str) {
    let arguments = parse(line).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
    assert_eq!(show_all(&arguments), expected, "{line}");
}

#[test]
fn words_and_options() {
    check("", "");
    check("key value", "key:string; value:string");
    check("[message]", "message:string?");
    check("key increment:double", "key:string; increment:double");
    check(
        "[ASYNC|SYNC]",
        "async-sync:oneof? (async:pure-token 'ASYNC'; sync:pure-token 'SYNC')",
    );
    check(
        "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
        "cursor:integer; pattern:pattern 'MATCH'?; count:integer 'COUNT'?; \
         type:string 'TYPE' @6.0.0?",
    );
    check(
        "condition=[NX | XX]@2.6.12 [GET@6.2.0]",
        "condition:oneof @2.6.12? (nx:pure-token 'NX'; xx:pure-token 'XX'); \
         get:pure-token 'GET' @6.2.0?",
    );
    check(
        "expiration=[EX seconds|EXAT unix-time-seconds@6.2.0|KEEPTTL]",
        "expiration:oneof? (seconds:integer 'EX'; unix-time-seconds:unix-time 'EXAT' @6.2.0; \
         keepttl:pure-token 'KEEPTTL')",
    );
}

#[test]
fn blocks_and_choices() {
    check(
        "arguments=[protover auth=[AUTH username password] [SETNAME clientname]]",
        "arguments:block? (protover:integer; \
         auth:block 'AUTH'? (username:string; password:string); clientname:string 'SETNAME'?)",
    );
    check(
        "[TYPE client-type=<NORMAL | PUBSUB>] [ID client-id [client-id ...]]",
        "client-type:oneof 'TYPE'? (normal:pure-token 'NORMAL'; pubsub:pure-token 'PUBSUB'); \
         client-id:integer 'ID'?*",
    );
    check(
        "range=[start end unit=[BYTE | BIT]@7.0.0]",
        "range:block? (start:integer; end:integer; \
         unit:oneof @7.0.0? (byte:pure-token 'BYTE'; bit:pure-token 'BIT'))",
    );
    check(
        "filter=<old-format=ip:port!2.8.12 | [ADDR addr=ip:port]>",
        "filter:oneof (old-format:string shown ip:port !2.8.12; \
         addr:string 'ADDR' shown ip:port?)",
    );
}

#[test]
fn repetitions() {
    check("key [key ...]", "key:string*");
    check("[section [section ...]]", "section:string?*");
    check(
        "key value data=[key value ...]",
        "data:block* (key:string; value:string)",
    );
    check(
        "[PREFIX prefix [PREFIX prefix ...]]",
        "prefix:string 'PREFIX'?**",
    );
    check(
        "get-block=[GET encoding offset [GET encoding offset ...]]",
        "get-block:block 'GET'?** (encoding:string; offset:integer)",
    );
    check(
        "operation=[GET encoding | <SET value | FAIL> [GET encoding | <SET value | FAIL> ...]]",
        "operation:oneof?* (encoding:string 'GET'; \
         value-fail:oneof (value:string 'SET'; fail:pure-token 'FAIL'))",
    );
}

#[test]
fn keys_follow_from_the_specifications() {
    const RO: KeyFlags = KeyFlags::RO;
    let check = |name, keys, syntax, expected: &str| {
        let mut spec = Spec::new(name, -2, Flags::NONE, Family::Generic);
        spec.keys = keys;
        spec.doc.syntax = syntax;
        let arguments = arguments(&spec).expect("a sound line");
        let mut found = Vec::new();
        collect(&arguments, &mut found);
        assert_eq!(found.join(" "), expected, "{syntax}");
    };
    const FIRST: &[KeySpec] = &[one_key(1, RO)];
    const SECOND: &[KeySpec] = &[one_key(2, RO)];
    const PAIRS: &[KeySpec] = &[keys(1, LAST, 2, RO)];
    const BOTH: &[KeySpec] = &[keys(1, 1, 1, RO)];
    const TWO: &[KeySpec] = &[one_key(2, RO), keys(3, LAST, 1, RO)];
    check("a", FIRST, "key value", "key0");
    check("a", PAIRS, "key value [key value ...]", "key0");
    check("a", BOTH, "key1 key2 [LEN]", "key10 key20");
    check("a|b", SECOND, "key [SAMPLES count]", "key0");
    check(
        "a",
        TWO,
        "<AND | OR> destkey key [key ...]",
        "destkey0 key1",
    );
}

fn collect(arguments: &[Argument<'_>], found: &mut Vec<String>) {
    for argument in arguments {
        found.extend(
            argument
                .key_spec
                .map(|spec| format!("{}{spec}", argument.name)),
        );
        assert_eq!(argument.kind == Kind::Key, argument.key_spec.is_some());
        collect(&argument.arguments, found);
    }
}

#[test]
fn extents() {
    let check = |line: &str, expected| {
        assert_eq!(
            extent(&parse(line).expect("a sound line")),
            expected,
            "{line}"
        );
    };
    check("", (0, false));
    check("key value", (2, false));
    check("key [NX|XX]", (1, true));
    check("key value [key value ...]", (2, true));
    check("<ON | OFF>", (1, false));
    check("<ip:port | ID client-id>", (1, true));
}

#[test]
fn faults_are_told() {
    for line in ["[a", "a]", "[]", "[a|]", "<a | b", "a >", "[[a]", "]@1"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn no_line_brings_it_down() {
    let pieces = [
        "[", "]", "<", ">", "|", "...", "KEY", "key", "a=", ":key", "@1", "!2", " ",
    ];
    for seed in 0..20_000 {
        let mut random = Prng::from_seed(seed);
        let mut line = String::new();
        for _ in 0..random.below(14) {
            line += pieces[random.below(pieces.len() as u64) as usize];
        }
        // Sound or not, it has to come to an end.
        if let Ok(arguments) = parse(&line) {
            extent(&arguments);
        }
    }
}
