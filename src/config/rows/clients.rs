//! Directives about clients: limits, tracking, slow log, latency, notifications.
//!
//! Redis's own rows, read by sessions and by what observes them.

use crate::config::row::{
    Directive, INT_MAX, LONG_MAX, Special, bytes, bytes_or_percent, number, range, special, yes_no,
};

const MIB: i128 = 1 << 20;

pub const ROWS: &[Directive] = &[
    number(
        "maxclients",
        range(1, u32::MAX as i128, 10000),
        "Clients at the same time; the next one gets an error. The limit of open files must allow \
         it.",
    ),
    bytes_or_percent(
        "maxmemory-clients",
        range(-100, LONG_MAX, 0),
        "Memory for all clients' buffers together, in bytes or percent of maxmemory; beyond it the \
         biggest clients are closed. 0 is no limit.",
    ),
    special(
        "client-output-buffer-limit",
        Special::OutputBuffers,
        "Closes clients that do not read: class (normal, replica, pubsub), hard limit, soft limit \
         and the seconds for which the soft one may be exceeded. 0 is no limit.",
    ),
    bytes(
        "client-query-buffer-limit",
        range(MIB, LONG_MAX, 1 << 30),
        "A client whose unread requests grow beyond this is closed.",
    ),
    bytes(
        "proto-max-bulk-len",
        range(MIB, LONG_MAX, 512 << 20),
        "The longest single argument of a command, and so the longest string.",
    ),
    number(
        "tracking-table-max-keys",
        range(0, LONG_MAX, 1_000_000),
        "Keys remembered for client-side caching; beyond it some are invalidated early.",
    ),
    number(
        "slowlog-log-slower-than",
        range(-1, LONG_MAX, 10000),
        "Microseconds from which a command is slow; 0 logs all, -1 none.",
    ),
    number(
        "slowlog-max-len",
        range(0, LONG_MAX, 128),
        "Entries that SLOWLOG keeps.",
    ),
    number(
        "latency-monitor-threshold",
        range(0, LONG_MAX, 0),
        "Milliseconds from which LATENCY remembers an event; 0 is off.",
    ),
    yes_no(
        "latency-tracking",
        true,
        "Keeps a histogram of execution times per command.",
    ),
    special(
        "latency-tracking-info-percentiles",
        Special::Percentiles,
        "Percentiles that INFO latencystats shows.",
    ),
    special(
        "notify-keyspace-events",
        Special::KeyspaceEvents,
        "Events to publish: K on the key's channel, E on the event's; g generic, $ strings, l \
         lists, s sets, h hashes, z sorted sets, t streams, x expired, e evicted, d modules; m \
         misses, n new keys; A is g$lshzxetd.",
    ),
    number(
        "active-expire-effort",
        range(1, 10, 1),
        "How hard to look for expired keys nobody asks for, from 1 to 10.",
    ),
    number(
        "maxmemory-samples",
        range(1, INT_MAX, 5),
        "Keys compared for each eviction; more is nearer to true LRU and slower.",
    ),
];
