//! The hash table of large collections: elements with a key, a small value and maybe an expiry.
//!
//! Hashes (field to value), sets (member) and sorted sets (member to score) are made of it. It
//! grows and shrinks by splitting and merging small tables, so that no step is long, and scans
//! keep Redis's promise meanwhile. It knows neither types nor time; who asks says what now is.

mod directory;
mod element;
mod expire;
mod part;
mod pin;
mod scan;
mod store;
mod tap;
#[cfg(test)]
mod tests;

pub use element::{Element, Taken};
pub use pin::Pin;
pub use store::{Dict, Spot};
