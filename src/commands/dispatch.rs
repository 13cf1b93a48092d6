//! From a request to its handler: find the row, pass the gates, route, reply.
//!
//! A request either runs now, is on its way to other cores, or has to wait until earlier ones of
//! its connection are answered. Replies go where the order of the connection wants them.

use super::blocking::run_blocking;
use super::connection;
use super::gate;
use super::replay;
use super::row::{ControlCtx, ControlFn, ControlOutcome, Flow, Run};
use super::table::Command;
use super::transactions;
use crate::base::clock;
use crate::command::{Args, Flags};
use crate::config::choice::PipelineOrder;
use crate::keyspace::{ShardId, Slot};
use crate::resp::{ErrorReply, Output, Protocol, Writer, errors};
use crate::router::{Head, ReplyTo, Route, lock_intents, route};
use crate::session::{Core, ReplyMode, SessionId};
use crate::shard::DataFn;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has run, or is on its way.
    Done,
    /// It cannot run before earlier ones of its connection have been answered: try again then.
    NotYet,
}

/// What staging has found out about a request already.
#[derive(Clone, Copy, Default)]
pub struct Staged {
    pub command: Option<&'static Command>,
    pub known: Option<(usize, Slot, u64)>,
}

/// Runs a request of a client.
#[inline]
pub fn dispatch(core: &mut Core, id: SessionId, args: Args<'_>, staged: Staged) -> Verdict {
    let Some(session) = core.sessions.find_mut(id) else {
        return Verdict::Done;
    };
    if !session.may_run() {
        return Verdict::NotYet;
    }
    session.active_ms = core.now_ms;
    if session.reply_mode == ReplyMode::SkipNext {
        session.reply_mode = ReplyMode::Skip;
    }
    let verdict = match staged.command.map_or_else(|| gate::resolve(args), Ok) {
        Ok(command) => run(core, id, command, args, staged.known),
        Err(error) => {
            core.reply_error(id, &error);
            transactions::spoil(core, id);
            Verdict::Done
        }
    };
    if verdict == Verdict::Done {
        settle(core, id);
    } else if let Some(session) = core.sessions.find_mut(id)
        && session.reply_mode == ReplyMode::Skip
    {
        session.reply_mode = ReplyMode::SkipNext;
    }
    verdict
}

/// Leaves CLIENT REPLY SKIP behind after the command it was meant for.
#[inline]
fn settle(core: &mut Core, id: SessionId) {
    let Some(session) = core.sessions.find_mut(id) else {
        return;
    };
    session.total_commands += 1;
    if session.reply_mode == ReplyMode::Skip {
        session.reply_mode = ReplyMode::On;
    }
    if !session.echoes.is_empty() {
        core.send_echoes(id);
    }
}

#[inline]
fn run(
    core: &mut Core,
    id: SessionId,
    command: &'static Command,
    args: Args<'_>,
    known: Option<(usize, Slot, u64)>,
) -> Verdict {
    if core.config.maxmemory != 0 {
        let map = core.router.map();
        let is_here = known.is_none_or(|(_, slot, _)| map.shard(slot) == core.id);
        core.make_room(args, is_here);
    }
    let Some(session) = core.sessions.find(id) else {
        return Verdict::Done;
    };
    if let Err(error) = gate::check(core, session, command, args) {
        core.node
            .commands
            .core(core.id.0 as usize)
            .rejected(command.number as usize);
        refuse(core, id, (command, args), &error);
        return Verdict::Done;
    }
    if core.must_pause(session, gate::flags_of(session, command)) {
        core.pause_session(id);
        return Verdict::NotYet;
    }
    let is_queued = session.queue.is_some() && !command.spec.flags.has(Flags::UNQUEUED);
    if (core.is_logging | core.is_saving) && !may_be_kept(core, id, command) {
        return Verdict::NotYet;
    }
    if is_queued {
        transactions::enqueue(core, id, command, args, known);
        return Verdict::Done;
    }
    let verdict = match command.run {
        Run::Data(run) => run_data(core, id, (command, run), args, known),
        Run::Blocking(run, may_wait) if may_wait(args) => {
            run_blocking(core, id, (command, run), args, known)
        }
        Run::Blocking(run, _) => run_data(core, id, (command, run), args, known),
        Run::Control(_) if must_wait(core, id) => Verdict::NotYet,
        Run::Message(_) if message_must_wait(core, id) => Verdict::NotYet,
        Run::Control(run) | Run::Message(run) => run_control(core, id, (command, run), args),
        Run::Watch(run) => transactions::watch_keys(core, id, (command, run), args),
        Run::Exec => return transactions::run_queued(core, id, command, args),
        Run::Container => {
            core.reply_error(id, &errors::wrong_arity(command.spec.name));
            Verdict::Done
        }
    };
    if verdict == Verdict::Done {
        connection::show_monitors(core, id, &command.spec, args);
        if !core.redacted.is_empty() {
            core.redacted.clear();
        }
    }
    verdict
}

