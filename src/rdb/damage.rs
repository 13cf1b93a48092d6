//! What can be wrong with bytes that should be RDB.
//!
//! Bytes come from files, from other servers and from clients (RESTORE), so every reader here
//! returns these instead of trusting. [`Stop`] adds the one thing that is no damage: bytes that are
//! not there yet.

use std::fmt;

/// Why bytes are not what they claim to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A part breaks the rules of its format; says which part and which rule.
    Malformed(&'static str),
    /// The file does not begin with the word of an RDB file.
    NotRdb,
    /// A version nobody here can read.
    Version(String),
    /// A type of value or an opcode nobody here knows.
    Code(u8),
    /// A value of a module, by the module's name.
    Module(String),
    /// A collection without elements, which no server stores.
    Empty,
    /// The checksum at the end is not that of the bytes before it.
    Checksum { stored: u64, computed: u64 },
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Malformed(what) => write!(out, "{what}"),
            Damage::NotRdb => write!(out, "wrong signature: this is no RDB file"),
            Damage::Version(version) => write!(out, "RDB version {version} is not known"),
            Damage::Code(code) => write!(out, "no type or opcode has the number {code}"),
            Damage::Module(name) => write!(out, "a value of the module type '{name}'"),
            Damage::Empty => write!(out, "a collection without elements"),
            Damage::Checksum { stored, computed } => write!(
                out,
                "wrong checksum: {stored:016x} is written, the bytes give {computed:016x}"
            ),
        }
    }
}

impl std::error::Error for Damage {}

/// Why a reader could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At least so many more bytes are needed; at the end of the input, it is cut off.
    Short(u64),
    Damage(Damage),
}

impl Stop {
    /// What it means when no more bytes will come.
    pub fn at_end(self) -> Damage {
        match self {
            Stop::Short(_) => Damage::Malformed("the bytes end in the middle"),
            Stop::Damage(damage) => damage,
        }
    }
}

impl From<Damage> for Stop {
    fn from(damage: Damage) -> Stop {
        Stop::Damage(damage)
    }
}

/// Refuses what breaks a rule.
pub(super) fn ensure(is_so: bool, rule: &'static str) -> Result<(), Damage> {
    if is_so {
        Ok(())
    } else {
        Err(Damage::Malformed(rule))
    }
}
