//! HyperLogLogs: how many different elements were seen, in 12 KiB at most, as the bytes Redis has.
//!
//! ```text
//!  | "HYLL" | encoding u8 | 0 0 0 | cached count u64, top bit: it is out of date | registers |
//!
//!  dense    16384 registers of 6 bits, the first one in the lowest bits of the first byte
//!
//!  sparse   runs of registers
//!           00xxxxxx            1..64 registers are zero
//!           01xxxxxx xxxxxxxx   1..16384 registers are zero
//!           1vvvvvxx            1..4 registers are 1..32
//! ```
//!
//! The hash of an element names a register and has a number of trailing zeros; the register keeps
//! the largest that was seen, plus one. The count is estimated from how often each value occurs.
//! A HyperLogLog is a string; who reads one that a client may have written checks
//! [`is_hyperloglog`] first, and meets [`Corrupt`] where runs do not add up.
//!
//! Sources: P. Flajolet et al., "HyperLogLog" (2007); O. Ertl, "New cardinality estimation
//! algorithms for HyperLogLog sketches", arXiv:1702.01284; the format is that of Redis's strings.

mod dense;
mod estimate;
mod selftest;
mod sparse;
#[cfg(test)]
mod tests;
mod value;

pub use selftest::selftest;
pub use sparse::{Run, runs};
pub use value::{
    Corrupt, HllRef, Maxima, empty, is_hyperloglog, raise, raise_dense, set_cached, set_stale,
    to_dense,
};

/// Registers of each.
pub const REGISTERS: usize = 1 << REGISTER_BITS;
const REGISTER_BITS: u32 = 14;
/// Bits of a hash behind those that name the register.
const VALUE_BITS: u32 = 64 - REGISTER_BITS;
/// Bytes before the registers.
const HEADER: usize = 16;
