//! Values of directives: from words, to the text of CONFIG GET, to the lines of CONFIG REWRITE.
//!
//! One `Value` per row, in the row's own shape rather than as text, so that equal settings compare
//! equal however they were spelled. Reading is pure except for `dir`, which the loader resolves
//! because only it may look at the disk.

use super::number::{Reason, with_unit};
use super::row::{Choices, Directive, Kind, Special};
use super::special::{self, BufferLimit, Master, SavePoint};
use super::words;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Number(i128),
    Choice(u32),
    Text(Option<Vec<u8>>),
    Save(Vec<SavePoint>),
    Buffers([BufferLimit; 3]),
    Scores([i32; 3]),
    Events(u32),
    Words(Vec<Vec<u8>>),
    Master(Option<Master>),
    Percentiles(Vec<f64>),
}

/// A line of CONFIG REWRITE.
#[derive(Debug)]
pub struct Line {
    pub text: Vec<u8>,
    /// Written even if the old file has no line left for it.
    pub is_forced: bool,
}

pub const WRONG_WORDS: &str = "wrong number of arguments";

impl Directive {
    pub fn default_value(&self) -> Value {
        match self.kind {
            Kind::Bool(on) => Value::Bool(on),
            Kind::Number(_, value) => Value::Number(value),
            Kind::Choice(_, bits) => Value::Choice(bits),
            Kind::OptionalText => Value::Text(None),
            Kind::Text(text) => Value::Text(Some(text.into())),
            Kind::Special(special) => special::default_value(special),
        }
    }

    /// Reads the words behind a directive. `current` matters where only parts are replaced.
    pub fn parse(&self, args: &[Vec<u8>], current: &Value) -> Result<Value, Reason> {
        let single = || match args {
            [value] => Ok(value.as_slice()),
            _ => Err(Reason::Borrowed(WRONG_WORDS)),
        };
        let value = match self.kind {
            Kind::Bool(_) => Value::Bool(yes_or_no(single()?)?),
            Kind::Number(bounds, _) => {
                let number = bounds.parse(single()?)?;
                Value::Number(
                    self.clamp
                        .map_or(number, |(min, max)| number.clamp(min, max)),
                )
            }
            Kind::Choice(choices, _) => Value::Choice(choices.parse(args)?),
            Kind::OptionalText => {
                Value::Text(Some(single()?.to_vec()).filter(|text| !text.is_empty()))
            }
            Kind::Text(_) => Value::Text(Some(single()?.to_vec())),
            Kind::Special(special) => special::parse(special, args, current)?,
        };
        if let Some(check) = self.check {
            check(&value)?;
        }
        Ok(value)
    }

    /// The text of CONFIG GET.
    pub fn show(&self, value: &Value) -> Vec<u8> {
        match (self.kind, value) {
            (_, Value::Bool(on)) => yes_no_word(*on).into(),
            (Kind::Number(bounds, _), Value::Number(number)) => bounds.unit.show(*number).into(),
            (Kind::Choice(choices, _), Value::Choice(bits)) => choices.show(*bits).into(),
            (_, Value::Text(text)) => text.clone().unwrap_or_default(),
            _ => special::show(value),
        }
    }

    /// The lines of CONFIG REWRITE. None means that the file must not mention the directive.
    pub fn rewritten(&self, value: &Value) -> Vec<Line> {
        let is_forced = *value != self.default_value();
        let text = match (self.kind, value) {
            (Kind::Special(special), _) => return self.special_lines(special, value),
            (_, Value::Text(None)) => return Vec::new(),
            (_, Value::Text(Some(text))) => words::quoted(text),
            (Kind::Number(bounds, _), Value::Number(number)) => bounds.unit.write(*number).into(),
            _ => self.show(value),
        };
        vec![self.line(&text, is_forced)]
    }

    fn special_lines(&self, special: Special, value: &Value) -> Vec<Line> {
        let shown = self.show(value);
        let is_default = *value == self.default_value();
        match (special, value) {
            (Special::Save, Value::Save(points)) if !points.is_empty() => points
                .iter()
                .map(|point| self.line(point.to_string().as_bytes(), true))
                .collect(),
            (Special::OutputBuffers, Value::Buffers(limits)) => self.buffer_lines(limits),
            (Special::ReplicaOf, Value::Master(None)) => Vec::new(),
            (Special::ReplicaOf, Value::Master(Some(Master { host, port }))) => {
                let host = words::plain_or_quoted(host);
                vec![self.line(&[&host[..], format!(" {port}").as_bytes()].concat(), true)]
            }
            (Special::Bind, _) if is_default => Vec::new(),
            (Special::Bind, Value::Words(list)) => vec![self.line(&words::list(list), true)],
            (Special::KeyspaceEvents, _) => vec![self.line(&words::quoted(&shown), !is_default)],
            (Special::Dir, _) => vec![self.line(&words::quoted(&shown), true)],
            (Special::OomScores, _) => vec![self.line(&shown, !is_default)],
            _ if shown.is_empty() => vec![self.line(b"\"\"", true)],
            _ => vec![self.line(&shown, true)],
        }
    }

    fn buffer_lines(&self, limits: &[BufferLimit; 3]) -> Vec<Line> {
        let classes = ["normal", "replica", "pubsub"].iter().zip(limits);
        let lines = classes
            .zip(&special::BUFFER_LIMITS)
            .map(|((class, limit), default)| {
                let (hard, soft) = (with_unit(limit.hard.into()), with_unit(limit.soft.into()));
                let text = format!("{class} {hard} {soft} {}", limit.soft_seconds);
                self.line(text.as_bytes(), limit != default)
            });
        lines.collect()
    }

    fn line(&self, text: &[u8], is_forced: bool) -> Line {
        Line {
            text: [self.name.as_bytes(), b" ", text].concat(),
            is_forced,
        }
    }
}

impl Choices {
    fn parse(&self, args: &[Vec<u8>]) -> Result<u32, Reason> {
        if !self.many && args.len() != 1 {
            return Err(WRONG_WORDS.into());
        }
        let bits = args
            .iter()
            .map(|arg| self.bits(arg))
            .try_fold(0, |all, one| Some(all | one?));
        bits.filter(|_| !args.is_empty()).ok_or_else(|| {
            let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
            format!(
                "argument(s) must be one of the following: {}",
                words.join(", ")
            )
            .into()
        })
    }

    fn bits(&self, arg: &[u8]) -> Option<u32> {
        let found = self
            .words
            .iter()
            .find(|(word, _)| arg.eq_ignore_ascii_case(word.as_bytes()));
        found.map(|(_, bits)| *bits)
    }

    fn show(&self, bits: u32) -> String {
        if let Some((word, _)) = self.words.iter().find(|(_, one)| *one == bits) {
            return (*word).into();
        }
        let set = self
            .words
            .iter()
            .filter(|(_, one)| one & bits != 0)
            .map(|(word, _)| *word);
        set.collect::<Vec<_>>().join(" ")
    }
}

fn yes_or_no(text: &[u8]) -> Result<bool, Reason> {
    match text.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

fn yes_no_word(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}
