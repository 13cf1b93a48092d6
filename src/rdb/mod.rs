//! Floor 2: RDB, the format of snapshots, DUMP payloads and full resynchronisations.
//!
//! A codec between bytes and values: no keys' table, no files, no clock. Foreign bytes are checked
//! in every detail, never trusted with a length, and read piece by piece, so that a loader works
//! in slices. Read are versions 1 to 12 of Redis and 80 of Valkey; written is version 10, which
//! Redis 7.0 loads.

mod build;
mod checksum;
mod code;
mod damage;
mod decode;
mod encode;
mod file;
mod frame;
mod input;
mod lzf;
mod output;
mod packed;
mod payload;
mod skim;
mod stream;
mod ziplist;
mod zipmap;

pub use checksum::{CHECKSUM_BYTES, Checksum, combine, crc64};
pub use code::{Code, Dialect, VERSION_MAX, VERSION_VALKEY, VERSION_WRITTEN};
pub use damage::{Damage, Stop};
pub use decode::{Decoder, Value};
pub use encode::ValueRef;
pub use file::{FileReader, Item, KeyHead};
pub use frame::Use;
pub use input::{Input, Text};
pub use output::Output;
pub use payload::{PayloadError, dump, restore};
pub use skim::Skim;

#[cfg(test)]
mod tests;
