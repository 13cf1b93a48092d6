//! CONFIG: directives read, changed and written back while the server runs.
//!
//! What a value means and whether it is allowed is the configuration's own business. Here a new
//! configuration is put in place, whole or not at all, and those parts are told that do not read
//! it from there: the log, the slow log, the latency monitor, the statistics.

use super::{ANYTIME, OPERATOR};
use crate::command::{Args, Flags, Group};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, container, control, family};
use crate::config::choice::LogLevel;
use crate::config::{Caller, Config, SetError, rewrite};
use crate::observe::log::Level;
use crate::resp::{ErrorReply, errors};
use crate::session::{Core, Node, Question};

/// The rows of CONFIG.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        container("config", -2, Flags::NONE).doc(
            "2.0.0",
            "",
            "Depends on subcommand.",
            "A container for server configuration commands.",
        ),
        control("config|get", -3, OPERATOR, values)
            .history(&[(
                "7.0.0",
                "Added the ability to pass multiple pattern parameters in one call",
            )])
            .doc(
                "2.0.0",
                "parameter [parameter ...]",
                "O(N) when N is the number of configuration parameters provided",
                "Returns the effective values of configuration parameters.",
            ),
        control("config|help", 2, ANYTIME, help).doc(
            "5.0.0",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        control("config|resetstat", 2, OPERATOR, reset_statistics)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .doc("2.0.0", "", "O(1)", "Resets the server's statistics."),
        control("config|rewrite", 2, OPERATOR, rewrite_file)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .doc(
                "2.8.0",
                "",
                "O(1)",
                "Persists the effective configuration to file.",
            ),
        control("config|set", -4, OPERATOR, set)
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .history(&[(
                "7.0.0",
                "Added the ability to set multiple parameters in one call.",
            )])
            .doc(
                "2.0.0",
                "parameter value [parameter value ...]",
                "O(N) when N is the number of configuration parameters provided",
                "Sets configuration parameters in-flight.",
            ),
    ],
);

/// CONFIG GET: reply with directives and their values.
fn values(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let patterns: Vec<&[u8]> = ctx.args.from(2).collect();
    let found = ctx.core.config.find(&patterns);
    let written = ctx.reply.map(found.len());
    for (name, value) in &found {
        ctx.reply.bulk(name);
        ctx.reply.bulk(value);
    }
    Ok(written.into())
}

/// CONFIG SET: change directives, all of them or none.
fn set(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let args = ctx.args;
    if args.len() % 2 == 1 {
        return Err(errors::SYNTAX.into());
    }
    let names = (2..args.len()).step_by(2);
    let secret = names.filter(|at| Config::is_sensitive(args.get(*at)));
    ctx.core.redacted.extend(secret.map(|at| at + 1));
    change(ctx, args).map_err(|error| ErrorReply::from(error.to_string()))?;
    Ok(ctx.reply.ok().into())
}

fn change(ctx: &mut ControlCtx<'_>, args: Args<'_>) -> Result<(), SetError> {
    let pairs: Vec<(&[u8], &[u8])> = (2..args.len())
        .step_by(2)
        .map(|at| (args.get(at), args.get(at + 1)))
        .collect();
    let origin = ctx
        .core
        .sessions
        .find(ctx.session)
        .map(|session| &session.origin);
    let caller = Caller {
        is_local: origin.is_some_and(|origin| origin.is_local || origin.is_unix),
        is_loading: ctx.core.is_loading,
    };
    let node = ctx.core.node.clone();
    node.config.replace(|old| {
        let new = old.set_all(&pairs, caller)?;
        check_possible(old, &new)?;
        Ok(new)
    })?;
    let before = ctx.core.config.maxmemory;
    let purges_apart = ctx.core.config.jemalloc_bg_thread;
    // Commands behind this one in the same turn are to heed it already.
    ctx.core.refresh_config();
    apply(&node, &ctx.core.config);
    if ctx.core.config.jemalloc_bg_thread != purges_apart {
        node.mind_purger();
    }
    if ctx.core.config.appendonly && !node.aof.status.is_on() {
        return begin_log(ctx);
    }
    let limit = ctx.core.config.maxmemory;
    if limit != before && limit != 0 {
        limit_memory(ctx.core, limit);
    }
    Ok(())
}

