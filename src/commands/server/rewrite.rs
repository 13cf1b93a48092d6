//! BGREWRITEAOF and WAITAOF: make the log short again, and wait until it is on disk.
//!
//! A snapshot takes the place of all that was written so far; see `session/rewrite.rs`. While
//! another one is being taken it is scheduled.

use crate::command::{Categories, Flags, Group};
use crate::commands::replication::await_replicas;
use crate::commands::row::{ControlCtx, ControlOutcome, Family, control, family};
use crate::replication::Disks;
use crate::session::NoRewrite;
use std::sync::atomic::Ordering::Relaxed;

/// The rows of the append-only file.
pub const FAMILY: Family = family(
    Group::Server,
    &[control(
        "bgrewriteaof",
        1,
        Flags::ADMIN
            .and(Flags::NOSCRIPT)
            .and(Flags::NO_ASYNC_LOADING),
        bgrewriteaof,
    )
    .doc(
        "1.0.0",
        "",
        "O(1)",
        "Asynchronously rewrites the append-only file to disk.",
    )],
);

/// The row of the generic group.
pub const WAITAOF: Family = family(
    Group::Generic,
    &[control("waitaof", 4, Flags::NOSCRIPT, waitaof)
        .category_apart(Categories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc(
            "7.2.0",
            "numlocal:integer numreplicas:integer timeout:integer",
            "O(1)",
            "Blocks until all of the preceding write commands sent by the connection are written \
             to the append-only file of the master and/or replicas.",
        )],
);

/// WAITAOF: reply with how many servers have all earlier writes on disk.
fn waitaof(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let (local, replicas) = (ctx.args.integer(1)?, ctx.args.integer(2)?);
    if !(0..=1).contains(&local) {
        return Err("ERR value is out of range, must be between 0 and 1".into());
    }
    if replicas < 0 {
        return Err("ERR value is out of range, must be positive".into());
    }
    let timeout_ms = ctx.args.integer(3);
    let timeout_ms = timeout_ms.map_err(|_| "ERR timeout is not an integer or out of range")?;
    if timeout_ms < 0 {
        return Err("ERR timeout is negative".into());
    }
    let node = ctx.core.node.clone();
    if node.replication.is_replica() {
        return Err(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to \
             replicas are just local and are not propagated."
                .into(),
        );
    }
    if local > 0 && !node.aof.status.is_on() {
        return Err(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.".into(),
        );
    }
    let disks = Disks {
        is_local: local > 0,
        delivery: ctx.core.last_delivery(),
    };
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    Ok(await_replicas(ctx, replicas, Some(disks), timeout_ms))
}

/// BGREWRITEAOF: rewrite the log, now or as soon as that is possible.
fn bgrewriteaof(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let session = ctx.core.sessions.find(ctx.session);
    let is_in_exec = session.is_some_and(|session| session.executing.is_some());
    let begun = match is_in_exec {
        true => Err(NoRewrite::Busy),
        false => ctx.core.rewrite_log(),
    };
    match begun {
        Ok(()) => {
            let text = "Background append only file rewriting started";
            Ok(ctx.reply.status(text).into())
        }
        Err(NoRewrite::Busy) => {
            let figures = &ctx.core.node.aof.status.figures;
            figures.is_rewrite_scheduled.store(true, Relaxed);
            let text = "Background append only file rewriting scheduled";
            Ok(ctx.reply.status(text).into())
        }
        Err(NoRewrite::Running) => {
            Err("ERR Background append only file rewriting already in progress".into())
        }
        Err(NoRewrite::Off) => {
            Err("ERR There is no append only file to rewrite: appendonly is off".into())
        }
        Err(NoRewrite::Failed(_)) => {
            let text = "ERR Can't execute an AOF background rewriting. Please check the server \
                        logs for more information.";
            Err(text.into())
        }
    }
}
