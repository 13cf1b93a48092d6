//! SLOWLOG: the latest commands that took long.
//!
//! The log itself is in `observe`; which commands enter it is decided where they run. Here are the
//! replies only.

use super::{ADMIN, ANYTIME};
use crate::command::{Flags, Group};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, container, control, family};
use crate::observe::slowlog::Entry;
use crate::resp::{Writer, errors};

/// The rows of SLOWLOG.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        container("slowlog", -2, Flags::NONE).doc(
            "2.2.12",
            "",
            "Depends on subcommand.",
            "A container for slow log commands.",
        ),
        control("slowlog|get", -2, ADMIN, entries)
            .tips(&["request_policy:all_nodes", "nondeterministic_output"])
            .history(&[(
                "4.0.0",
                "Added client IP address, port and name to the reply.",
            )])
            .doc(
                "2.2.12",
                "[count]",
                "O(N) where N is the number of entries returned",
                "Returns the slow log's entries.",
            ),
        control("slowlog|len", 2, ADMIN, len)
            .tips(&[
                "request_policy:all_nodes",
                "response_policy:agg_sum",
                "nondeterministic_output",
            ])
            .doc(
                "2.2.12",
                "",
                "O(1)",
                "Returns the number of entries in the slow log.",
            ),
        control("slowlog|reset", 2, ADMIN, reset)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .doc(
                "2.2.12",
                "",
                "O(N) where N is the number of entries in the slowlog",
                "Clears all entries from the slow log.",
            ),
        control("slowlog|help", 2, ANYTIME, help).doc(
            "6.2.0",
            "",
            "O(1)",
            "Show helpful text about the different subcommands",
        ),
    ],
);

/// SLOWLOG GET: reply with the latest entries, the newest first.
fn entries(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    const SHOWN: usize = 10;
    const REFUSED: &str = "ERR count should be greater than or equal to -1";
    let count = match ctx.args.len() {
        2 => Some(SHOWN),
        3 => match ctx.args.integer(2) {
            Ok(-1) => None,
            Ok(count) => Some(usize::try_from(count).map_err(|_| REFUSED)?),
            Err(_) => return Err(REFUSED.into()),
        },
        _ => return Err(errors::unknown_form("slowlog", ctx.args.get(1))),
    };
    let entries = ctx.core.node.slowlog.latest(count);
    let written = ctx.reply.array(entries.len());
    for entry in &entries {
        write_entry(&mut ctx.reply, entry);
    }
    Ok(written.into())
}

fn write_entry(reply: &mut Writer<'_>, entry: &Entry) {
    reply.array(6);
    reply.integer(entry.id as i64);
    reply.integer(entry.unix_seconds as i64);
    reply.integer(entry.duration_us as i64);
    reply.array(entry.arguments.len());
    for argument in &entry.arguments {
        reply.bulk(argument);
    }
    reply.bulk(entry.client_address.as_bytes());
    reply.bulk(&entry.client_name);
}

/// SLOWLOG LEN: reply with the number of entries.
fn len(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let len = ctx.core.node.slowlog.len();
    Ok(ctx.reply.integer(len as i64).into())
}

/// SLOWLOG RESET: forget all entries.
fn reset(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    ctx.core.node.slowlog.reset();
    Ok(ctx.reply.ok().into())
}

fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Prints this help.",
];
