//! A stream: entries in the order of their ids, and consumer groups.
//!
//! What a key of this type holds, apart from commands, keys and time. It has no packed form: the
//! smallest stream is an object.

mod group;
mod id;
mod id_map;
mod lag;
mod log;
mod node;
mod nodes;
mod pack;
mod range;
#[cfg(test)]
mod tests;
mod trim;
mod value;

pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::{IdText, NewId, StreamId};
pub use id_map::IdMap;
pub use log::{Log, TooLarge};
pub use node::Node;
pub use pack::{Entry, Fields};
pub use range::Entries;
pub use trim::{Keep, Trim};
pub use value::Stream;
