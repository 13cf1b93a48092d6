//! A small hash table of records, laid out so that a lookup touches one line of it.
//!
//! The table is in `lines`; here are its tests against a naive model.

mod lines;
#[cfg(test)]
mod tests;

pub use lines::{LINE_WORDS, Place, TABLE_RECORDS_MAX, TAG_BITS, Table, Tag};
