//! MEMORY: what a key takes, what all of it takes, and whether that is healthy.
//!
//! The figures are those of INFO's section Memory. USAGE looks at a key and is a data row: it
//! counts every byte of the entry, so there is nothing to be sampled.

use super::ANYTIME;
use super::doctor;
use super::info::Memory;
use crate::base::alloc;
use crate::command::{Flags, Group, KeyFlags, one_key};
use crate::commands::row::{
    ControlCtx, ControlOutcome, Family, Flow, container, control, data, family,
};
use crate::keyspace::Lookup;
use crate::resp::{Writer, errors};
use crate::session::{Node, Question};
use crate::shard::{Outcome, ShardCtx};

const SPECIAL: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

/// The rows of MEMORY.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        container("memory", -2, Flags::NONE).doc(
            "4.0.0",
            "",
            "Depends on subcommand.",
            "A container for memory diagnostics commands.",
        ),
        control("memory|doctor", 2, Flags::NONE, diagnose)
            .tips(SPECIAL)
            .doc("4.0.0", "", "O(1)", "Outputs a memory problems report."),
        control("memory|help", 2, ANYTIME, help).doc(
            "4.0.0",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        control("memory|malloc-stats", 2, Flags::NONE, malloc_stats)
            .tips(SPECIAL)
            .doc(
                "4.0.0",
                "",
                "Depends on how much memory is allocated, could be slow",
                "Returns the allocator statistics.",
            ),
        control("memory|purge", 2, Flags::NONE, purge)
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .doc(
                "4.0.0",
                "",
                "Depends on how much memory is allocated, could be slow",
                "Asks the allocator to release memory.",
            ),
        control("memory|stats", 2, Flags::NONE, stats)
            .tips(SPECIAL)
            .doc("4.0.0", "", "O(1)", "Returns details about memory usage."),
        data(
            "memory|usage",
            -3,
            Flags::READONLY,
            &[one_key(2, KeyFlags::RO)],
            usage,
        )
        .doc(
            "4.0.0",
            "key [SAMPLES count]",
            "O(N) where N is the number of samples.",
            "Estimates the memory usage of a key.",
        ),
    ],
);

/// MEMORY USAGE: reply with the bytes of a key and its value.
fn usage(ctx: &mut ShardCtx<'_>) -> Outcome {
    /// The entry's place in its table.
    const PLACE_BYTES: usize = 8;
    let mut at = 3;
    while at < ctx.args.len() {
        if !ctx.args.is(at, "samples") || at + 1 == ctx.args.len() {
            return Err(errors::SYNTAX.into());
        }
        if ctx.args.integer(at + 1)? < 0 {
            return Err(errors::SYNTAX.into());
        }
        at += 2;
    }
    let key = ctx.key(2);
    let entry = ctx.space.door(ctx.db).find(&key, Lookup::Write);
    Ok(match entry.map(|entry| entry.bytes() + PLACE_BYTES) {
        Some(bytes) => ctx.reply.integer(bytes as i64),
        None => ctx.reply.null(),
    })
}

/// MEMORY STATS: reply with all figures about memory.
fn stats(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let node = ctx.core.node.clone();
    ctx.core
        .ask_all(ctx.session, &Question::Publish, move |_, reply| {
            write_stats(reply, &node);
        });
    Ok(Flow::Later)
}

enum Figure {
    Count(u64),
    Signed(i64),
    Real(f64),
}

fn write_stats(reply: &mut Writer<'_>, node: &Node) {
    let totals = node.board.totals();
    let memory = Memory::of(node, &totals);
    let keys: u64 = totals.dbs.iter().map(|db| db.keys).sum();
    let dbs: Vec<_> = totals
        .dbs
        .iter()
        .enumerate()
        .filter(|(_, db)| db.keys > 0)
        .collect();
    let (before, behind) = (buffers(&memory), data_and_allocator(&memory, keys));
    reply.map(before.len() + dbs.len() + behind.len());
    write_figures(reply, &before);
    for (number, db) in dbs {
        reply.bulk(format!("db.{number}").as_bytes());
        reply.map(3);
        let tables = [
            ("overhead.hashtable.main", Figure::Count(db.table_bytes)),
            ("overhead.hashtable.expires", Figure::Count(0)),
            ("overhead.hashtable.slot-to-keys", Figure::Count(0)),
        ];
        write_figures(reply, &tables);
    }
    write_figures(reply, &behind);
}

