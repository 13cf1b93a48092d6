//! Floor 4: from keys to cores, and back.
//!
//! Decides where a command runs, carries it there in batches, makes operations that span shards
//! appear at one moment, and merges their replies. It knows commands only by their specs and
//! clients only as an address to reply to.

#![forbid(unsafe_code)]

mod batch;
mod derived;
mod merge;
mod message;
mod operation;
mod participant;
mod plan;
mod recall;
mod stage;
mod state;
mod transaction;
mod waiting;

pub use batch::{BatchReply, Went};
pub use message::{Answer, Asker, Head, Parcel, ReplyTo, Request, Why, Work};
pub use plan::{Route, lock_intents, only_key, route, split_parts};
pub use stage::{Claims, Pages, Stage, StageWent};
pub use state::{Delivery, Numbers, Router};
pub use transaction::News;
pub use waiting::WaitNews;
