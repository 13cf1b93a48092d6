//! A batch: keys of one shard with their values, as far as the reader of the frame has got.
//!
//! Values lie behind each other as they were written. The shard that owns the keys decodes them,
//! so that all cores work on one file.

use super::error::{Fault, LoadError};
use crate::keyspace::{AccessRule, DbIndex, Entry, Key, Keyspace, NewValue};
use crate::object::Packing;
use crate::rdb::{Code, Decoder, Input, KeyHead, Value};
use std::ops::Range;

/// A batch is full with so many bytes or keys: some hundred microseconds of work.
const BYTES_MAX: usize = 128 * 1024;
const KEYS_MAX: usize = 512;
/// From so many bytes on a batch will be a full one, and gets its room at once.
const BYTES_LIKELY: usize = 8 * 1024;
const ROOM_BYTES: usize = BYTES_MAX + BYTES_MAX / 8;

#[derive(Debug)]
enum Content {
    Written(Code, Range<usize>),
    Made(Value),
}

/// A value as the reader has it.
pub(super) enum Piece<'a> {
    /// As it was written.
    Written(&'a [u8]),
    Made(Value),
}

#[derive(Debug)]
struct Loaded {
    db: DbIndex,
    /// Where its value begins in the file.
    offset: u64,
    key: Range<usize>,
    expires_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
    content: Content,
}

/// Keys of one shard, to be inserted there.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    keys: Vec<Loaded>,
    /// Whether its keys replace those that are there.
    merges: bool,
}

/// A batch whose keys are where they belong: its memory goes back to whoever filled it.
#[derive(Debug, Default)]
pub struct Installed {
    pub keys: u64,
    pub bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn new(merges: bool) -> Batch {
        Batch {
            merges,
            ..Batch::default()
        }
    }

    /// Whether it is time to send it.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX || self.keys.len() >= KEYS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a key; its value begins at this offset of the file.
    pub(super) fn add(&mut self, db: DbIndex, offset: u64, head: &KeyHead, piece: Piece<'_>) {
        let start = self.bytes.len();
        if start >= BYTES_LIKELY && self.bytes.capacity() < BYTES_MAX {
            self.bytes.reserve(ROOM_BYTES - start.min(ROOM_BYTES));
        }
        self.bytes.extend_from_slice(&head.key);
        let key = start..self.bytes.len();
        let content = match piece {
            Piece::Made(value) => Content::Made(value),
            Piece::Written(bytes) => {
                self.bytes.extend_from_slice(bytes);
                Content::Written(head.code, key.end..self.bytes.len())
            }
        };
        self.keys.push(Loaded {
            db,
            offset,
            key,
            expires_at_ms: head.expires_at_ms,
            idle_seconds: head.idle_seconds,
            frequency: head.frequency,
            content,
        });
    }

    /// Makes the values and puts them under their keys, which must be new unless they replace.
    pub fn install(mut self, space: &mut Keyspace) -> Result<Installed, LoadError> {
        let (packing, rule) = (space.common.packing, space.common.access);
        let now_ms = space.common.now_ms;
        let keys = self.keys.len() as u64;
        for loaded in self.keys.drain(..) {
            let access = loaded.access(rule, now_ms);
            let (db, expires_at_ms) = (loaded.db, loaded.expires_at_ms);
            let place = loaded.place(&self.bytes);
            let entry = Entry {
                value: loaded.make(&self.bytes, &packing)?,
                expires_at_ms,
                access,
            };
            let (mut door, key) = (space.door(db), Key::new(place.key));
            if self.merges {
                door.put(&key, entry);
            } else if !door.add(&key, entry) {
                return Err(place.failed(Fault::Duplicate));
            }
        }
        let bytes = self.bytes;
        Ok(Installed { keys, bytes })
    }

    /// Makes each value and shows it with its expiry.
    pub fn each(
        mut self,
        packing: &Packing,
        mut show: impl FnMut(NewValue, Option<i64>),
    ) -> Result<(), LoadError> {
        for loaded in self.keys.drain(..) {
            let expires_at_ms = loaded.expires_at_ms;
            show(loaded.make(&self.bytes, packing)?, expires_at_ms);
        }
        Ok(())
    }
}

/// Which key it is, and where its value stands.
struct Place<'a> {
    key: &'a [u8],
    offset: u64,
}

impl Place<'_> {
    fn failed(&self, fault: Fault) -> LoadError {
        LoadError {
            offset: self.offset,
            key: Some(self.key.to_vec()),
            fault,
        }
    }
}

impl Loaded {
    fn place<'a>(&self, bytes: &'a [u8]) -> Place<'a> {
        Place {
            key: &bytes[self.key.clone()],
            offset: self.offset,
        }
    }

    fn make(self, bytes: &[u8], packing: &Packing) -> Result<NewValue, LoadError> {
        let place = self.place(bytes);
        match self.content {
            Content::Made(value) => Ok(value.into()),
            Content::Written(code, range) => {
                let value = decode(code, &bytes[range], packing);
                value
                    .map(NewValue::from)
                    .map_err(|fault| place.failed(fault))
            }
        }
    }

    /// The access word, as far as the file says it in the terms of the policy.
    fn access(&self, rule: AccessRule, now_ms: i64) -> u32 {
        match (rule, self.frequency, self.idle_seconds) {
            (AccessRule::Frequency { .. }, Some(frequency), _) => {
                rule.with_frequency(frequency, now_ms)
            }
            (AccessRule::Recency, _, Some(idle)) => {
                rule.with_idle(i64::try_from(idle).unwrap_or(i64::MAX), now_ms)
            }
            _ => rule.fresh(now_ms),
        }
    }
}

fn decode(code: Code, bytes: &[u8], packing: &Packing) -> Result<Value, Fault> {
    let (mut decoder, mut input) = (Decoder::new(code, packing), Input::new(bytes));
    loop {
        let step = decoder.step(&mut input, usize::MAX);
        if let Some(value) = step.map_err(|stop| Fault::Damage(stop.at_end()))? {
            return Ok(value);
        }
    }
}
