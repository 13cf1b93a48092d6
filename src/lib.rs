//! Ringshard: a drop-in Redis server for one machine, thread-per-core on io_uring.
//!
//! The creed:
//! 1. A Redis user finds any feature by its Redis name, at first try.
//! 2. One row declares a command. Nothing about a command is written twice.
//! 3. The data plane is plain synchronous functions over one core's data; time comes in as an
//!    argument.
//! 4. Dependencies go down, never up, never sideways; a test says so.
//! 5. Every file opens with why it exists; every number that surprises has its reason beside it.
//! 6. `cargo test` is the whole truth: format, lints, house rules, units, dialogues, properties.
#![doc = include_str!("architecture.md")]

// Floor 0: nothing here has heard of Redis data.
pub mod base;

// Floor 1: values, wire, directives, measurements, and the machine.
pub mod config;
pub mod object;
pub mod observe;
pub mod resp;
pub mod runtime;

// Floor 2: entries, what a command is, and values as bytes.
pub mod command;
pub mod keyspace;
pub mod rdb;

// Floor 3: one core's world, pure.
pub mod shard;

// Floor 4: keys to cores.
pub mod router;

// Floor 5: channels, and what outlives the process.
pub mod persistence;
pub mod pubsub;

// Floor 6: masters and replicas.
pub mod replication;

// Floor 8: clients, and one core's world.
pub mod session;

// Floor 9: the table of commands.
pub mod commands;

// Floor 10: sockets and the connection loop.
pub mod net;

// Floor 11: boot, cores, shutdown.
pub mod server;
