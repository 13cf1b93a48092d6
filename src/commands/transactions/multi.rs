//! MULTI, DISCARD, UNWATCH: what only the session has to know.
//!
//! From MULTI on dispatch queues what arrives; see `queue`.

use crate::commands::row::{ControlCtx, ControlOutcome};

/// MULTI: from now on commands are queued.
pub fn multi(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        if session.queue.is_some() {
            return Err("ERR MULTI calls can not be nested".into());
        }
        session.queue = Some(Box::default());
    }
    Ok(ctx.reply.ok().into())
}

/// DISCARD: forget what was queued, and what is watched.
pub fn discard(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let session = ctx.core.sessions.find_mut(ctx.session);
    if session.is_some_and(|session| session.queue.take().is_none()) {
        return Err("ERR DISCARD without MULTI".into());
    }
    ctx.core.unwatch(ctx.session);
    Ok(ctx.reply.ok().into())
}

/// UNWATCH: watch nothing any more.
pub fn unwatch(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    ctx.core.unwatch(ctx.session);
    Ok(ctx.reply.ok().into())
}
