//! How the commands of a transaction are run, one stage after the other.
//!
//! Commands that run on shards form a stage together. In between stand those that need the whole
//! transaction to wait: commands of this core's own world (CONFIG, CLIENT, SELECT), commands on
//! copies of their keys, scans. Without locks, when everything is here and free, each command is
//! run in its turn; with locks, the router runs the stages on their shards.

use super::plan::{claims, command_of, watched_claims};
use crate::base::clock;
use crate::command::{ArgStore, Args, Plan};
use crate::commands::connection::show_monitors;
use crate::commands::dispatch::{call_control, count_failure, hold, record, record_away};
use crate::commands::row::{Flow, Run};
use crate::commands::table::{Command, table};
use crate::keyspace::{ShardId, SlotMap};
use crate::resp::{Mark, Output, Span, Writer, errors};
use crate::router::{BatchReply, Claims, Head, Pages, Route, Stage, route};
use crate::session::{Core, Exec, Executing, Queued, ReplyMode};
use crate::shard::DataFn;

/// What a shard is told of a queued command.
fn head(exec: &Exec, queued: &Queued, command: &'static Command, run: DataFn) -> Head {
    Head {
        spec: &command.spec,
        run,
        command: command.number,
        db: exec.db,
        protocol: exec.protocol,
        is_in_exec: true,
        may_wait: false,
        known: queued.known,
    }
}

/// Whether a command of several shards cannot run on each of them for itself.
fn stands_alone(map: SlotMap, command: &Command, args: Args<'_>) -> bool {
    let is_split = matches!(command.spec.plan, Plan::Split(_) | Plan::Everywhere(_));
    !is_split && route(map, &command.spec, args) == Route::Several
}

/// Whether all commands can run as one stage.
pub fn is_whole_stage(map: SlotMap, exec: &Exec) -> bool {
    let mut commands = exec.commands.iter();
    // A stage without commands would never be answered.
    !exec.commands.is_empty()
        && commands.all(|queued| {
            let (command, args) = command_of(exec, queued);
            command.run.on_shard().is_some() && !stands_alone(map, command, args)
        })
}

/// The next commands that can run together; there may be none.
pub fn next_stage(core: &Core, exec: &Exec) -> Stage {
    stage_of(core, exec, None)
}

/// All commands as one stage, which they can be, and all locks of the transaction.
pub fn whole_stage(core: &Core, exec: &Exec) -> (Stage, Claims) {
    let mut claims = watched_claims(core.router.map(), exec);
    let stage = stage_of(core, exec, Some(&mut claims));
    (stage, claims)
}

fn stage_of(core: &Core, exec: &Exec, mut claims: Option<&mut Claims>) -> Stage {
    let commands = &exec.commands[exec.next..];
    let stage = Stage::new(core.router.map(), exec.home, exec.store.clone());
    let mut stage = stage.expecting(commands.len());
    for queued in commands {
        let command = table().command(queued.command);
        let Some(run) = command.run.on_shard() else {
            break;
        };
        let head = head(exec, queued, command, run);
        if !stage.add_and_claim(head, queued.args.clone(), claims.as_deref_mut()) {
            break;
        }
    }
    stage
}

/// Starts a transaction whose keys are all here, with nobody in the way.
pub fn run_here(core: &mut Core, mut exec: Box<Exec>) {
    if !exec.watched.is_empty() {
        let client = core.client(exec.session);
        let is_broken = core.shard.space.watched(client).is_broken;
        let watched = std::mem::take(&mut exec.watched);
        core.forget_watched(exec.session, &watched);
        if is_broken {
            return finish(core, exec, true);
        }
    }
    let touches = core.sessions.find(exec.session);
    core.shard.space.common.touches = touches.is_none_or(|session| !session.is_no_touch);
    core.shard.effects.begin_group(0);
    let whole = run_in_turn(core, &mut exec);
    match whole {
        true => {
            core.shard.effects.end_group();
            core.serve_waiters();
            finish(core, exec, false);
        }
        false => wait_here(core, exec),
    }
}

