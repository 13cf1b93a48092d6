//! REPLCONF: what a replica says of itself to its master, and a master asks of its replica.
//!
//! Options come in pairs. Acknowledgements get no reply, and neither does a master that asks for
//! one.

use crate::base::number::parse_i64;
use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::replication::Report;
use crate::resp::{ErrorReply, errors};
use crate::session::Introduction;

/// Longest address of a replica, in bytes.
const IP_BYTES_MAX: usize = 255;

/// REPLCONF: options of a replica, acknowledgements, and the wish for them.
pub fn replconf(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let args = ctx.args;
    if args.len().is_multiple_of(2) {
        return Err(errors::SYNTAX.into());
    }
    let mut introduction = known(ctx);
    for at in (1..args.len()).step_by(2) {
        if args.is(at, "ack") {
            return Ok(acknowledged(ctx, at));
        }
        if args.is(at, "flow") {
            return Ok(join_flow(ctx, args.get(at + 1)));
        }
        if args.is(at, "frame") && ctx.core.take_frame(ctx.session, args.get(at + 1)) {
            return Ok(Flow::Later);
        }
        if args.is(at, "getack") {
            ctx.core.acknowledge_soon(ctx.session);
            return Ok(Flow::Later);
        }
        take(&mut introduction, args, at)?;
    }
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        session.introduction = Some(Box::new(introduction));
    }
    Ok(ctx.reply.ok().into())
}

/// What the client has said before.
fn known(ctx: &ControlCtx<'_>) -> Introduction {
    let session = ctx.core.sessions.find(ctx.session);
    let introduction = session.and_then(|session| session.introduction.as_deref());
    introduction.cloned().unwrap_or_default()
}

fn take(introduction: &mut Introduction, args: Args<'_>, at: usize) -> Result<(), ErrorReply> {
    let value = args.get(at + 1);
    if args.is(at, "listening-port") {
        let port = parse_i64(value).and_then(|port| u16::try_from(port).ok());
        introduction.listening_port = Some(port.ok_or(errors::NOT_AN_INTEGER)?);
    } else if args.is(at, "ip-address") {
        if value.len() > IP_BYTES_MAX {
            return Err(format!(
                "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                value.len()
            )
            .into());
        }
        introduction.ip = Some(value.to_vec());
    } else if args.is(at, "capa") {
        // Capabilities nobody knows here are none.
        introduction.can_eof |= args.is(at + 1, "eof");
        introduction.can_psync2 |= args.is(at + 1, "psync2");
        introduction.can_flows |= args.is(at + 1, "flows");
    } else if args.is(at, "rdb-only") {
        let is_only = parse_i64(value).filter(|value| (0..=1).contains(value));
        introduction.is_snapshot_only = is_only.ok_or(errors::NOT_AN_INTEGER)? == 1;
    } else if args.is(at, "version") {
        // For the replica's sake: nothing here depends on it.
    } else {
        return Err(errors::repeating(
            "ERR Unrecognized REPLCONF option: ",
            args.get(at),
            "",
        ));
    }
    Ok(())
}

/// A replica wants what it gets from one shard on this connection; the hub replies.
fn join_flow(ctx: &mut ControlCtx<'_>, words: &[u8]) -> Flow {
    let (place, shards) = (ctx.core.place(ctx.session), ctx.core.node.shards());
    let session = ctx.core.sessions.find_mut(ctx.session);
    let Some(session) = session.filter(|session| !session.is_replica()) else {
        return Flow::Later;
    };
    let introduction = session.introduction.get_or_insert_default();
    (introduction.is_replica, introduction.flows) = (true, shards);
    ctx.core.counters().connected_clients.sub(1);
    let words = words.to_vec();
    ctx.core.report(Report::Flow { place, words });
    Flow::Later
}

/// A replica says what it has, and what it has on disk (FACK).
fn acknowledged(ctx: &mut ControlCtx<'_>, at: usize) -> Flow {
    let session = ctx.core.sessions.find(ctx.session);
    let is_replica = session.is_some_and(|session| session.is_replica());
    let number = |at| parse_i64(ctx.args.get(at)).and_then(|number| u64::try_from(number).ok());
    let offset = number(at + 1);
    let has_synced = ctx.args.len() > at + 3 && ctx.args.is(at + 2, "fack");
    let synced = has_synced.then(|| number(at + 3)).flatten();
    if let Some(offset) = offset.filter(|_| is_replica) {
        let place = ctx.core.place(ctx.session);
        let ack = Report::Ack {
            place,
            offset,
            synced,
        };
        ctx.core.report(ack);
    }
    Flow::Later
}
