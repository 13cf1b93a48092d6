//! base.
//!
//! See the architecture page for what belongs on this floor.
pub mod long_double;
pub mod number;
