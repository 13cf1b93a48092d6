//! MONITOR: every command of every client, as a line for those who watch.
//!
//! A line is made where the command arrived and goes to all cores, but only while somebody
//! watches: otherwise it costs one look at a number. Administrative commands are not shown, nor
//! are passwords, which their commands mark as redacted (the slow log hides them too).

use crate::command::{Args, Flags, Spec};
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::session::{Answer, Core, Question, SessionId};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// MONITOR: from now on show this client what all clients do.
pub fn monitor(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let Some(session) = ctx.core.sessions.find_mut(ctx.session) else {
        return Ok(Flow::Later);
    };
    if session.executing.is_some() {
        return Err("ERR MONITOR isn't allowed for DENY BLOCKING client".into());
    }
    // Redis: no reply at all to one that watches already.
    if session.is_monitor {
        return Ok(Flow::Later);
    }
    session.is_monitor = true;
    ctx.core.node.monitors.fetch_add(1, Relaxed);
    Ok(ctx.reply.ok().into())
}

/// Shows a command that has run to all monitors.
#[inline]
pub fn show_monitors(core: &mut Core, id: SessionId, spec: &'static Spec, args: Args<'_>) {
    if core.node.monitors.load(Relaxed) != 0 {
        show(core, id, spec, args);
    }
}

#[cold]
fn show(core: &mut Core, id: SessionId, spec: &'static Spec, args: Args<'_>) {
    if spec.flags.has(Flags::ADMIN) || spec.flags.has(Flags::SKIP_MONITOR) {
        return;
    }
    let Some(session) = core.sessions.find(id) else {
        return;
    };
    let (seconds, micros) = core.node.clock.micros().seconds_and_micros();
    let origin = &session.origin;
    let address = match origin.is_unix {
        true => format!(
            "unix:{}",
            origin.address.strip_suffix(":0").unwrap_or_default()
        ),
        false => origin.address.clone(),
    };
    let head = format!("+{seconds}.{micros:06} [{} {address}]", session.db.0);
    let mut line = head.into_bytes();
    for arg in shown(core, args) {
        line.push(b' ');
        quote(&mut line, arg);
    }
    line.extend_from_slice(b"\r\n");
    core.tell_all(&Question::Monitor(Arc::from(line)));
}

/// A line for those who watch on this core.
pub fn deliver(core: &mut Core, line: &[u8]) -> Answer {
    let monitors: Vec<SessionId> = core
        .sessions
        .iter()
        .filter(|(_, session)| session.is_monitor)
        .map(|(id, _)| id)
        .collect();
    for id in &monitors {
        core.reply(*id, |writer| {
            writer.output().buffer().extend_from_slice(line);
        });
    }
    Answer::Count(monitors.len() as u64)
}

/// The arguments of the running command as logs may show them.
pub fn shown<'a>(core: &'a Core, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    args.from(0)
        .enumerate()
        .map(|(at, arg)| match core.redacted.contains(&at) {
            true => b"(redacted)",
            false => arg,
        })
}

/// In double quotes, with everything unprintable escaped.
fn quote(line: &mut Vec<u8>, arg: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    for &byte in arg {
        match byte {
            b'\\' | b'"' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            7 => line.extend(b"\\a"),
            8 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend([
                b'\\',
                b'x',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
    line.push(b'"');
}
