//! Masters and replicas as real processes, Ringshard's and stock ones, in all mixtures.
//!
//! What is compared is DEBUG DIGEST: equal on both sides means that all keys, values and expiries
//! are. What needs redis-server is skipped by name where it is not installed.
#![allow(clippy::unwrap_used)]

#[path = "replication/chaos.rs"]
mod chaos;
#[path = "replication/follow.rs"]
mod follow;
#[path = "replication/keepalived.rs"]
mod keepalived;
#[path = "replication/lead.rs"]
mod lead;
#[path = "replication/links.rs"]
mod links;
#[path = "replication/load.rs"]
mod load;
#[path = "replication/operations.rs"]
mod operations;
#[path = "replication/pair.rs"]
mod pair;
#[path = "replication/proxy.rs"]
mod proxy;
#[path = "replication/restart.rs"]
mod restart;
#[path = "replication/sentinel.rs"]
mod sentinel;
#[path = "replication/shards.rs"]
mod shards;
mod support;
#[path = "replication/versions.rs"]
mod versions;
#[path = "replication/waiting.rs"]
mod waiting;
