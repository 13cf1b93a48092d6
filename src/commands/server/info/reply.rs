//! The command INFO: asks all cores for their figures, then renders the sections that are wanted.
//!
//! The text is made from what the node knows, so that it can also be made where there is no core
//! to ask, as in the report of a crash.

use super::absent::{Cluster, Modules};
use super::memory::Memory;
use super::persistence::Persistence;
use super::process::{Clients, Server};
use crate::command::{Flags, Group};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, Flow, control, family};
use crate::commands::table;
use crate::observe::info::{Selection, render};
use crate::observe::sections::{
    CommandStats, Cpu, ErrorCounts, Keyspace, LatencyStats, Shards, Stats,
};
use crate::replication::{Replication, ReplicationShards};
use crate::session::{Node, Question};

/// The row of INFO.
pub const FAMILY: Family = family(
    Group::Server,
    &[control("info", -1, Flags::LOADING.and(Flags::STALE), info)
        .category(crate::command::Categories::DANGEROUS)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .history(&[(
            "7.0.0",
            "Added support for taking multiple section arguments.",
        )])
        .doc(
            "1.0.0",
            "[section [section ...]]",
            "O(1)",
            "Returns information and statistics about the server.",
        )],
);

/// INFO: reply with sections of facts and figures.
fn info(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let selection = selection(ctx.args.from(1));
    let node = ctx.core.node.clone();
    ctx.core
        .ask_all(ctx.session, &Question::Publish, move |_, reply| {
            reply.verbatim("txt", text(&node, &selection).as_bytes());
        });
    Ok(Flow::Later)
}

/// Redis: the section Modules has two names.
fn selection<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Selection {
    Selection::new(
        arguments.map(|name| match name.eq_ignore_ascii_case(b"module_list") {
            true => b"modules",
            false => name,
        }),
    )
}

/// The selected sections, from the figures that the cores have published.
pub fn text(node: &Node, selection: &Selection) -> String {
    let now_ms = node.clock.millis().0.max(0) as u64;
    let config = node.config.value();
    let totals = &node.board.totals();
    let errors = node.errors.counts();
    let names: Vec<&str> = table().commands().map(|row| row.spec.name).collect();
    let (board, names) = (&node.commands, names.as_slice());
    let percentiles = config.latency_tracking_info_percentiles.as_slice();
    let now = node.board.instantaneous(now_ms);
    let shards = Shards {
        board: &node.board,
        now_ms,
    };
    let picture = node.replication.picture.value();
    let memory = Memory::of(node, totals);
    render(
        selection,
        &[
            &Server { node },
            &Clients { node, totals },
            &memory,
            &Persistence { node, totals },
            &Stats { totals, now },
            &Replication {
                picture: &picture,
                config: &config,
            },
            &ReplicationShards(&picture),
            &Cpu,
            &Modules,
            &CommandStats { board, names },
            &ErrorCounts(&errors),
            &LatencyStats {
                board,
                names,
                percentiles,
            },
            &shards,
            &Cluster,
            &Keyspace(totals),
        ],
    )
}
