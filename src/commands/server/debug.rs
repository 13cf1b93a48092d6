//! DEBUG: what tests and emergencies need, and nobody else.
//!
//! One command with forms, as Redis has it: the forms that look at keys are hidden rows, all
//! others are found in the list below. Forms about machinery that does not exist here (forks,
//! hash tables that resize by a timer) are accepted where a test suite only wants them not to
//! fail, and refused where it would rely on them. PANIC, SEGFAULT and the like end the process:
//! that is what they are for.

use super::debug_data;
use super::{OPERATOR, protocol};
use crate::base::{number, process};
use crate::command::{Flags, Group, Merge};
use crate::commands::row::{ControlCtx, ControlOutcome, Family, Flow, control, data, family};
use crate::replication::Report;
use crate::resp::{ErrorReply, errors};
use crate::session::{Question, Reload};
use crate::shard::{Outcome, ShardCtx};

const GUARDED: Flags = OPERATOR.and(Flags::PROTECTED);

/// The rows of DEBUG.
pub const FAMILY: Family = family(
    Group::Server,
    &[
        control("debug", -2, GUARDED, debug)
            .doc(
                "1.0.0",
                "",
                "Depends on subcommand.",
                "A container for debugging commands.",
            )
            .internal(),
        data(
            "debug|set-active-expire",
            -2,
            GUARDED,
            &[],
            set_active_expire,
        )
        .everywhere(Merge::AllOk)
        .doc(
            "2.6.0",
            "[enabled:integer]",
            "O(1)",
            "Turns the removal of expired keys on and off.",
        )
        .hidden(),
        debug_data::DIGEST.hidden(),
        debug_data::DIGEST_VALUE.hidden(),
        debug_data::OBJECT.hidden(),
        debug_data::POPULATE.hidden(),
    ],
);

type Form = fn(&mut ControlCtx<'_>) -> ControlOutcome;

/// Name, number of arguments (at least so many when negative), what it does.
const FORMS: &[(&str, isize, Form)] = &[
    ("help", 2, help),
    ("sleep", 3, sleep),
    ("error", 3, error),
    ("log", 3, log),
    ("protocol", 3, protocol_sample),
    ("change-repl-id", 2, change_replication_id),
    ("quicklist-packed-threshold", 3, packed_threshold),
    ("replicate", -3, accept),
    ("leak", 3, leak),
    ("stringmatch-test", 2, stringmatch_test),
    ("aof-flush-sleep", 3, accept),
    ("pause-cron", 3, accept),
    ("set-skip-checksum-validation", 3, accept),
    ("set-disable-deny-scripts", 3, accept),
    ("dict-resizing", 3, accept),
    ("replybuffer", 4, accept),
    ("reload", -2, reload),
    ("loadaof", 2, load_log),
    ("restart", -2, no_restart),
    ("crash-and-recover", -2, no_restart),
    ("panic", 2, panic_on_purpose),
    ("assert", 2, assert_on_purpose),
    ("segfault", 2, segfault),
    ("oom", 2, out_of_memory),
];

/// DEBUG: find the form, and run it.
fn debug(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let count = ctx.args.len() as isize;
    let takes = |wanted: isize| match wanted {
        0.. => count == wanted,
        _ => count >= -wanted,
    };
    let form = FORMS
        .iter()
        .find(|(name, wanted, _)| ctx.args.is(1, name) && takes(*wanted));
    match form {
        Some((_, _, run)) => run(ctx),
        None => Err(errors::unknown_form("debug", ctx.args.get(1))),
    }
}

/// DEBUG SET-ACTIVE-EXPIRE: sweep expired keys, or leave them until someone asks for them.
fn set_active_expire(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len() != 3 {
        return Err(errors::unknown_form("debug", ctx.args.get(1)));
    }
    // Redis: anything that is not a number is zero.
    let is_on = number::parse_i64(ctx.args.get(2)).is_some_and(|number| number != 0);
    ctx.space.common.active_expire = is_on;
    Ok(ctx.reply.ok())
}

/// DEBUG SLEEP: no core does anything for so many seconds.
fn sleep(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    /// Whoever wants longer has to say it again.
    const SECONDS_MAX: f64 = 3600.0;
    let seconds = number::parse_f64(ctx.args.get(2)).unwrap_or(0.0);
    let micros = (seconds.clamp(0.0, SECONDS_MAX) * 1_000_000.0) as u64;
    ctx.core
        .ask_all(ctx.session, &Question::Sleep(micros), |_, reply| {
            reply.ok();
        });
    Ok(Flow::Later)
}

/// DEBUG ERROR: reply with this error.
fn error(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let text = String::from_utf8_lossy(ctx.args.get(2)).replace(['\r', '\n'], " ");
    Ok(ctx.reply.error(&ErrorReply::from(text)).into())
}

/// DEBUG LOG: write a line into the log.
fn log(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    tracing::warn!("DEBUG LOG: {}", errors::clipped(ctx.args.get(2), 1024));
    Ok(ctx.reply.ok().into())
}

fn protocol_sample(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    protocol::sample(&mut ctx.reply, ctx.args.get(2)).map(Flow::from)
}

/// DEBUG CHANGE-REPL-ID: replicas will see another history.
fn change_replication_id(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    tracing::info!("Changing replication IDs after receiving change-repl-id");
    ctx.core.report(Report::Rename);
    Ok(ctx.reply.ok().into())
}

/// DEBUG QUICKLIST-PACKED-THRESHOLD: checked, and of no consequence.
fn packed_threshold(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    const BYTES_MAX: u64 = 4 << 30;
    match crate::config::byte_count(ctx.args.get(2)) {
        Some(bytes) if bytes < BYTES_MAX => accept(ctx),
        _ => Err("ERR argument must be a memory value bigger than 1 and smaller than 4gb".into()),
    }
}

/// DEBUG LEAK: keep a copy of the argument for ever.
fn leak(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Box::leak(Box::<[u8]>::from(ctx.args.get(2)));
    Ok(ctx.reply.ok().into())
}

/// DEBUG STRINGMATCH-TEST: random patterns against random texts.
fn stringmatch_test(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    const ROUNDS: usize = 100_000;
    const BYTES_MAX: u64 = 32;
    let random = &mut ctx.core.shard.space.common.random;
    let mut text = |letters: u64| -> Vec<u8> {
        let len = random.below(BYTES_MAX);
        (0..len).map(|_| random.below(letters) as u8).collect()
    };
    for _ in 0..ROUNDS {
        let (pattern, subject) = (text(128), text(128));
        crate::base::glob::matches(&pattern, &subject, false);
    }
    let verdict = "Apparently Redis did not crash: test passed";
    Ok(ctx.reply.status(verdict).into())
}

fn accept(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.ok().into())
}

