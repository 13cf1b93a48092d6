//! Commands of one pipeline that span shards, one behind the other: they travel together.
//!
//! Each would cost a message to every shard and back, and the next one has to wait for its reply.
//! As one transaction that nobody has asked for, they take one round and one set of locks, and
//! everybody sees them in their order. What it does not do: wait for more commands to come, or
//! take in commands of a single shard, which need no locks.

use super::exec::claim_run;
use crate::command::{Args, Plan};
use crate::commands::dispatch::must_wait;
use crate::commands::gate;
use crate::commands::row::Run;
use crate::commands::table::Command;
use crate::router::{Route, route};
use crate::session::{Core, Queue, ReplyMode, SessionId};

/// Arguments that may travel together: bounds how long their shards are busy with them.
const ARGUMENTS_MAX: usize = 1024;

/// Whether a command may travel with others of its kind.
#[inline]
pub fn may_join(command: &Command) -> bool {
    command.only_key.is_none()
        && matches!(command.spec.plan, Plan::Split(_))
        && matches!(command.run, Run::Data(_))
}

/// Starts as many of these commands as can run together; how many that are. None if the first one
/// has to go alone, or wait.
pub fn run_together<'a>(
    core: &mut Core,
    id: SessionId,
    commands: impl Iterator<Item = (&'static Command, Args<'a>)>,
) -> usize {
    let session = core.sessions.find(id);
    // Shards would look at what is watched, which concerns EXEC alone.
    let is_plain = session.is_some_and(|session| {
        let is_alone = session.queue.is_none() && session.watched.is_empty();
        let is_client = !session.is_loader && session.reply_mode == ReplyMode::On;
        session.may_run() && is_alone && is_client
    });
    if !is_plain || core.config.maxmemory != 0 || must_wait(core, id) {
        return 0;
    }
    let (mut queue, mut arguments) = (Queue::default(), 0);
    let expected = commands.size_hint().1.unwrap_or(0);
    for (command, args) in commands {
        if arguments == 0 {
            // Those of a pipeline are mostly like its first.
            queue.reserve(expected.min(ARGUMENTS_MAX / args.len()), args);
        }
        arguments += args.len();
        if arguments > ARGUMENTS_MAX || !may_pass(core, id, command, args) {
            break;
        }
        queue.push(command.number, command.spec.flags, args, None);
    }
    let taken = queue.commands.len();
    if taken < 2 {
        return 0;
    }
    if let Some(session) = core.sessions.find_mut(id) {
        session.active_ms = core.now_ms;
        session.total_commands += taken as u64;
        let last = queue.commands.last().map(|last| last.command);
        session.last_command = last.map(|last| &crate::commands::table().command(last).spec);
    }
    claim_run(core, id, queue);
    taken
}

/// Whether a command would run now and spans shards.
fn may_pass(core: &Core, id: SessionId, command: &'static Command, args: Args<'_>) -> bool {
    let Some(session) = core.sessions.find(id) else {
        return false;
    };
    gate::check(core, session, command, args).is_ok()
        && !core.must_pause(session, command.spec.flags)
        && route(core.router.map(), &command.spec, args) == Route::Several
}
