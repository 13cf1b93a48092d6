//! Floor 1: values and their encodings. No keys, no time, no protocol.
//!
//! Small strings live inside their keyspace entry and are plain bytes there; everything else is an
//! [`Object`] of its own allocation.

pub mod bitfield;
pub mod bits;
pub mod lcs;
mod value;

pub use value::{Encoding, Kind, Object, SHARED_STRING_MIN};
