//! The hash of a key inside this process.
//!
//! One random seed per process, shared by all cores, so that a hash computed where a command is
//! read serves where it runs. It is never persisted and never leaves the process.

use ahash::RandomState;
use std::sync::OnceLock;

static SEED: OnceLock<RandomState> = OnceLock::new();

/// The hash of these bytes; equal for equal bytes until the process ends.
#[inline]
pub fn of(bytes: &[u8]) -> u64 {
    SEED.get_or_init(RandomState::new).hash_one(bytes)
}
