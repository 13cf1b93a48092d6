//! Who the client is: AUTH, HELLO, RESET.
//!
//! There is one user, `default`, with the password of `requirepass` or none.

use super::name;
use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::keyspace::DbIndex;
use crate::resp::{ErrorReply, Protocol, errors};
use crate::session::{REDIS_VERSION, ReplyMode, Session};
use std::sync::atomic::Ordering::Relaxed;

const DEFAULT_USER: &[u8] = b"default";

/// AUTH: say who you are.
pub fn auth(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let args = ctx.args;
    if args.len() > 3 {
        return Err(errors::SYNTAX.into());
    }
    ctx.core.redacted.extend(1..args.len());
    if args.len() == 2 {
        if ctx.core.config.requirepass.is_none() {
            return Err(
                "ERR AUTH <password> called without any password configured for the \
                        default user. Are you sure your configuration is correct?"
                    .into(),
            );
        }
        authenticate(ctx, DEFAULT_USER, args.get(1))?;
    } else {
        authenticate(ctx, args.get(1), args.get(2))?;
    }
    Ok(ctx.reply.ok().into())
}

/// Lets the client be this user, if the password is right.
fn authenticate(ctx: &mut ControlCtx<'_>, user: &[u8], password: &[u8]) -> Result<(), ErrorReply> {
    let is_right = match &ctx.core.config.requirepass {
        None => true,
        Some(expected) => is_same(expected, password),
    };
    if user != DEFAULT_USER || !is_right {
        ctx.core.counters().acl_access_denied_auth.add(1);
        return Err(errors::WRONG_PASSWORD.into());
    }
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        session.is_authenticated = true;
    }
    Ok(())
}

/// Whether two passwords are equal, in a time that does not tell how much of them is.
fn is_same(expected: &[u8], given: &[u8]) -> bool {
    let mut difference = expected.len() ^ given.len();
    for (at, byte) in given.iter().enumerate() {
        let other = expected.get(at % expected.len().max(1));
        difference |= usize::from(byte ^ other.copied().unwrap_or(!byte));
    }
    difference == 0
}

/// What HELLO asks for.
#[derive(Default)]
struct Hello<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

/// HELLO: agree on the protocol, and say who you are.
pub fn hello(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let hello = parse_hello(ctx)?;
    if let Some((user, password)) = hello.credentials {
        authenticate(ctx, user, password)?;
    }
    let Some(session) = ctx.core.sessions.find_mut(ctx.session) else {
        return Ok(ctx.reply.ok().into());
    };
    if !session.is_authenticated {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, \
                    otherwise the HELLO <proto> AUTH <user> <pass> option can be used to \
                    authenticate the client and select the RESP protocol version at the same time"
                .into(),
        );
    }
    if let Some(name) = hello.name {
        session.name = name.to_vec();
    }
    session.protocol = hello.protocol.unwrap_or(session.protocol);
    let (protocol, number) = (session.protocol, session.id);
    ctx.reply.speak(protocol);
    greet(ctx, protocol, number);
    Ok(crate::commands::row::Flow::Done)
}

fn parse_hello<'a>(ctx: &mut ControlCtx<'a>) -> Result<Hello<'a>, ErrorReply> {
    let args = ctx.args;
    let mut hello = Hello::default();
    if args.len() > 1 {
        let version = args
            .integer(1)
            .map_err(|_| "ERR Protocol version is not an integer or out of range")?;
        hello.protocol = Some(match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err("NOPROTO unsupported protocol version".into()),
        });
    }
    let mut at = 2;
    while at < args.len() {
        let more = args.len() - 1 - at;
        if args.is(at, "AUTH") && more >= 2 {
            ctx.core.redacted.extend([at + 1, at + 2]);
            hello.credentials = Some((args.get(at + 1), args.get(at + 2)));
            at += 3;
        } else if args.is(at, "SETNAME") && more >= 1 {
            hello.name = Some(name::checked(args.get(at + 1))?);
            at += 2;
        } else {
            let before = "ERR Syntax error in HELLO option '";
            return Err(errors::repeating(before, args.get(at), "'"));
        }
    }
    Ok(hello)
}

fn greet(ctx: &mut ControlCtx<'_>, protocol: Protocol, number: u64) {
    let config = &ctx.core.config;
    let mode = match config.cluster_enabled {
        true => "cluster",
        false => "standalone",
    };
    let role = match config.replicaof {
        None => "master",
        Some(_) => "replica",
    };
    let reply = &mut ctx.reply;
    reply.map(7);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(match protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    });
    reply.bulk(b"id");
    reply.integer(number as i64);
    for (field, value) in [("mode", mode), ("role", role)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

/// RESET: be like a fresh connection.
pub fn reset(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_open = ctx.core.config.requirepass.is_none();
    ctx.core.unsubscribe_from_everything(ctx.session);
    ctx.core.unwatch(ctx.session);
    if let Some(session) = ctx.core.sessions.find_mut(ctx.session) {
        if std::mem::take(&mut session.is_monitor) {
            ctx.core.node.monitors.fetch_sub(1, Relaxed);
        }
        forget(session, is_open);
    }
    ctx.reply.speak(Protocol::Resp2);
    Ok(ctx.reply.status("RESET").into())
}

/// The library behind the connection stays known: it is the same one.
fn forget(session: &mut Session, is_open: bool) {
    session.queue = None;
    session.db = DbIndex(0);
    session.protocol = Protocol::Resp2;
    session.is_authenticated = is_open;
    session.name.clear();
    session.reply_mode = ReplyMode::On;
    session.is_no_evict = false;
    session.is_no_touch = false;
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_whole_password_is_the_password() {
        assert!(is_same(b"secret", b"secret"));
        for wrong in ["", "secre", "secrets", "secretsecret", "Secret"] {
            assert!(!is_same(b"secret", wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_same(b"", b"a") && is_same(b"", b""));
    }
}
