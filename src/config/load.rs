//! From the text of redis.conf and the command line to a `Config`.
//!
//! All sources become one text, as in redis-server: the file, then standard input, then the command
//! line's options as further lines. So a later value wins and line numbers of options count behind
//! the file's. An included file is read where its line stands and has line numbers of its own.
//! Lines that need parts above this one (`user`, `rename-command`, `loadmodule`) are handed on as
//! `Deferred`, with their place, so that a refusal there reads like one here.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::disk::{Files, matching};
use super::error::{ConfigError, system_text};
use super::live::Config;
use super::number::Reason;
use super::row::{Directive, Kind, Special};
use super::table::{self, Id, OBSOLETE};
use super::value::Value;
use super::words;
use crate::base::glob;

/// Includes within includes; Redis goes on until its stack ends.
const INCLUDE_DEPTH_MAX: usize = 64;

const BAD_LINE: &str = "Bad directive or wrong number of arguments";
const UNBALANCED: &str = "Unbalanced quotes in configuration line";

/// What was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// In the order in which they were written.
    pub deferred: Vec<Deferred>,
}

/// A line whose meaning belongs to a part above this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    pub kind: DeferredKind,
    /// The words behind the directive.
    pub args: Vec<Vec<u8>>,
    number: usize,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeferredKind {
    User,
    RenameCommand,
    LoadModule,
}

impl Deferred {
    /// The fatal error for this line.
    pub fn error(&self, reason: &str) -> ConfigError {
        ConfigError::Line {
            number: self.number,
            text: self.text.clone(),
            reason: reason.into(),
        }
    }
}

/// Where options come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub reads_stdin: bool,
    /// Lines made of the command line.
    pub options: Vec<u8>,
}

/// Reads everything.
pub fn load(sources: &Sources, files: &dyn Files) -> Result<Loaded, ConfigError> {
    let mut text = Vec::new();
    if let Some(path) = &sources.file {
        text.extend(read(path, path, files)?);
    }
    if sources.reads_stdin {
        let stdin = files.read_stdin().map_err(|error| ConfigError::File {
            path: PathBuf::from("-"),
            reason: system_text(&error),
        })?;
        text.extend(stdin);
    }
    text.push(b'\n');
    text.extend(&sources.options);
    let mut loader = Loader::new(files);
    loader.text(&text, 0)?;
    loader.finish()
}

