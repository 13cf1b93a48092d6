//! From a row's syntax line to the argument tree that COMMAND DOCS prints.
//!
//! The line is written as in the documentation of commands, so that it can be read aloud:
//!
//! ```text
//! key value                 arguments, in lower case
//! NX                        a word to be typed, in upper case
//! EX seconds                an argument behind its word; `[GET encoding offset]` is a block
//! [NX | XX]                 optional, and one of these
//! <AND | OR>                one of these
//! key [key ...]             repeated; so is `[PREFIX prefix [PREFIX prefix ...]]`, word and all
//! ```
//!
//! What the documentation says elsewhere stands beside a word without blanks:
//!
//! ```text
//! increment:double          a type that the name does not imply
//! addr=ip:port              a name other than what is shown
//! condition=[NX | XX]       the name of a group
//! [GET@6.2.0]               the version it came with; behind a bracket: that of the group
//! ip:port!2.8.12            the version it is deprecated since
//! ```
//!
//! Which arguments are keys is not written: it follows from the row's key specifications. The
//! line is not used to check what clients send; handlers parse for themselves.

use super::keys::KeyFlags;
use super::marking;
use super::spec::Spec;

/// What kind of argument this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl Kind {
    const NAMES: [(Kind, &'static str); 9] = [
        (Kind::Key, "key"),
        (Kind::String, "string"),
        (Kind::Integer, "integer"),
        (Kind::Double, "double"),
        (Kind::Pattern, "pattern"),
        (Kind::UnixTime, "unix-time"),
        (Kind::PureToken, "pure-token"),
        (Kind::OneOf, "oneof"),
        (Kind::Block, "block"),
    ];

    /// The name COMMAND DOCS prints.
    pub fn name(self) -> &'static str {
        Kind::NAMES[self as usize].1
    }

    fn by_name(name: &str) -> Option<Kind> {
        let found = Kind::NAMES.iter().find(|(_, own)| *own == name);
        found.map(|(kind, _)| *kind)
    }

    /// What the name of an argument says about its type.
    fn implied(name: &str) -> Kind {
        const INTEGERS: &[&str] = &[
            "bit",
            "client-id",
            "count",
            "cursor",
            "db",
            "decrement",
            "end",
            "increment",
            "index",
            "index1",
            "index2",
            "milliseconds",
            "numkeys",
            "offset",
            "protover",
            "seconds",
            "start",
            "timeout",
            "version",
        ];
        match name {
            "pattern" => Kind::Pattern,
            "unix-time-seconds" | "unix-time-milliseconds" => Kind::UnixTime,
            _ if INTEGERS.contains(&name) => Kind::Integer,
            _ => Kind::String,
        }
    }
}

/// An argument of a command, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    pub name: String,
    pub kind: Kind,
    /// What is shown in place of the name.
    pub text: &'a str,
    pub key_spec: Option<usize>,
    pub token: Option<&'a str>,
    pub since: Option<&'a str>,
    pub deprecated_since: Option<&'a str>,
    pub is_optional: bool,
    pub is_multiple: bool,
    /// Its word is repeated with it.
    pub is_multiple_token: bool,
    pub arguments: Vec<Argument<'a>>,
}

/// What is wrong with a syntax line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub &'static str);

/// The arguments of a command, with its keys marked.
pub fn arguments(spec: &Spec) -> Result<Vec<Argument<'static>>, Fault> {
    let mut arguments = parse(spec.doc.syntax)?;
    for (number, keys) in spec.keys.iter().enumerate() {
        if !keys.flags.has(KeyFlags::NOT_KEY) {
            marking::mark_keys(&mut arguments, spec, number, keys);
        }
    }
    Ok(arguments)
}

/// The arguments of a syntax line.
pub fn parse(line: &str) -> Result<Vec<Argument<'_>>, Fault> {
    let words = split(line);
    let mut rest = words.as_slice();
    let nodes = sequence(&mut rest)?;
    match rest {
        [] => Ok(lower(&nodes, false)),
        _ => Err(Fault("a bracket closes that did not open")),
    }
}

