//! Floor 2: what a command *is*. No handler lives here.
//!
//! A [`Spec`] is everything that is known of a command: name, arity, flags, keys, how it spreads
//! over shards and how the replies merge. Routing, gates, COMMAND and its DOCS, ACL categories and
//! the README's table derive from it.

#![forbid(unsafe_code)]

mod args;
mod category;
mod flags;
mod keys;
mod marking;
mod spec;
pub mod syntax;

pub use args::{ArgStore, Args};
pub use category::Categories;
pub use flags::Flags;
pub use keys::{
    Begin, Find, KeyFlags, KeySpec, LAST, derived_keys, keys, keys_behind, keys_from, no_keys,
    one_key, option_key, positions,
};
pub use spec::{Derived, Doc, Group, KeyUse, Merge, Plan, Spec};
