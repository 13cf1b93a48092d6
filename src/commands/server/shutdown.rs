//! SHUTDOWN: ends the process.
//!
//! It only asks: the main thread closes connections and ends the cores. A client gets no reply,
//! only the end of its connection. There is nothing to save yet, so SAVE and NOSAVE do the same,
//! and nothing takes so long that ABORT could come in time.

use crate::command::Args;
use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::resp::{ErrorReply, errors};
use crate::session::Stop;

/// SHUTDOWN: end the process, without a reply.
pub fn shutdown(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    if is_abort(ctx.args)? {
        return Err("ERR No shutdown in progress.".into());
    }
    (ctx.core.node.stop)(Stop::Shutdown);
    Ok(Flow::Later)
}

/// Reads the options; whether they ask to abort.
fn is_abort(args: Args<'_>) -> Result<bool, ErrorReply> {
    let is_given = |word: &str| {
        args.from(1)
            .any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    let words = ["nosave", "save", "now", "force", "abort"];
    let is_known = |arg: &[u8]| {
        words
            .iter()
            .any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (is_abort, is_all_known) = (is_given("abort"), args.from(1).all(is_known));
    let is_contradiction = is_given("save") && is_given("nosave") || is_abort && args.len() > 2;
    if !is_all_known || is_contradiction {
        return Err(errors::SYNTAX.into());
    }
    Ok(is_abort)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::ArgStore;

    #[test]
    fn options() {
        let check = |line: &str, expected: Result<bool, ErrorReply>| {
            let words = ArgStore::from_words(line.split(' ').map(str::as_bytes));
            assert_eq!(is_abort(words.args()), expected, "{line}");
        };
        check("SHUTDOWN", Ok(false));
        check("shutdown nosave now force", Ok(false));
        check("SHUTDOWN SAVE", Ok(false));
        check("SHUTDOWN abort", Ok(true));
        for line in [
            "SHUTDOWN SAVE NOSAVE",
            "SHUTDOWN ABORT NOW",
            "SHUTDOWN soon",
        ] {
            check(line, Err(errors::SYNTAX.into()));
        }
    }
}
