//! Floor 1: values and their encodings. No keys, no time, no protocol.
//!
//! Small strings and small collections live inside their keyspace entry and are plain bytes there;
//! everything else is an [`Object`] of its own allocation.

pub mod bitfield;
pub mod bits;
pub mod dict;
pub mod element;
mod form;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod lcs;
pub mod list;
pub mod listpack;
pub mod set;
pub mod stream;
pub mod tape;
mod value;
mod walk;
pub mod zset;

pub use form::{Collection, Form, Holder, Packed, Packing, Room};
pub use value::{Encoding, Kind, Object, SHARED_STRING_MIN};
