//! observe.
//!
//! See the architecture page for what belongs on this floor.
