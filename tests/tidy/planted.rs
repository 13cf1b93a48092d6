//! A planted violation for every house rule, and the innocent look-alikes beside it.
//!
//! `caught` wants the rule to speak, `clean` wants it to stay silent. Snippets live in strings, so
//! the rules do not see them when they read this file.

use crate::rules::{self, Rule};
use crate::source::{Source, functions};

fn caught(rule: Rule, path: &str, text: &str) {
    let found = rule(&Source::new(path, text));
    assert!(!found.is_empty(), "not caught in {path}:\n{text}");
}

fn clean(rule: Rule, path: &str, text: &str) {
    let found = rule(&Source::new(path, text));
    assert!(
        found.is_empty(),
        "wrongly caught in {path}:\n{text}\n{found:?}"
    );
}

#[test]
fn floors() {
    let rule = rules::floors;
    caught(rule, "src/keyspace/db.rs", "use crate::shard::Ctx;");
    caught(rule, "src/keyspace/db.rs", "use crate::rdb::Encoder;");
    caught(
        rule,
        "src/keyspace/db.rs",
        "use crate::{base::table, shard::Ctx};",
    );
    caught(
        rule,
        "src/keyspace/db.rs",
        "use crate::{\n    base,\n    net,\n};",
    );
    caught(rule, "src/keyspace/db.rs", "fn f() { crate::net::go() }");
    caught(rule, "src/keyspace/db.rs", "use super::super::net::X;");
    caught(rule, "src/keyspace/mod.rs", "use super::net::X;");
    caught(rule, "src/attic/mod.rs", "//! Unknown part.");
    caught(
        rule,
        "src/base/a.rs",
        "#[cfg(test)]\nmod tests { use crate::net::X; }",
    );
    clean(
        rule,
        "src/keyspace/db.rs",
        "use crate::{base::table::T, keyspace::slot, object};",
    );
    clean(
        rule,
        "src/keyspace/db.rs",
        "use super::slot::Slot;\n// crate::net is above us.",
    );
    clean(
        rule,
        "src/commands/string/get.rs",
        "use super::super::row::Row;",
    );
    clean(rule, "src/lib.rs", "pub use crate::net::X;");
}

#[test]
fn families() {
    let rule = rules::families;
    caught(
        rule,
        "src/commands/string/get.rs",
        "use crate::session::Session;",
    );
    caught(
        rule,
        "src/commands/string/get.rs",
        "use crate::commands::{row::R, dispatch};",
    );
    caught(
        rule,
        "src/commands/string/get.rs",
        "use crate::commands::bitmap::x;",
    );
    clean(
        rule,
        "src/commands/string/get.rs",
        "use crate::commands::row::Row;",
    );
    clean(
        rule,
        "src/commands/string/get.rs",
        "use crate::{shard::ShardCtx, object};",
    );
    clean(
        rule,
        "src/commands/server/info.rs",
        "use crate::session::Session;",
    );
}

#[test]
fn synchronous() {
    let rule = rules::synchronous;
    caught(rule, "src/shard/run.rs", "async fn f() {}");
    caught(rule, "src/commands/generic/del.rs", "fn f() { x.await }");
    caught(
        rule,
        "src/keyspace/db.rs",
        "use crate::{base, runtime::timer};",
    );
    clean(rule, "src/router/mailbox.rs", "async fn f() { x.await }");
    clean(
        rule,
        "src/shard/run.rs",
        "// Handlers never await.\nlet awaited = 1;",
    );
}

#[test]
fn reactor() {
    caught(
        rules::reactor,
        "src/net/listener.rs",
        "use glommio::net::TcpStream;",
    );
    caught(
        rules::reactor,
        "src/server/boot.rs",
        "let ring = io_uring::IoUring::new(8);",
    );
    clean(
        rules::reactor,
        "src/runtime/ring.rs",
        "use io_uring::IoUring;",
    );
    clean(
        rules::reactor,
        "src/net/listener.rs",
        "//! Knows nothing of glommio.",
    );
}

#[test]
fn impure() {
    let rule = rules::impure;
    caught(rule, "src/shard/run.rs", "use std::time::Instant;");
    caught(
        rule,
        "src/shard/run.rs",
        "use std::{fmt, time::{Duration, SystemTime}};",
    );
    caught(
        rule,
        "src/shard/run.rs",
        "let t = std::time::Instant::now();",
    );
    caught(rule, "src/server/boot.rs", "use std::env;");
    caught(rule, "src/persistence/aof.rs", "std::fs::read(p)");
    caught(rule, "src/base/table.rs", "use rand::Rng;");
    clean(rule, "src/shard/run.rs", "use std::time::Duration;");
    clean(rule, "src/base/clock.rs", "use std::time::Instant;");
    clean(rule, "src/runtime/file.rs", "use std::fs;");
    clean(
        rule,
        "src/shard/run.rs",
        "#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
    );
}

#[test]
fn unsafe_code() {
    let rule = rules::unsafe_code;
    caught(
        rule,
        "src/net/listener.rs",
        "// SAFETY: no.\nunsafe { f() }",
    );
    caught(rule, "src/base/table.rs", "fn g() {\n    unsafe { f() }\n}");
    caught(rule, "src/base/table.rs", "unsafe impl Send for X {}");
    clean(
        rule,
        "src/base/table.rs",
        "// SAFETY: the slot is live.\nunsafe { f() }",
    );
    clean(
        rule,
        "src/net/listener.rs",
        "// Nothing unsafe here.\nlet a = \"unsafe {\";",
    );
}

