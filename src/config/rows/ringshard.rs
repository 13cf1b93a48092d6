//! Directives that Redis does not have.
//!
//! Few on purpose: a stock redis.conf must start Ringshard well. Each has a default that needs no
//! thought, and none changes what a client sees unless the text says so.

use crate::config::choice::PipelineOrder;
use crate::config::row::{Directive, choice, number, range, yes_no};

/// More cores than this in one machine would need wider core numbers elsewhere.
const SHARDS_MAX: i128 = 1024;

pub const ROWS: &[Directive] = &[
    number(
        "shards",
        range(0, SHARDS_MAX, 0),
        "Threads that own a part of the keys each, one per CPU. 0 takes as many as there are CPUs \
         this process may use.",
    )
    .immutable(),
    choice(
        "pipeline-order",
        PipelineOrder::WORDS,
        PipelineOrder::Relaxed as u32,
        "With relaxed, single-key commands of one pipeline on different shards may become visible \
         to other clients in either order; replies are in order always. strict keeps the total \
         order of Redis and costs throughput.",
    )
    .immutable(),
    yes_no(
        "repl-shard-streams",
        true,
        "Two servers of this kind use a connection for each shard of the master: a full \
         resynchronization goes straight from its memory into the replica's, on all cores, and so \
         does the stream of each shard. With no they talk like stock servers.",
    ),
];