/// Notes that the reply to a write may have to wait for the log. False: too much waits for the log
/// or a snapshot already, and the command has to wait too.
fn may_be_kept(core: &mut Core, id: SessionId, command: &'static Command) -> bool {
    let Some(session) = core.sessions.find_mut(id) else {
        return true;
    };
    if !gate::flags_of(session, command).has(Flags::WRITE) {
        return true;
    }
    session.has_written |= core.is_logging;
    if core.disk_is_behind() {
        core.pause_session(id);
        return false;
    }
    true
}

/// A command that did not pass the gates.
#[cold]
fn refuse(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, Args<'_>),
    error: &ErrorReply,
) {
    if matches!(command.0.run, Run::Exec) {
        return transactions::abort(core, id, command, error);
    }
    core.reply_error(id, error);
    transactions::spoil(core, id);
}

/// Replies with the error of a command that has run.
pub(super) fn fail(
    core: &mut Core,
    id: SessionId,
    command: &'static Command,
    error: &ErrorReply,
) -> Verdict {
    record_away(core, command.number, 0, true);
    core.reply_error(id, error);
    Verdict::Done
}

#[inline]
pub(super) fn run_data(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, DataFn),
    args: Args<'_>,
    known: Option<(usize, Slot, u64)>,
) -> Verdict {
    let (row, run) = command;
    let map = core.router.map();
    let route = match known {
        Some(known) if row.only_key.is_some() => Route::One(map.shard(known.1), Some(known)),
        _ => route(map, &row.spec, args),
    };
    let Some(session) = core.sessions.find_mut(id) else {
        return Verdict::Done;
    };
    let (db, protocol) = (session.db, session.protocol);
    session.last_command = Some(&row.spec);
    let head = |known| Head {
        spec: &row.spec,
        run,
        command: row.number,
        db,
        protocol,
        is_in_exec: false,
        may_wait: false,
        known,
    };
    match route {
        Route::Any => run_here(core, id, head(None), args),
        Route::One(shard, known) if shard == core.id => run_here(core, id, head(known), args),
        Route::One(shard, known) => run_away(core, id, shard, head(known), args),
        Route::Several => run_on_several(core, id, head(None), args),
    }
}

/// Whether earlier commands of this connection must be answered first.
pub(super) fn must_wait(core: &Core, id: SessionId) -> bool {
    core.sessions
        .find(id)
        .is_some_and(|session| !session.late.is_empty())
}

/// The same for a single-key command where the order of a pipeline is strict: nobody sees in which
/// order a log is replayed.
fn keeps_order(core: &Core, id: SessionId) -> bool {
    let session = core.sessions.find(id);
    session.is_some_and(|session| !session.late.is_empty() && !session.is_loader)
}

/// Whether earlier commands of this connection must be answered before it may send a message:
/// whoever gets the message must not miss their effects.
fn message_must_wait(core: &Core, id: SessionId) -> bool {
    let is_strict = core.config.pipeline_order == PipelineOrder::Strict;
    core.sessions.find(id).is_some_and(|session| {
        session.late.awaits_commands()
            || session.is_owed_much()
            || is_strict && !session.late.is_empty()
    })
}

#[inline]
pub(super) fn run_here(core: &mut Core, id: SessionId, head: Head, args: Args<'_>) -> Verdict {
    if core.config.pipeline_order == PipelineOrder::Strict && keeps_order(core, id) {
        return Verdict::NotYet;
    }
    if !core.shard.locks.is_empty() && is_locked(core, head, args) {
        // It waits for its locks as a message of this core to itself would.
        let Some(to) = core.await_reply(id) else {
            return Verdict::Done;
        };
        let me = core.id;
        core.router.send(me, to, head, args);
        core.router.settle(&mut core.shard);
        return Verdict::Done;
    }
    let client = core.client(id);
    let Core {
        shard, sessions, ..
    } = core;
    let Some(session) = sessions.find_mut(id) else {
        return Verdict::Done;
    };
    let (is_muted, is_late) = (session.is_muted(), !session.late.is_empty());
    shard.space.common.touches = !session.is_no_touch;
    let out = if is_late {
        session.late.parking()
    } else {
        &mut session.output
    };
    let start = out.mark();
    let begin = clock::cycles();
    let result = shard.run(&head.call(args, client), out);
    let nanos = clock::nanos_between(begin, clock::cycles());
    if is_muted {
        out.cut_back(start);
    }
    if is_late {
        session.late.park(start);
    }
    core.mark_dirty(id);
    core.notify_own();
    record(core, id, head.command, nanos, args);
    if let Err(error) = result {
        failed(core, head.command, &error);
    }
    core.serve_waiters();
    Verdict::Done
}

