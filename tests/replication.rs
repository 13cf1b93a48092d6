//! Masters and replicas as real processes, Ringshard's and stock ones, in all mixtures.
//!
//! What is compared is DEBUG DIGEST: equal on both sides means that all keys, values and expiries
//! are. What needs redis-server is skipped by name where it is not installed.
#![allow(clippy::unwrap_used)]

#[path = "replication/follow.rs"]
mod follow;
#[path = "replication/pair.rs"]
mod pair;
mod support;
