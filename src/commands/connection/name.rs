//! What a client calls itself: CLIENT ID, SETNAME, GETNAME, SETINFO.
//!
//! Names are for people who read CLIENT LIST; nothing is decided by them, and two may be equal.

use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::resp::{ErrorReply, errors};
use crate::session::Session;

/// Whether a line of CLIENT LIST can show it: printable, and no blanks.
fn is_clean(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'!'..=b'~'))
}

/// A name, if it may be one.
pub fn checked(name: &[u8]) -> Result<&[u8], ErrorReply> {
    if is_clean(name) {
        Ok(name)
    } else {
        Err(errors::BAD_CLIENT_NAME.into())
    }
}

/// CLIENT ID: reply with this connection's number.
pub fn id(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let number = ctx.session().map_or(0, |session| session.id);
    Ok(ctx.reply.integer(number as i64).into())
}

/// CLIENT GETNAME: reply with this connection's name.
pub fn getname(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let name = ctx.session().map(|session| session.name.clone());
    Ok(match name.filter(|name| !name.is_empty()) {
        Some(name) => ctx.reply.bulk(&name).into(),
        None => ctx.reply.null().into(),
    })
}

/// CLIENT SETNAME: name this connection, or take its name away.
pub fn setname(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let name = checked(ctx.args.get(2))?.to_vec();
    ctx.change(|session| session.name = name);
    Ok(ctx.reply.ok().into())
}

/// CLIENT SETINFO: say which library this is.
pub fn setinfo(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    type Field = fn(&mut Session) -> &mut Vec<u8>;
    const FIELDS: [(&str, Field); 2] = [
        ("LIB-NAME", |session| &mut session.library),
        ("LIB-VER", |session| &mut session.library_version),
    ];
    let args = ctx.args;
    let option = errors::clipped(args.get(2), 128);
    let Some((_, field)) = FIELDS.iter().find(|(known, _)| args.is(2, known)) else {
        return Err(format!("ERR Unrecognized option '{option}'").into());
    };
    if !is_clean(args.get(3)) {
        let rule = "cannot contain spaces, newlines or special characters.";
        return Err(format!("ERR {option} {rule}").into());
    }
    ctx.change(|session| *field(session) = args.get(3).to_vec());
    Ok(ctx.reply.ok().into())
}
