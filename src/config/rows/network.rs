//! Directives about listening and connections.
//!
//! Redis's own rows, read by the network part and by start-up.

use crate::config::row::yes_no;
use crate::config::row::{Directive, Special, count, number, octal, optional, range, special};

const PORT_MAX: i128 = 65535;
/// rwxrwxrwx.
const MODE_MAX: i128 = 0o777;

pub const ROWS: &[Directive] = &[
    special(
        "bind",
        Special::Bind,
        "Addresses to listen on. A leading - means: if the machine has it. Without a password, \
         protected-mode still refuses strangers on public addresses.",
    ),
    optional(
        "bind-source-addr",
        "Local address from which connections to a master or a cluster node are made.",
    ),
    number(
        "port",
        range(0, PORT_MAX, 6379),
        "TCP port; 0 listens on no TCP port.",
    ),
    yes_no(
        "protected-mode",
        true,
        "Refuses clients from other machines as long as the default user has no password.",
    ),
    number(
        "tcp-backlog",
        count(511),
        "Connections that may wait to be accepted, per shard. The kernel caps it at \
         net.core.somaxconn.",
    )
    .immutable(),
    optional("unixsocket", "Path of a unix socket to listen on as well.").immutable(),
    octal(
        "unixsocketperm",
        range(0, MODE_MAX, 0),
        "Mode of the unix socket, in octal; 0 leaves what the umask gives.",
    )
    .immutable(),
    number(
        "timeout",
        count(0),
        "Seconds after which an idle client is closed; 0 is never.",
    ),
    number(
        "tcp-keepalive",
        count(300),
        "Seconds between probes on silent connections, so that dead peers are noticed; 0 sends \
         none.",
    ),
    number(
        "socket-mark-id",
        range(0, u32::MAX as i128, 0),
        "Mark for sockets, for firewall rules. Ringshard sets none.",
    )
    .immutable()
    .accepted(),
];
