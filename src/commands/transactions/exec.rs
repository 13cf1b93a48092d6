//! EXEC: run what was queued, as one command.
//!
//! ```text
//!   keys on this shard         runs here and now
//!   keys on one other shard    one message there, one back
//!   anything else              locks on all shards, then stage by stage: see `run`
//! ```
//!
//! All of it happens at one moment, and what is watched has not changed until then; otherwise
//! nothing happens.

use super::plan::{Home, any_home, claims, home, is_data_only};
use super::run::{advance, finish, is_whole_stage, next_stage, note, ran, run_here, whole_stage};
use crate::command::Args;
use crate::commands::connection::show_monitors;
use crate::commands::dispatch::{Verdict, fail, hold, must_wait};
use crate::commands::migrate;
use crate::commands::table::Command;
use crate::resp::{ErrorReply, Output, Writer, errors};
use crate::router::News;
use crate::session::{Core, Exec, ExecNews, Queue, SessionId};
use std::sync::Arc;

/// EXEC.
pub fn exec(core: &mut Core, id: SessionId, command: &'static Command, args: Args<'_>) -> Verdict {
    if must_wait(core, id) {
        return Verdict::NotYet;
    }
    let Some(session) = core.sessions.find_mut(id) else {
        return Verdict::Done;
    };
    session.last_command = Some(&command.spec);
    let Some(queue) = session.queue.take() else {
        return fail(core, id, command, &"ERR EXEC without MULTI".into());
    };
    if queue.is_spoiled {
        core.unwatch(id);
        let verdict = fail(core, id, command, &errors::EXEC_ABORT.into());
        show_monitors(core, id, &command.spec, args);
        return verdict;
    }
    let name = *args.get(0).first_chunk().expect("EXEC has four letters");
    let mut exec = open(core, id, *queue, Some((command.number, name)));
    if let Some(session) = core.sessions.find_mut(id) {
        exec.watched = std::mem::take(&mut session.watched);
    }
    let commands = exec.commands.len();
    Writer::new(&mut exec.replies, exec.protocol).array(commands);
    start(core, exec);
    Verdict::Done
}

/// Runs commands together that nobody has asked to be a transaction.
pub(super) fn claim_run(core: &mut Core, id: SessionId, queue: Queue) {
    let exec = open(core, id, queue, None);
    claim(core, exec);
}

/// EXEC was refused: the transaction is over.
pub fn abort(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, Args<'_>),
    error: &ErrorReply,
) {
    let (command, args) = command;
    if let Some(session) = core.sessions.find_mut(id) {
        session.queue = None;
    }
    core.unwatch(id);
    let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
    let reason = error.0.strip_prefix(b"ERR ").unwrap_or(&error.0);
    text.extend_from_slice(reason);
    core.reply_error(id, &text.into());
    show_monitors(core, id, &command.spec, args);
}

fn open(core: &mut Core, id: SessionId, queue: Queue, typed: Option<(u16, [u8; 4])>) -> Box<Exec> {
    core.next_exec += 1;
    let number = core.next_exec;
    let mut exec = Box::new(Exec {
        number,
        typed,
        session: id,
        to: None,
        is_muted: false,
        commands: queue.commands,
        store: Arc::new(queue.store),
        watched: Default::default(),
        next: 0,
        ticket: None,
        is_released: false,
        home: core.id,
        stage: None,
        pages: None,
        is_awaiting: false,
        db: Default::default(),
        protocol: Default::default(),
        replies: Output::default(),
        nanos: 0,
    });
    if let Some(session) = core.sessions.find_mut(id) {
        (exec.db, exec.protocol) = (session.db, session.protocol);
        exec.is_muted = session.is_muted();
    }
    exec
}

fn start(core: &mut Core, mut exec: Box<Exec>) {
    let map = core.router.map();
    match home(map, &exec) {
        Home::One(shard) if shard != core.id && is_data_only(&exec) => {
            exec.home = shard;
            send_whole(core, exec);
        }
        home if home == Home::Nowhere || home == Home::One(core.id) => {
            if is_free(core, &exec) {
                run_here(core, exec);
            } else if is_data_only(&exec) {
                send_whole(core, exec);
            } else {
                claim(core, exec);
            }
        }
        _ => claim(core, exec),
    }
}

