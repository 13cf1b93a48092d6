//! Tests of the test tools: a measure that always agrees would make every other test worthless.
//!
//! Notation, comparison and script of the dialogues, the client's parser, and waiting. None of them
//! needs a server.

#[path = "dialogues/compare.rs"]
mod compare;
// Running scripts is the dialogues' business; here they are only read.
#[allow(dead_code)]
#[path = "dialogues/script.rs"]
mod script;
mod support;

use compare::{fits, is_exact, sorted};
use script::{Action, Script};
use std::path::Path;
use support::Reply;
use support::notation::{lines, quoted, split_line};

fn text(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn parsed(bytes: &[u8]) -> Reply {
    let (reply, used) = Reply::parse(bytes).expect("a whole reply");
    assert_eq!(used, bytes.len());
    reply
}

#[test]
fn typed_lines_are_split_as_redis_cli_does() {
    let split = |line: &str| split_line(line).expect("balanced quotes");
    assert_eq!(split("SET a 1"), [&b"SET"[..], b"a", b"1"]);
    assert_eq!(split("  SET   \"a b\" '' "), [&b"SET"[..], b"a b", b""]);
    assert_eq!(split(r#""\x00\xff\n\"\\""#), [b"\x00\xff\n\"\\"]);
    assert_eq!(split(r"'a\n'"), [br"a\n"]);
    assert_eq!(split(""), Vec::<Vec<u8>>::new());
    assert!(split_line("\"open").is_none());
    assert!(split_line("'open").is_none());
}

#[test]
fn replies_are_printed_as_redis_cli_does() {
    let printed = |bytes: &[u8]| lines(&parsed(bytes));
    assert_eq!(printed(b"+OK\r\n"), ["OK"]);
    assert_eq!(printed(b"-ERR no\r\n"), ["(error) ERR no"]);
    assert_eq!(printed(b":-5\r\n"), ["(integer) -5"]);
    assert_eq!(printed(b"$3\r\na\"\n\r\n"), [r#""a\"\n""#]);
    for nil in [&b"$-1\r\n"[..], b"*-1\r\n", b"_\r\n"] {
        assert_eq!(printed(nil), ["(nil)"]);
    }
    assert_eq!(printed(b"*0\r\n"), ["(empty array)"]);
    assert_eq!(printed(b"%0\r\n"), ["(empty hash)"]);
    assert_eq!(printed(b"~1\r\n#t\r\n"), ["1~ (true)"]);
    assert_eq!(printed(b",1.5\r\n"), ["(double) 1.5"]);
    assert_eq!(printed(b"=7\r\ntxt:a\nb\r\n"), ["a", "b"]);
    assert_eq!(
        printed(b"*2\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n"),
        ["1) 1) (integer) 1", "   2) (integer) 2", "2) \"x\"",]
    );
    assert_eq!(
        printed(b"%1\r\n+k\r\n*2\r\n:1\r\n:2\r\n"),
        ["1# k => 1) (integer) 1", "   2) (integer) 2",]
    );
    let ten = [&b"*10\r\n"[..], &b":7\r\n".repeat(10)].concat();
    assert_eq!(printed(&ten)[0], " 1) (integer) 7");
    assert_eq!(quoted(b"\x07\x08\x7f"), r#""\a\b\x7f""#);
}

#[test]
fn replies_that_are_not_whole_wait() {
    let whole = b"*2\r\n$5\r\nhello\r\n%1\r\n+a\r\n~2\r\n:1\r\n_\r\n";
    for len in 0..whole.len() {
        assert!(
            Reply::parse(&whole[..len]).is_none(),
            "{len} bytes are enough?"
        );
    }
    parsed(whole);
}

#[test]
fn kinds_of_nothing_stay_apart() {
    let kinds = [
        parsed(b"$-1\r\n"),
        parsed(b"*-1\r\n"),
        parsed(b"_\r\n"),
        parsed(b"$0\r\n\r\n"),
    ];
    for (i, a) in kinds.iter().enumerate() {
        for (j, b) in kinds.iter().enumerate() {
            assert_eq!(a == b, i == j);
        }
    }
}

#[test]
fn comparison_sees_differences() {
    let same = |expected: &[&str], got: &[&str]| fits(&text(expected), &text(got));
    assert!(same(&["OK"], &["OK"]));
    assert!(!same(&["OK"], &["ok"]));
    assert!(!same(&["OK"], &[]));
    assert!(!same(&[], &["OK"]));
    assert!(!same(&["a"], &["a", "b"]));
    assert!(same(&["(integer) <number>"], &["(integer) -12"]));
    assert!(!same(&["(integer) <number>"], &["(integer) x"]));
    assert!(!same(&["(integer) <number>"], &["(integer) "]));
    assert!(same(&["id=<number> name=<any> end"], &["id=5 name= end"]));
    assert!(!same(&["id=<number> name=<any> end"], &["id=5 name=x en"]));
    assert!(same(&["a", "...", "z"], &["a", "b", "c", "z"]));
    assert!(same(&["..."], &[]));
    assert!(!same(&["a", "...", "z"], &["a", "b", "c"]));
    assert!(is_exact(&text(&["(integer) 1"])));
    assert!(!is_exact(&text(&["(integer) <number>"])) && !is_exact(&text(&["a", "..."])));
}

#[test]
fn unordered_replies_are_sorted_within_their_page() {
    let page = parsed(b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n");
    assert_eq!(
        lines(&sorted(page)),
        ["1) \"0\"", "2) 1) \"a\"", "   2) \"b\""]
    );
    let map = parsed(b"%2\r\n+b\r\n:1\r\n+a\r\n:2\r\n");
    assert_eq!(
        lines(&sorted(map)),
        ["1# a => (integer) 2", "2# b => (integer) 1"]
    );
}

#[test]
fn scripts_are_read() {
    let source = r#"# Comment
@resp3
@config hz 20
> SET a 1
OK
@since 7.2
b>> GET a
b<
"1"
> !"PING\r\n"
PONG
"#;
    let script = Script::parse(Path::new("x.txt"), source).expect("a good script");
    assert!(script.marks.resp3);
    assert_eq!(script.marks.config, [("hz".to_owned(), "20".to_owned())]);
    assert_eq!(script.steps.len(), 4);
    assert_eq!(script.steps[0].expected, ["OK"]);
    assert_eq!(script.steps[1].connection, "b");
    assert_eq!(script.steps[1].marks.since, Some((7, 2)));
    assert!(matches!(script.steps[1].action, Action::Send(_)));
    assert!(matches!(script.steps[2].action, Action::Read));
    assert_eq!(script.steps[2].marks.since, None);
    assert!(matches!(&script.steps[3].action, Action::CallBytes(bytes) if bytes == b"PING\r\n"));
    assert!(
        Script::parse(Path::new("x"), "OK\n").is_err(),
        "a reply without a step"
    );
    assert!(Script::parse(Path::new("x"), "@nosuch\n").is_err());
    assert!(Script::parse(Path::new("x"), "> SET \"a\n").is_err());
}

#[test]
fn waiting_ends() {
    let mut looks = 0;
    support::wait_until("the third look", || {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
    assert!(!support::wait::holds_within(
        std::time::Duration::ZERO,
        &mut || false
    ));
}
