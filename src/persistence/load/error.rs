//! Why a dataset cannot be loaded: where, at which key, and what is wrong there.
//!
//! A server that meets one refuses to start; it never serves a part of what it was given.

use crate::rdb::Damage;
use std::fmt;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Damage(Damage),
    /// The bytes end before the dataset does.
    CutOff,
    /// A key that was there already.
    Duplicate,
    /// A database beyond those that are configured.
    Database {
        number: u64,
        databases: u32,
    },
    /// The process is to end before.
    GivenUp,
    /// The source could not be read.
    Read(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Damage(damage) => write!(out, "{damage}"),
            Fault::CutOff => write!(out, "the file ends here, it is truncated"),
            Fault::Duplicate => write!(out, "the key is there already"),
            Fault::Database { number, databases } => write!(
                out,
                "database {number} is beyond the {databases} that are configured"
            ),
            Fault::GivenUp => write!(out, "loading was given up"),
            Fault::Read(error) => write!(out, "{error}"),
        }
    }
}

/// A dataset that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Bytes from the beginning to where the damaged piece begins.
    pub offset: u64,
    /// The key it belongs to.
    pub key: Option<Vec<u8>>,
    pub fault: Fault,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "offset {}", self.offset)?;
        if let Some(key) = &self.key {
            write!(out, ", key '{}'", key.escape_ascii())?;
        }
        write!(out, ": {}", self.fault)
    }
}

impl std::error::Error for LoadError {}
