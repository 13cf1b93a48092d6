//! The append-only file of the running server: written, killed, cut, damaged, read by others.
//!
//! One file a topic in `aof/`. What needs a tool or a right that this machine lacks says so by name
//! and is skipped. `AOF_ROUNDS=` makes the storms longer.
#![allow(clippy::unwrap_used)]

#[path = "aof/check.rs"]
mod check;
#[path = "aof/clients.rs"]
mod clients;
#[path = "aof/damage.rs"]
mod damage;
#[path = "aof/disk.rs"]
mod disk;
#[path = "aof/exchange.rs"]
mod exchange;
#[path = "aof/power.rs"]
mod power;
#[path = "aof/rewrite.rs"]
mod rewrite;
#[path = "aof/slow.rs"]
mod slow;
#[path = "aof/storm.rs"]
mod storm;
mod support;
#[path = "aof/torn.rs"]
mod torn;
#[allow(dead_code)]
#[path = "aof/volume.rs"]
mod volume;

use std::path::{Path, PathBuf};
use support::{Client, Reply, Server, Setup};

/// How often something is tried that may end in many ways: as the environment says, or a few times.
pub fn rounds(few: usize) -> usize {
    let asked = std::env::var("AOF_ROUNDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// A server with a log, in a folder that outlives it.
pub fn with_log(setup: Setup, folder: &Path) -> Setup {
    setup
        .arg("dir", &folder.to_string_lossy())
        .arg("appendonly", "yes")
        .arg("enable-debug-command", "yes")
}

pub fn digest(server: &Server) -> String {
    server.client().call("DEBUG DIGEST").text()
}

/// What a server says, as a line.
pub fn ask(client: &mut Client, line: &str) -> String {
    shown(&client.call(line))
}

pub fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Integer(number) => number.to_string(),
        Reply::NilBulk | Reply::NilArray | Reply::Null => "nothing".into(),
        Reply::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.text(),
    }
}

/// Ends a server as a crash would.
pub fn kill(mut server: Server) {
    server.signal(libc::SIGKILL);
    server.wait_for_exit();
}

/// Ends a server as an operator would.
pub fn stop(mut server: Server) {
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit().success(), "{}", server.log());
}

/// A file of the log.
pub fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("appendonlydir").join(name)
}

pub const INCREMENT: &str = "appendonly.aof.1.incr.aof";
pub const MANIFEST: &str = "appendonly.aof.manifest";
