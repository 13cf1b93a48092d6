//! What COMMAND tells, held against what redis-server 7.0.15 told, and tests of the table itself.
//!
//! Every command of ours is compared with `golden/command-7.0.txt` and `command-docs-7.0.txt`;
//! where 7.2 differs on purpose, a line below says so. Summaries are those of 7.2, which rewrote
//! all of them, and are not compared; nor are the names of blocks and choices. The golden copies
//! and the way to record them again: `golden/README`.
#![allow(clippy::unwrap_used)]

#[path = "commands_golden/facts.rs"]
mod facts;
#[path = "commands_golden/readme.rs"]
mod readme;
mod support;
#[path = "commands_golden/table.rs"]
mod table;

use ringshard::commands::local::LocalNode;
use support::Reply;
use support::client::encode;

/// What a local node answers.
fn ask(node: &mut LocalNode, words: &[&str]) -> Reply {
    let client = node.connect(0);
    let mut request = Vec::new();
    encode(words, &mut request);
    let reply = node.talk(client, &request);
    let (reply, used) = Reply::parse(&reply).expect("a whole reply");
    assert_ne!(used, 0);
    reply
}

/// A file of the golden folder.
fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All commands that this release promises.
fn promised() -> Vec<String> {
    let text = String::from_utf8(golden("commands.txt")).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}