/// Whether nobody holds what a transaction on this shard needs.
fn is_free(core: &Core, exec: &Exec) -> bool {
    if core.shard.locks.is_empty() {
        return true;
    }
    let intents = claims(core.router.map(), exec).of(core.id);
    core.shard.locks.is_free(&intents)
}

/// Sends a transaction to the one shard it needs.
fn send_whole(core: &mut Core, mut exec: Box<Exec>) {
    exec.to = hold(core, exec.session);
    let stage = next_stage(core, &exec);
    let client = core.client(exec.session);
    core.router
        .send_alone(exec.number, &stage, (exec.home, client));
    exec.stage = Some(stage);
    // The shard forgets what is watched as it looks at it.
    exec.watched.clear();
    core.execs.insert(exec.number, exec);
}

/// Asks for the locks of a transaction.
fn claim(core: &mut Core, mut exec: Box<Exec>) {
    exec.to = hold(core, exec.session);
    let map = core.router.map();
    let claims = if is_whole_stage(map, &exec) {
        // What has no keys runs where other commands run.
        exec.home = any_home(map, &exec).unwrap_or(core.id);
        let (stage, claims) = whole_stage(core, &exec);
        exec.is_released = true;
        exec.stage = Some(stage);
        claims
    } else {
        let claims = claims(map, &exec);
        exec.home = claims.first().unwrap_or(core.id);
        claims
    };
    let client = core.client(exec.session);
    let whole = exec.stage.as_ref();
    let number = exec.number;
    let ticket = core
        .router
        .claim((number, client), claims, whole, &mut core.shard);
    exec.ticket = Some(ticket);
    core.execs.insert(number, exec);
}

/// Goes on with transactions that have got what they were waiting for.
pub fn go_on(core: &mut Core) {
    for (number, news) in core.router.take_news() {
        if core.migrations.contains_key(&number) {
            migrate::hear(core, number, news);
        } else if let Some(exec) = core.execs.remove(&number) {
            hear(core, exec, news);
        }
    }
    migrate::take_transferred(core);
    for (number, news) in std::mem::take(&mut core.exec_news) {
        if let ExecNews::Migrates = news {
            let ticket = core.execs.get(&number).and_then(|exec| exec.ticket);
            migrate::begin_in_exec(core, number, ticket);
        } else if let Some(exec) = core.execs.remove(&number) {
            hear_of_client(core, exec, news);
        }
    }
}

fn hear(core: &mut Core, mut exec: Box<Exec>, news: News) {
    // Whatever has become of it, it is decided.
    let watched = std::mem::take(&mut exec.watched);
    core.forget_watched(exec.session, &watched);
    match news {
        News::Broken => {
            exec.ticket = None;
            finish(core, exec, true);
        }
        News::Granted => match (exec.ticket, &exec.stage) {
            (Some(ticket), Some(stage)) => {
                core.router.run_stage(ticket, stage, true);
                core.execs.insert(exec.number, exec);
            }
            _ => advance(core, exec),
        },
        News::Ran(replies) => {
            ran(core, &mut exec, &replies);
            advance(core, exec);
        }
        News::Gathered {
            mut output,
            nanos,
            is_error,
        } => {
            let start = exec.replies.mark();
            exec.replies.append(&mut output);
            note(core, &mut exec, (nanos, is_error), start);
            advance(core, exec);
        }
    }
}

fn hear_of_client(core: &mut Core, mut exec: Box<Exec>, news: ExecNews) {
    // Whatever another server has been asked for is waited for, whoever asked.
    let is_migrating = core.migrations.contains_key(&exec.number);
    if is_migrating || !std::mem::take(&mut exec.is_awaiting) {
        core.execs.insert(exec.number, exec);
        return;
    }
    if let ExecNews::Replied(mut output) = news {
        exec.replies.append(&mut output);
    }
    if let Some(session) = core.sessions.find_mut(exec.session) {
        session.executing = None;
    }
    advance(core, exec);
}
