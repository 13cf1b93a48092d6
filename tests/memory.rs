//! Memory on a node of several shards in one thread, on a clock that is turned by hand: big values
//! are freed in steps, and keys are evicted when there is too much.
//!
//! The cores of such a node share a thread, so each is metered while it has its turn. What only
//! time shows (stalls, hit rates) is measured in perf/.
#![allow(clippy::unwrap_used)]

#[path = "memory/eviction.rs"]
mod eviction;
#[path = "memory/freeing.rs"]
mod freeing;

use ringshard::base::alloc::Jemalloc;
use ringshard::commands::local::{LocalClient, LocalNode};

/// What memory is in use is known of this allocator only.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// The reply to a line, without the end of line.
fn talk(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8(reply).unwrap().trim_end().to_string()
}
