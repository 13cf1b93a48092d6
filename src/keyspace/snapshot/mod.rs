//! Snapshots of a shard: all its entries as they were at one moment, while clients go on.
//!
//! ```text
//!   cut                all entries are wanted: the meaning of their mark flips
//!   change, removal    of a wanted entry: it is written first, then marked, then changed
//!   walk, in slices    table line after table line: what is wanted is written and marked
//!   birth              entries that are added are born with the mark
//! ```
//!
//! An entry keeps its mark wherever it moves, when tables split or grow. A database that is
//! flushed before the walk has been through it is walked on, out of sight. Large values are not
//! written in one go but become a *long*, see there. What an entry looks like in writing is the
//! [`Scribe`]'s business.

mod long;
mod scribe;
mod state;
mod walk;

pub use scribe::{Head, Piece, Press, Scribe, Shape, Size};
pub use state::Snapshot;
pub(super) use walk::Cut;
pub use walk::Step;
