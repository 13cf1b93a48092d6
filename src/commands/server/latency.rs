//! LATENCY: what was slow, when, and what may be done about it.
//!
//! Events come from the latency monitor, histograms from the statistics of commands; both are in
//! `observe`. Here are the replies only.

use super::{ANYTIME, OPERATOR};
use crate::base::process;
use crate::command::{Flags, Group};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, container, control, family};
use crate::commands::{Command, table};
use crate::config::choice::AppendFsync;
use crate::observe::command_stats::CommandTotals;
use crate::observe::doctor::{Circumstances, report};
use crate::resp::Writer;

const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

/// The rows of LATENCY.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        container("latency", -2, Flags::NONE).doc(
            "2.8.13",
            "",
            "Depends on subcommand.",
            "A container for latency diagnostics commands.",
        ),
        control("latency|doctor", 2, OPERATOR, doctor)
            .tips(TIPS)
            .doc(
                "2.8.13",
                "",
                "O(1)",
                "Returns a human-readable latency analysis report.",
            ),
        control("latency|graph", 3, OPERATOR, graph).tips(TIPS).doc(
            "2.8.13",
            "event",
            "O(1)",
            "Returns a latency graph for an event.",
        ),
        control("latency|help", 2, ANYTIME, help).doc(
            "2.8.13",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        control("latency|histogram", -2, OPERATOR, histogram)
            .tips(TIPS)
            .doc(
                "7.0.0",
                "[command [command ...]]",
                "O(N) where N is the number of commands with latency information being retrieved.",
                "Returns the cumulative distribution of latencies of a subset or all commands.",
            ),
        control("latency|history", 3, OPERATOR, history)
            .tips(TIPS)
            .doc(
                "2.8.13",
                "event",
                "O(1)",
                "Returns timestamp-latency samples for an event.",
            ),
        control("latency|latest", 2, OPERATOR, latest)
            .tips(TIPS)
            .doc(
                "2.8.13",
                "",
                "O(1)",
                "Returns the latest latency samples for all events.",
            ),
        control("latency|reset", -2, OPERATOR, reset)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .doc(
                "2.8.13",
                "[event [event ...]]",
                "O(1)",
                "Resets the latency data for one or more events.",
            ),
    ],
);

fn now_seconds(ctx: &ControlCtx<'_>) -> u64 {
    (ctx.core.now_ms / 1000).max(0) as u64
}

fn event<'a>(ctx: &ControlCtx<'a>) -> std::borrow::Cow<'a, str> {
    String::from_utf8_lossy(ctx.args.get(2))
}

/// LATENCY DOCTOR: reply with a diagnosis.
fn doctor(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let config = &ctx.core.config;
    let circumstances = Circumstances {
        now_seconds: now_seconds(ctx),
        slowlog_slower_than_us: config.slowlog_log_slower_than,
        is_fsync_always: config.appendfsync == AppendFsync::Always,
        hz: u64::from(config.hz),
        huge_page_bytes: process::huge_page_bytes(),
    };
    let text = report(&ctx.core.node.latency, &circumstances);
    Ok(ctx.reply.verbatim("txt", text.as_bytes()).into())
}

/// LATENCY GRAPH: reply with a drawing of an event's samples.
fn graph(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let (event, now) = (event(ctx), now_seconds(ctx));
    match ctx.core.node.latency.graph(&event, now) {
        Some(graph) => Ok(ctx.reply.verbatim("txt", graph.as_bytes()).into()),
        None => Err(format!("ERR No samples available for event '{event}'").into()),
    }
}

/// LATENCY HISTORY: reply with the samples of an event.
fn history(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let samples = ctx.core.node.latency.history(&event(ctx));
    let written = ctx.reply.array(samples.len());
    for sample in samples {
        ctx.reply.array(2);
        ctx.reply.integer(sample.unix_seconds as i64);
        ctx.reply.integer(sample.latency_ms as i64);
    }
    Ok(written.into())
}

/// LATENCY LATEST: reply with the last and the worst sample of each event.
fn latest(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let events = ctx.core.node.latency.all();
    let written = ctx.reply.array(events.len());
    for (event, series) in &events {
        let (seconds, latency) = series
            .latest()
            .map_or((0, 0), |sample| (sample.unix_seconds, sample.latency_ms));
        ctx.reply.array(4);
        ctx.reply.bulk(event.as_bytes());
        for number in [seconds, latency, series.worst_ms] {
            ctx.reply.integer(number as i64);
        }
    }
    Ok(written.into())
}

/// LATENCY RESET: forget some events, or all.
fn reset(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let monitor = &ctx.core.node.latency;
    let forgotten = match ctx.args.len() {
        2 => monitor.reset(None),
        _ => ctx
            .args
            .from(2)
            .map(|event| monitor.reset(Some(&String::from_utf8_lossy(event))))
            .sum(),
    };
    Ok(ctx.reply.integer(forgotten as i64).into())
}

/// LATENCY HISTOGRAM: reply with the spread of durations of some commands, or of all.
fn histogram(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let commands: Vec<&'static Command> = match ctx.args.len() {
        2 => table().commands().collect(),
        _ => ctx.args.from(2).flat_map(named).collect(),
    };
    let board = &ctx.core.node.commands;
    let used: Vec<(&str, CommandTotals)> = commands
        .iter()
        .map(|command| (command.spec.name, board.totals(command.number.into())))
        .filter(|(_, totals)| totals.durations.total() > 0)
        .collect();
    let written = ctx.reply.map(used.len());
    for (name, totals) in &used {
        ctx.reply.bulk(name.as_bytes());
        write_histogram(&mut ctx.reply, totals);
    }
    Ok(written.into())
}

/// A command and its subcommands; nothing when there is no such command.
fn named(name: &[u8]) -> Vec<&'static Command> {
    let Some(command) = table().find(name) else {
        return Vec::new();
    };
    let subcommands = command.subcommands.iter().map(|sub| table().command(*sub));
    std::iter::once(command).chain(subcommands).collect()
}

fn write_histogram(reply: &mut Writer<'_>, totals: &CommandTotals) {
    let steps = totals.durations.cumulative();
    reply.map(2);
    reply.bulk(b"calls");
    reply.integer(totals.durations.total() as i64);
    reply.bulk(b"histogram_usec");
    reply.map(steps.len());
    for (micros, count) in steps {
        reply.integer(micros as i64);
        reply.integer(count as i64);
    }
}

fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the \
     specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Prints this help.",
];
