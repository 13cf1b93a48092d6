//! Runs the commands of a log at the start, as if a client had sent them.
//!
//! The session that does so passes no gates: whoever wrote the log did. Its pieces run one after
//! the other; that a piece is done is told when all its replies are there. Commands may fail as
//! they failed when they were written, but all of them have to be known.

use super::dispatch::{Verdict, run_away, run_here};
use super::turn::{Input, Turn};
use crate::command::{Args, Plan, Spec};
use crate::resp::{Output, skip_reply};
use crate::router::{Head, split_parts};
use crate::session::{Core, Origin, Replayed, Session, SessionId};

impl Turn {
    /// Begins the next piece, or tells that the one that runs is done.
    #[cold]
    pub(super) fn replay(&mut self, core: &mut Core) {
        while let Some((bytes, _)) = core.replays.front_mut() {
            let bytes = std::mem::take(bytes);
            let id = loader(core);
            if !bytes.is_empty() {
                let data = &bytes;
                self.run(core, &[Input { session: id, data }]);
            }
            let Some(session) = core.sessions.find_mut(id) else {
                return;
            };
            if !session.may_run() || !session.late.is_empty() || !session.pending.is_empty() {
                return;
            }
            let replies = std::mem::take(&mut session.output);
            if let Some((_, done)) = core.replays.pop_front() {
                // Whoever has given up loading does not want to know.
                let _ = done.send(verdict(&replies));
            }
        }
    }
}

/// The session that runs what is replayed.
fn loader(core: &mut Core) -> SessionId {
    if let Some(id) = core.loader {
        return id;
    }
    let mut session = Session::new(0, Origin::default(), true, core.now_ms);
    session.is_loader = true;
    let id = core.sessions.insert(session);
    core.loader = Some(id);
    id
}

/// Whether a command over several shards may be run as one command on each of them.
pub(super) fn may_take_apart(core: &Core, id: SessionId, spec: &Spec) -> bool {
    let session = core.sessions.find(id);
    matches!(spec.plan, Plan::Split(_)) && session.is_some_and(|session| session.is_loader)
}

/// Runs what each shard has of a command behind what it was sent before. That all of them run it at
/// one moment would take locks and round trips, and there is nobody who could see the difference.
pub(super) fn run_parts(core: &mut Core, id: SessionId, head: Head, args: Args<'_>) -> Verdict {
    let map = core.router.map();
    let room = |session: &Session| session.owed_max().saturating_sub(session.late.len());
    if core.sessions.find(id).map_or(0, room) < map.shards() {
        return Verdict::NotYet;
    }
    for (shard, part) in split_parts(map, head.spec, args) {
        match shard == core.id {
            true => run_here(core, id, head, part.args()),
            false => run_away(core, id, shard, head, part.args()),
        };
    }
    Verdict::Done
}

fn verdict(replies: &Output) -> Replayed {
    let bytes = replies.to_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = skip_reply(&bytes, at);
        let reply = &bytes[at..end];
        if let Some(text) = reply.strip_prefix(b"-ERR unknown command ") {
            let name = String::from_utf8_lossy(text);
            let name = name.split(',').next().unwrap_or_default();
            return Err(format!("Unknown command {name}"));
        }
        at = end;
    }
    Ok(())
}
