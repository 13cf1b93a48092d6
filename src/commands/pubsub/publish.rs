//! PUBLISH and SPUBLISH.
//!
//! The reply is the exact number of clients that got the message, on all cores; it comes at once
//! when no other core can have a listener.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::object::SHARED_STRING_MIN;
use crate::pubsub::Kind;
use crate::session::Post;
use bytes::Bytes;

/// PUBLISH: send a message to the listeners of a channel, by name and by pattern.
pub fn publish(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    send(ctx, Kind::Channel)
}

/// SPUBLISH: send a message to the listeners of a shard channel.
pub fn spublish(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    send(ctx, Kind::Shard)
}

fn send(ctx: &mut ControlCtx<'_>, kind: Kind) -> ControlOutcome {
    let payload = ctx.args.get(2);
    let words = [ctx.args.get(0), ctx.args.get(1), payload];
    ctx.core.publish_to_replicas(&words);
    let copied = (payload.len() >= SHARED_STRING_MIN && ctx.args.shared(2).is_none())
        .then(|| Bytes::copy_from_slice(payload));
    let post = Post {
        kind,
        channel: ctx.args.get(1),
        payload,
        shared: ctx.args.shared(2).or(copied.as_ref()),
    };
    Ok(match ctx.core.post(ctx.session, post) {
        Some(count) => ctx.reply.integer(count as i64).into(),
        None => Flow::Later,
    })
}
