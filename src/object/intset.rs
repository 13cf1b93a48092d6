//! The packed form of a set of integers: sorted numbers of one width, byte for byte as Redis's.
//!
//! ```text
//!  | width u32 (2, 4, 8) | count u32 | numbers, ascending, little-endian |
//! ```
//!
//! Source of the format: Redis RDB and DUMP payloads.

/// An empty one.
pub const EMPTY: [u8; 8] = [2, 0, 0, 0, 0, 0, 0, 0];
