//! The store as a sequential object: what each operation would answer if commands ran one at a
//! time.
//!
//! A state is the value of each of a few keys; values are numbers that no two writes share, so that
//! a reader knows which write it saw. This is the whole specification the checker needs.

use crate::support::{Client, Reply};

pub const KEYS: usize = 6;

pub type Value = u32;
pub type State = [Option<Value>; KEYS];

#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Get(usize),
    Set(usize, Value),
    /// SET ... GET: reads what it overwrites.
    Swap(usize, Value),
    MGet(Vec<usize>),
    MSet(Vec<(usize, Value)>),
    MSetNx(Vec<(usize, Value)>),
    Del(Vec<usize>),
    Rename(usize, usize),
    Copy(usize, usize),
    CopyReplace(usize, usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    Count(i64),
    Values(Vec<Option<Value>>),
    NoSuchKey,
}

impl Operation {
    /// The answer in `state`, which becomes the state afterwards.
    pub fn apply(&self, state: &mut State) -> Outcome {
        match self {
            Operation::Get(key) => Outcome::Values(vec![state[*key]]),
            Operation::Set(key, value) => {
                state[*key] = Some(*value);
                Outcome::Done
            }
            Operation::Swap(key, value) => Outcome::Values(vec![state[*key].replace(*value)]),
            Operation::MGet(keys) => Outcome::Values(keys.iter().map(|key| state[*key]).collect()),
            Operation::MSet(pairs) => {
                pairs
                    .iter()
                    .for_each(|(key, value)| state[*key] = Some(*value));
                Outcome::Done
            }
            Operation::MSetNx(pairs) => {
                let free = pairs.iter().all(|(key, _)| state[*key].is_none());
                if free {
                    pairs
                        .iter()
                        .for_each(|(key, value)| state[*key] = Some(*value));
                }
                Outcome::Count(i64::from(free))
            }
            Operation::Del(keys) => {
                let existed = keys
                    .iter()
                    .filter(|key| state[**key].take().is_some())
                    .count();
                Outcome::Count(existed as i64)
            }
            Operation::Rename(from, to) => match state[*from].take() {
                Some(value) => {
                    state[*to] = Some(value);
                    Outcome::Done
                }
                None => Outcome::NoSuchKey,
            },
            Operation::Copy(_, to) if state[*to].is_some() => Outcome::Count(0),
            Operation::Copy(from, to) | Operation::CopyReplace(from, to) => {
                if let Some(value) = state[*from] {
                    state[*to] = Some(value);
                }
                Outcome::Count(i64::from(state[*from].is_some()))
            }
        }
    }

    /// Asks a server.
    pub fn perform(&self, client: &mut Client) -> Outcome {
        let pairs = |pairs: &[(usize, Value)]| {
            let words = pairs
                .iter()
                .map(|(key, value)| format!(" {} {value}", name(*key)));
            words.collect::<String>()
        };
        let keys = |keys: &[usize]| keys.iter().map(|key| format!(" {}", name(*key))).collect();
        let (verb, rest): (&str, String) = match self {
            Operation::Get(key) => ("GET", keys(&[*key])),
            Operation::Set(key, value) => ("SET", pairs(&[(*key, *value)])),
            Operation::Swap(key, value) => ("SET", pairs(&[(*key, *value)]) + " GET"),
            Operation::MGet(all) => ("MGET", keys(all)),
            Operation::MSet(all) => ("MSET", pairs(all)),
            Operation::MSetNx(all) => ("MSETNX", pairs(all)),
            Operation::Del(all) => ("DEL", keys(all)),
            Operation::Rename(from, to) => ("RENAME", keys(&[*from, *to])),
            Operation::Copy(from, to) => ("COPY", keys(&[*from, *to])),
            Operation::CopyReplace(from, to) => ("COPY", keys(&[*from, *to]) + " REPLACE"),
        };
        outcome(&client.call(&format!("{verb}{rest}")))
    }
}

/// Names whose slots lie far apart, so that every shard count splits them.
fn name(key: usize) -> String {
    format!("key:{}", key * 7919)
}

fn outcome(reply: &Reply) -> Outcome {
    match reply {
        Reply::Simple(_) => Outcome::Done,
        Reply::Integer(count) => Outcome::Count(*count),
        Reply::Error(text) if text == b"ERR no such key" => Outcome::NoSuchKey,
        Reply::Array(items) => Outcome::Values(items.iter().map(value).collect()),
        single => Outcome::Values(vec![value(single)]),
    }
}

fn value(reply: &Reply) -> Option<Value> {
    match reply {
        nil if nil.is_nil() => None,
        Reply::Bulk(text) => Some(
            String::from_utf8_lossy(text)
                .parse()
                .expect("a number we wrote"),
        ),
        other => panic!("not a value: {other:?}"),
    }
}
