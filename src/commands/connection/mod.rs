//! Connections: who the client is and how it wants to be served.
//!
//! Control commands: they see the core's world and the client's session, and no keys.

use super::row::{Family, control, family};
use crate::command::{Flags, Group};

mod answer;
mod basic;

pub use answer::answer;

const ALWAYS: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Connection,
    &[
        control("echo", 2, ALWAYS, basic::echo).doc(
            "1.0.0",
            "message",
            "O(1)",
            "Returns the given string.",
        ),
        control("ping", -1, Flags::FAST, basic::ping).doc(
            "1.0.0",
            "[message]",
            "O(1)",
            "Returns the server's liveliness response.",
        ),
        control(
            "quit",
            -1,
            ALWAYS.and(Flags::NO_AUTH).and(Flags::NOSCRIPT),
            basic::quit,
        )
        .doc("1.0.0", "", "O(1)", "Closes the connection."),
        control("select", 2, ALWAYS, basic::select).doc(
            "1.0.0",
            "index",
            "O(1)",
            "Changes the selected database.",
        ),
    ],
);
