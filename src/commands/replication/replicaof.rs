//! REPLICAOF, and SLAVEOF, which is the same: follow another server, or none.
//!
//! The reply comes when the role has changed, so that what follows in the same transaction (CONFIG
//! REWRITE, as Sentinel sends it) sees the new one. The link to the master is made afterwards.

use crate::base::number::parse_i64;
use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::config::Master;
use crate::replication::{Answer, Wish};
use crate::resp::{ErrorReply, Writer};

/// REPLICAOF: become a replica of the server at host and port, or with NO ONE a master.
pub fn replicaof(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.core.config.cluster_enabled {
        return Err("ERR REPLICAOF not allowed in cluster mode.".into());
    }
    let session = ctx.core.sessions.find(ctx.session);
    if session.is_some_and(|session| session.is_replica()) {
        return Err("ERR Command is not valid when client is a replica.".into());
    }
    let line = session.map(|session| session.describe(ctx.core.now_ms));
    let client = String::from_utf8_lossy(&line.unwrap_or_default()).into_owned();
    let master = master(ctx.args)?;
    let wish = Wish::Follow { master, client };
    ctx.core.wish(ctx.session, wish, give);
    Ok(Flow::Later)
}

fn master(args: Args<'_>) -> Result<Option<Master>, ErrorReply> {
    if args.is(1, "no") && args.is(2, "one") {
        return Ok(None);
    }
    let port = parse_i64(args.get(2)).and_then(|port| u16::try_from(port).ok());
    Ok(Some(Master {
        host: args.get(1).to_vec(),
        port: port.ok_or("ERR Invalid master port")?,
    }))
}

/// Replies with the hub's answer.
pub(super) fn give(answer: Answer, reply: &mut Writer<'_>) {
    match answer {
        Answer::Ok => reply.ok(),
        Answer::Number(number) => reply.integer(number as i64),
        Answer::Copies(local, replicas) => {
            reply.array(2);
            reply.integer(local as i64);
            reply.integer(replicas as i64)
        }
        Answer::Status(text) => reply.status(text),
        Answer::Error(text) => reply.error(&text.into()),
    };
}
