//! What happens to commands between MULTI and EXEC.
//!
//! A command that passes the gates is copied once, behind the others; one that does not spoils the
//! transaction, and EXEC will refuse.

use crate::command::Args;
use crate::commands::table::Command;
use crate::commands::turn::check_query_limit;
use crate::keyspace::Slot;
use crate::session::{Closing, Core, SessionId};

/// Bytes of arguments that one store can hold.
const STORE_BYTES_MAX: usize = u32::MAX as usize;

/// Queues a command.
pub fn enqueue(
    core: &mut Core,
    id: SessionId,
    command: &'static Command,
    args: Args<'_>,
    known: Option<(usize, Slot, u64)>,
) {
    let Some(session) = core.sessions.find_mut(id) else {
        return;
    };
    session.last_command = Some(&command.spec);
    let Some(queue) = &mut session.queue else {
        return;
    };
    let bytes: usize = args.from(0).map(<[u8]>::len).sum();
    if queue.bytes + bytes > STORE_BYTES_MAX {
        return core.close(id, Closing::Now);
    }
    let known = known.filter(|_| command.only_key.is_some());
    queue.push(command.number, command.spec.flags, args, known);
    core.reply(id, |writer| {
        writer.status("QUEUED");
    });
    check_query_limit(core, id);
}

/// A command could not be queued.
pub fn spoil(core: &mut Core, id: SessionId) {
    let session = core.sessions.find_mut(id);
    if let Some(queue) = session.and_then(|session| session.queue.as_mut()) {
        queue.is_spoiled = true;
    }
}