fn is_locked(core: &Core, head: Head, args: Args<'_>) -> bool {
    let intents = lock_intents(core.router.map(), head.spec, args, core.id);
    !core.shard.locks.is_free(&intents)
}

#[cold]
fn failed(core: &Core, command: u16, error: &ErrorReply) {
    count_failure(core, command, &error.0);
}

/// Counts a command that has failed; the text is without the dash.
pub(super) fn count_failure(core: &Core, command: u16, text: &[u8]) {
    core.node
        .commands
        .core(core.id.0 as usize)
        .failed(command as usize);
    core.count_error(text);
}

pub(super) fn run_away(
    core: &mut Core,
    id: SessionId,
    shard: ShardId,
    head: Head,
    args: Args<'_>,
) -> Verdict {
    let Some(session) = core.sessions.find(id) else {
        return Verdict::Done;
    };
    let is_strict = core.config.pipeline_order == PipelineOrder::Strict;
    if session.is_owed_much() || is_strict && keeps_order(core, id) {
        return Verdict::NotYet;
    }
    let Some(to) = core.await_reply(id) else {
        return Verdict::Done;
    };
    core.router.send(shard, to, head, args);
    Verdict::Done
}

fn run_on_several(core: &mut Core, id: SessionId, head: Head, args: Args<'_>) -> Verdict {
    if replay::may_take_apart(core, id, head.spec) {
        return replay::run_parts(core, id, head, args);
    }
    if must_wait(core, id) {
        return Verdict::NotYet;
    }
    let Some(to) = hold(core, id) else {
        return Verdict::Done;
    };
    core.router.begin(to, head, args, &mut core.shard);
    Verdict::Done
}

/// Lets a client's next commands wait for the reply of this one.
pub(super) fn hold(core: &mut Core, id: SessionId) -> Option<ReplyTo> {
    let to = core.take_place(id)?;
    core.sessions.find_mut(id)?.is_held = true;
    Some(to)
}

fn run_control(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, ControlFn),
    args: Args<'_>,
) -> Verdict {
    let row = command.0;
    if let Some(session) = core.sessions.find_mut(id) {
        session.last_command = Some(&row.spec);
    }
    let (outcome, mut out, nanos) = call_control(core, id, command, args);
    record(core, id, row.number, nanos, args);
    match outcome {
        Ok(Flow::Done) => core.reply(id, |writer| writer.output().append(&mut out)),
        Ok(Flow::Pushed) => core.push_behind(id, &out),
        Ok(Flow::Later) => {}
        Err(error) => {
            failed(core, row.number, &error);
            core.reply(id, |writer| {
                writer.error(&error);
            });
        }
    }
    Verdict::Done
}

/// Calls a control handler: what came of it, its reply, and how long it took.
pub(super) fn call_control(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, ControlFn),
    args: Args<'_>,
) -> (ControlOutcome, Output, u64) {
    let (row, run) = command;
    let session = core.sessions.find(id);
    let protocol = session.map_or(Protocol::Resp2, |session| session.protocol);
    let mut out = Output::default();
    let begin = clock::cycles();
    let reply = Writer::new(&mut out, protocol);
    let mut ctx = ControlCtx {
        core,
        session: id,
        args,
        reply,
        spec: &row.spec,
    };
    let outcome = run(&mut ctx);
    let nanos = clock::nanos_between(begin, clock::cycles());
    (outcome, out, nanos)
}

/// Counts a command that has run here, and notes it if it was slow.
#[inline]
pub(super) fn record(core: &Core, id: SessionId, command: u16, nanos: u64, args: Args<'_>) {
    let commands = core.node.commands.core(core.id.0 as usize);
    commands.ran(command as usize, nanos);
    core.counters().commands_processed.add(1);
    core.counters().eventloop_commands_ns.add(nanos);
    if super::slow::is_slow(core, nanos) {
        super::slow::note(core, id, (command, nanos), args);
    }
}

/// Counts a command that another core ran, or several did.
#[inline]
pub(super) fn record_away(core: &Core, command: u16, nanos: u64, is_error: bool) {
    let commands = core.node.commands.core(core.id.0 as usize);
    commands.ran(command as usize, nanos);
    if is_error {
        commands.failed(command as usize);
    }
    core.counters().commands_processed.add(1);
}