/// The log is to be on: it begins with what there is now.
fn begin_log(ctx: &mut ControlCtx<'_>) -> Result<(), SetError> {
    let Err(reason) = ctx.core.begin_log() else {
        return Ok(());
    };
    tracing::warn!("Unable to turn on AOF: {reason:?}");
    let caller = Caller {
        is_local: true,
        is_loading: false,
    };
    let off: [(&[u8], &[u8]); 1] = [(b"appendonly", b"no")];
    ctx.core
        .node
        .config
        .replace(|old| old.set_all(&off, caller))?;
    ctx.core.config.refresh();
    let reason = "Unable to turn on AOF. Check server logs.";
    Err(SetError::refused("appendonly", reason))
}

/// Refuses what was read well but cannot be put to use in a running server.
fn check_possible(old: &Config, new: &Config) -> Result<(), SetError> {
    if old.port != new.port {
        return Err(SetError::refused(
            "port",
            "Unable to listen on this port. Check server logs.",
        ));
    }
    if old.bind != new.bind {
        let reason = "Failed to bind to specified addresses.";
        return Err(SetError::refused("bind", reason));
    }
    check_descriptors(old, new)
}

/// Every client needs a descriptor, and so do files and rings.
fn check_descriptors(old: &Config, new: &Config) -> Result<(), SetError> {
    if new.maxclients <= old.maxclients {
        return Ok(());
    }
    let wanted = u64::from(new.maxclients);
    let possible = crate::runtime::preflight::raise_clients(wanted);
    if possible >= wanted {
        return Ok(());
    }
    let reason = format!(
        "The operating system is not able to handle the specified number of clients, try with \
         {possible}"
    );
    Err(SetError::refused("maxclients", &reason))
}

/// A new limit is kept from now on, also by cores that have nothing to do.
fn limit_memory(core: &mut Core, limit: u64) {
    core.tell_others(&Question::GiveBack);
    let used = core.shard.memory.used_bytes();
    if used > limit {
        tracing::warn!(
            "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the \
             current memory usage ({used}). This will result in key eviction and/or the inability \
             to accept new write commands depending on the maxmemory-policy."
        );
    }
}

/// Tells those who do not read the configuration what it says now.
fn apply(node: &Node, config: &Config) {
    node.log.set_level(level(config.loglevel));
    node.slowlog
        .set_slower_than_us(config.slowlog_log_slower_than);
    node.slowlog.set_entries_max(config.slowlog_max_len as u64);
    node.latency
        .set_threshold_ms(config.latency_monitor_threshold);
    node.commands.track_latency(config.latency_tracking);
    if !config.appendonly {
        node.aof.close();
    }
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
        LogLevel::Nothing => Level::Nothing,
    }
}

/// CONFIG REWRITE: write the values of now into the configuration file.
fn rewrite_file(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let Some(path) = &ctx.core.node.config_file else {
        return Err("ERR The server is running without a config file".into());
    };
    match rewrite::rewrite_file(path, &ctx.core.config, None) {
        Ok(()) => {
            tracing::info!("CONFIG REWRITE executed with success.");
            Ok(ctx.reply.ok().into())
        }
        Err(error) => {
            let reason = crate::base::process::reason(&error);
            tracing::warn!("CONFIG REWRITE failed: {reason}");
            Err(format!("ERR Rewriting config file: {reason}").into())
        }
    }
}

/// CONFIG RESETSTAT: count from zero again.
fn reset_statistics(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    // What a core has not published yet would come as new otherwise.
    let node = ctx.core.node.clone();
    let publish = &Question::Publish;
    ctx.core.ask_all(ctx.session, publish, move |_, reply| {
        node.reset_statistics();
        reply.ok();
    });
    Ok(crate::commands::row::Flow::Later)
}

fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
    "HELP",
    "    Prints this help.",
];
