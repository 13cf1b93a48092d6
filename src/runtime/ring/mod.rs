//! The network ring: where a shard reads, writes and sleeps.
//!
//! One io_uring per core, apart from the executor's own rings. Sockets are read by multishot
//! receives into a ring of provided buffers, everything queued during a turn leaves with the one
//! system call that also waits for the next turn.
//!
//! ```text
//!   accept / receive / send / wake ......> submission queue --+
//!                                                             | one enter per turn
//!   Vec<Completion> <-- reap <-- completion queue <-----------+
//!   Chunk (a slice of a provided buffer) --> Buffers::give_back --> published with the next enter
//! ```
//!
//! Invariants:
//! - Memory that the kernel may touch belongs to the ring until its last completion: sends own
//!   their buffers, provided buffers outlive the ring, and dropping the ring first cancels and
//!   reaps everything.
//! - A completion of a connection is never handed out after `close` except `Sent` and `Filled`,
//!   which return buffers; they carry the old token.
//! - No caller needs `unsafe`.
//!
//! What it does not do: parse, keep connections, or decide when to stop reading.
mod buffers;
mod completion;
mod ledger;
mod outbox;
mod queue;
mod wait;

#[cfg(test)]
mod tests;

pub use buffers::{Buffers, Chunk};
pub use completion::{Completion, Piece, Pieces, Sleep, Token};
pub use outbox::Copying;
pub use queue::{Ring, RingConfig};
pub use wait::{Doorbell, RingHandle};
