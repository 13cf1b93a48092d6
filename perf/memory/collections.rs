//! Fills a server with collections of one type and size, for the memory that an element costs.
//!
//! The elements of a key are of one length, and every key has another, from 8 to 24 bytes: with a
//! single length the figure would tell how well it happens to fit the allocator's classes.
//! Elements arrive in commands of ten, as a collection grows in practice. Replies are checked.

use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, ensure};

const LENGTH_MIN: u64 = 8;
const LENGTHS: u64 = 17;
/// Elements that come with one command.
const PER_COMMAND: u64 = 10;
/// Commands that are on their way at once.
const PIPELINE: usize = 200;

/// A type whose elements are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    List,
    Hash,
    Set,
    Zset,
}

/// How many keys, and of what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collections {
    pub kind: Kind,
    pub keys: u64,
    pub per_key: u64,
}

impl Kind {
    fn command(self) -> &'static str {
        match self {
            Kind::List => "RPUSH",
            Kind::Hash => "HSET",
            Kind::Set => "SADD",
            Kind::Zset => "ZADD",
        }
    }

    fn counts_with(self) -> &'static str {
        match self {
            Kind::List => "LLEN",
            Kind::Hash => "HLEN",
            Kind::Set => "SCARD",
            Kind::Zset => "ZCARD",
        }
    }

    /// The words of one element.
    fn push_element(self, words: &mut Vec<String>, key: u64, number: u64) {
        let width = (LENGTH_MIN + key % LENGTHS) as usize - 2;
        let name = format!("e:{number:0width$}");
        match self {
            Kind::List | Kind::Set => words.push(name),
            Kind::Hash => words.extend([name, format!("v:{number:0width$}")]),
            Kind::Zset => words.extend([(number * 7919 % 1_000_003).to_string(), name]),
        }
    }
}

impl Collections {
    /// Makes all of them.
    pub fn fill(self, port: u16) -> Result<()> {
        let mut connection = Connection::open(port)?;
        let (mut requests, mut sent) = (Vec::new(), 0);
        for key in 0..self.keys {
            for first in (0..self.per_key).step_by(PER_COMMAND as usize) {
                self.push_command(&mut requests, key, first);
                sent += 1;
            }
            if sent >= PIPELINE || key + 1 == self.keys {
                connection.send(&requests)?;
                for _ in 0..sent {
                    connection.reply().context("while loading collections")?;
                }
                requests.clear();
                sent = 0;
            }
        }
        self.check(&mut connection)
    }

    fn push_command(self, requests: &mut Vec<u8>, key: u64, first: u64) {
        let mut words = vec![self.kind.command().to_string(), name_of(key)];
        for number in first..self.per_key.min(first + PER_COMMAND) {
            self.kind.push_element(&mut words, key, number);
        }
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        push_request(requests, &words);
    }

    fn check(self, connection: &mut Connection) -> Result<()> {
        for key in [0, self.keys - 1] {
            let name = name_of(key);
            let command = [self.kind.counts_with().as_bytes(), name.as_bytes()];
            let found = connection.call(&command)?;
            ensure!(
                found == self.per_key.to_string(),
                "{name} has {found} elements, not {}",
                self.per_key
            );
        }
        Ok(())
    }
}

fn name_of(key: u64) -> String {
    format!("key:{key:012}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_brings_ten_elements_or_what_is_left() {
        let list = Collections {
            kind: Kind::List,
            keys: 1,
            per_key: 12,
        };
        let mut requests = Vec::new();
        list.push_command(&mut requests, 1, 10);
        let text = String::from_utf8(requests).expect("ASCII");
        assert!(
            text.starts_with("*4\r\n$5\r\nRPUSH\r\n$16\r\nkey:000000000001\r\n$9\r\ne:0000010")
        );
    }

    #[test]
    fn elements_of_a_key_are_of_one_length() {
        for key in [0, 16, 17] {
            let mut words = Vec::new();
            Kind::Hash.push_element(&mut words, key, 0);
            Kind::Hash.push_element(&mut words, key, 9_999);
            let length = 8 + key as usize % 17;
            assert!(words.iter().all(|word| word.len() == length), "{words:?}");
        }
    }
}