/// Runs commands here until one has to be waited for; whether none had to.
fn run_in_turn(core: &mut Core, exec: &mut Exec) -> bool {
    let store = exec.store.clone();
    while let Some(queued) = exec.commands.get(exec.next).cloned() {
        let args = store.command(queued.args.clone());
        let command = table().command(queued.command);
        match command.run {
            Run::Data(run) | Run::Blocking(run, _) => {
                run_data(core, exec, (&queued, command, run), args)
            }
            _ => {
                run_control(core, exec, command, args);
                if exec.is_awaiting {
                    return false;
                }
            }
        }
    }
    true
}

fn run_data(
    core: &mut Core,
    exec: &mut Exec,
    what: (&Queued, &'static Command, DataFn),
    args: Args<'_>,
) {
    let (queued, command, run) = what;
    let head = head(exec, queued, command, run);
    let client = core.client(exec.session);
    // What shards reply may still have to be made a reply, even if there is only one.
    if matches!(command.spec.plan, Plan::Everywhere(how) if how.unwraps()) {
        let mut stage = Stage::new(core.router.map(), core.id, exec.store.clone());
        stage.add(head, queued.args.clone());
        let replies = stage.run_here(client, &mut core.shard);
        return take_in(core, exec, &stage, &replies);
    }
    let (start, begin) = (exec.replies.mark(), clock::cycles());
    let result = core.shard.run(&head.call(args, client), &mut exec.replies);
    let nanos = clock::nanos_between(begin, clock::cycles());
    note(core, exec, (nanos, result.is_err()), start);
}

fn run_control(core: &mut Core, exec: &mut Exec, command: &'static Command, args: Args<'_>) {
    let (id, start) = (exec.session, exec.replies.mark());
    let Some(session) = core.sessions.find_mut(id) else {
        // What is about a client that has gone is about nobody.
        exec.next += 1;
        return;
    };
    session.executing = Some(Executing {
        exec: exec.number,
        commands: exec.commands.len(),
        is_awaiting: false,
    });
    let (outcome, mut reply, nanos) = match command.run {
        Run::Control(run) | Run::Message(run) => call_control(core, id, (command, run), args),
        _ => {
            let error = errors::wrong_arity(command.spec.name);
            (Err(error), Output::default(), 0)
        }
    };
    if let Some(session) = core.sessions.find_mut(id) {
        (exec.db, exec.protocol) = (session.db, session.protocol);
        let executing = session.executing.as_ref();
        exec.is_awaiting = executing.is_some_and(|executing| executing.is_awaiting);
        if !exec.is_awaiting {
            session.executing = None;
        }
    }
    match &outcome {
        Ok(Flow::Done | Flow::Pushed) => exec.replies.append(&mut reply),
        Ok(Flow::Later) => {}
        Err(error) => drop(Writer::new(&mut exec.replies, exec.protocol).error(error)),
    }
    note(core, exec, (nanos, outcome.is_err()), start);
    core.redacted.clear();
}

/// Counts a command that has run, whose reply begins at this mark, and shows it to those who
/// watch; the next one is the next.
pub fn note(core: &mut Core, exec: &mut Exec, went: (u64, bool), start: Mark) {
    let (nanos, is_error) = went;
    let queued = &exec.commands[exec.next];
    let (command, args) = command_of(exec, queued);
    record(core, exec.session, command.number, nanos, args);
    if is_error {
        let text = exec.replies.since(start);
        let end = memchr::memchr(b'\r', text).unwrap_or(text.len());
        count_failure(core, command.number, text.get(1..end).unwrap_or_default());
    }
    show_monitors(core, exec.session, &command.spec, args);
    exec.nanos += nanos;
    exec.next += 1;
    // CLIENT REPLY OFF holds for the rest of the transaction.
    let session = core.sessions.find(exec.session);
    if session.is_some_and(|session| session.reply_mode == ReplyMode::Off) {
        exec.replies.cut_back(start);
    }
}

/// Takes in the replies of a stage.
fn take_in(core: &mut Core, exec: &mut Exec, stage: &Stage, replies: &[(ShardId, BatchReply)]) {
    let mut output = Output::default();
    let random = &mut core.shard.space.common.random;
    let mut from = output.mark();
    for went in stage.assemble(replies, random, &mut output) {
        let start = exec.replies.mark();
        exec.replies.append_part(&output, from, went.end);
        from = went.end;
        note(core, exec, (went.nanos, went.is_error), start);
    }
}

/// A stage has run.
pub fn ran(core: &mut Core, exec: &mut Exec, replies: &[(ShardId, BatchReply)]) {
    let Some(stage) = exec.stage.take() else {
        return;
    };
    let map = core.router.map();
    let random = &mut core.shard.space.common.random;
    let Some(pages) = &mut exec.pages else {
        return take_in(core, exec, &stage, replies);
    };
    let mut page = Output::default();
    let went = stage.assemble(replies, random, &mut page);
    pages.nanos += went.iter().map(|went| went.nanos).sum::<u64>();
    if pages.turn(map, page.to_bytes()) {
        return;
    }
    let start = exec.replies.mark();
    let is_error = pages.finish(random, &mut exec.replies);
    let nanos = pages.nanos;
    exec.pages = None;
    note(core, exec, (nanos, is_error), start);
}

/// Goes on with a transaction until something has to be waited for.
pub fn advance(core: &mut Core, mut exec: Box<Exec>) {
    let Some(ticket) = exec.ticket else {
        return match run_in_turn(core, &mut exec) {
            true => finish(core, exec, false),
            false => keep(core, exec),
        };
    };
    let store = exec.store.clone();
    while let Some(queued) = exec.commands.get(exec.next).cloned() {
        if let Some(pages) = &exec.pages {
            let stage = pages.stage(core.router.map());
            core.router.run_stage(ticket, &stage, false);
            exec.stage = Some(stage);
            return keep(core, exec);
        }
        let stage = next_stage(core, &exec);
        if !stage.is_empty() {
            exec.is_released = exec.next + stage.len() == exec.commands.len();
            core.router.run_stage(ticket, &stage, exec.is_released);
            exec.stage = Some(stage);
            return keep(core, exec);
        }
        let args = store.command(queued.args.clone());
        let command = table().command(queued.command);
        let Some(run) = command.run.on_shard() else {
            run_control(core, &mut exec, command, args);
            if exec.is_awaiting {
                return keep(core, exec);
            }
            continue;
        };
        let head = head(&exec, &queued, command, run);
        if matches!(command.spec.plan, Plan::Cursor(_)) {
            exec.pages = Some(Pages::new(head, args));
            continue;
        }
        exec.is_released = exec.next + 1 == exec.commands.len();
        let args = ArgStore::of(args);
        core.router.gather(ticket, head, args, exec.is_released);
        return keep(core, exec);
    }
    finish(core, exec, false);
}

fn keep(core: &mut Core, exec: Box<Exec>) {
    core.execs.insert(exec.number, exec);
}

/// A transaction that has begun here has to wait for a reply: from now on it needs its locks.
fn wait_here(core: &mut Core, mut exec: Box<Exec>) {
    exec.to = hold(core, exec.session);
    let intents = claims(core.router.map(), &exec).of(core.id);
    if !intents.is_empty() {
        let client = core.client(exec.session);
        let number = exec.number;
        let ticket = core
            .router
            .claim_here((number, client), intents, &mut core.shard);
        exec.ticket = Some(ticket);
    } else {
        core.shard.effects.end_group();
    }
    keep(core, exec);
}

/// Gives the reply to the client; the shards release if they have not yet.
pub fn finish(core: &mut Core, mut exec: Box<Exec>, is_broken: bool) {
    match exec.ticket {
        Some(ticket) if exec.is_released => core.router.finish_transaction(ticket),
        Some(ticket) => core.router.close(ticket),
        None => {}
    }
    if is_broken {
        exec.replies.clear();
        Writer::new(&mut exec.replies, exec.protocol).null_array();
    }
    if let Some((command, name)) = exec.typed {
        record_away(core, command, exec.nanos, false);
        let word = Span { start: 0, len: 4 };
        let args = Args::new(&name, std::slice::from_ref(&word), &[]);
        show_monitors(core, exec.session, &table().command(command).spec, args);
    }
    let end = exec.replies.mark();
    if let Some(to) = exec.to {
        core.arrived(to, (&exec.replies, Output::start(), end));
    } else if !exec.is_muted
        && let Some(session) = core.sessions.find_mut(exec.session)
    {
        session.output.append(&mut exec.replies);
        core.mark_dirty(exec.session);
    }
    core.send_echoes(exec.session);
}