/// The new value of a directive; the only one that needs the disk is `dir`.
pub fn assign(
    row: &Directive,
    args: &[Vec<u8>],
    current: &Value,
    files: &dyn Files,
) -> Result<Value, Reason> {
    let value = row.parse(args, current)?;
    match (row.kind, current, &value) {
        (Kind::Special(Special::Dir), Value::Text(Some(from)), Value::Text(Some(to))) => {
            let path = if to.is_empty() {
                PathBuf::new()
            } else {
                path(from).join(path(to))
            };
            let found = files
                .directory(&path)
                .map_err(|error| system_text(&error))?;
            Ok(Value::Text(Some(
                found.into_os_string().as_bytes().to_vec(),
            )))
        }
        _ => Ok(value),
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    values: Vec<Value>,
    deferred: Vec<Deferred>,
    /// The first `save` replaces the defaults, later ones add.
    has_save: bool,
    dir: Id,
}

impl<'a> Loader<'a> {
    fn new(files: &'a dyn Files) -> Self {
        Loader {
            files,
            values: Config::default().values().to_vec(),
            deferred: Vec::new(),
            has_save: false,
            dir: table::lookup(b"dir").expect("a directive").id,
        }
    }

    fn text(&mut self, text: &[u8], depth: usize) -> Result<(), ConfigError> {
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = words::trim(line);
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let text = String::from_utf8_lossy(line);
            self.line(
                line,
                Place {
                    number: at + 1,
                    text: text.clone(),
                    depth,
                },
            )
            .map_err(|failure| match failure {
                Failure::Here(reason) => ConfigError::Line {
                    number: at + 1,
                    text: text.into_owned(),
                    reason: reason.into_owned(),
                },
                Failure::Elsewhere(error) => error,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], place: Place) -> Result<(), Failure> {
        let mut words = words::split(line).ok_or(Failure::Here(UNBALANCED.into()))?;
        if words.is_empty() {
            return Ok(());
        }
        let name = words.remove(0).to_ascii_lowercase();
        match table::lookup(&name) {
            Some(named) => Ok(self.set(named.id, words)?),
            None => self.other(&name, words, place),
        }
    }

    fn set(&mut self, id: Id, args: Vec<Vec<u8>>) -> Result<(), Reason> {
        let row = id.row();
        if let (Kind::Special(Special::Save), [empty]) = (row.kind, &args[..])
            && empty.is_empty()
        {
            self.has_save = true;
            self.values[id.0] = Value::Save(Vec::new());
            return Ok(());
        }
        let args = whole_list(row, args)?;
        let value = assign(row, &args, &self.values[id.0], self.files)?;
        self.values[id.0] = match (value, &self.values[id.0]) {
            (Value::Save(new), Value::Save(old)) if self.has_save => {
                Value::Save([&old[..], &new].concat())
            }
            (value, _) => value,
        };
        self.has_save |= row.kind_is(Special::Save);
        Ok(())
    }

    /// A line that is no setting.
    fn other(&mut self, name: &[u8], args: Vec<Vec<u8>>, place: Place) -> Result<(), Failure> {
        let here = |reason: &'static str| Err(Failure::Here(reason.into()));
        match (name, args.len()) {
            (b"include", 1) => self.include(&args[0], place.depth + 1),
            (b"rename-command", 2) => self.defer(DeferredKind::RenameCommand, args, place),
            (b"user", 1..) => self.defer(DeferredKind::User, args, place),
            (b"loadmodule", 1..) => self.defer(DeferredKind::LoadModule, args, place),
            (b"sentinel", _) => here("sentinel directive while not in sentinel mode"),
            (name, 1) if OBSOLETE.iter().any(|old| old.as_bytes() == name) => Ok(()),
            (name, 1..) if name.contains(&b'.') => here(
                "Module Configuration detected without loadmodule directive or no ApplyConfig \
                 call: aborting",
            ),
            (name, _) if name.contains(&b'.') => here("Module config specified without value"),
            _ => here(BAD_LINE),
        }
    }

    fn defer(
        &mut self,
        kind: DeferredKind,
        args: Vec<Vec<u8>>,
        place: Place,
    ) -> Result<(), Failure> {
        let Place { number, text, .. } = place;
        self.deferred.push(Deferred {
            kind,
            args,
            number,
            text: text.into_owned(),
        });
        Ok(())
    }

    fn include(&mut self, path: &[u8], depth: usize) -> Result<(), Failure> {
        if depth > INCLUDE_DEPTH_MAX {
            return Err(Failure::Here("Too many nested include directives".into()));
        }
        let shown = self::path(path);
        let here = self.working_directory();
        let mut text = Vec::new();
        if glob::is_pattern(path) {
            for found in matching(self.files, here, shown) {
                text.extend(read(&found, &found, self.files)?);
            }
        } else {
            text = read(&here.join(shown), shown, self.files)?;
        }
        Ok(self.text(&text, depth)?)
    }

    fn working_directory(&self) -> &Path {
        match &self.values[self.dir.0] {
            Value::Text(Some(dir)) => path(dir),
            _ => unreachable!("dir always has a text"),
        }
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let whole = |reason: String| ConfigError::Whole { reason };
        let here = self.files.directory(self.working_directory());
        let here = here.map_err(|error| whole(system_text(&error)))?;
        self.values[self.dir.0] = Value::Text(Some(here.into_os_string().as_bytes().to_vec()));
        let config = Config::from_values(self.values);
        if let Some(logfile) = &config.logfile {
            self.files
                .try_append(&config.dir.join(logfile))
                .map_err(|error| {
                    whole(format!("Can't open the log file: {}", system_text(&error)))
                })?;
        }
        if config.cluster_enabled && config.replicaof.is_some() {
            return Err(whole(
                "replicaof directive not allowed in cluster mode".into(),
            ));
        }
        Ok(Loaded {
            config,
            deferred: self.deferred,
        })
    }
}

/// A line and where it stands.
struct Place<'a> {
    number: usize,
    text: Cow<'a, str>,
    depth: usize,
}

/// Whether an error is this line's or an included file's own.
enum Failure {
    Here(Reason),
    Elsewhere(ConfigError),
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Failure::Here(reason)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::Elsewhere(error)
    }
}

/// A list may be written as one quoted word: `--save "900 1 300 10"`.
fn whole_list(row: &Directive, args: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Reason> {
    match &args[..] {
        [one] if row.is_multi_word() => words::split(one).ok_or(Reason::Borrowed(UNBALANCED)),
        _ => Ok(args),
    }
}

fn read(path: &Path, shown: &Path, files: &dyn Files) -> Result<Vec<u8>, ConfigError> {
    files.read(path).map_err(|error| ConfigError::File {
        path: shown.to_path_buf(),
        reason: system_text(&error),
    })
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
