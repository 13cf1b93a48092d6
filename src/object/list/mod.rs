//! A list that is too large to be packed.
//!
//! What a key of this type holds, apart from commands, keys and time; see [`super::Form`] for the
//! packed form.

mod value;

pub use value::Quicklist;
