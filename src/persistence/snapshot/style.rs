//! How a snapshot is written: in which format, and what is noted of each key.
//!
//! Whoever wants a snapshot chooses it; the desk finds the scribe that writes so.

use crate::keyspace::AccessRule;
use crate::rdb::Use;

/// As many elements are written in some hundred microseconds.
const LONG_MIN: usize = 1024;

/// What entries become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Rdb,
    /// The commands that make them, for the base of a log without RDB.
    Commands,
}

/// How entries are written.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub format: Format,
    /// Whether long strings are compressed (rdbcompression).
    pub compresses: bool,
    /// What is noted of the keys' use, by the eviction policy; `None`: nothing.
    pub noted: Option<AccessRule>,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// From so many elements on a value is written in slices.
    pub long_min: usize,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            format: Format::Rdb,
            compresses: true,
            noted: None,
            now_ms: 0,
            long_min: LONG_MIN,
        }
    }
}

impl Style {
    pub(super) fn used(self, access: u32) -> Use {
        match self.noted {
            None => Use::Unknown,
            Some(rule @ AccessRule::Recency) => {
                Use::IdleSeconds(rule.idle_seconds(access, self.now_ms).into())
            }
            Some(rule) => Use::Frequency(rule.frequency(access, self.now_ms) as u8),
        }
    }
}
