//! How a client is served: CLIENT REPLY, NO-EVICT, NO-TOUCH, UNBLOCK, INFO, HELP.
//!
//! Everything here is about the connection that asks.

use super::list::total;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::resp::{ErrorReply, errors};
use crate::router::Why;
use crate::session::{Question, ReplyMode, Session};

impl ControlCtx<'_> {
    /// The client that asks.
    pub(super) fn session(&self) -> Option<&Session> {
        self.core.sessions.find(self.session)
    }

    /// Changes the client that asks.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.core.sessions.find_mut(self.session) {
            change(session);
        }
    }

    /// The argument as one of two words: true for the first.
    pub(super) fn either(&self, at: usize, yes: &str, no: &str) -> Result<bool, ErrorReply> {
        if self.args.is(at, yes) {
            Ok(true)
        } else if self.args.is(at, no) {
            Ok(false)
        } else {
            Err(errors::SYNTAX.into())
        }
    }
}

/// CLIENT REPLY: replies for all commands, for none, or not for the next one.
pub fn reply(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.args.is(2, "ON") {
        ctx.change(|session| session.reply_mode = ReplyMode::On);
        return Ok(ctx.reply.ok().into());
    }
    if ctx.args.is(2, "OFF") {
        ctx.change(|session| session.reply_mode = ReplyMode::Off);
        return Ok(Flow::Later);
    }
    if ctx.args.is(2, "SKIP") {
        ctx.change(|session| {
            if session.reply_mode != ReplyMode::Off {
                session.reply_mode = ReplyMode::SkipNext;
            }
        });
        return Ok(Flow::Later);
    }
    Err(errors::SYNTAX.into())
}

/// CLIENT NO-EVICT: keep this client when memory for clients is short.
pub fn no_evict(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_on = ctx.either(2, "ON", "OFF")?;
    ctx.change(|session| session.is_no_evict = is_on);
    Ok(ctx.reply.ok().into())
}

/// CLIENT NO-TOUCH: reading is no use of a key.
pub fn no_touch(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_on = ctx.either(2, "ON", "OFF")?;
    ctx.change(|session| session.is_no_touch = is_on);
    Ok(ctx.reply.ok().into())
}

/// CLIENT UNBLOCK: let a client that waits stop waiting, as if its time were up or with an error.
pub fn unblock(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let mut why = Why::Timeout;
    if ctx.args.len() == 4 {
        let is_timeout = ctx.either(3, "TIMEOUT", "ERROR");
        let is_timeout =
            is_timeout.map_err(|_| "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")?;
        why = if is_timeout { Why::Timeout } else { Why::Error };
    }
    let number = ctx.args.integer(2)?;
    let question = Question::Unblock(number as u64, why);
    ctx.core.ask_all(ctx.session, &question, |answers, reply| {
        reply.integer(total(&answers) as i64);
    });
    Ok(Flow::Later)
}

/// CLIENT INFO: reply with this client's line.
pub fn info(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let now_ms = ctx.core.now_ms;
    let mut line = ctx
        .session()
        .map_or_else(Vec::new, |it| it.describe(now_ms));
    line.push(b'\n');
    Ok(ctx.reply.verbatim("txt", &line).into())
}

/// CLIENT HELP: reply with the list of subcommands.
pub fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "HELP",
    "    Prints this help.",
];
