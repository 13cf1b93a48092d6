//! The server's entry: arguments to configuration to `server::run`.
//!
//! Everything that can be tested lives in the library; this file only hands over.
fn main() {}
