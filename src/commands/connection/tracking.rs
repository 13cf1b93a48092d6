//! Client side caching: CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR.
//!
//! No invalidations are sent, so tracking cannot be switched on: a client that believed it was on
//! would serve stale values for ever. Switching it off, and asking, work as on a client that has
//! not switched it on.

use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::resp::{ErrorReply, errors};

/// Options of CLIENT TRACKING.
#[derive(Default)]
struct Options {
    is_broadcast: bool,
    is_opt_in: bool,
    is_opt_out: bool,
    has_prefix: bool,
}

/// CLIENT TRACKING: have invalidations sent for keys that were read.
pub fn tracking(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let options = parse(ctx.args)?;
    if !ctx.either(2, "ON", "OFF")? {
        return Ok(ctx.reply.ok().into());
    }
    check(&options)?;
    Err("ERR client side caching is not available on this server".into())
}

fn parse(args: Args<'_>) -> Result<Options, ErrorReply> {
    let mut options = Options::default();
    let mut at = 3;
    while at < args.len() {
        let has_more = at + 1 < args.len();
        if args.is(at, "REDIRECT") && has_more {
            at += 1;
            args.integer(at)?;
            return Err("ERR The client ID you want redirect to does not exist".into());
        } else if args.is(at, "BCAST") {
            options.is_broadcast = true;
        } else if args.is(at, "OPTIN") {
            options.is_opt_in = true;
        } else if args.is(at, "OPTOUT") {
            options.is_opt_out = true;
        } else if args.is(at, "PREFIX") && has_more {
            at += 1;
            options.has_prefix = true;
        } else if !args.is(at, "NOLOOP") {
            return Err(errors::SYNTAX.into());
        }
        at += 1;
    }
    Ok(options)
}

fn check(options: &Options) -> Result<(), ErrorReply> {
    if options.has_prefix && !options.is_broadcast {
        return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
    }
    if options.is_broadcast && (options.is_opt_in || options.is_opt_out) {
        return Err("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
    }
    if options.is_opt_in && options.is_opt_out {
        return Err("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
    }
    Ok(())
}

/// CLIENT CACHING: track the keys of the next command, or do not.
pub fn caching(_: &mut ControlCtx<'_>) -> ControlOutcome {
    Err(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
         OPTOUT mode enabled"
            .into(),
    )
}

/// CLIENT TRACKINGINFO: reply with what is tracked.
pub fn trackinginfo(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    Ok(reply.array(0).into())
}

/// CLIENT GETREDIR: reply with the client that invalidations go to.
pub fn getredir(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.integer(-1).into())
}
