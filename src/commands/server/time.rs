//! TIME: the server's clock, as a client may ask for it.
//!
//! The one command that reads the clock itself: what it tells is the moment, not the turn's frozen
//! time, so that two of them in a pipeline differ.

use crate::commands::row::{ControlCtx, ControlOutcome};

/// TIME: reply with Unix seconds and microseconds.
pub fn time(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let micros = ctx.core.node.clock.micros().0;
    ctx.reply.array(2);
    ctx.reply.bulk_integer(micros.div_euclid(1_000_000));
    Ok(ctx.reply.bulk_integer(micros.rem_euclid(1_000_000)).into())
}
