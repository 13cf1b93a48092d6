//! FAILOVER: change places with a replica, without losing a write.
//!
//! The reply comes when writes are paused and the wait for the replica has begun; how it goes on,
//! INFO tells.

use super::replicaof::give;
use crate::base::number::parse_i64;
use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::config::Master;
use crate::replication::Wish;
use crate::resp::{ErrorReply, errors};

/// FAILOVER: hand this server's role over to a replica, or stop doing so.
pub fn failover(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.core.config.cluster_enabled {
        return Err("ERR FAILOVER not allowed in cluster mode.".into());
    }
    let wish = parse(ctx.args)?;
    ctx.core.wish(ctx.session, wish, give);
    Ok(Flow::Later)
}

fn parse(args: Args<'_>) -> Result<Wish, ErrorReply> {
    let (mut to, mut is_forced, mut timeout_ms) = (None, false, 0);
    if args.len() == 2 && args.is(1, "abort") {
        return Ok(Wish::AbortFailover);
    }
    let mut at = 1;
    while at < args.len() {
        let more = args.len() - 1 - at;
        if args.is(at, "timeout") && more >= 1 && timeout_ms == 0 {
            timeout_ms = args.integer(at + 1)?;
            if timeout_ms <= 0 {
                return Err("ERR FAILOVER timeout must be greater than 0".into());
            }
            at += 2;
        } else if args.is(at, "to") && more >= 2 && to.is_none() {
            let port = parse_i64(args.get(at + 2)).and_then(|port| u16::try_from(port).ok());
            to = Some(Master {
                host: args.get(at + 1).to_vec(),
                port: port.ok_or(errors::NOT_AN_INTEGER)?,
            });
            at += 3;
        } else if args.is(at, "force") && !is_forced {
            is_forced = true;
            at += 1;
        } else {
            return Err(errors::SYNTAX.into());
        }
    }
    Ok(Wish::Failover {
        to,
        is_forced,
        timeout_ms,
    })
}
