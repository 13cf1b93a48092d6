//! The real binary from outside: how it starts, stops, obeys limits, and works with the tools that
//! people already have.
//!
//! One file a topic in `process/`. What needs a tool that is not installed says so by name and is
//! skipped; `tests/run.sh` installs them. What redis-server, standing in for Ringshard, cannot do
//! (it ends the daemon's parent before it serves) is left out there.

#[path = "process/blocking.rs"]
mod blocking;
#[path = "process/bulk.rs"]
mod bulk;
#[path = "process/lifecycle.rs"]
mod lifecycle;
#[path = "process/limits.rs"]
mod limits;
#[path = "process/memory.rs"]
mod memory;
#[path = "process/migrate.rs"]
mod migrate;
#[path = "process/notify.rs"]
mod notify;
#[path = "process/refusals.rs"]
mod refusals;
#[path = "process/service.rs"]
mod service;
mod support;
#[path = "process/tools.rs"]
mod tools;
#[path = "process/wire.rs"]
mod wire;
