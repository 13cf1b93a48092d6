//! Tests of the log: the shape of a line, levels that change at runtime, files that are rotated.
//!
//! Every test has a log of its own and captures the events of its own thread, so that tests do not
//! hear each other. Not here: that stdout of a real server has these lines (the process tests).

use super::*;
use std::fs;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("log-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    fn log(&self) -> Arc<Log> {
        let log = Log::new(|| 1_795_171_781_042);
        log.set_output(Output::File(self.0.join("log")));
        log
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.join("log")).unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Compares with a pattern in which 9 stands for any digit.
fn has_shape(line: &str, shape: &str) -> bool {
    line.len() == shape.len()
        && line
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, wanted)| match wanted {
                b'9' => byte.is_ascii_digit(),
                _ => byte == wanted,
            })
}

#[test]
fn a_line_looks_as_redis_prints_it() {
    let scratch = Scratch::new("line");
    let log = scratch.log();
    log.set_role(Role::Master);
    log.capture(|| tracing::info!("Ready to accept connections {}", "tcp"));
    let text = scratch.text();
    let (pid, rest) = text.split_once(':').unwrap();
    assert_eq!(pid.parse(), Ok(std::process::id()));
    let shape = "M 99 Nov 2026 99:99:99.042 * Ready to accept connections tcp\n";
    assert!(has_shape(rest, shape), "{text}");
}

#[test]
fn each_level_has_its_mark() {
    let scratch = Scratch::new("marks");
    let log = scratch.log();
    log.set_level(Level::Debug);
    log.capture(|| {
        tracing::trace!("a");
        tracing::debug!("b");
        tracing::info!("c");
        tracing::warn!("d");
        tracing::error!("e");
    });
    let text = scratch.text();
    let marks: Vec<_> = text.lines().map(|line| &line[line.len() - 3..]).collect();
    assert_eq!(marks, [". a", "- b", "* c", "# d", "# e"]);
}

fn say(text: &str) {
    tracing::debug!("{text}");
}

#[test]
fn a_change_of_level_reaches_call_sites_that_were_off() {
    let scratch = Scratch::new("level");
    let log = scratch.log();
    log.capture(|| {
        say("unheard");
        log.set_level(Level::Verbose);
        say("heard");
        log.set_level(Level::Nothing);
        say("unheard again");
        tracing::error!("even this");
    });
    assert_eq!(log.level(), Level::Nothing);
    let text = scratch.text();
    assert!(
        text.ends_with("- heard\n") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn roles_change() {
    let scratch = Scratch::new("roles");
    let log = scratch.log();
    for role in [Role::Child, Role::Master, Role::Replica, Role::Sentinel] {
        log.set_role(role);
        log.line(Level::Warning, "x");
    }
    let text = scratch.text();
    let letters: String = text
        .lines()
        .filter_map(|line| line.split(':').nth(1)?.chars().next())
        .collect();
    assert_eq!(letters, "CMSX");
}

#[test]
fn a_rotated_file_is_written_anew() {
    let scratch = Scratch::new("rotate");
    let log = scratch.log();
    log.line(Level::Notice, "first");
    fs::rename(scratch.0.join("log"), scratch.0.join("log.1")).unwrap();
    log.line(Level::Notice, "second");
    assert!(scratch.text().ends_with("* second\n"));
    assert!(!scratch.text().contains("first"));
}

#[test]
fn raw_text_and_fields() {
    let scratch = Scratch::new("raw");
    let log = scratch.log();
    log.capture(|| {
        tracing::info!(target: RAW, "  /\\  ");
        tracing::info!(keys = 3, file = "dump.rdb", "Loaded");
    });
    let text = scratch.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "  /\\  ");
    assert!(
        lines[1].ends_with("* Loaded keys=3 file=dump.rdb"),
        "{text}"
    );
}

#[test]
fn long_texts_are_cut_at_a_whole_character() {
    assert_eq!(truncated(&"x".repeat(2000), TEXT_BYTES_MAX).len(), 1023);
    assert_eq!(
        truncated(&"\u{e9}".repeat(1000), TEXT_BYTES_MAX).len(),
        1022
    );
    assert_eq!(truncated("short", TEXT_BYTES_MAX), "short");
}

#[test]
fn an_impossible_file_harms_nobody() {
    let log = Log::new(|| 0);
    log.set_output(Output::File("/nonexistent/folder/log".into()));
    log.line(Level::Warning, "lost");
    assert_eq!(log.output(), Output::File("/nonexistent/folder/log".into()));
}

#[test]
fn facilities_are_spelled_as_in_the_configuration() {
    assert_eq!(Facility::from_name("LOCAL7"), Some(Facility::Local(7)));
    assert_eq!(Facility::from_name("user"), Some(Facility::User));
    assert_eq!(Facility::from_name("local8"), None);
    assert_eq!(Facility::from_name("mail"), None);
    assert_eq!(Facility::Local(7).code(), libc::LOG_LOCAL7);
}
