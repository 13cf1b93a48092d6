//! SAVE, BGSAVE, LASTSAVE: snapshots into dump.rdb.
//!
//! Both kinds of saving are the same walk between the commands of all clients; SAVE only lets its
//! own client wait for the end. Redis would let everybody wait.

use crate::command::{Categories, Flags, Group};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, Flow, control, family};
use crate::resp::errors;
use crate::session::{IN_PROGRESS, Wish};

const SAVING: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_ASYNC_LOADING);

/// The rows of saving.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        control("bgsave", -1, SAVING, bgsave)
            .doc(
                "1.0.0",
                "[SCHEDULE@3.2.2]",
                "O(1)",
                "Asynchronously saves the database(s) to disk.",
            )
            .history(&[("3.2.2", "Added the `SCHEDULE` option.")]),
        control(
            "lastsave",
            1,
            Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
            lastsave,
        )
        .category(Categories::ADMIN.and(Categories::DANGEROUS))
        .tips(&["nondeterministic_output"])
        .doc(
            "1.0.0",
            "",
            "O(1)",
            "Returns the Unix timestamp of the last successful save to disk.",
        ),
        control("save", 1, SAVING.and(Flags::NO_MULTI), save).doc(
            "1.0.0",
            "",
            "O(N) where N is the total number of keys in all databases",
            "Synchronously saves the database(s) to disk.",
        ),
    ],
);

/// BGSAVE: begin a snapshot.
fn bgsave(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let is_scheduled = match ctx.args.len() {
        1 => false,
        2 if ctx.args.is(1, "schedule") => true,
        _ => return Err(errors::SYNTAX.into()),
    };
    let saving = &ctx.core.node.state.saving;
    if saving.is_on() {
        return Err(IN_PROGRESS.into());
    }
    let session = ctx.core.sessions.find(ctx.session);
    if session.is_some_and(|session| session.executing.is_some()) {
        saving.schedule();
        return Ok(ctx.reply.status("Background saving scheduled").into());
    }
    let Some(to) = ctx.core.hold_for_reply(ctx.session) else {
        return Ok(Flow::Later);
    };
    if let Err(refusal) = ctx.core.save(Wish::Background(to)) {
        ctx.core.answer_refused(to, refusal, is_scheduled);
    }
    Ok(Flow::Later)
}

/// SAVE: take a snapshot and reply when it is on disk.
fn save(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if ctx.core.node.state.saving.is_on() {
        return Err(IN_PROGRESS.into());
    }
    let Some(to) = ctx.core.hold_for_reply(ctx.session) else {
        return Ok(Flow::Later);
    };
    if let Err(refusal) = ctx.core.save(Wish::Save(to)) {
        ctx.core.answer_refused(to, refusal, false);
    }
    Ok(Flow::Later)
}

/// LASTSAVE: when the last snapshot ended, in Unix seconds.
fn lastsave(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let (saved_ms, _) = ctx.core.node.state.saving.times_ms();
    Ok(ctx.reply.integer(saved_ms / 1000).into())
}
