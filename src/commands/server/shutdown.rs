//! SHUTDOWN: ends the process, after a last snapshot where that is wanted.
//!
//! A client gets no reply, only the end of its connection, unless the snapshot fails: then the
//! server stays. While it is written nobody changes anything, and SHUTDOWN ABORT takes it back.

use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::config::choice::ShutdownFlags;
use crate::resp::{ErrorReply, errors};
use crate::session::{Answer, Question};

/// SHUTDOWN: end the process, without a reply.
pub fn shutdown(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let Some(flags) = flags(ctx.args)? else {
        return abort(ctx);
    };
    let to = ctx.core.hold_for_reply(ctx.session);
    ctx.core.shut_down(flags, to);
    Ok(Flow::Later)
}

/// SHUTDOWN ABORT: whichever core is in the midst of one breaks it off.
fn abort(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let question = Question::AbortEnding;
    ctx.core.ask_all(ctx.session, &question, |answers, reply| {
        let is_some = |answer: &Answer| matches!(answer, Answer::Count(1..));
        match answers.iter().any(is_some) {
            true => drop(reply.ok()),
            false => drop(reply.error(&"ERR No shutdown in progress.".into())),
        }
    });
    Ok(Flow::Later)
}

/// Reads the options; `None` asks to abort.
fn flags(args: Args<'_>) -> Result<Option<ShutdownFlags>, ErrorReply> {
    let words = [
        ("nosave", ShutdownFlags::NOSAVE),
        ("save", ShutdownFlags::SAVE),
        ("now", ShutdownFlags::NOW),
        ("force", ShutdownFlags::FORCE),
    ];
    let (mut flags, mut is_abort) = (0, false);
    for arg in args.from(1) {
        let same = |word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
        match words.iter().find(|(word, _)| same(word)) {
            Some((_, flag)) => flags |= flag,
            None if same("abort") => is_abort = true,
            None => return Err(errors::SYNTAX.into()),
        }
    }
    let both = ShutdownFlags::SAVE | ShutdownFlags::NOSAVE;
    if flags & both == both || is_abort && flags != 0 {
        return Err(errors::SYNTAX.into());
    }
    Ok((!is_abort).then_some(ShutdownFlags(flags)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::ArgStore;

    #[test]
    fn options() {
        let check = |line: &str, expected: Result<Option<u32>, ErrorReply>| {
            let words = ArgStore::from_words(line.split(' ').map(str::as_bytes));
            let flags = flags(words.args()).map(|flags| flags.map(|flags| flags.0));
            assert_eq!(flags, expected, "{line}");
        };
        check("SHUTDOWN", Ok(Some(0)));
        check("shutdown nosave now force", Ok(Some(2 + 4 + 8)));
        check("SHUTDOWN SAVE", Ok(Some(1)));
        check("SHUTDOWN abort", Ok(None));
        for line in [
            "SHUTDOWN SAVE NOSAVE",
            "SHUTDOWN ABORT NOW",
            "SHUTDOWN soon",
        ] {
            check(line, Err(errors::SYNTAX.into()));
        }
    }
}
