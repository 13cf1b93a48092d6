//! Directives about masters and replicas.
//!
//! Redis's own rows, each `replica-*` with its older `slave-*` spelling.

use crate::config::choice::ReplDisklessLoad;
use crate::config::row::{
    Directive, INT_MAX, LONG_MAX, Special, bytes, choice, count, number, optional, range, special,
    yes_no,
};

/// Redis's lower limit.
const BACKLOG_MIN: i128 = 16 << 10;

pub const ROWS: &[Directive] = &[
    special(
        "replicaof",
        Special::ReplicaOf,
        "Makes this server a replica of the one at host and port.",
    )
    .alias("slaveof")
    .immutable(),
    optional("masterauth", "Password for the master.").sensitive(),
    optional("masteruser", "User for the master, if not the default one.").sensitive(),
    yes_no(
        "replica-serve-stale-data",
        true,
        "Answers from what it has while the link to the master is down.",
    )
    .alias("slave-serve-stale-data"),
    yes_no(
        "replica-read-only",
        true,
        "Refuses writes of clients on a replica.",
    )
    .alias("slave-read-only"),
    yes_no(
        "replica-ignore-disk-write-errors",
        false,
        "A replica goes on when it cannot persist what its master sends.",
    ),
    yes_no(
        "repl-diskless-sync",
        true,
        "Sends a snapshot to replicas without a file in between.",
    ),
    number(
        "repl-diskless-sync-delay",
        count(5),
        "Seconds to wait for more replicas before a diskless transfer.",
    ),
    number(
        "repl-diskless-sync-max-replicas",
        count(0),
        "Replicas that end that wait; 0 waits in full.",
    ),
    choice(
        "repl-diskless-load",
        ReplDisklessLoad::WORDS,
        ReplDisklessLoad::Disabled as u32,
        "Whether a replica loads the snapshot from the socket: never, into an empty data set, or \
         beside the old data.",
    )
    .not_while_loading(),
    number(
        "repl-ping-replica-period",
        range(1, INT_MAX, 10),
        "Seconds between a master's pings.",
    )
    .alias("repl-ping-slave-period"),
    number(
        "repl-timeout",
        range(1, INT_MAX, 60),
        "Seconds of silence after which either side gives the link up.",
    ),
    yes_no(
        "repl-disable-tcp-nodelay",
        false,
        "Sends to replicas in fewer, later packets.",
    ),
    bytes(
        "repl-backlog-size",
        range(1, LONG_MAX, 1 << 20),
        "Bytes of the recent stream kept for replicas that return; at least 16kb.",
    )
    .clamp(BACKLOG_MIN, LONG_MAX),
    number(
        "repl-backlog-ttl",
        range(0, LONG_MAX, 3600),
        "Seconds for which they are kept without any replica; 0 is for ever.",
    ),
    number(
        "replica-priority",
        count(100),
        "Sentinel promotes the lowest first, and 0 never.",
    )
    .alias("slave-priority"),
    yes_no(
        "replica-announced",
        true,
        "Lets Sentinel tell of this replica.",
    ),
    yes_no(
        "replica-ignore-maxmemory",
        true,
        "A replica leaves eviction to its master.",
    )
    .alias("slave-ignore-maxmemory"),
    yes_no(
        "replica-lazy-flush",
        false,
        "Empties the data set in the background before a resync.",
    )
    .alias("slave-lazy-flush"),
    number(
        "min-replicas-to-write",
        count(0),
        "Refuses writes with fewer connected replicas than this; 0 never refuses.",
    )
    .alias("min-slaves-to-write"),
    number(
        "min-replicas-max-lag",
        count(10),
        "Seconds since its last report from which a replica does not count for that.",
    )
    .alias("min-slaves-max-lag"),
    optional(
        "replica-announce-ip",
        "Address a replica reports, behind a NAT.",
    )
    .alias("slave-announce-ip"),
    number(
        "replica-announce-port",
        range(0, 65535, 0),
        "Port a replica reports, behind a NAT.",
    )
    .alias("slave-announce-port"),
];
