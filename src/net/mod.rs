//! Sockets: who may connect, and the loop between a connection's bytes and its commands.
//!
//! What it does not do: enter the kernel itself. The ring in `runtime` does.
#![forbid(unsafe_code)]
pub mod listener;
