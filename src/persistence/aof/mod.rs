//! The append-only file: every change, in order, in files that stock Redis 7 reads too.
//!
//! [`Aof`] is what the cores hold of it; a thread merges, writes and syncs. Reading is the business
//! of [`scan`], which files there are that of [`files`] and [`manifest`].

pub mod files;
pub mod frame;
pub mod manifest;
pub mod scan;

mod handle;
mod log;
mod rewrite;
mod status;
mod sync;

pub use handle::Aof;
pub use log::{Message, Opening};
pub use status::Status;
