//! Floor 0: tools without domain. Nothing here has heard of Redis data.
//!
//! One structure per file. This is one of the three folders where `unsafe` may stand, because the
//! others are built on what is proven here.

pub mod alloc;
pub mod clock;
pub mod cpu_list;
pub mod crc;
pub mod glob;
pub mod hash;
pub mod long_double;
pub mod murmur;
pub mod number;
pub mod planted;
pub mod prefetch;
pub mod prng;
pub mod process;
pub mod record;
pub mod room;
pub mod spares;
pub mod table;
