//! Directives with a grammar of their own: `save`, `bind`, `client-output-buffer-limit`,
//! `replicaof`, `notify-keyspace-events`, `oom-score-adj-values`, percentiles.
//!
//! Each has a small type, a reader with Redis's error texts, and its canonical text. `dir` is here
//! as a plain text only: whether the directory exists is the loader's question.

use std::fmt;

use crate::base::number::parse_f64;

use super::number::{Reason, bytes, lenient};
use super::row::Special;
use super::value::{Value, WRONG_WORDS};

/// Save after `seconds` if at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: i64,
    pub changes: i32,
}

/// When a client is closed for not reading its replies; 0 means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimit {
    pub hard: u64,
    pub soft: u64,
    pub soft_seconds: i32,
}

/// The server to replicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    pub host: Vec<u8>,
    pub port: u16,
}

/// Classes of keyspace events, as bits of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyspaceEvents(pub u32);

impl KeyspaceEvents {
    pub const GENERIC: u32 = 1;
    pub const STRING: u32 = 1 << 1;
    pub const LIST: u32 = 1 << 2;
    pub const SET: u32 = 1 << 3;
    pub const HASH: u32 = 1 << 4;
    pub const ZSET: u32 = 1 << 5;
    pub const EXPIRED: u32 = 1 << 6;
    pub const EVICTED: u32 = 1 << 7;
    pub const STREAM: u32 = 1 << 8;
    pub const MODULE: u32 = 1 << 9;
    pub const NEW: u32 = 1 << 10;
    pub const KEYSPACE: u32 = 1 << 11;
    pub const KEYEVENT: u32 = 1 << 12;
    pub const KEY_MISS: u32 = 1 << 13;
    /// What `A` stands for: every class but new keys and misses.
    pub const ALL: u32 = Self::NEW - 1;

    pub fn has(self, class: u32) -> bool {
        self.0 & class != 0
    }
}

/// Letters of the classes, in canonical order.
const LETTERS: &[u8] = b"g$lshzxetdnKEm";

pub const BUFFER_LIMITS: [BufferLimit; 3] = [
    BufferLimit {
        hard: 0,
        soft: 0,
        soft_seconds: 0,
    },
    BufferLimit {
        hard: 256 << 20,
        soft: 64 << 20,
        soft_seconds: 60,
    },
    BufferLimit {
        hard: 32 << 20,
        soft: 8 << 20,
        soft_seconds: 60,
    },
];

const SAVE_POINTS: [SavePoint; 3] = [
    SavePoint {
        seconds: 3600,
        changes: 1,
    },
    SavePoint {
        seconds: 300,
        changes: 100,
    },
    SavePoint {
        seconds: 60,
        changes: 10000,
    },
];

/// More addresses than this are refused, as in Redis.
const BIND_MAX: usize = 16;

pub fn default_value(special: Special) -> Value {
    match special {
        Special::Dir => Value::Text(Some(b".".to_vec())),
        Special::Save => Value::Save(SAVE_POINTS.to_vec()),
        Special::OutputBuffers => Value::Buffers(BUFFER_LIMITS),
        Special::OomScores => Value::Scores([0, 200, 800]),
        Special::KeyspaceEvents => Value::Events(0),
        Special::Bind => Value::Words(vec![b"*".to_vec(), b"-::*".to_vec()]),
        Special::ReplicaOf => Value::Master(None),
        Special::Percentiles => Value::Percentiles(vec![50.0, 99.0, 99.9]),
    }
}

pub fn parse(special: Special, args: &[Vec<u8>], current: &Value) -> Result<Value, Reason> {
    // A single empty word says "none" where a list is wanted.
    let list = if matches!(args, [only] if only.is_empty()) {
        &[]
    } else {
        args
    };
    match special {
        Special::Dir => match args {
            [path] => Ok(Value::Text(Some(path.clone()))),
            _ => Err(WRONG_WORDS.into()),
        },
        Special::Save => save_points(list).map(Value::Save),
        Special::OutputBuffers => buffer_limits(args, current).map(Value::Buffers),
        Special::OomScores => oom_scores(args).map(Value::Scores),
        Special::KeyspaceEvents => match args {
            [classes] => keyspace_events(classes).map(Value::Events),
            _ => Err(WRONG_WORDS.into()),
        },
        Special::Bind if list.len() > BIND_MAX => Err("Too many bind addresses specified.".into()),
        Special::Bind => Ok(Value::Words(list.to_vec())),
        Special::ReplicaOf => replica_of(args).map(Value::Master),
        Special::Percentiles => percentiles(list).map(Value::Percentiles),
    }
}

pub fn show(value: &Value) -> Vec<u8> {
    match value {
        Value::Save(points) => joined(points),
        Value::Buffers(limits) => buffers_text(limits),
        Value::Scores(scores) => joined(scores),
        Value::Events(classes) => events_text(*classes),
        Value::Words(words) => words.join(&b' '),
        Value::Master(None) => Vec::new(),
        Value::Master(Some(master)) => {
            [&master.host[..], format!(" {}", master.port).as_bytes()].concat()
        }
        Value::Percentiles(list) => joined(
            &list
                .iter()
                .map(|value| short_float(*value))
                .collect::<Vec<_>>(),
        ),
        Value::Bool(_) | Value::Number(_) | Value::Choice(_) | Value::Text(_) => {
            unreachable!("plain kinds show themselves")
        }
    }
}

