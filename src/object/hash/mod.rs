//! Hashes: fields with a value, and maybe a moment at which a field expires.
//!
//! A small hash is a tape (see [`super::Packed`]): pairs, or triples as soon as a field
//! expires; a large one is a [`HashTable`]. [`HashRef`] reads and [`HashEdit`] changes either;
//! nobody above sees the encoding. What now is, the caller says.

mod edit;
mod packed;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use edit::HashEdit;
pub use value::HashTable;
pub use view::{HashRef, Pair, earliest_ms};
