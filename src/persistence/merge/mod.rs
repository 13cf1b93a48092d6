//! The streams of all shards become one that replays: SELECT, commands, MULTI .. EXEC.
//!
//! ```text
//!   shard 0   a1  [9: x]  a2  [7: p]  a3          [9: x] is the part of point 9
//!   shard 1   b1  [7: q]  [9: y]
//!   one       a1  b1  MULTI p q EXEC  MULTI x y EXEC  a2  a3
//! ```
//!
//! What a shard says alone goes out in its order. A point goes out when all its parts have come;
//! until then it holds up what lies behind it on its shards, and nobody else.
//!
//! **Why hoisting is right.** Points lie in the order in which a shard let go of their locks, and
//! that may differ from shard to shard when they have no key in common. So a point may overtake
//! points of a *higher* serial number, and all that lies behind those (7 overtakes 9 and a2 above).
//! A serial number is drawn when all locks are held. Whatever a shard says behind its part of 9
//! happened after 9's number was drawn, hence after 7's, hence while 7 held its locks: it has no
//! key in common with 7. A point never overtakes a *lower* one, which it may conflict with.
//!
//! **Why nothing waits for ever.** Whatever waits, waits for a part still to come of the same point
//! or of a lower one, and every point that has begun is ended by its coordinator.
//!
//! What it does not do: limit what is held up. It tells how much that is; see [`Merge::bytes`].

mod order;
mod stream;

pub use order::Merge;
pub use stream::{Run, Stream, Track};

#[cfg(test)]
mod tests;