/// How many arguments there must be at least, and whether there can be more.
pub fn extent(arguments: &[Argument<'_>]) -> (usize, bool) {
    let mut extent = (0, false);
    for argument in arguments {
        let (least, is_open) = width(argument);
        extent.0 += if argument.is_optional { 0 } else { least };
        extent.1 |= is_open || argument.is_optional || argument.is_multiple;
    }
    extent
}

pub(super) fn width(argument: &Argument<'_>) -> (usize, bool) {
    let token = usize::from(argument.token.is_some());
    match argument.kind {
        Kind::PureToken => (1, false),
        Kind::Block => {
            let (least, is_open) = extent(&argument.arguments);
            (token + least, is_open)
        }
        Kind::OneOf => {
            let widths: Vec<_> = argument.arguments.iter().map(width).collect();
            let least = widths.iter().map(|width| width.0).min().unwrap_or(0);
            let is_open = widths.iter().any(|width| width.1 || width.0 != least);
            (token + least, is_open)
        }
        _ => (token + 1, false),
    }
}

/// A word or bracket of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lexeme<'a> {
    Word(&'a str),
    /// `[` or `<`, with the name of the group.
    Open(bool, Option<&'a str>),
    /// `]` or `>`, with the version of the group.
    Close(Option<&'a str>),
    Or,
}

fn split(line: &str) -> Vec<Lexeme<'_>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let until = |stops: &[char]| rest.find(stops).unwrap_or(rest.len());
        let (word, len) = match first {
            '[' | '<' => (Lexeme::Open(first == '[', None), 1),
            '|' => (Lexeme::Or, 1),
            ']' | '>' => {
                let len = until(&[' ', '|']).max(1);
                let len = rest[1..len].find([']', '>']).map_or(len, |at| at + 1);
                (Lexeme::Close(rest[1..len].strip_prefix('@')), len)
            }
            _ => {
                let len = until(&[' ', '|', '[', ']', '<', '>']);
                match (&rest[..len], rest[len..].chars().next()) {
                    (word, Some(open @ ('[' | '<'))) if word.ends_with('=') => {
                        (Lexeme::Open(open == '[', Some(&word[..len - 1])), len + 1)
                    }
                    (word, _) => (Lexeme::Word(word), len),
                }
            }
        };
        words.push(word);
        rest = rest[len..].trim_start();
    }
    words
}

/// The line as brackets nest.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node<'a> {
    Word(&'a str),
    Group(Group<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group<'a> {
    is_optional: bool,
    name: Option<&'a str>,
    since: Option<&'a str>,
    alternatives: Vec<Vec<Node<'a>>>,
    /// It ends with three dots.
    repeats: bool,
}

fn sequence<'a>(rest: &mut &[Lexeme<'a>]) -> Result<Vec<Node<'a>>, Fault> {
    let mut nodes = Vec::new();
    while let [first, tail @ ..] = *rest {
        match *first {
            Lexeme::Or | Lexeme::Close(_) => break,
            Lexeme::Word(word) => {
                *rest = tail;
                nodes.push(Node::Word(word));
            }
            Lexeme::Open(is_optional, name) => {
                *rest = tail;
                nodes.push(Node::Group(group(rest, is_optional, name)?));
            }
        }
    }
    Ok(nodes)
}

fn group<'a>(
    rest: &mut &[Lexeme<'a>],
    is_optional: bool,
    name: Option<&'a str>,
) -> Result<Group<'a>, Fault> {
    let mut alternatives = vec![sequence(rest)?];
    while let [Lexeme::Or, tail @ ..] = *rest {
        *rest = tail;
        alternatives.push(sequence(rest)?);
    }
    let [Lexeme::Close(since), tail @ ..] = *rest else {
        return Err(Fault("a bracket does not close"));
    };
    let since = *since;
    *rest = tail;
    let last = alternatives
        .last_mut()
        .filter(|last| last.last() == Some(&Node::Word("...")));
    let repeats = last.and_then(Vec::pop).is_some();
    if alternatives.iter().any(Vec::is_empty) {
        return Err(Fault("nothing between brackets or bars"));
    }
    Ok(Group {
        is_optional,
        name,
        since,
        alternatives,
        repeats,
    })
}

