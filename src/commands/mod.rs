//! Floor 9: the table of commands, and the way from a request to its handler.
//!
//! One line here per family; each family is a folder of rows and handlers. Data families see one
//! shard and nothing else; control families (connection, server) may use the core's world.
//!
//! Adding a command: one row, one function, one dialogue.

#![forbid(unsafe_code)]

pub mod bitmap;
mod blocking;
pub mod connection;
mod dispatch;
pub mod gate;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
mod inbox;
pub mod list;
pub mod local;
mod migrate;
pub mod pubsub;
mod replay;
mod replication;
pub mod row;
pub mod server;
pub mod set;
mod slow;
pub mod sorted_set;
pub mod stream;
pub mod string;
mod table;
pub mod transactions;
mod turn;

pub use dispatch::{Verdict, dispatch};
pub use inbox::receive;
pub use table::{Command, FAMILIES, Table, table};
pub use turn::{Input, Turn, check_query_limit};
