//! What the tests of the running server share: a process, a client, a way to wait.
//!
//! Each test crate compiles this folder for itself and uses only some of it, hence the permission
//! for dead code. Nothing here knows what a test is about.
#![allow(dead_code, unused_imports)]

pub mod client;
pub mod every;
pub mod merged;
pub mod notation;
pub mod prng;
pub mod reply;
pub mod server;
pub mod values;
pub mod wait;

pub use client::Client;
pub use merged::Merged;
pub use reply::Reply;
pub use server::{Server, Setup};
pub use wait::wait_until;