/// A word without what stands beside it.
fn bare(word: &str) -> &str {
    if is_symbol(word) {
        return word;
    }
    let end = word.find(['@', '!']).unwrap_or(word.len());
    let word = &word[..end];
    let word = word.split_once('=').map_or(word, |(_, shown)| shown);
    match word.rsplit_once(':') {
        Some((name, kind)) if Kind::by_name(kind).is_some() => name,
        _ => word,
    }
}

/// Whether it is one of the signs that are typed as they are.
fn is_symbol(word: &str) -> bool {
    ["=", "~", "*", "$"].contains(&word)
}

fn is_token(word: &str) -> bool {
    let word = bare(word);
    is_symbol(word)
        || word.contains(|c: char| c.is_ascii_uppercase())
            && !word.contains(|c: char| c.is_ascii_lowercase())
}

fn is_same(a: &Node<'_>, b: &Node<'_>) -> bool {
    match (a, b) {
        (Node::Word(a), Node::Word(b)) => bare(a) == bare(b),
        (Node::Group(a), Node::Group(b)) => is_same_choice(&a.alternatives, &b.alternatives),
        _ => false,
    }
}

fn is_same_sequence(a: &[Node<'_>], b: &[Node<'_>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

fn is_same_choice(a: &[Vec<Node<'_>>], b: &[Vec<Node<'_>>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_sequence(a, b))
}

/// Arguments of a sequence, each with the node it begins at.
#[derive(Default)]
struct Lowered<'a> {
    arguments: Vec<Argument<'a>>,
    begins: Vec<usize>,
}

/// In brackets a word takes all arguments behind it, outside only the next one.
fn lower<'a>(nodes: &[Node<'a>], in_brackets: bool) -> Vec<Argument<'a>> {
    let mut lowered = Lowered::default();
    let mut at = 0;
    while let Some(node) = nodes.get(at) {
        let begin = at;
        at += 1;
        let argument = match node {
            Node::Word(word) if is_token(word) => {
                at += followers(&nodes[at..], in_brackets);
                behind_token(word, &nodes[begin + 1..at])
            }
            Node::Word(word) => leaf(word),
            Node::Group(group) if group.repeats => {
                if repeat(&mut lowered, &nodes[..begin], group) {
                    continue;
                }
                Argument {
                    is_multiple: true,
                    ..lower_group(group)
                }
            }
            Node::Group(group) => lower_group(group),
        };
        lowered.arguments.push(argument);
        lowered.begins.push(begin);
    }
    lowered.arguments
}

/// How many nodes belong to the word before them.
fn followers(nodes: &[Node<'_>], in_brackets: bool) -> usize {
    let is_plain = |node: &&Node<'_>| matches!(node, Node::Word(word) if !is_token(word));
    match nodes.first() {
        Some(Node::Group(group)) if !group.is_optional => 1,
        _ => {
            let plain = nodes.iter().take_while(is_plain).count();
            if in_brackets { plain } else { plain.min(1) }
        }
    }
}

fn behind_token<'a>(token: &'a str, nodes: &[Node<'a>]) -> Argument<'a> {
    let token_leaf = leaf(token);
    if nodes.is_empty() {
        return token_leaf;
    }
    let inner = lower_sequence(nodes);
    // What need not follow has to be told from the word itself.
    let whole = match inner.is_optional {
        true => grouped(Kind::Block, vec![inner]),
        false => inner,
    };
    Argument {
        token: token_leaf.token,
        ..whole
    }
}

/// The argument of a single word.
fn leaf(word: &str) -> Argument<'_> {
    let (body, deprecated_since) = match word.split_once('!') {
        Some((body, version)) => (body, Some(version)),
        None => (word, None),
    };
    let (body, since) = match body.split_once('@') {
        Some((body, version)) => (body, Some(version)),
        None => (body, None),
    };
    let (body, said) = match body.rsplit_once(':') {
        Some((name, kind)) if Kind::by_name(kind).is_some() => (name, Kind::by_name(kind)),
        _ => (body, None),
    };
    let (name, text) = body.split_once('=').unwrap_or((body, body));
    let is_token = is_token(text);
    let kind = match said {
        Some(kind) => kind,
        None if is_token => Kind::PureToken,
        None => Kind::implied(text),
    };
    Argument {
        name: name.to_ascii_lowercase(),
        kind,
        text,
        key_spec: None,
        token: is_token.then_some(text),
        since,
        deprecated_since,
        is_optional: false,
        is_multiple: false,
        is_multiple_token: false,
        arguments: Vec::new(),
    }
}

/// A group's arguments under one name; by default their own names, joined.
fn grouped<'a>(kind: Kind, arguments: Vec<Argument<'a>>) -> Argument<'a> {
    let names: Vec<&str> = arguments.iter().map(|inner| inner.name.as_str()).collect();
    Argument {
        name: names.join("-"),
        kind,
        text: "",
        arguments,
        ..leaf("")
    }
}

