//! Bugs on purpose: each makes a test fail, which shows that the test would notice the real thing.
//!
//! They are only in a build with `--features planted-bugs`, and there at most one at a time: the
//! one that `RINGSHARD_BUG` names. In every other build the answer is a constant, so asking costs
//! nothing.
//!
//! | bug | what fails |
//! |---|---|
//! | `acks-before-write` | `tests/aof/storm.rs` with `everysec` |
//! | `acks-before-sync` | `tests/aof/power.rs` with `always` |
//! | `never-syncs` | the same with `everysec` |
//! | `splits-transactions` | `tests/aof/torn.rs`; `tests/aof/power.rs` in some ten rounds |
//! | `removes-early` | `tests/aof/storm.rs` with rewrites, in some ten rounds |
//! | `syncs-again` | `tests/aof/disk.rs`, after a failed fsync |
//! | `skips-checksum` | `tests/aof/damage.rs`, every flipped bit |
//! | `no-folder-sync` | `tests/aof/power.rs`, what was saved |
//! | `no-pre-image` | `tests/snapshots/bank.rs`, `tests/replication/shards.rs` |
//! | `relative-expiry` | `tests/replication/lead.rs` |
//! | `offset-before-apply` | `tests/replication/links.rs`, of a stock master |

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Replies leave before the log has what they tell.
    AcksBeforeWrite,
    /// With `always` nothing is synced.
    AcksBeforeSync,
    /// With `everysec` nothing is synced.
    NeverSyncs,
    /// The log has no MULTI and EXEC around what belongs together.
    SplitsTransactions,
    /// The files before a new base go before the manifest names it.
    RemovesEarly,
    /// After a failed fsync another one is trusted.
    SyncsAgain,
    /// Nobody looks whether checksums of the log are right.
    SkipsChecksum,
    /// New names of files may not be on disk.
    NoFolderSync,
    /// A change does not write down what a snapshot still wants.
    NoPreImage,
    /// An effect says in how much time a key expires, not when.
    RelativeExpiry,
    /// A replica counts what has come as applied.
    OffsetBeforeApply,
}

/// Whether this bug is planted.
#[cfg(feature = "planted-bugs")]
pub fn is_planted(bug: Bug) -> bool {
    static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let name = match bug {
        Bug::AcksBeforeWrite => "acks-before-write",
        Bug::AcksBeforeSync => "acks-before-sync",
        Bug::NeverSyncs => "never-syncs",
        Bug::SplitsTransactions => "splits-transactions",
        Bug::RemovesEarly => "removes-early",
        Bug::SyncsAgain => "syncs-again",
        Bug::SkipsChecksum => "skips-checksum",
        Bug::NoFolderSync => "no-folder-sync",
        Bug::NoPreImage => "no-pre-image",
        Bug::RelativeExpiry => "relative-expiry",
        Bug::OffsetBeforeApply => "offset-before-apply",
    };
    PLANTED.get_or_init(|| std::env::var("RINGSHARD_BUG").unwrap_or_default()) == name
}

/// Whether this bug is planted: it is not.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn is_planted(_: Bug) -> bool {
    false
}
