//! A stream: entries in the order of their ids, and consumer groups.
//!
//! What a key of this type holds, apart from commands, keys and time; see [`super::Form`] for the
//! packed form.

mod value;

pub use value::Stream;
