//! Places on the earth as scores of a sorted set.
//!
//! A score is the number of a cell 0.6 m wide, in an order in which cells that are close mostly
//! have close numbers; a search is a walk over a few ranges of scores. The arithmetic follows
//! Redis step by step, because clients see its last digits.

mod area;
mod cell;

pub use area::{Area, Shape, distance};
pub use cell::{Cell, Coordinates, LATITUDE_MAX, LONGITUDE_MAX};
