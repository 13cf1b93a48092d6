//! Floor 8: one client, and one core's world of clients.
//!
//! A session is what is remembered of a client: who it is, what it has selected, what has arrived
//! of its next request and which of its replies are still on their way. A core owns its sessions,
//! its shard and its router; the node is what all cores read. No sockets here.

#![forbid(unsafe_code)]

mod bookmarks;
mod channels;
mod class;
mod core;
mod describe;
mod duty;
mod ending;
mod events;
mod feed;
mod flows;
mod inflow;
mod intake;
mod late;
mod limits;
mod load;
mod memory;
mod migration;
mod multi;
mod node;
mod order;
mod outflow;
mod pause;
mod pending;
mod publish;
mod registry;
mod reload;
mod replay;
mod replication;
mod resync;
mod rewrite;
mod rules;
mod runner;
mod save;
#[allow(clippy::module_inception)]
mod session;
mod stream;
mod sync_wait;
mod waiting;
mod weights;
mod withhold;

pub use self::bookmarks::MarkedCut;
pub use self::channels::{Channels, Post};
pub use self::class::{Class, Filter};
pub use self::core::{Core, Parcel};
pub use ending::LastPlace;
pub use late::Late;
pub use load::{Dispatch, Letter, Report};
pub use migration::{Item, Migration, Transfer, Transferred};
pub use multi::{Exec, ExecNews, Executing, Queue, Queued, WatchedKey};
pub use node::{Node, REDIS_VERSION, Stop};
pub use order::{Answer, Asked, Finish, Message, Order, Question};
pub use pause::Pause;
pub use pending::Pending;
pub use registry::{SessionId, Sessions};
pub use reload::Reload;
pub use replay::Replayed;
pub use replication::{AT_ONCE_MS, HUB_CORE, Introduction, Replication};
pub use rewrite::NoRewrite;
pub use save::{IN_PROGRESS, Refusal, Wish};
pub use session::{Closing, Origin, ReplyMode, Session, Subscriptions};
pub use waiting::Waiting;
