//! SUBSCRIBE, UNSUBSCRIBE, and the same for patterns and for shard channels.
//!
//! A subscription holds as soon as the command has run: see `pubsub::Interest`. Each name is
//! confirmed by a message of its own.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::pubsub::Kind;

/// SUBSCRIBE: listen to channels.
pub fn subscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    begin(ctx, Kind::Channel, b"subscribe")
}

/// PSUBSCRIBE: listen to all channels that match a pattern.
pub fn psubscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    begin(ctx, Kind::Pattern, b"psubscribe")
}

/// SSUBSCRIBE: listen to shard channels.
pub fn ssubscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    begin(ctx, Kind::Shard, b"ssubscribe")
}

/// UNSUBSCRIBE: stop listening to channels, or to all.
pub fn unsubscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    end(ctx, Kind::Channel, b"unsubscribe")
}

/// PUNSUBSCRIBE: stop listening by patterns, or by all.
pub fn punsubscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    end(ctx, Kind::Pattern, b"punsubscribe")
}

/// SUNSUBSCRIBE: stop listening to shard channels, or to all.
pub fn sunsubscribe(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    end(ctx, Kind::Shard, b"sunsubscribe")
}

fn begin(ctx: &mut ControlCtx<'_>, kind: Kind, word: &[u8]) -> ControlOutcome {
    for name in ctx.args.from(1) {
        ctx.core.subscribe(ctx.session, kind, name);
        let count = count(ctx, kind);
        confirm(ctx, word, Some(name), count);
    }
    Ok(Flow::Pushed)
}

fn end(ctx: &mut ControlCtx<'_>, kind: Kind, word: &[u8]) -> ControlOutcome {
    if ctx.args.len() == 1 {
        return end_all(ctx, kind, word);
    }
    for name in ctx.args.from(1) {
        ctx.core.unsubscribe(ctx.session, kind, name);
        let count = count(ctx, kind);
        confirm(ctx, word, Some(name), count);
    }
    Ok(Flow::Pushed)
}

fn end_all(ctx: &mut ControlCtx<'_>, kind: Kind, word: &[u8]) -> ControlOutcome {
    let ended = ctx.core.unsubscribe_all(ctx.session, kind);
    let left = count(ctx, kind);
    if ended.is_empty() {
        confirm(ctx, word, None, left);
    }
    for (at, name) in ended.iter().enumerate() {
        let behind = (ended.len() - 1 - at) as u32;
        confirm(ctx, word, Some(name), left + behind);
    }
    Ok(Flow::Pushed)
}

fn count(ctx: &ControlCtx<'_>, kind: Kind) -> u32 {
    let session = ctx.core.sessions.find(ctx.session);
    session.map_or(0, |session| session.subscription_count(kind))
}

fn confirm(ctx: &mut ControlCtx<'_>, word: &[u8], name: Option<&[u8]>, count: u32) {
    ctx.reply.push(3);
    ctx.reply.bulk(word);
    match name {
        Some(name) => ctx.reply.bulk(name),
        None => ctx.reply.null(),
    };
    ctx.reply.integer(i64::from(count));
}
