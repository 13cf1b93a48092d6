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

use crate::base::process;

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
    now_ms: fn() -> u64,
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
    /// A log to the standard output at level notice. `now_ms` tells the time since 1970.
    pub fn new(now_ms: fn() -> u64) -> Arc<Log> {
        Arc::new(Log {
            level: AtomicU8::new(Level::Notice as u8),
            role: AtomicU8::new(Role::Child as u8),
            output: RwLock::new(Output::Stdout),
            is_syslog_on: AtomicBool::new(false),
            now_ms,
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
        let now_ms = (self.now_ms)();
        let time = process::local_time(i64::try_from(now_ms / 1000).unwrap_or(0));
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
            now_ms % 1000,
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
mod tests;
