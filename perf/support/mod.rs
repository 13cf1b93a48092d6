//! What the measuring tools share: starting the servers that are compared, loading them, reading
//! what they cost from /proc, and writing results down as table, chart and ledger line.
//!
//! Each tool mounts this folder as a module and uses its own part of it. Nothing here is part of
//! the server, and nothing here knows a particular scenario.

pub mod arrival;
pub mod benchmark;
pub mod chart;
pub mod figures;
pub mod ledger;
pub mod loader;
pub mod machine;
pub mod options;
pub mod peer;
pub mod process;
pub mod readiness;
pub mod scenario;
pub mod server;
pub mod standstill;
pub mod table;
pub mod wire;
pub mod zipf;
