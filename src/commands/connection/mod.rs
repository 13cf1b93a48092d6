//! Connections: who the client is and how it wants to be served.
//!
//! Control commands: they see the core's world and the client's session, and no keys.

use super::row::{Family, Row, container, control, family};
use crate::command::{Flags, Group};

mod answer;
mod auth;
mod basic;
mod client;
mod list;
mod monitor;
mod name;
mod pause;
#[cfg(test)]
mod tests;
mod tracking;

pub use answer::answer;
pub use monitor::{show_monitors, shown};

const ALWAYS: Flags = Flags::LOADING.and(Flags::STALE);
const OWN: Flags = ALWAYS.and(Flags::NOSCRIPT);
const ADMIN: Flags = OWN.and(Flags::ADMIN);
const GREETING: Flags = OWN
    .and(Flags::FAST)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);
const LEAVING: Flags = GREETING.and(Flags::UNQUEUED).and(Flags::ENDS_MULTI);

/// The rows of this family.
pub const FAMILY: Family = family(Group::Connection, ROWS);

/// MONITOR, which is documented with the server's commands.
pub const SERVER_FAMILY: Family = family(
    Group::Server,
    &[control("monitor", 1, ADMIN, monitor::monitor).doc(
        "1.0.0",
        "",
        "",
        "Listen for all requests received by the server in real time",
    )],
);

const ROWS: &[Row] = &[
    control("auth", -2, GREETING, auth::auth)
        .doc(
            "1.0.0",
            "[username@6.0.0] password",
            "O(N) where N is the number of passwords defined for the user",
            "Authenticate to the server",
        )
        .history(&[("6.0.0", "Added ACL style (username and password).")]),
    control("echo", 2, ALWAYS.and(Flags::FAST), basic::echo).doc(
        "1.0.0",
        "message",
        "O(1)",
        "Echo the given string",
    ),
    control("hello", -1, GREETING, auth::hello)
        .doc(
            "6.0.0",
            "arguments=[protover auth=[AUTH username password] [SETNAME clientname]]",
            "O(1)",
            "Handshake with Redis",
        )
        .history(&[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the \
             current connection's context.",
        )]),
    control("ping", -1, Flags::FAST, basic::ping)
        .for_listeners()
        .tells_health()
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "[message]", "O(1)", "Ping the server"),
    control("quit", -1, LEAVING, basic::quit)
        .for_listeners()
        .doc("1.0.0", "", "O(1)", "Close the connection"),
    control("reset", 1, LEAVING, auth::reset)
        .for_listeners()
        .doc("6.2.0", "", "O(1)", "Reset the connection"),
    control("select", 2, ALWAYS.and(Flags::FAST), basic::select).doc(
        "1.0.0",
        "index",
        "O(1)",
        "Change the selected database for the current connection",
    ),
    container("client", -2, Flags::NONE).doc(
        "2.4.0",
        "",
        "Depends on subcommand.",
        "A container for client connection commands",
    ),
    control("client|caching", 3, OWN, tracking::caching).doc(
        "6.0.0",
        "mode=<YES|NO>",
        "O(1)",
        "Instruct the server about tracking or not keys in the next request",
    ),
    control("client|getname", 2, OWN, name::getname).doc(
        "2.6.9",
        "",
        "O(1)",
        "Get the current connection name",
    ),
    control("client|getredir", 2, OWN, tracking::getredir).doc(
        "6.0.0",
        "",
        "O(1)",
        "Get tracking notifications redirection client ID if any",
    ),
    control("client|help", 2, ALWAYS, client::help).doc(
        "5.0.0",
        "",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    control("client|id", 2, OWN, name::id).doc(
        "5.0.0",
        "",
        "O(1)",
        "Returns the client ID for the current connection",
    ),
    control("client|info", 2, OWN, client::info)
        .tips(&["nondeterministic_output"])
        .doc(
            "6.2.0",
            "",
            "O(1)",
            "Returns information about the current client connection.",
        ),
    control("client|kill", -3, ADMIN, list::kill)
        .doc(
            "2.4.0",
            "filter=<old-format=ip:port!2.8.12|new-format=<[ID client-id@2.8.12]|\
             client-type=[TYPE <NORMAL|MASTER@3.2.0|SLAVE|REPLICA@5.0.0|PUBSUB>]@2.8.12|\
             [USER username]|[ADDR addr=ip:port]|[LADDR laddr=ip:port@6.2.0]|\
             skipme=[SKIPME <YES|NO>] ...>>",
            "O(N) where N is the number of client connections",
            "Kill the connection of a client",
        )
        .history(&[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            (
                "5.0.0",
                "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward \
                 compatibility.",
            ),
            ("6.2.0", "`LADDR` option."),
        ]),
    control("client|list", -2, ADMIN, list::list)
        .tips(&["nondeterministic_output"])
        .doc(
            "2.4.0",
            "client-type=[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>]@5.0.0 \
             [ID client-id@6.2.0 [client-id ...]]",
            "O(N) where N is the number of client connections",
            "Get the list of client connections",
        )
        .history(&[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` \
                 filter.",
            ),
            (
                "7.0.0",
                "Added `resp`, `multi-mem`, `rbs` and `rbp` fields.",
            ),
            ("7.0.3", "Added `ssub` field."),
        ]),
    control("client|no-evict", 3, ADMIN, client::no_evict).doc(
        "7.0.0",
        "enabled=<ON|OFF>",
        "O(1)",
        "Set client eviction mode for the current connection",
    ),
    control("client|no-touch", 3, OWN, client::no_touch).doc(
        "7.2.0",
        "enabled=<ON|OFF>",
        "O(1)",
        "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
    ),
    control("client|pause", -3, ADMIN, pause::pause)
        .doc(
            "2.9.50",
            "timeout mode=[WRITE|ALL]@6.2.0",
            "O(1)",
            "Stop processing commands from clients for some time",
        )
        .history(&[(
            "6.2.0",
            "`CLIENT PAUSE WRITE` mode added along with the `mode` option.",
        )]),
    control("client|reply", 3, OWN, client::reply).doc(
        "3.2.0",
        "action=<ON|OFF|SKIP>",
        "O(1)",
        "Instruct the server whether to reply to commands",
    ),
    control("client|setinfo", 4, OWN, name::setinfo)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc(
            "7.2.0",
            "attr=<LIB-NAME libname|LIB-VER libver>",
            "O(1)",
            "Sets information specific to the client or connection.",
        ),
    control("client|setname", 3, OWN, name::setname).doc(
        "2.6.9",
        "connection-name",
        "O(1)",
        "Set the current connection name",
    ),
    control("client|tracking", -3, OWN, tracking::tracking).doc(
        "6.0.0",
        "status=<ON|OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] \
         [OPTOUT] [NOLOOP]",
        "O(1). Some options may introduce additional complexity.",
        "Enable or disable server assisted client side caching support",
    ),
    control("client|trackinginfo", 2, OWN, tracking::trackinginfo).doc(
        "6.2.0",
        "",
        "O(1)",
        "Return information about server assisted client side caching for the current connection",
    ),
    control("client|unblock", -3, ADMIN, client::unblock).doc(
        "5.0.0",
        "client-id unblock-type=[TIMEOUT|ERROR]",
        "O(log N) where N is the number of client connections",
        "Unblock a client blocked in a blocking command from a different connection",
    ),
    control("client|unpause", 2, ADMIN, pause::unpause).doc(
        "6.2.0",
        "",
        "O(N) Where N is the number of paused clients",
        "Resume processing of clients that were paused",
    ),
];
