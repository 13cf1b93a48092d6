//! Directives about memory: limit, eviction, freeing, defragmentation.
//!
//! Redis's own rows. Those of active defragmentation have no effect: they steer a walk that moves
//! allocations, which needs Redis's patched allocator.

use crate::config::choice::MaxmemoryPolicy;
use crate::config::row::{
    Directive, INT_MAX, LONG_MAX, ULONG_MAX, bytes, choice, count, number, range, yes_no,
};

pub const ROWS: &[Directive] = &[
    bytes(
        "maxmemory",
        range(0, ULONG_MAX, 0),
        "Bytes of data from which keys are evicted or writes refused; 0 is no limit.",
    ),
    choice(
        "maxmemory-policy",
        MaxmemoryPolicy::WORDS,
        MaxmemoryPolicy::Noeviction as u32,
        "Which keys go: volatile-* only those with an expiry, allkeys-* any; least recently used, \
         least often used, nearest to expiry, or random.",
    ),
    number(
        "maxmemory-eviction-tenacity",
        range(0, 100, 10),
        "How long eviction may work between commands, from 0 to 100.",
    ),
    number(
        "lfu-log-factor",
        count(10),
        "How slowly the access counter of LFU saturates.",
    ),
    number(
        "lfu-decay-time",
        range(0, INT_MAX, 1),
        "Minutes in which an LFU counter falls by one.",
    ),
    yes_no(
        "lazyfree-lazy-eviction",
        false,
        "Frees evicted values in the background.",
    ),
    yes_no(
        "lazyfree-lazy-expire",
        false,
        "Frees expired values in the background.",
    ),
    yes_no(
        "lazyfree-lazy-server-del",
        false,
        "Frees overwritten values in the background.",
    ),
    yes_no(
        "lazyfree-lazy-user-del",
        false,
        "Makes DEL behave as UNLINK.",
    ),
    yes_no(
        "lazyfree-lazy-user-flush",
        false,
        "Makes FLUSHALL and FLUSHDB asynchronous unasked.",
    ),
    yes_no(
        "activerehashing",
        true,
        "Spends idle time on growing tables. Ringshard's tables grow in small pieces without it.",
    )
    .accepted(),
    yes_no(
        "jemalloc-bg-thread",
        true,
        "Lets the allocator return memory from its own thread.",
    ),
    yes_no(
        "activedefrag",
        false,
        "Moves values to close gaps in memory.",
    )
    .accepted(),
    bytes(
        "active-defrag-ignore-bytes",
        range(1, LONG_MAX, 100 << 20),
        "Gaps that are tolerated.",
    )
    .accepted(),
    number(
        "active-defrag-threshold-lower",
        range(0, 1000, 10),
        "Percent of gaps to start at.",
    )
    .accepted(),
    number(
        "active-defrag-threshold-upper",
        range(0, 1000, 100),
        "Percent for full effort.",
    )
    .accepted(),
    number(
        "active-defrag-cycle-min",
        range(1, 99, 1),
        "Percent of CPU at the lower end.",
    )
    .accepted(),
    number(
        "active-defrag-cycle-max",
        range(1, 99, 25),
        "Percent of CPU at the upper end.",
    )
    .accepted(),
    number(
        "active-defrag-max-scan-fields",
        range(1, LONG_MAX, 1000),
        "Collections beyond this size are moved in steps.",
    )
    .accepted(),
];
