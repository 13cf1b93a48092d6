//! The directives, one file per part of the server that reads them.
//!
//! The names, bounds and defaults are those of Redis 7.2; `ringshard.rs` has our own. A row without
//! meaning here says `.accepted()`, and its text says why. Texts are ours, one or two sentences.
pub mod clients;
pub mod cluster;
pub mod data;
pub mod general;
pub mod memory;
pub mod network;
pub mod persistence;
pub mod replication;
pub mod ringshard;
pub mod security;
pub mod tls;
