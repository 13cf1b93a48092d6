//! WAIT: until enough replicas have what this client has written.
//!
//! The client's earlier commands have all been answered by then. What they have changed has to be
//! in the stream before its offset is taken, so every core first hands over what it has gathered.

use super::replicaof::give;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::replication::{Disks, Wish};

/// WAIT: reply with how many replicas have acknowledged all earlier writes.
pub fn wait(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.core.node.replication.is_replica() {
        return Err(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis \
             4.0 if a replica is configured to be writable (which is not the default) writes to \
             replicas are just local and are not propagated."
                .into(),
        );
    }
    let replicas = ctx.args.integer(1)?;
    let timeout_ms = ctx
        .args
        .integer(2)
        .map_err(|_| "ERR timeout is not an integer or out of range")?;
    if timeout_ms < 0 {
        return Err("ERR timeout is negative".into());
    }
    let replicas = usize::try_from(replicas).unwrap_or(0);
    Ok(await_replicas(ctx, replicas, None, timeout_ms))
}

/// Lets a client wait for replicas; one in EXEC gets the counts of now.
pub fn await_replicas(
    ctx: &mut ControlCtx<'_>,
    replicas: usize,
    disks: Option<Disks>,
    timeout_ms: i64,
) -> Flow {
    let session = ctx.core.sessions.find(ctx.session);
    let is_in_exec = session.is_some_and(|session| session.executing.is_some());
    let place = ctx.core.place(ctx.session);
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        session.has_waited = true;
    }
    let wish = Wish::Wait {
        place,
        replicas,
        disks,
        timeout_ms,
        is_now: is_in_exec,
    };
    ctx.core.wish(ctx.session, wish, give);
    if !is_in_exec {
        ctx.core.await_replicas(ctx.session);
    }
    Flow::Later
}
