//! WATCH: let the next EXEC run only if these keys have not changed.
//!
//! Each shard remembers who watches its keys; the session remembers which shards to ask. The keys
//! are locked like those of a read, so that what was before this command cannot break the watch.

use crate::command::Args;
use crate::commands::dispatch::{Verdict, fail, run_data};
use crate::commands::table::Command;
use crate::keyspace::{Key, Slot};
use crate::resp::ErrorReply;
use crate::session::{Core, SessionId, WatchedKey};
use crate::shard::{DataFn, Outcome, ShardCtx};

/// WATCH, where the keys are.
pub fn on_shard(ctx: &mut ShardCtx<'_>) -> Outcome {
    for name in ctx.args.from(1) {
        ctx.space.watch(ctx.client, ctx.db, &Key::new(name));
    }
    Ok(ctx.reply.ok())
}

/// WATCH, where the client is.
pub fn watch(
    core: &mut Core,
    id: SessionId,
    command: (&'static Command, DataFn),
    args: Args<'_>,
) -> Verdict {
    let session = core.sessions.find(id);
    if session.is_some_and(|session| session.queue.is_some()) {
        let error = ErrorReply::from("ERR WATCH inside MULTI is not allowed");
        return fail(core, id, command.0, &error);
    }
    let verdict = run_data(core, id, command, args, None);
    if verdict == Verdict::Done {
        remember(core, id, args);
    }
    verdict
}

fn remember(core: &mut Core, id: SessionId, args: Args<'_>) {
    let map = core.router.map();
    let Some(session) = core.sessions.find_mut(id) else {
        return;
    };
    for key in args.from(1) {
        let watched = WatchedKey {
            db: session.db,
            key: key.into(),
            shard: map.shard(Slot::of(key)),
        };
        session.watched.insert(watched);
    }
    // What comes next may rely on the watch, on whichever shard it runs.
    session.is_held = !session.late.is_empty();
}
