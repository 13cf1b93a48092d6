//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! MULTI queues, EXEC runs all of it as if nobody else were there, on as many shards as it takes;
//! WATCH lets it run only if nothing has changed meanwhile. What is queued knows nothing of it.

use super::row::{Family, control, exec, family, watch};
use crate::command::{Flags, Group, KeyFlags, LAST, Merge, keys};

mod exec;
mod multi;
mod plan;
mod queue;
mod run;
mod together;
mod watch;

pub use exec::{abort, exec as run_queued, go_on};
pub use queue::{enqueue, spoil};
pub use together::{may_join, run_together};
pub use watch::watch as watch_keys;

const OWN: Flags = Flags::LOADING
    .and(Flags::STALE)
    .and(Flags::NOSCRIPT)
    .and(Flags::UNQUEUED);
const QUICK: Flags = OWN.and(Flags::FAST).and(Flags::ALLOW_BUSY);
const UNWATCH: Flags = Flags::LOADING
    .and(Flags::STALE)
    .and(Flags::NOSCRIPT)
    .and(Flags::FAST)
    .and(Flags::ALLOW_BUSY);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Transactions,
    &[
        control("multi", 1, QUICK, multi::multi).doc(
            "1.2.0",
            "",
            "O(1)",
            "Mark the start of a transaction block",
        ),
        exec(
            "exec",
            1,
            OWN.and(Flags::SKIP_SLOWLOG).and(Flags::ENDS_MULTI),
        )
        .doc(
            "1.2.0",
            "",
            "Depends on commands in the transaction",
            "Execute all commands issued after MULTI",
        ),
        control("discard", 1, QUICK.and(Flags::ENDS_MULTI), multi::discard).doc(
            "2.0.0",
            "",
            "O(N), when N is the number of queued commands",
            "Discard all commands issued after MULTI",
        ),
        watch(
            "watch",
            -2,
            QUICK,
            &[keys(1, LAST, 1, KeyFlags::RO)],
            watch::on_shard,
        )
        .split(Merge::AllOk)
        .doc(
            "2.2.0",
            "key [key ...]",
            "O(1) for every key.",
            "Watch the given keys to determine execution of the MULTI/EXEC block",
        ),
        control("unwatch", 1, UNWATCH, multi::unwatch).doc(
            "2.2.0",
            "",
            "O(1)",
            "Forget about all watched keys",
        ),
    ],
);
