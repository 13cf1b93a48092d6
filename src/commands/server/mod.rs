//! The server: what it tells about itself and what it can be told to do.
//!
//! Control rows, one file per command; each subcommand is a row of its own, and those of larger
//! containers stand beside their handlers. Whole-keyspace commands (DBSIZE, FLUSHALL) and forms
//! that look at keys (MEMORY USAGE) are data rows.

use super::row::{Family, control, family};
use crate::command::{Categories, Flags, Group};

mod command;
pub mod config;
pub mod debug;
mod debug_data;
mod describe;
mod doctor;
pub mod info;
mod keyspace;
pub mod latency;
mod lolwut;
pub mod memory;
mod protocol;
pub mod rewrite;
pub mod save;
mod shutdown;
pub mod slowlog;
mod time;

pub use keyspace::KEYSPACE;
#[cfg(test)]
mod tests;

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);
const ADMIN: Flags = ANYTIME.and(Flags::ADMIN);
const OPERATOR: Flags = ADMIN.and(Flags::NOSCRIPT);
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        control("command", -1, ANYTIME, command::command)
            .category(Categories::CONNECTION)
            .tips(UNORDERED)
            .doc(
                "2.8.13",
                "",
                "O(N) where N is the total number of Redis commands",
                "Returns detailed information about all commands.",
            ),
        control("command|count", 2, ANYTIME, command::count)
            .category(Categories::CONNECTION)
            .doc("2.8.13", "", "O(1)", "Returns a count of commands."),
        control("command|docs", -2, ANYTIME, command::docs)
            .category(Categories::CONNECTION)
            .tips(UNORDERED)
            .doc(
                "7.0.0",
                "[command-name [command-name ...]]",
                "O(N) where N is the number of commands to look up",
                "Returns documentary information about one, multiple or all commands.",
            ),
        control("command|getkeys", -4, ANYTIME, command::keys)
            .category(Categories::CONNECTION)
            .doc(
                "2.8.13",
                "command [arg [arg ...]]",
                "O(N) where N is the number of arguments to the command",
                "Extracts the key names from an arbitrary command.",
            ),
        control(
            "command|getkeysandflags",
            -4,
            ANYTIME,
            command::keys_and_flags,
        )
        .category(Categories::CONNECTION)
        .doc(
            "7.0.0",
            "command [arg [arg ...]]",
            "O(N) where N is the number of arguments to the command",
            "Extracts the key names and access flags for an arbitrary command.",
        ),
        control("command|help", 2, ANYTIME, command::help)
            .category(Categories::CONNECTION)
            .doc(
                "5.0.0",
                "",
                "O(1)",
                "Returns helpful text about the different subcommands.",
            ),
        control("command|info", -2, ANYTIME, command::info)
            .category(Categories::CONNECTION)
            .tips(UNORDERED)
            .doc(
                "2.8.13",
                "[command-name [command-name ...]]",
                "O(N) where N is the number of commands to look up",
                "Returns information about one, multiple or all commands.",
            )
            .history(&[(
                "7.0.0",
                "Allowed to be called with no argument to get info on all commands.",
            )]),
        control("command|list", -2, ANYTIME, command::list)
            .category(Categories::CONNECTION)
            .tips(UNORDERED)
            .doc(
                "7.0.0",
                "filterby=[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
                "O(N) where N is the total number of Redis commands",
                "Returns a list of command names.",
            ),
        control(
            "lolwut",
            -1,
            Flags::READONLY.and(Flags::FAST),
            lolwut::lolwut,
        )
        .doc(
            "5.0.0",
            "[VERSION version]",
            "",
            "Displays computer art and the Redis version",
        ),
        control("shutdown", -1, SHUTDOWN, shutdown::shutdown)
            .doc(
                "1.0.0",
                "save-selector=[NOSAVE | SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
                "O(N) when saving, where N is the total number of keys in all databases when \
                     saving data, otherwise O(1)",
                "Synchronously saves the database(s) to disk and shuts down the Redis server.",
            )
            .history(&[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")]),
        control("time", 1, ANYTIME.and(Flags::FAST), time::time)
            .tips(&["nondeterministic_output"])
            .doc("2.6.0", "", "O(1)", "Returns the server time."),
    ],
);

const SHUTDOWN: Flags = ANYTIME
    .and(Flags::ADMIN)
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_MULTI)
    .and(Flags::ALLOW_BUSY);
