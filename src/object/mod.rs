//! Floor 1: values and their encodings. No keys, no time, no protocol.
//!
//! Small strings live inside their keyspace entry and are plain bytes there; everything else is an
//! [`Object`] of its own allocation.

mod value;

pub use value::{Encoding, Kind, Object, SHARED_STRING_MIN};