impl fmt::Display for SavePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seconds, self.changes)
    }
}

fn joined<T: ToString>(items: &[T]) -> Vec<u8> {
    items
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(" ")
        .into_bytes()
}

fn save_points(args: &[Vec<u8>]) -> Result<Vec<SavePoint>, Reason> {
    let point = |pair: &[Vec<u8>]| {
        let [seconds, changes] = pair else {
            return None;
        };
        let (seconds, changes) = (lenient(seconds)?, lenient(changes)?);
        // Redis keeps the changes in an int, whatever was written.
        (seconds >= 1 && changes >= 0).then_some(SavePoint {
            seconds,
            changes: changes as i32,
        })
    };
    let points: Option<Vec<SavePoint>> = args.chunks(2).map(point).collect();
    points.ok_or(Reason::Borrowed("Invalid save parameters"))
}

fn buffer_limits(args: &[Vec<u8>], current: &Value) -> Result<[BufferLimit; 3], Reason> {
    let Value::Buffers(mut limits) = *current else {
        unreachable!("the row's own kind")
    };
    if !args.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for group in args.chunks(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => {
                let text = "Invalid client class specified in buffer limit configuration.";
                return Err(text.into());
            }
        };
        let limit = || {
            let soft_seconds = lenient(&group[3])? as i32;
            let limit = BufferLimit {
                hard: bytes(&group[1])?,
                soft: bytes(&group[2])?,
                soft_seconds,
            };
            (soft_seconds >= 0).then_some(limit)
        };
        limits[class] = limit().ok_or(Reason::Borrowed(
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ))?;
    }
    Ok(limits)
}

fn buffers_text(limits: &[BufferLimit; 3]) -> Vec<u8> {
    let class = |(name, limit): (&&str, &BufferLimit)| {
        format!(
            "{name} {} {} {}",
            limit.hard, limit.soft, limit.soft_seconds
        )
    };
    joined(
        &["normal", "slave", "pubsub"]
            .iter()
            .zip(limits)
            .map(class)
            .collect::<Vec<_>>(),
    )
}

fn oom_scores(args: &[Vec<u8>]) -> Result<[i32; 3], Reason> {
    if args.len() != 3 {
        return Err(WRONG_WORDS.into());
    }
    let mut scores = [0; 3];
    for (score, arg) in scores.iter_mut().zip(args) {
        let value = lenient(arg).filter(|value| (-2000..=2000).contains(value));
        *score = value.ok_or(Reason::Borrowed(
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ))? as i32;
    }
    Ok(scores)
}

fn keyspace_events(classes: &[u8]) -> Result<u32, Reason> {
    let class = |letter: &u8| match letter {
        b'A' => Some(KeyspaceEvents::ALL),
        _ => LETTERS
            .iter()
            .position(|known| known == letter)
            .map(|bit| 1 << bit),
    };
    let bits = classes
        .iter()
        .map(class)
        .try_fold(0, |all, one| Some(all | one?));
    bits.ok_or(Reason::Borrowed(
        "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    ))
}

fn events_text(classes: u32) -> Vec<u8> {
    let letters = |mask: u32| {
        let bits = LETTERS.iter().enumerate();
        bits.filter(move |(bit, _)| classes & mask & (1 << bit) != 0)
            .map(|(_, letter)| *letter)
    };
    if classes & KeyspaceEvents::ALL != KeyspaceEvents::ALL {
        return letters(u32::MAX).collect();
    }
    // Redis drops `n` next to `A`, which would lose it at the next CONFIG REWRITE.
    let behind = letters(!KeyspaceEvents::ALL & !KeyspaceEvents::NEW);
    std::iter::once(b'A')
        .chain(behind)
        .chain(letters(KeyspaceEvents::NEW))
        .collect()
}

fn replica_of(args: &[Vec<u8>]) -> Result<Option<Master>, Reason> {
    let [host, port] = args else {
        return Err(WRONG_WORDS.into());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(None);
    }
    let port = lenient(port).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Reason::Borrowed("Invalid master port"))?;
    Ok(Some(Master {
        host: host.clone(),
        port,
    }))
}

fn percentiles(args: &[Vec<u8>]) -> Result<Vec<f64>, Reason> {
    let percentile = |arg: &Vec<u8>| match parse_f64(arg) {
        Some(value) if (0.0..=100.0).contains(&value) => Ok(value),
        Some(_) => Err(Reason::Borrowed(
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        )),
        None => Err(Reason::Borrowed(
            "Invalid latency-tracking-info-percentiles parameters",
        )),
    };
    args.iter().map(percentile).collect()
}

/// Six decimals at most, without trailing zeros.
fn short_float(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
