//! The lines of the start, in the order and words that operators know from Redis.
//!
//! ```text
//!   * oO0OoO0OoO0Oo Ringshard is starting oO0OoO0OoO0Oo
//!   * Ringshard version=0.1.0, bits=64, commit=00000000, modified=0, pid=4711, just started
//!   * Configuration loaded
//!   * Running mode=standalone, port=6379.
//!   * Server initialized
//!   * Ready to accept connections tcp
//! ```
//!
//! Levels are those of Redis 7.2. On a terminal a logo stands in the place of the fourth line.

use crate::base::process;
use crate::observe::log::{Log, Output, RAW};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this was built from, if the build says so.
pub const COMMIT: &str = match option_env!("RINGSHARD_COMMIT") {
    Some(commit) => commit,
    None => "00000000",
};

/// What the process serves as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// standalone or cluster.
    pub mode: &'a str,
    pub port: u16,
}

/// The first lines. `program` is how the process was called; without any argument it gets a hint.
pub fn starting(program: &str, has_arguments: bool) {
    tracing::info!("oO0OoO0OoO0Oo Ringshard is starting oO0OoO0OoO0Oo");
    tracing::info!(
        "Ringshard version={VERSION}, bits={}, commit={COMMIT}, modified=0, pid={}, just started",
        usize::BITS,
        std::process::id(),
    );
    if has_arguments {
        tracing::info!("Configuration loaded");
    } else {
        tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use {program} /path/to/redis.conf"
        );
    }
}

/// Once the port is known to be ours: the logo or one line.
pub fn running(service: &Service<'_>, shows_logo: bool) {
    let Service { mode, port } = service;
    if shows_logo {
        tracing::info!(target: RAW, "{}", logo(service));
    } else {
        tracing::info!("Running mode={mode}, port={port}.");
    }
}

pub fn initialized() {
    tracing::info!("Server initialized");
}

/// Once per kind of listener: tcp, unix, tls.
pub fn ready(listener: &str) {
    tracing::info!("Ready to accept connections {listener}");
}

/// The last line of a clean exit.
pub fn bye() {
    tracing::warn!("Ringshard is now ready to exit, bye bye...");
}

/// Whether the log is a person at a terminal, or `always-show-logo` insists.
pub fn shows_logo(log: &Log, is_always_wanted: bool) -> bool {
    let is_watched = log.output() == Output::Stdout && process::stdout_is_terminal();
    is_always_wanted || (is_watched && !log.is_syslog_on())
}

fn logo(service: &Service<'_>) -> String {
    let facts = [
        String::new(),
        format!("Ringshard {VERSION} ({COMMIT}/0) {} bit", usize::BITS),
        String::new(),
        format!("Running in {} mode", service.mode),
        format!("Port: {}", service.port),
        format!("PID: {}", std::process::id()),
    ];
    let lines = RING.iter().enumerate().map(|(row, ring)| {
        let fact = facts.get(row).map_or("", String::as_str);
        format!("  {ring:<24}{fact}").trim_end().to_owned() + "\n"
    });
    format!("\n{}", lines.collect::<String>())
}

/// Shards on a ring.
const RING: [&str; 7] = [
    "      .-[##]-.",
    "   [##]      [##]",
    "   /            \\",
    " [##]          [##]",
    "   \\            /",
    "   [##]      [##]",
    "      '-[##]-'",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::observe::log::Level;
    use std::fs;

    fn logged(name: &str, body: impl FnOnce()) -> String {
        let path = std::env::temp_dir().join(format!("{name}-{}.log", std::process::id()));
        let log = Log::new(Clock::Real);
        log.set_output(Output::File(path.clone()));
        log.set_level(Level::Notice);
        log.capture(body);
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        text
    }

    const STANDALONE: Service<'_> = Service {
        mode: "standalone",
        port: 6379,
    };

    #[test]
    fn the_lines_of_a_start_in_order() {
        let text = logged("banner", || {
            starting("ringshard", true);
            running(&STANDALONE, false);
            initialized();
            ready("tcp");
            bye();
        });
        let pid = std::process::id();
        let wanted = [
            "* oO0OoO0OoO0Oo Ringshard is starting oO0OoO0OoO0Oo".to_owned(),
            format!(
                "* Ringshard version={VERSION}, bits=64, commit={COMMIT}, modified=0, pid={pid}, \
                 just started"
            ),
            "* Configuration loaded".to_owned(),
            "* Running mode=standalone, port=6379.".to_owned(),
            "* Server initialized".to_owned(),
            "* Ready to accept connections tcp".to_owned(),
            "# Ringshard is now ready to exit, bye bye...".to_owned(),
        ];
        assert_eq!(text.lines().count(), wanted.len());
        for (line, wanted) in text.lines().zip(wanted) {
            assert!(line.ends_with(&wanted), "{line}");
        }
    }

    #[test]
    fn a_start_without_arguments_gets_a_hint() {
        let text = logged("hint", || starting("./ringshard", false));
        let hint = "config file use ./ringshard /path/to/redis.conf\n";
        assert!(
            text.ends_with(hint) && text.contains(" # Warning: no config file"),
            "{text}"
        );
    }

    #[test]
    fn the_logo_has_no_prefix_and_tells_the_port() {
        let text = logged("logo", || running(&STANDALONE, true));
        assert!(text.starts_with("\n        .-[##]-.\n"), "{text}");
        assert!(text.contains("Port: 6379\n") && text.contains("Running in standalone mode\n"));
        assert!(
            text.lines()
                .all(|line| line.len() <= 80 && !line.ends_with(' '))
        );
    }

    #[test]
    fn a_log_file_gets_no_logo_unless_wanted() {
        let log = Log::new(Clock::Real);
        log.set_output(Output::File("/tmp/x".into()));
        assert!(!shows_logo(&log, false));
        assert!(shows_logo(&log, true));
    }
}
