//! Replication as clients, replicas and Sentinel ask for it.
//!
//! Rows; the handlers are in the files beside. They only put a client's wish into words: what comes
//! of it is decided by the hub of replication, wherever the client is connected.

use super::row::{Family, control, family};
use crate::command::{Categories, Flags, Group};

mod failover;
mod psync;
mod replconf;
mod replicaof;
mod role;
mod wait;

pub(super) use wait::await_replicas;

const OPERATOR: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::STALE);
const FOLLOW: Flags = OPERATOR.and(Flags::NO_ASYNC_LOADING);
const SYNC: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_ASYNC_LOADING)
    .and(Flags::NO_MULTI);

const FOLLOW_SYNTAX: &str = "args=<host-port=[host port:integer] | no-one=[NO ONE]>";

/// The rows of the server group.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        control("failover", -1, OPERATOR, failover::failover).doc(
            "6.2.0",
            "target=[TO host port:integer [FORCE]] [ABORT] [TIMEOUT milliseconds:integer]",
            "O(1)",
            "Starts a coordinated failover from a server to one of its replicas.",
        ),
        control("psync", -3, SYNC, psync::psync).doc(
            "2.8.0",
            "replicationid offset:integer",
            "",
            "An internal command used in replication.",
        ),
        control(
            "replconf",
            -1,
            OPERATOR.and(Flags::LOADING).and(Flags::ALLOW_BUSY),
            replconf::replconf,
        )
        .internal()
        .doc(
            "3.0.0",
            "",
            "O(1)",
            "An internal command for configuring the replication stream.",
        ),
        control("replicaof", 3, FOLLOW, replicaof::replicaof).doc(
            "5.0.0",
            FOLLOW_SYNTAX,
            "O(1)",
            "Configures a server as replica of another, or promotes it to a master.",
        ),
        control(
            "role",
            1,
            Flags::ADMIN
                .and(Flags::NOSCRIPT)
                .and(Flags::LOADING)
                .and(Flags::STALE)
                .and(Flags::FAST),
            role::role,
        )
        .doc("2.8.12", "", "O(1)", "Returns the replication role."),
        control("slaveof", 3, FOLLOW, replicaof::replicaof)
            .deprecated("5.0.0", "`REPLICAOF`")
            .doc(
                "1.0.0",
                FOLLOW_SYNTAX,
                "O(1)",
                "Sets a Redis server as a replica of another, or promotes it to being a master.",
            ),
        control("sync", 1, SYNC, psync::sync).doc(
            "1.0.0",
            "",
            "",
            "An internal command used in replication.",
        ),
    ],
);

/// The row of the generic group.
pub const WAIT: Family = family(
    Group::Generic,
    &[control("wait", 3, Flags::NOSCRIPT, wait::wait)
        .category_apart(Categories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc(
            "3.0.0",
            "numreplicas:integer timeout:integer",
            "O(1)",
            "Blocks until the asynchronous replication of all preceding write commands sent by \
             the connection is completed.",
        )],
);
