//! Snapshots of the running server: written, loaded, refused, and read by redis-server.
//!
//! One file a topic in `snapshots/`. What needs a tool that is not installed says so by name and is
//! skipped.
#![allow(clippy::unwrap_used)]

#[path = "snapshots/bank.rs"]
mod bank;
#[path = "snapshots/check.rs"]
mod check;
#[path = "snapshots/isolation.rs"]
mod isolation;
#[path = "snapshots/loading.rs"]
mod loading;
#[path = "snapshots/saving.rs"]
mod saving;
#[path = "snapshots/slow.rs"]
mod slow;
mod support;
#[allow(dead_code)]
#[path = "aof/volume.rs"]
mod volume;
