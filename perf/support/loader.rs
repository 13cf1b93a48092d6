//! Fills a server with keys: long pipelines of SET over one blocking connection.
//!
//! Key names are those that `redis-benchmark -r` draws from (`key:` and twelve digits), so that
//! every GET of a following run hits. It checks every reply; it does not measure.

use crate::support::wire::{Connection, push_request};
use anyhow::{Context, Result, ensure};

/// Long enough that the way there and back does not matter, short enough for socket buffers.
const PIPELINE: u64 = 1000;

/// Which keys to set, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    pub keys: u64,
    pub name: Name,
    pub value_bytes: usize,
    /// Seconds to live of every key.
    pub ttl: Option<u64>,
}

/// How a key is named after its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Name {
    /// `key:000000000123`: 16 bytes.
    Benchmark,
    /// `00000123`: 8 bytes.
    Short,
}

impl Name {
    pub fn of(self, number: u64) -> String {
        match self {
            Name::Benchmark => format!("key:{number:012}"),
            Name::Short => format!("{number:08}"),
        }
    }

    pub fn bytes(self) -> usize {
        self.of(0).len()
    }
}

impl Fill {
    /// Sets all keys; calls `done` after each pipeline with the number of keys that are set.
    pub fn run(&self, port: u16, mut done: impl FnMut(u64)) -> Result<()> {
        let mut connection = Connection::open(port)?;
        let value = vec![b'x'; self.value_bytes];
        let mut requests = Vec::new();
        for first in (0..self.keys).step_by(PIPELINE as usize) {
            let last = self.keys.min(first + PIPELINE);
            requests.clear();
            (first..last).for_each(|number| self.push_set(&mut requests, number, &value));
            connection.send(&requests)?;
            for _ in first..last {
                let reply = connection.reply().context("while loading keys")?;
                ensure!(reply == "OK", "SET answers {reply:?} while loading keys");
            }
            done(last);
        }
        self.check(&mut connection)
    }

    fn push_set(&self, requests: &mut Vec<u8>, number: u64, value: &[u8]) {
        let key = self.name.of(number);
        match self.ttl {
            None => push_request(requests, &[b"SET", key.as_bytes(), value]),
            Some(ttl) => {
                let ttl = ttl.to_string();
                let set: [&[u8]; 5] = [b"SET", key.as_bytes(), value, b"EX", ttl.as_bytes()];
                push_request(requests, &set);
            }
        }
    }

    /// The first and the last key are there: a server that answers OK and forgets is found out.
    fn check(&self, connection: &mut Connection) -> Result<()> {
        for number in [0, self.keys.saturating_sub(1)] {
            let key = self.name.of(number);
            let found = connection.call(&[b"GET", key.as_bytes()])?;
            ensure!(
                found.len() == self.value_bytes,
                "{key} is not as loaded: {found:?}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_redis_benchmark() {
        assert_eq!(Name::Benchmark.of(123), "key:000000000123");
        assert_eq!((Name::Benchmark.bytes(), Name::Short.bytes()), (16, 8));
    }

    #[test]
    fn a_ttl_is_part_of_the_set() {
        let fill = Fill {
            keys: 1,
            name: Name::Short,
            value_bytes: 1,
            ttl: Some(9),
        };
        let mut requests = Vec::new();
        fill.push_set(&mut requests, 7, b"x");
        let text = String::from_utf8(requests).expect("ASCII");
        assert!(text.starts_with("*5\r\n$3\r\nSET\r\n$8\r\n00000007\r\n$1\r\nx\r\n"));
        assert!(text.ends_with("$2\r\nEX\r\n$1\r\n9\r\n"));
    }
}
