//! The log: events of `tracing`, printed as Redis prints them.
//!
//! ```text
//!   12389:M 20 Nov 2026 10:49:41.582 * Ready to accept connections tcp
//!   pid   role    local time        level  text
//! ```
//!
//! | event         | loglevel | mark | syslog  |
//! |---------------|----------|------|---------|
//! | TRACE         | debug    | `.`  | debug   |
//! | DEBUG         | verbose  | `-`  | info    |
//! | INFO          | notice   | `*`  | notice  |
//! | WARN or ERROR | warning  | `#`  | warning |
//!
//! An event whose target is `raw` is printed as it is (logo, panic report). Level, role and output
//! can change at any time; a level that is off costs the caller one load, because tracing caches
//! the answer per call site and a change makes it ask again. There are no spans: a line must make
//! sense on its own to someone who greps. A log file is opened anew for every line, as Redis does,
//! so that logrotate needs no signal; lines are rare. A line that cannot be written is lost: there
//! is nowhere left to complain.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber, span, subscriber::Interest};

use crate::base::{clock::Clock, process};

/// The target of events that are printed without the prefix.
pub const RAW: &str = "raw";

/// Redis: LOG_MAX_LEN is 1024 with the final zero.
const TEXT_BYTES_MAX: usize = 1023;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The directive loglevel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

/// The letter behind the process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Master = b'M',
    Replica = b'S',
    /// Also the server itself until it has read its configuration, as in Redis.
    Child = b'C',
    Sentinel = b'X',
}

/// The directive logfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    File(PathBuf),
}

/// The directive syslog-facility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facility {
    User,
    Local(u8),
}

/// The one log of the process.
#[derive(Debug)]
pub struct Log {
    level: AtomicU8,
    role: AtomicU8,
    output: RwLock<Output>,
    is_syslog_on: AtomicBool,
    clock: Clock,
}

/// What `tracing` sees; it wants to own its subscriber, and the server wants to turn its knobs.
struct Listener(Arc<Log>);

impl Level {
    pub const ALL: [Level; 5] = [
        Level::Debug,
        Level::Verbose,
        Level::Notice,
        Level::Warning,
        Level::Nothing,
    ];

    /// The spelling of the directive.
    pub fn name(self) -> &'static str {
        ["debug", "verbose", "notice", "warning", "nothing"][self as usize]
    }

    fn of(level: &tracing::Level) -> Level {
        match *level {
            tracing::Level::TRACE => Level::Debug,
            tracing::Level::DEBUG => Level::Verbose,
            tracing::Level::INFO => Level::Notice,
            tracing::Level::WARN | tracing::Level::ERROR => Level::Warning,
        }
    }

    fn mark(self) -> char {
        ['.', '-', '*', '#', '#'][self as usize]
    }

    fn priority(self) -> i32 {
        match self {
            Level::Debug => libc::LOG_DEBUG,
            Level::Verbose => libc::LOG_INFO,
            Level::Notice => libc::LOG_NOTICE,
            Level::Warning | Level::Nothing => libc::LOG_WARNING,
        }
    }
}

impl Facility {
    /// Reads the directive: user, local0 to local7.
    pub fn from_name(name: &str) -> Option<Facility> {
        let lower = name.to_ascii_lowercase();
        match lower.strip_prefix("local").map(str::as_bytes) {
            Some([digit @ b'0'..=b'7']) => Some(Facility::Local(digit - b'0')),
            Some(_) => None,
            None => (lower == "user").then_some(Facility::User),
        }
    }

    fn code(self) -> i32 {
        match self {
            Facility::User => libc::LOG_USER,
            Facility::Local(number) => libc::LOG_LOCAL0 + (i32::from(number) << 3),
        }
    }
}

impl Log {
    /// A log to the standard output at level notice.
    pub fn new(clock: Clock) -> Arc<Log> {
        Arc::new(Log {
            level: AtomicU8::new(Level::Notice as u8),
            role: AtomicU8::new(Role::Child as u8),
            output: RwLock::new(Output::Stdout),
            is_syslog_on: AtomicBool::new(false),
            clock,
        })
    }

    /// Makes this the log of the process; false if there is one already.
    pub fn install(self: &Arc<Log>) -> bool {
        tracing::subscriber::set_global_default(Listener(self.clone())).is_ok()
    }

    /// Makes this the log of the current thread while `body` runs.
    pub fn capture<T>(self: &Arc<Log>, body: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(Listener(self.clone()), body)
    }

    pub fn level(&self) -> Level {
        Level::ALL[usize::from(self.level.load(Relaxed))]
    }

    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    pub fn set_role(&self, role: Role) {
        self.role.store(role as u8, Relaxed);
    }

    pub fn set_output(&self, output: Output) {
        *self.output.write().unwrap_or_else(PoisonError::into_inner) = output;
    }

    pub fn output(&self) -> Output {
        self.output
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From now on lines go to the system log too.
    pub fn enable_syslog(&self, ident: &str, facility: Facility) {
        process::open_system_log(ident, facility.code());
        self.is_syslog_on.store(true, Relaxed);
    }

    pub fn is_syslog_on(&self) -> bool {
        self.is_syslog_on.load(Relaxed)
    }

    /// Prints a line with the prefix, whatever the level.
    pub fn line(&self, level: Level, text: &str) {
        let text = truncated(text, TEXT_BYTES_MAX);
        self.write(&self.formatted(level, text));
        if self.is_syslog_on.load(Relaxed) {
            process::write_system_log(level.priority(), text);
        }
    }

    /// Prints text as it is.
    pub fn raw(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    fn formatted(&self, level: Level, text: &str) -> String {
        let now = self.clock.millis();
        let time = process::local_time(now.seconds());
        format!(
            "{}:{} {:02} {} {} {:02}:{:02}:{:02}.{:03} {} {text}\n",
            std::process::id(),
            char::from(self.role.load(Relaxed)),
            time.day,
            MONTHS[time.month],
            time.year,
            time.hour,
            time.minute,
            time.second,
            now.0.rem_euclid(1000),
            level.mark(),
        )
    }

    fn write(&self, line: &str) {
        let written = match &*self.output.read().unwrap_or_else(PoisonError::into_inner) {
            Output::Stdout => write_stdout(line),
            Output::File(path) => process::append(path, line.as_bytes()),
        };
        drop(written);
    }
}

fn write_stdout(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

fn truncated(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    &text[..end.expect("zero is a boundary")]
}

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && Level::of(metadata.level()) >= self.0.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.level() {
            Level::Debug => LevelFilter::TRACE,
            Level::Verbose => LevelFilter::DEBUG,
            Level::Notice => LevelFilter::INFO,
            Level::Warning => LevelFilter::WARN,
            Level::Nothing => LevelFilter::OFF,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        match event.metadata().target() {
            RAW => self.0.raw(&text.0),
            _ => self.0.line(Level::of(event.metadata().level()), &text.0),
        }
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The message, and behind it any fields as ` name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("writing to a string cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{ManualClock, Millis};
    use std::fs;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let folder = std::env::temp_dir().join(format!("log-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Scratch(folder)
        }

        fn log(&self) -> Arc<Log> {
            let log = Log::new(ManualClock::at(Millis(1_795_171_781_042)).clock());
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
        let log = Log::new(Clock::Real);
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
}
