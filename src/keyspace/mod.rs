//! Floor 2: the keys of one shard.
//!
//! Slots, entries, tables that split before they grow large, expiry and scans. Everything that
//! changes an entry passes through [`Door`]: the one choke-point where pre-images are taken and
//! memory, expiries and statistics are kept in step. No I/O, no clock: time comes in.

#![forbid(unsafe_code)]

mod access;
mod add;
mod awaited;
mod collection;
mod db;
mod digest;
mod door;
mod edit;
mod entry;
mod evict;
mod expire;
mod fields;
mod graveyard;
mod notes;
mod pins;
mod random;
mod scan;
mod segment;
mod slot;
mod snapshot;
mod space;
mod watch;

pub use access::AccessRule;
pub use awaited::{Awaited, DbKey};
pub use collection::Open;
pub use db::Db;
pub use digest::{DIGEST_BYTES, Digest};
pub use door::{Door, Expiry, Lookup, WrongKind};
pub use entry::{Entry, EntryRef, NewValue, StringRef};
pub use evict::{Choice, Evicted};
pub use expire::Swept;
pub use graveyard::{Cause, Lazyfree};
pub use notes::{Note, Noted, Notes};
pub use pins::Pins;
pub use scan::Cursor;
pub use slot::{Key, SLOTS, ShardId, Slot, SlotMap};
pub use snapshot::{Head, Piece, Press, Scribe, Shape, Size, Snapshot, Step};
pub use space::{Common, DbIndex, Keyspace, Observer, SpaceStats};
pub use watch::{Client, Watched, Watches};

#[cfg(test)]
mod tests;
