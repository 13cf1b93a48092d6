//! The command line: `ringshard [file] [--directive value ...] [-]`.
//!
//! Redis's grammar is kept to the letter, because start scripts depend on it: every `--name value
//! ...` becomes a line of configuration, values may begin with dashes, lists may be one quoted word
//! or several, options may repeat, and mistakes are reported like those of the file. clap can carry
//! none of that (it decides what a value is before the directive could, and reports in its own
//! words). So options are turned into lines here, and clap, fed from the same rows, has the flags
//! that end at once, and --help.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use super::disk::{Disk, Files};
use super::error::{ConfigError, PRODUCT};
use super::live::Config;
use super::load::{Loaded, Sources, load};
use super::row::{Directive, Effect};
use super::table::SECTIONS;
use super::words;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub enum Startup {
    Run {
        loaded: Box<Loaded>,
        /// The absolute path for CONFIG REWRITE.
        file: Option<PathBuf>,
    },
    PrintVersion,
    /// Print this text: short for -h, every directive for --help.
    Help(String),
    CheckSystem,
    /// --check-aof, and the words behind it.
    CheckAof(Vec<String>),
    /// Look through a snapshot.
    CheckRdb(PathBuf),
}

const EXAMPLES: &str = "Examples:
  ringshard                                  all defaults
  ringshard /etc/redis/redis.conf            a file
  ringshard /etc/redis/redis.conf --port 7777 --loglevel verbose
  ringshard --shards 4 --replicaof 127.0.0.1 6379
  echo 'maxmemory 128mb' | ringshard -       standard input";

impl Config {
    /// Reads the command line, without the program's name, and all it refers to.
    pub fn load(args: &[OsString]) -> Result<Startup, ConfigError> {
        startup(args, &Disk)
    }
}

/// The text of --version.
pub fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "Ringshard server v={version} malloc=jemalloc bits={}",
        usize::BITS
    )
}

fn startup(args: &[OsString], files: &dyn Files) -> Result<Startup, ConfigError> {
    if let Some(flag) = args.first().and_then(ending_flag) {
        return Ok(flag);
    }
    if let Some(("--check-aof", rest)) = split_first(args) {
        let words = rest.iter().map(|word| word.to_string_lossy().into_owned());
        return Ok(Startup::CheckAof(words.collect()));
    }
    if let [flag, path] = args
        && flag == "--check-rdb"
    {
        return Ok(Startup::CheckRdb(PathBuf::from(path)));
    }
    let sources = sources(args, files);
    let loaded = Box::new(load(&sources, files)?);
    Ok(Startup::Run {
        loaded,
        file: sources.file,
    })
}

fn split_first(args: &[OsString]) -> Option<(&str, &[OsString])> {
    let (first, rest) = args.split_first()?;
    Some((first.to_str()?, rest))
}

/// Redis looks for these flags in the first place only; elsewhere they are options like others.
fn ending_flag(first: &OsString) -> Option<Startup> {
    let first = first.to_str()?;
    let known = ["-v", "--version", "-h", "--help", "--check-system"];
    if !known.contains(&first) {
        return None;
    }
    let matches = flags().try_get_matches_from(["ringshard", first]).ok()?;
    let asked = |name| matches.get_flag(name);
    match () {
        () if asked("version") => Some(Startup::PrintVersion),
        () if asked("help") => Some(Startup::Help(help(first == "--help"))),
        () => Some(Startup::CheckSystem),
    }
}

fn help(is_long: bool) -> String {
    let mut command = command();
    let text = if is_long {
        command.render_long_help()
    } else {
        command.render_help()
    };
    text.to_string()
}

fn flags() -> Command {
    let flag = |name: &'static str, help| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("ringshard")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(flag("version", "Print the version").short('v'))
        .arg(flag("help", "Print this help").short('h'))
        .arg(flag(
            "check-system",
            "Say whether this machine can run Ringshard, and what to fix",
        ))
        .arg(flag(
            "check-aof",
            "Say whether an append-only file is whole, and mend it if told so",
        ))
        .arg(
            Arg::new("check-rdb")
                .long("check-rdb")
                .value_name("FILE")
                .help("Say whether a snapshot is whole, and what is in it"),
        )
}

/// Flags and directives, as --help shows them.
fn command() -> Command {
    let mut command = flags()
        .about(format!(
            "{PRODUCT}: a drop-in Redis server, thread-per-core on io_uring"
        ))
        .override_usage("ringshard [FILE] [--DIRECTIVE VALUE ...] [-]")
        .after_help(EXAMPLES)
        .arg(Arg::new("FILE").help("Configuration file; - reads standard input"));
    for section in SECTIONS {
        command = command.next_help_heading(section.title);
        for row in section.rows.iter().filter(|row| !row.is_hidden) {
            command = command.arg(option(row));
        }
    }
    command
}

fn option(row: &'static Directive) -> Arg {
    let no_effect = if row.effect == Effect::Accepted {
        " No effect."
    } else {
        ""
    };
    let default = String::from_utf8_lossy(&row.show(&row.default_value())).into_owned();
    let shown = if default.is_empty() {
        String::new()
    } else {
        format!(" [default: {default}]")
    };
    let arg = Arg::new(row.name)
        .hide_short_help(true)
        .long(row.name)
        .help(format!("{}{no_effect}{shown}", row.about));
    let arg = if row.is_multi_word() {
        arg.value_name("VALUE ...")
    } else {
        arg.value_name("VALUE")
    };
    match row.alias {
        Some(alias) => arg.visible_alias(alias),
        None => arg,
    }
}

pub(super) fn sources(args: &[OsString], files: &dyn Files) -> Sources {
    let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.clone().into_vec()).collect();
    let mut sources = Sources::default();
    let mut options = Options::default();
    let mut first = 0;
    if let Some(path) = args.first().filter(|arg| !arg.starts_with(b"-")) {
        let path = PathBuf::from(OsString::from_vec(path.clone()));
        sources.file = Some(files.absolute(&path));
        first = 1;
    }
    for (at, arg) in args.iter().enumerate().skip(first) {
        let is_at_an_end = at == 0 || at + 1 == args.len();
        if arg == b"-" && is_at_an_end {
            sources.reads_stdin = true;
        } else if options.wants_value || !arg.starts_with(b"--") {
            options.value(arg);
        } else {
            options.name(arg, args.get(at + 1).map(Vec::as_slice));
        }
    }
    sources.options = options.lines;
    sources
}

/// Lines of configuration made of options.
#[derive(Default)]
struct Options {
    lines: Vec<u8>,
    /// The last option has no value yet, so that whatever comes is one, dashes or not.
    wants_value: bool,
}

impl Options {
    fn name(&mut self, arg: &[u8], next: Option<&[u8]>) {
        if !self.lines.is_empty() {
            self.lines.push(b'\n');
        }
        self.lines.extend(&arg[2..]);
        self.lines.push(b' ');
        // An argument like "--port 6380" brings its value along.
        self.wants_value = words::split(arg).is_some_and(|words| words.len() == 1);
        let is_bare = next.is_none_or(|next| next.starts_with(b"--"));
        // Redis: --save alone, or before another option, means no save points.
        if self.wants_value && is_bare && arg.eq_ignore_ascii_case(b"--save") {
            self.lines.extend(b"\"\"");
            self.wants_value = next.is_none();
        }
    }

    fn value(&mut self, arg: &[u8]) {
        self.lines.extend(words::quoted(arg));
        self.lines.push(b' ');
        self.wants_value = false;
    }
}
