//! The report of a panic: what someone needs who was not there.
//!
//! A panic on any core ends the process, because a node that answers for a part of its keys is
//! worse than a dead one. The runtime prints what it knows to the terminal and aborts; a daemon has
//! no terminal, so a second hook writes this report to the log file first. The frame is like that
//! of Redis's bug report, so that people cut it out and tools find it. Nothing here asks another
//! core for anything (it may be stuck): what is known comes in as text.

use std::backtrace::Backtrace;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use crate::observe::log::{Level, Log, Output};

use super::banner::{COMMIT, VERSION};

/// What is known at the moment of a panic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// The thread, which names its core.
    pub thread: String,
    pub message: String,
    /// File and line.
    pub place: String,
    pub backtrace: String,
    /// The command being run, if any, without its values.
    pub command: Option<String>,
    /// INFO as far as it can be told without asking other cores.
    pub info: String,
}

/// From now on panics are reported in the log file too; `info` tells what the server knew. To be
/// called after the runtime has set its hook, which reports to the terminal and ends the process.
pub fn install(log: Arc<Log>, info: impl Fn() -> String + Send + Sync + 'static) {
    let ending = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if log.output() != Output::Stdout {
            let backtrace = Backtrace::force_capture().to_string();
            Crash {
                info: info(),
                ..Crash::of(panic, backtrace)
            }
            .log(&log);
        }
        ending(panic);
    }));
}

impl Crash {
    /// The facts that the hook itself has; `backtrace` as captured by it.
    pub fn of(panic: &PanicHookInfo<'_>, backtrace: String) -> Crash {
        let place = panic
            .location()
            .map_or("unknown place".to_owned(), ToString::to_string);
        Crash {
            thread: std::thread::current()
                .name()
                .unwrap_or("unnamed thread")
                .to_owned(),
            message: message_of(panic),
            place,
            backtrace,
            ..Crash::default()
        }
    }

    /// Logs the report, whatever the level of the log.
    pub fn log(&self, log: &Log) {
        log.raw("\n\n=== RINGSHARD BUG REPORT START: Cut & paste starting from here ===");
        for line in self.headline() {
            log.line(Level::Warning, &line);
        }
        log.raw(&self.body());
    }

    fn headline(&self) -> Vec<String> {
        let Crash {
            thread,
            message,
            place,
            ..
        } = self;
        let program = format!("Ringshard {VERSION} ({COMMIT})");
        let mut lines = vec![format!(
            "{program} crashed by a panic on {thread} at {place}"
        )];
        lines.extend(message.lines().map(str::to_owned));
        lines
    }

    fn body(&self) -> String {
        let command = self.command.as_deref().unwrap_or("none");
        let sections = [
            ("STACK TRACE", self.backtrace.as_str()),
            ("CURRENT COMMAND", command),
            ("INFO OUTPUT", self.info.as_str()),
        ];
        let written = sections.iter().filter(|(_, text)| !text.trim().is_empty());
        let text: String = written
            .map(|(heading, text)| format!("\n------ {heading} ------\n{}\n", text.trim_end()))
            .collect();
        format!("{text}\n{END}")
    }
}

const END: &str = "\
=== RINGSHARD BUG REPORT END. Make sure to include from START to END. ===

    The process ends now: a server without one of its shards would answer wrongly.
    Please report this with the text above, and say what clients were doing.
";

fn message_of(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;

    fn crash() -> Crash {
        Crash {
            thread: "shard-3".to_owned(),
            message: "the entry is in the table\nleft: 1".to_owned(),
            place: "src/keyspace/db.rs:42:7".to_owned(),
            backtrace: "   0: ringshard::keyspace::db::find\n".to_owned(),
            command: Some("get".to_owned()),
            info: "# Server\r\nredis_version:7.2.4\r\n".to_owned(),
        }
    }

    #[test]
    fn the_headline_names_core_and_place() {
        let lines = crash().headline();
        assert!(lines[0].ends_with("crashed by a panic on shard-3 at src/keyspace/db.rs:42:7"));
        assert_eq!(lines[1..], ["the entry is in the table", "left: 1"]);
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let body = crash().body();
        for wanted in [
            "- STACK TRACE -",
            "- CURRENT COMMAND ------\nget\n",
            "- INFO OUTPUT -",
        ] {
            assert!(body.contains(wanted), "{wanted}");
        }
        let body = Crash::default().body();
        assert!(!body.contains("STACK TRACE") && !body.contains("INFO"));
        assert!(body.contains("- CURRENT COMMAND ------\nnone\n"));
    }

    #[test]
    fn the_whole_report_is_framed_even_if_the_log_is_quiet() {
        let path = std::env::temp_dir().join(format!("report-{}.log", std::process::id()));
        let log = Log::new(Clock::Real);
        log.set_output(Output::File(path.clone()));
        log.set_level(Level::Nothing);
        crash().log(&log);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(text.starts_with("\n\n=== RINGSHARD BUG REPORT START: Cut & paste starting"));
        assert!(text.contains(" # Ringshard ") && text.contains(" # left: 1\n"));
        assert!(text.contains("\n=== RINGSHARD BUG REPORT END. Make sure"));
    }
}
