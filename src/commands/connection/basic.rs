//! PING, ECHO, QUIT, SELECT.
//!
//! The control commands that every client sends; they touch the session and no keys.

use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::keyspace::DbIndex;
use crate::resp::{Protocol, errors};
use crate::session::Closing;

/// PING: reply with PONG, or with the message; in the shape of a message where replies would not be
/// told from messages otherwise.
pub fn ping(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_listening = ctx
        .session()
        .is_some_and(|session| !session.subscriptions.is_empty());
    if is_listening && ctx.reply.protocol() == Protocol::Resp2 && ctx.args.len() <= 2 {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        return Ok(ctx
            .reply
            .bulk(ctx.args.try_get(1).unwrap_or_default())
            .into());
    }
    match ctx.args.len() {
        1 => Ok(ctx.reply.status("PONG").into()),
        2 => Ok(ctx.reply.bulk(ctx.args.get(1)).into()),
        _ => Err(errors::wrong_arity(ctx.spec.name)),
    }
}

/// ECHO: reply with the message.
pub fn echo(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.bulk(ctx.args.get(1)).into())
}

/// QUIT: reply and end the connection.
pub fn quit(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    ctx.core.close(ctx.session, Closing::AfterReplies);
    Ok(ctx.reply.ok().into())
}

/// SELECT: change the database of this connection.
pub fn select(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let index = ctx.args.integer(1)?;
    if i32::try_from(index).is_err() {
        let range = "value must between -2147483648 and 2147483647";
        return Err(format!("ERR value is out of range, {range}").into());
    }
    let databases = i64::from(ctx.core.config.databases);
    if !(0..databases).contains(&index) {
        return Err(errors::DB_OUT_OF_RANGE.into());
    }
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        session.db = DbIndex(index as u32);
    }
    Ok(ctx.reply.ok().into())
}
