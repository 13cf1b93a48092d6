//! CLIENT PAUSE and UNPAUSE.
//!
//! The reply to PAUSE comes when every core has seen the pause: from then on none begins a command
//! that has to wait.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::resp::ErrorReply;
use crate::session::{Pause, Question};

/// CLIENT PAUSE: let all commands wait, or those that may change something.
pub fn pause(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_writes_only = match ctx.args.len() {
        3 => false,
        4 => ctx
            .either(3, "WRITE", "ALL")
            .map_err(|_| "ERR CLIENT PAUSE mode must be WRITE or ALL")?,
        _ => return Err(crate::resp::errors::SYNTAX.into()),
    };
    let now_ms = ctx.core.now_ms;
    let until_ms = moment(ctx, now_ms)?;
    let pause = Pause {
        until_ms,
        is_writes_only,
    };
    ctx.core.node.begin_pause(pause, now_ms);
    ctx.core.ask_all(ctx.session, &Question::Pause, |_, reply| {
        reply.ok();
    });
    Ok(Flow::Later)
}

/// So many milliseconds from now.
fn moment(ctx: &ControlCtx<'_>, now_ms: i64) -> Result<i64, ErrorReply> {
    let timeout_ms = ctx
        .args
        .integer(2)
        .map_err(|_| "ERR timeout is not an integer or out of range")?;
    if timeout_ms < 0 {
        return Err("ERR timeout is negative".into());
    }
    now_ms
        .checked_add(timeout_ms)
        .ok_or_else(|| "ERR timeout is out of range".into())
}

/// CLIENT UNPAUSE: let all commands run again.
pub fn unpause(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    ctx.core.node.end_pause();
    ctx.core.tell_all(&Question::Unpause);
    Ok(ctx.reply.ok().into())
}
