//! What becomes of a command that took long: the slow log, and the latency monitor.
//!
//! Both have thresholds of their own and neither depends on the other. Arguments that a handler
//! has called secret are not shown.

use super::connection;
use super::table::table;
use crate::command::{Args, Flags};
use crate::observe::slowlog::Finished;
use crate::session::{Core, SessionId};

/// Whether a duration is one for the slow log or the latency monitor.
#[inline]
pub(super) fn is_slow(core: &Core, nanos: u64) -> bool {
    let node = &core.node;
    node.slowlog.is_slow(nanos / 1000)
        || nanos >= 1_000_000 && node.latency.is_slow(nanos / 1_000_000)
}

/// Notes a command that took long, by its number in the table.
#[cold]
pub(super) fn note(core: &Core, id: SessionId, ran: (u16, u64), args: Args<'_>) {
    let (command, nanos) = ran;
    let flags = table().command(command).spec.flags;
    if core.node.slowlog.is_slow(nanos / 1000) && !flags.has(Flags::SKIP_SLOWLOG) {
        push(core, id, nanos, args);
    }
    let millis = nanos / 1_000_000;
    if core.node.latency.is_slow(millis) {
        let event = match flags.has(Flags::FAST) {
            true => "fast-command",
            false => "command",
        };
        core.node.latency.add(event, millis, now_seconds(core));
    }
}

fn push(core: &Core, id: SessionId, nanos: u64, args: Args<'_>) {
    let Some(session) = core.sessions.find(id) else {
        return;
    };
    let arguments: Vec<&[u8]> = connection::shown(core, args).collect();
    core.node.slowlog.push(&Finished {
        unix_seconds: now_seconds(core),
        duration_us: nanos / 1000,
        arguments: &arguments,
        client_address: &session.origin.address,
        client_name: &session.name,
    });
}

fn now_seconds(core: &Core) -> u64 {
    (core.now_ms / 1000).max(0) as u64
}
