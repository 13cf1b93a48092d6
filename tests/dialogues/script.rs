//! A dialogue file as steps: who says what, and what must come back.
//!
//! ```text
//! # A comment.
//! @resp3                      before the first step: holds for the whole file
//! > SET a 1                   a command on the unnamed connection
//! OK                          what redis-cli --no-raw prints for the reply
//! b> GET a                    the same on connection b
//! "1"
//! b>> BLPOP q 0               sends and does not read
//! b<                          reads one more reply
//! > !"PING\r\n"               bare bytes instead of a command
//! bytes "+PONG\r\n"           the reply's exact bytes
//! > QUIT
//! OK
//! <
//! (closed)
//! ```
//! In expected lines `<number>` and `<any>` stand for a part of a line, `...` for any lines.
//! Directives: `@resp3` (HELLO 3 on every connection), `@config name value` (start option),
//! `@since 7.2` (older servers are not asked), `@ringshard-only`, `@needs LPUSH` (the file waits
//! until the server has that command; may be repeated), `@works CLIENT TRACKING ON` (it waits
//! until the server answers that without an error), `@unordered` (elements sorted),
//! `@eventually` (repeated until it matches). Those before the first step hold for the file, later
//! ones for the next step. Replies end at the next blank line, comment, directive or step.

use crate::support::notation::split_line;
use std::fs;
use std::path::{Path, PathBuf};

pub enum Action {
    Call(Vec<Vec<u8>>),
    Send(Vec<Vec<u8>>),
    CallBytes(Vec<u8>),
    SendBytes(Vec<u8>),
    Read,
}

#[derive(Clone, Default)]
pub struct Marks {
    pub resp3: bool,
    pub config: Vec<(String, String)>,
    pub since: Option<Version>,
    pub needs: Vec<String>,
    pub works: Option<String>,
    pub ringshard_only: bool,
    pub unordered: bool,
    pub eventually: bool,
}

pub type Version = (u32, u32);

pub struct Step {
    /// Line of the prompt, from 1.
    pub line: usize,
    pub connection: String,
    pub action: Action,
    pub marks: Marks,
    pub expected: Vec<String>,
}

pub struct Script {
    pub path: PathBuf,
    pub lines: Vec<String>,
    pub marks: Marks,
    pub steps: Vec<Step>,
}

impl Script {
    pub fn read(path: &Path) -> Script {
        let text = fs::read_to_string(path).expect("a dialogue is UTF-8");
        Script::parse(path, &text).unwrap_or_else(|error| panic!("{}:{error}", path.display()))
    }

    /// The error begins with the line number.
    pub fn parse(path: &Path, text: &str) -> Result<Script, String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut script = Script {
            path: path.to_owned(),
            lines,
            marks: Marks::default(),
            steps: Vec::new(),
        };
        let mut marks = Marks::default();
        let mut open = false;
        for (index, line) in text.lines().enumerate() {
            let fail = |what: &str| format!("{}: {what}: {line}", index + 1);
            if let Some((connection, rest)) = prompt(line) {
                let action = action(rest).ok_or_else(|| fail("not a step"))?;
                let (line, marks) = (index + 1, std::mem::take(&mut marks));
                let connection = connection.to_owned();
                script.steps.push(Step {
                    line,
                    connection,
                    action,
                    marks,
                    expected: Vec::new(),
                });
                open = true;
            } else if let Some(directive) = line.strip_prefix('@') {
                let target = if script.steps.is_empty() {
                    &mut script.marks
                } else {
                    &mut marks
                };
                target
                    .add(directive)
                    .ok_or_else(|| fail("unknown directive"))?;
                open = false;
            } else if line.is_empty() || line.starts_with('#') {
                open = false;
            } else if open {
                let step = script.steps.last_mut().expect("a step is open");
                step.expected.push(line.trim_end().to_owned());
            } else {
                return Err(fail("a reply without a step"));
            }
        }
        Ok(script)
    }
}

impl Marks {
    fn add(&mut self, directive: &str) -> Option<()> {
        let (name, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match name {
            "resp3" => self.resp3 = true,
            "ringshard-only" => self.ringshard_only = true,
            "unordered" => self.unordered = true,
            "eventually" => self.eventually = true,
            "needs" => self.needs.push(rest.to_owned()),
            "works" => self.works = Some(rest.to_owned()),
            "since" => self.since = Some(version(rest)?),
            "config" => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.config.push((name.to_owned(), value.to_owned()));
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether a reference server of this version can be asked.
    pub fn suits(&self, oracle: Version) -> bool {
        !self.ringshard_only && self.since.is_none_or(|since| since <= oracle)
    }
}

pub fn version(text: &str) -> Option<Version> {
    let mut numbers = text.trim().split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Splits `name> rest` and `name< rest`; the rest keeps its sign.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let end = line.find(['>', '<'])?;
    let (name, rest) = line.split_at(end);
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let shaped = rest == "<" || rest.starts_with("> ") || rest.starts_with(">> ");
    (plain && shaped).then_some((name, rest))
}

fn action(rest: &str) -> Option<Action> {
    if rest == "<" {
        return Some(Action::Read);
    }
    let (sign, typed) = rest.split_once(' ')?;
    let silent = sign == ">>";
    if let Some(bytes) = typed.strip_prefix('!') {
        let bytes = split_line(bytes)?.pop()?;
        return Some(if silent {
            Action::SendBytes(bytes)
        } else {
            Action::CallBytes(bytes)
        });
    }
    let args = split_line(typed)?;
    Some(if silent {
        Action::Send(args)
    } else {
        Action::Call(args)
    })
}