/// DEBUG RELOAD: save, forget, and load.
fn reload(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let (mut saves, mut empties, mut merges) = (true, true, false);
    for at in 2..ctx.args.len() {
        match at {
            _ if ctx.args.is(at, "nosave") => saves = false,
            _ if ctx.args.is(at, "noflush") => empties = false,
            _ if ctx.args.is(at, "merge") => merges = true,
            _ => {
                let text = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
                return Err(text.into());
            }
        }
    }
    let what = Reload::Snapshot {
        saves,
        empties,
        merges,
    };
    reload_from(ctx, what)
}

/// DEBUG LOADAOF: forget, and load what the log holds.
fn load_log(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    reload_from(ctx, Reload::Log)
}

fn reload_from(ctx: &mut ControlCtx<'_>, what: Reload) -> ControlOutcome {
    let session = ctx.core.sessions.find(ctx.session);
    if session.is_some_and(|session| session.executing.is_some()) {
        return Err("ERR Command not allowed inside a transaction".into());
    }
    if let Some(to) = ctx.core.hold_for_reply(ctx.session) {
        ctx.core.reload(to, what);
    }
    Ok(Flow::Later)
}

fn no_restart(_: &mut ControlCtx<'_>) -> ControlOutcome {
    Err("ERR failed to restart the server. Check server logs.".into())
}

fn panic_on_purpose(_: &mut ControlCtx<'_>) -> ControlOutcome {
    panic!("DEBUG PANIC was called")
}

fn assert_on_purpose(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    assert!(ctx.args.is_empty(), "DEBUG ASSERT was called");
    accept(ctx)
}

fn segfault(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    process::raise(libc::SIGSEGV);
    accept(ctx)
}

fn out_of_memory(_: &mut ControlCtx<'_>) -> ControlOutcome {
    let layout = std::alloc::Layout::from_size_align(isize::MAX as usize / 2, 1);
    std::alloc::handle_alloc_error(layout.expect("half of all addresses is a layout"))
}

fn help(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    Ok(ctx.reply.help(HELP).into())
}

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ASSERT",
    "    Crash by assertion failed.",
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LEAK <string>",
    "    Create a memory leak of the input string.",
    "LOADAOF",
    "    Flush the AOF buffers on disk and reload the AOF in memory.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "OOM",
    "    Crash the server simulating an out-of-memory error.",
    "PANIC",
    "    Crash the server simulating a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas. Cluster slots are not respected so keys not belonging to the",
    "    current node can be created in cluster mode.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "RELOAD [option ...]",
    "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
    "    * NOFLUSH: the database will not be flushed before loading the RDB file.",
    "      Conflicting keys fail the reload.",
    "    * NOSAVE: the database will be loaded from an existing RDB file.",
    "SEGFAULT",
    "    Crash the server with sigsegv.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-TEST",
    "    Run a fuzz tester against the stringmatchlen() function.",
    "HELP",
    "    Prints this help.",
];
