//! Lists: packed while they are small, a quicklist when they are not.
//!
//! [`ListRef`] reads a list in either form, [`edit`] changes one wherever it lies. Neither knows of
//! keys, clients or time.

mod counted;
pub mod edit;
mod limit;
mod middle;
mod node;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use limit::NodeLimit;
pub use node::NodeRef;
pub use value::Quicklist;
pub use view::{Iter, ListItem, ListRef, NewItem, Side};