fn buffers(memory: &Memory<'_>) -> Vec<(&'static str, Figure)> {
    let totals = memory.totals;
    let figures = [
        ("peak.allocated", memory.peak),
        ("total.allocated", memory.used),
        ("startup.allocated", memory.startup),
        ("replication.backlog", totals.replication_backlog_bytes),
        ("clients.slaves", totals.clients_slaves_bytes),
        ("clients.normal", memory.clients),
        ("cluster.links", totals.cluster_links_bytes),
        ("aof.buffer", totals.aof_buffer_bytes),
        ("lua.caches", totals.scripts_eval_bytes),
        ("functions.caches", totals.functions_bytes),
    ];
    figures
        .map(|(name, bytes)| (name, Figure::Count(bytes)))
        .into()
}

fn data_and_allocator(memory: &Memory<'_>, keys: u64) -> Vec<(&'static str, Figure)> {
    let per_key = memory.used.saturating_sub(memory.startup) / keys.max(1);
    let mut figures = vec![
        ("overhead.total", Figure::Count(memory.overhead())),
        ("keys.count", Figure::Count(keys)),
        (
            "keys.bytes-per-key",
            Figure::Count(if keys == 0 { 0 } else { per_key }),
        ),
        ("dataset.bytes", Figure::Count(memory.dataset())),
        ("dataset.percentage", Figure::Real(memory.dataset_percent())),
        ("peak.percentage", Figure::Real(memory.peak_percent())),
        (
            "allocator.allocated",
            Figure::Count(memory.allocator.allocated as u64),
        ),
        (
            "allocator.active",
            Figure::Count(memory.allocator.active as u64),
        ),
        (
            "allocator.resident",
            Figure::Count(memory.allocator.resident as u64),
        ),
    ];
    let excesses = [
        (
            (
                "allocator-fragmentation.ratio",
                "allocator-fragmentation.bytes",
            ),
            memory.allocator_fragmentation(),
        ),
        (
            ("allocator-rss.ratio", "allocator-rss.bytes"),
            memory.allocator_overhead(),
        ),
        (
            ("rss-overhead.ratio", "rss-overhead.bytes"),
            memory.process_overhead(),
        ),
        (
            ("fragmentation", "fragmentation.bytes"),
            memory.fragmentation(),
        ),
    ];
    for ((ratio, bytes), excess) in excesses {
        figures.push((ratio, Figure::Real(excess.ratio)));
        figures.push((bytes, Figure::Signed(excess.bytes)));
    }
    figures
}

fn write_figures(reply: &mut Writer<'_>, figures: &[(&str, Figure)]) {
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Count(count) => reply.integer(*count as i64),
            Figure::Signed(number) => reply.integer(*number),
            Figure::Real(number) => reply.double(*number),
        };
    }
}

/// MEMORY DOCTOR: reply with a diagnosis.
fn diagnose(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let node = ctx.core.node.clone();
    ctx.core
        .ask_all(ctx.session, &Question::Publish, move |_, reply| {
            let totals = node.board.totals();
            let text = doctor::report(&Memory::of(&node, &totals));
            reply.verbatim("txt", text.as_bytes());
        });
    Ok(Flow::Later)
}

/// MEMORY MALLOC-STATS: reply with the allocator's own report.
fn malloc_stats(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let text = alloc::report();
    Ok(ctx.reply.verbatim("txt", text.as_bytes()).into())
}

/// MEMORY PURGE: give unused pages back to the system.
fn purge(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    alloc::purge();
    Ok(ctx.reply.ok().into())
}

fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Prints this help.",
];