fn lower_sequence<'a>(nodes: &[Node<'a>]) -> Argument<'a> {
    let mut arguments = lower(nodes, true);
    match arguments.len() {
        1 => arguments.remove(0),
        _ => grouped(Kind::Block, arguments),
    }
}

fn lower_group<'a>(group: &Group<'a>) -> Argument<'a> {
    let mut group = group.clone();
    let is_multiple = drop_repetition_of_itself(&mut group);
    let mut argument = match group.alternatives.as_slice() {
        [only] => lower_sequence(only),
        several => {
            let each = several.iter().map(|nodes| lower_sequence(nodes));
            grouped(Kind::OneOf, each.collect())
        }
    };
    argument.is_optional |= group.is_optional;
    argument.is_multiple |= is_multiple;
    argument.name = group.name.map_or(argument.name, str::to_owned);
    argument.since = group.since.or(argument.since);
    argument
}

/// `[a | b [a | b ...]]`: the inner bracket only says that the outer one can be repeated.
fn drop_repetition_of_itself(group: &mut Group<'_>) -> bool {
    let mut outer = group.alternatives.clone();
    let Some(Node::Group(inner)) = outer.last_mut().and_then(Vec::pop) else {
        return false;
    };
    let is_repetition =
        inner.repeats && outer.len() > 1 && is_same_choice(&inner.alternatives, &outer);
    if is_repetition {
        group.alternatives = outer;
    }
    is_repetition
}

/// `key value [key value ...]`: the bracket repeats what stands before it.
fn repeat<'a>(lowered: &mut Lowered<'a>, before: &[Node<'a>], group: &Group<'a>) -> bool {
    let [again] = group.alternatives.as_slice() else {
        return false;
    };
    if !before.ends_with_same(again) {
        return false;
    }
    let from = before.len() - again.len();
    let first = lowered.begins.iter().position(|begin| *begin >= from);
    let first = first.unwrap_or(lowered.begins.len().saturating_sub(1));
    let mut repeated = lowered.arguments.split_off(first);
    lowered.begins.truncate(first + 1);
    let mut argument = match repeated.len() {
        1 => repeated.remove(0),
        _ => grouped(Kind::Block, repeated),
    };
    argument.name = group.name.map_or(argument.name, str::to_owned);
    argument.is_multiple = true;
    let begins_with_token = matches!(again.first(), Some(Node::Word(word)) if is_token(word));
    argument.is_multiple_token = argument.token.is_some() && begins_with_token;
    lowered.arguments.push(argument);
    true
}

trait EndsWithSame {
    fn ends_with_same(&self, tail: &[Node<'_>]) -> bool;
}

impl EndsWithSame for [Node<'_>] {
    fn ends_with_same(&self, tail: &[Node<'_>]) -> bool {
        let from = self.len().checked_sub(tail.len());
        from.is_some_and(|from| is_same_sequence(&self[from..], tail))
    }
}

#[cfg(test)]
mod tests {
    // Trees are written in one line: `name:type`, then the word in quotes, versions, `?` optional,
    // `*` multiple, `**` multiple with its word, arguments in parentheses.
    use super::*;
    use crate::base::prng::Prng;
    use crate::command::KeySpec;
    use crate::command::{Flags, Group as Family, LAST, keys, one_key};

    fn show(argument: &Argument<'_>) -> String {
        let mut text = format!("{}:{}", argument.name, argument.kind.name());
        if let Some(token) = argument.token {
            text += &format!(" '{token}'");
        }
        let is_own = ["", argument.name.as_str()].contains(&argument.text);
        if !is_own && argument.token != Some(argument.text) {
            text += &format!(" shown {}", argument.text);
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
}
