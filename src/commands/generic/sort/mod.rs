//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or what keys
//! named after them hold.
//!
//! `options` reads the arguments, `pattern` makes keys of elements, `elements` and `order` sort,
//! `run` puts it together.

mod elements;
mod options;
mod order;
mod pattern;
mod run;

pub use run::{DERIVED, sort, sort_ro};
