//! The frame of an RDB file, written: the counterpart of `file`.
//!
//! Every piece is appended by itself, so that many cores write parts of one file and only their
//! checksums are put together at the end.

use super::code::{Code, VERSION_WRITTEN};
use super::file::opcode;
use super::output::Output;

/// What is noted of a key's use, as the eviction policy has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing: no policy asks for it.
    Unknown,
    IdleSeconds(u64),
    Frequency(u8),
}

impl Output {
    /// The first bytes of a file.
    pub fn magic(&mut self) {
        self.raw(format!("REDIS{VERSION_WRITTEN:04}").as_bytes());
    }

    /// Something about the file.
    pub fn aux(&mut self, name: &str, value: &[u8]) {
        self.byte(opcode::AUX);
        self.text(name.as_bytes());
        self.text(value);
    }

    /// The code of a library of functions.
    pub fn function(&mut self, code: &[u8]) {
        self.byte(opcode::FUNCTION);
        self.text(code);
    }

    /// What follows belongs to this database.
    pub fn database(&mut self, db: u32) {
        self.byte(opcode::SELECT);
        self.length(db.into());
    }

    /// What follows belongs to this database, which has so many keys, some of which expire.
    pub fn select(&mut self, db: u32, keys: u64, expiring: u64) {
        self.database(db);
        self.byte(opcode::SIZES);
        self.length(keys);
        self.length(expiring);
    }

    /// What stands before a value.
    pub fn key(&mut self, code: Code, key: &[u8], expires_at_ms: Option<i64>, used: Use) {
        if let Some(at) = expires_at_ms {
            self.byte(opcode::EXPIRES_MS);
            self.millis(at);
        }
        match used {
            Use::Unknown => {}
            Use::IdleSeconds(seconds) => {
                self.byte(opcode::IDLE);
                self.length(seconds);
            }
            Use::Frequency(counter) => {
                self.byte(opcode::FREQUENCY);
                self.byte(counter);
            }
        }
        self.byte(code.number());
        self.text(key);
    }

    /// The last byte before the checksum.
    pub fn end(&mut self) {
        self.byte(opcode::END);
    }
}
