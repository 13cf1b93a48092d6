//! Stopping a thread on purpose: DEBUG SLEEP, by which tests and operators see what a core that
//! does not answer does to its clients.
//!
//! Everything else that waits does so in the ring. What it does not do: let anything else run on
//! this core meanwhile; that is the point of it.

use std::time::Duration;

/// Does nothing on this thread for so long.
pub fn stall(duration: Duration) {
    std::thread::sleep(duration);
}
