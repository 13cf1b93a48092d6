//! Commands whose client may have to wait: BLPOP, XREAD BLOCK and their like.
//!
//! Such a command waits for the replies to all earlier ones of its connection, and all later ones
//! wait for its own. What it does when it runs is like any other command's; who waits for what is
//! known where its keys live (`router/waiting.rs`).

use super::dispatch::{Verdict, count_failure, hold, must_wait, record, record_away};
use super::table::Command;
use crate::base::clock;
use crate::command::{ArgStore, Args};
use crate::keyspace::Slot;
use crate::resp::{Output, Protocol, Writer};
use crate::router::{Head, Route, WaitNews, Why, lock_intents, route};
use crate::session::{Answer, Closing, Core, SessionId};
use crate::shard::DataFn;

/// Runs a command whose client may have to wait.
pub(super) fn run_blocking(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, DataFn),
    args: Args<'_>,
    known: Option<(usize, Slot, u64)>,
) -> Verdict {
    if must_wait(core, id) {
        return Verdict::NotYet;
    }
    let (row, run) = command;
    let map = core.router.map();
    let route = route(map, &row.spec, args);
    let Some(session) = core.sessions.find_mut(id) else {
        return Verdict::Done;
    };
    session.last_command = Some(&row.spec);
    let head = Head {
        spec: &row.spec,
        run,
        command: row.number,
        db: session.db,
        protocol: session.protocol,
        is_in_exec: false,
        may_wait: true,
        known: match route {
            Route::One(_, found) => found,
            _ => known,
        },
    };
    let at = match route {
        Route::One(shard, _) => shard,
        Route::Any | Route::Several => core.id,
    };
    if route != Route::Several && at == core.id && is_free(core, head, args) {
        run_here(core, id, head, args);
        return Verdict::Done;
    }
    let Some(to) = hold(core, id) else {
        return Verdict::Done;
    };
    core.may_wait(id, at, to);
    match route {
        Route::Several => core.router.begin(to, head, args, &mut core.shard),
        _ => core.router.send(at, to, head, args),
    }
    core.router.settle(&mut core.shard);
    Verdict::Done
}

fn is_free(core: &Core, head: Head, args: Args<'_>) -> bool {
    let locks = &core.shard.locks;
    locks.is_empty() || locks.is_free(&lock_intents(core.router.map(), head.spec, args, core.id))
}

/// Runs a command whose keys are all here, with nobody in the way.
fn run_here(core: &mut Core, id: SessionId, head: Head, args: Args<'_>) {
    let client = core.client(id);
    let session = core.sessions.find(id);
    core.shard.space.common.touches = session.is_none_or(|session| !session.is_no_touch);
    let mut out = Output::default();
    let begin = clock::cycles();
    let outcome = core.shard.attempt(&head.call(args, client), &mut out);
    let nanos = clock::nanos_between(begin, clock::cycles());
    if let Ok(Some(wait)) = outcome {
        if let Some(to) = hold(core, id) {
            core.may_wait(id, core.id, to);
            let what = (head, ArgStore::of(args), *wait);
            core.router.wait_here(core.id, to, what, &mut core.shard);
            core.router.settle(&mut core.shard);
        }
        return;
    }
    core.reply(id, |writer| writer.output().append(&mut out));
    core.notify_own();
    record(core, id, head.command, nanos, args);
    if let Err(error) = outcome {
        count_failure(core, head.command, &error.0);
    }
    core.serve_waiters();
}

/// Takes in what has become of clients that wait.
#[cold]
pub(super) fn hear(core: &mut Core) {
    for news in core.router.take_wait_news() {
        match news {
            WaitNews::Began(to) => core.has_begun_to_wait(to),
            WaitNews::Heard { asker, is_done } => {
                let answer = Answer::Count(u64::from(is_done));
                core.answer(asker.core, asker.number, answer);
            }
            WaitNews::Stopped { to, why, command } => {
                let id = SessionId::from_bits(to.session);
                let session = core.sessions.find(id);
                let protocol = session.map_or(Protocol::Resp2, |session| session.protocol);
                let output = farewell(core, why, protocol, command);
                core.arrived(to, (&output, Output::start(), output.mark()));
                if why == Why::Demoted {
                    // Redis: its next commands would be meant for a master.
                    core.close(id, Closing::AfterReplies);
                }
            }
        }
    }
}

const BY_CLIENT: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
const BY_ROLE: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                       (master -> replica?)";

fn fail(core: &Core, command: u16, writer: &mut Writer<'_>, text: &'static str) {
    writer.error(&text.into());
    record_away(core, command, 0, true);
    core.count_error(text.as_bytes());
}

/// What a client is told that has waited for nothing.
fn farewell(core: &Core, why: Why, protocol: Protocol, command: u16) -> Output {
    let mut output = Output::default();
    let mut writer = Writer::new(&mut output, protocol);
    match why {
        Why::Gone => {}
        Why::Timeout => drop(writer.null_array()),
        Why::Error => fail(core, command, &mut writer, BY_CLIENT),
        Why::Demoted => fail(core, command, &mut writer, BY_ROLE),
    }
    output
}
