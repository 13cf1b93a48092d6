//! Waiting for a condition, with a limit and a name.
//!
//! Tests never sleep for a fixed time and hope: they say what they wait for, and fail with that
//! sentence when it does not come. The pause between looks is short and not part of any promise.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Generous, because test machines are slow and shared; only failures wait this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until `condition` holds; panics with `what` when patience ends.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(
        holds_within(PATIENCE, &mut condition),
        "waited {PATIENCE:?} in vain: {what}"
    );
}

/// Whether `condition` comes true within `limit`.
pub fn holds_within(limit: Duration, condition: &mut dyn FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
}
