//! Snapshots of the running server: written, loaded, refused, and read by redis-server.
//!
//! One file a topic in `snapshots/`. What needs a tool that is not installed says so by name and is
//! skipped.
#![allow(clippy::unwrap_used)]

#[path = "snapshots/loading.rs"]
mod loading;
mod support;
