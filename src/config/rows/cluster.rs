//! Directives about Redis Cluster.
//!
//! Redis's own rows, read by the cluster part.

use crate::config::check::is_host_name;
use crate::config::choice::ClusterEndpoint;
use crate::config::row::{
    Directive, LONG_MAX, ULONG_MAX, bytes, choice, count, number, optional, range, text, yes_no,
};

pub const ROWS: &[Directive] = &[
    yes_no(
        "cluster-enabled",
        false,
        "Makes the server a node of a cluster.",
    )
    .immutable(),
    text(
        "cluster-config-file",
        "nodes.conf",
        "File in dir that the node keeps itself; no two nodes may share it.",
    )
    .immutable(),
    number(
        "cluster-node-timeout",
        range(0, LONG_MAX, 15000),
        "Milliseconds of silence after which a node counts as failing.",
    ),
    number(
        "cluster-port",
        range(0, 65535, 0),
        "Port of the bus; 0 is port plus 10000.",
    )
    .immutable(),
    number(
        "cluster-replica-validity-factor",
        count(10),
        "Replicas whose data is older than this many node timeouts do not stand for election; 0 \
         lets all stand.",
    )
    .alias("cluster-slave-validity-factor"),
    number(
        "cluster-migration-barrier",
        count(1),
        "Replicas a master keeps before one moves to a master without any.",
    ),
    yes_no(
        "cluster-allow-replica-migration",
        true,
        "Lets replicas move to other masters by themselves.",
    ),
    yes_no(
        "cluster-require-full-coverage",
        true,
        "Serves nothing while a slot has no node.",
    ),
    yes_no(
        "cluster-replica-no-failover",
        false,
        "This replica never promotes itself.",
    )
    .alias("cluster-slave-no-failover"),
    yes_no(
        "cluster-allow-reads-when-down",
        false,
        "Serves reads while the cluster is down.",
    ),
    yes_no(
        "cluster-allow-pubsubshard-when-down",
        true,
        "Serves sharded channels while the cluster is down.",
    ),
    bytes(
        "cluster-link-sendbuf-limit",
        range(0, ULONG_MAX, 0),
        "Bytes a bus link may have waiting before it is closed; 0 is no limit.",
    ),
    optional(
        "cluster-announce-ip",
        "Address the node reports, behind a NAT.",
    ),
    number(
        "cluster-announce-port",
        range(0, 65535, 0),
        "Port the node reports; 0 is its own.",
    ),
    number(
        "cluster-announce-tls-port",
        range(0, 65535, 0),
        "TLS port the node reports. This build has no TLS.",
    )
    .accepted(),
    number(
        "cluster-announce-bus-port",
        range(0, 65535, 0),
        "Bus port the node reports; 0 is its own.",
    ),
    optional("cluster-announce-hostname", "Host name the node reports.").check(is_host_name),
    optional(
        "cluster-announce-human-nodename",
        "Name for people, shown in logs.",
    )
    .check(is_host_name),
    choice(
        "cluster-preferred-endpoint-type",
        ClusterEndpoint::WORDS,
        ClusterEndpoint::Ip as u32,
        "What redirections name: the address, the host name, or nothing.",
    ),
];
