//! The thread that gives unused memory back to the system (`jemalloc-bg-thread`).
//!
//! Memory that was freed and not used again for some seconds is unmapped, page run by page run. The
//! allocator does that on the threads that free, every 50 milliseconds as much as has become old:
//! behind a big deletion a core spent up to 7 ms on it while its clients waited. So a thread of the
//! allocator's does it. It inherits from the one that starts it on which CPUs it may run and how
//! urgent it is, and that must not be a core.

use super::errands::roam;
use super::pace::{self, Pace};
use crate::base::alloc;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;

/// Only one at a time asks what is wanted, and does it.
static TURN: Mutex<()> = Mutex::new(());

/// Starts the thread or ends it, as is wanted when this is its turn; a failure is logged.
///
/// # Errors
/// No thread can be had to do so.
pub fn follow(wanted: impl FnOnce() -> bool + Send + 'static) -> io::Result<()> {
    let work = move || {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        roam();
        pace::keep(Pace::Unhurried);
        let wanted = wanted();
        if !alloc::run_background_thread(wanted) {
            tracing::warn!("The allocator's thread could not be started or ended: {wanted}");
        }
    };
    let builder = Builder::new().name(String::from("purger"));
    builder.spawn(work).map(drop)
}