#[test]
fn locks() {
    caught(rules::locks, "src/router/plan.rs", "use std::sync::Mutex;");
    caught(
        rules::locks,
        "src/router/plan.rs",
        "type T = Arc<RwLock<u8>>;",
    );
    clean(rules::locks, "src/runtime/mesh.rs", "use std::sync::Mutex;");
    clean(rules::locks, "src/router/plan.rs", "use std::sync::Arc;");
}

#[test]
fn header_and_lines() {
    caught(
        rules::header,
        "src/base/a.rs",
        "//! One.\n//! Two.\nfn f() {}",
    );
    caught(
        rules::header,
        "src/base/a.rs",
        "\n//! One.\n//! Two.\n//! Three.",
    );
    clean(
        rules::header,
        "src/base/a.rs",
        "//! One.\n//!\n//! Three.\nfn f() {}",
    );
    caught(rules::line_length, "src/base/a.rs", &"x".repeat(101));
    clean(rules::line_length, "src/base/a.rs", &"x".repeat(100));
    caught(rules::ascii, "src/base/a.rs", "// \u{2192}");
    clean(rules::ascii, "src/base/a.rs", "// ->");
}

#[test]
fn bans() {
    let rule = rules::bans;
    caught(rule, "src/base/a.rs", concat!("// TO", "DO: later"));
    caught(rule, "tests/a.rs", concat!("// FIX", "ME"));
    caught(rule, "src/base/a.rs", "dbg!(x);");
    caught(rule, "src/base/a.rs", "x.unwrap();");
    caught(rule, "tests/a.rs", "#[ignore]\nfn f() {}");
    clean(
        rule,
        "src/base/a.rs",
        "#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }",
    );
    clean(
        rule,
        "src/base/a.rs",
        "x.expect(\"the key was just inserted\");",
    );
}

#[test]
fn names() {
    let rule = rules::names;
    caught(rule, "src/base/util.rs", "");
    caught(rule, "src/misc/mod.rs", "");
    caught(rule, "src/base/a.rs", "mod common { }");
    caught(rule, "src/base/a.rs", "fn get_key() {}");
    caught(rule, "src/base/a.rs", "pub struct ShardManager;");
    caught(rule, "src/base/a.rs", "struct ClockImpl {}");
    clean(rule, "src/base/utility.rs", "fn getdel() {}\nstruct Shard;");
}

#[test]
fn imports_and_module_files() {
    caught(rules::glob_imports, "src/base/a.rs", "use super::*;");
    clean(
        rules::glob_imports,
        "src/base/a.rs",
        "#[cfg(test)]\nmod tests { use super::*; }",
    );
    caught(rules::module_files, "src/base/mod.rs", "pub fn f() {}");
    clean(
        rules::module_files,
        "src/base/mod.rs",
        "pub mod a;\npub type F = fn(u8) -> u8;",
    );
}

#[test]
fn sizes() {
    let rule = rules::sizes;
    caught(rule, "src/base/a.rs", &"//\n".repeat(rules::FILE_MAX + 1));
    let body = "    x();\n".repeat(rules::FUNCTION_MAX);
    caught(rule, "src/base/a.rs", &format!("fn f() {{\n{body}}}\n"));
    caught(
        rule,
        "src/base/a.rs",
        "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}",
    );
    clean(
        rule,
        "src/base/a.rs",
        "fn f(&mut self, a: u8, b: u8, c: u8, d: u8, e: u8,) {}",
    );
    caught(rule, "tests/a.rs", &"//\n".repeat(rules::TEST_FILE_MAX + 1));
    caught(
        rule,
        "src/base/tests.rs",
        &"//\n".repeat(rules::TEST_FILE_MAX + 1),
    );
    clean(
        rule,
        "src/base/tests.rs",
        &"//\n".repeat(rules::FILE_MAX + 1),
    );
    let tests = "    x();\n".repeat(rules::FILE_MAX);
    clean(
        rule,
        "src/base/a.rs",
        &format!("fn f() {{}}\n#[cfg(test)]\nmod t {{\n{tests}}}\n"),
    );
}

#[test]
fn functions_are_found_whole() {
    let text = "fn a<F: Fn(u8) -> u8>(f: F, (x, y): (u8, u8), m: Map<u8, u8>) -> [u8; 2] {\n\n}\n";
    let source = Source::new("src/base/a.rs", text);
    let found = functions(&source.code);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].lines, found[0].parameters), (3, 3));
    assert_eq!(found[0].name, "a");
}

#[test]
fn prose_is_no_code() {
    let text =
        "let a = r#\"fn x() { \"#; /* fn y() /* z */ */ let b = '{'; let c: &'a str = \"\\\"fn\";";
    let source = Source::new("src/base/a.rs", text);
    assert!(functions(&source.code).is_empty(), "{}", source.code);
    assert!(!source.code.contains('{'), "{}", source.code);
    assert_eq!(source.code.len(), text.len());
}
