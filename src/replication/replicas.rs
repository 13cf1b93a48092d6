//! The replicas of a node, as their master sees them.
//!
//! ```text
//!   Opening   its connections for the shards are being made
//!   Waiting   for a snapshot to begin       gets nothing
//!   Sending   the snapshot is on its way    what the stream brings waits behind it
//!   Online                                  gets the stream, acknowledges every second
//! ```

use super::deed::Place;
use super::flows::Flows;
use super::info::ReplicaPicture;
use super::psync::Applicant;
use crate::config::Config;

/// How far a replica has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Opening,
    Waiting,
    Sending,
    Online,
}

impl Stage {
    /// As INFO calls it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Opening | Stage::Waiting => "wait_bgsave",
            Stage::Sending => "send_bulk",
            Stage::Online => "online",
        }
    }
}

/// A replica.
#[derive(Debug)]
pub struct Replica {
    pub applicant: Applicant,
    pub stage: Stage,
    /// The connections for the shards, if it takes them.
    pub flows: Option<Flows>,
    /// What it says it has.
    pub acked: u64,
    /// What it says it has on its disk, if it has said so.
    pub synced: Option<u64>,
    /// When it has last said so, Unix milliseconds.
    pub acked_ms: i64,
    /// When it has come, Unix milliseconds.
    pub since_ms: i64,
}

impl Replica {
    /// A replica in this stage.
    pub fn new(applicant: Applicant, stage: Stage, now_ms: i64) -> Replica {
        Replica {
            applicant,
            stage,
            flows: None,
            acked: 0,
            synced: None,
            acked_ms: now_ms,
            since_ms: now_ms,
        }
    }

    /// Where its connection lives.
    pub fn place(&self) -> Place {
        self.applicant.place
    }

    /// Whether it waits for a snapshot that could begin now.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// Whether the stream goes to it.
    pub fn is_fed(&self) -> bool {
        let is_synced = !matches!(self.stage, Stage::Opening | Stage::Waiting);
        is_synced && !self.applicant.is_snapshot_only
    }

    /// Whether it counts for `min-replicas-to-write`.
    pub fn is_good(&self, config: &Config, now_ms: i64) -> bool {
        self.stage == Stage::Online && self.lag_s(now_ms) <= i64::from(config.min_replicas_max_lag)
    }

    /// Seconds since it has last acknowledged.
    pub fn lag_s(&self, now_ms: i64) -> i64 {
        match self.stage {
            // Redis compares whole seconds of the clock.
            Stage::Online => (now_ms.div_euclid(1000) - self.acked_ms.div_euclid(1000)).max(0),
            _ => 0,
        }
    }

    /// Whether it has been silent for too long; while it loads it says nothing.
    pub fn is_silent(&self, config: &Config, now_ms: i64) -> bool {
        let limit_ms = i64::from(config.repl_timeout) * 1000;
        if self.stage == Stage::Opening && now_ms - self.since_ms > limit_ms {
            return true;
        }
        // One that uses SYNC does not acknowledge.
        let acks = self.stage == Stage::Online && self.applicant.request.is_some();
        acks && now_ms - self.acked_ms > limit_ms
    }

    /// For INFO and ROLE.
    pub fn picture(&self, now_ms: i64) -> ReplicaPicture {
        ReplicaPicture {
            ip: self.applicant.ip.clone(),
            port: self.applicant.port,
            state: self.stage.name(),
            offset: self.acked,
            lag_seconds: self.lag_s(now_ms),
            is_online: self.stage == Stage::Online,
            streams: self
                .flows
                .as_ref()
                .map_or_else(Vec::new, |it| it.acked().to_vec()),
        }
    }
}
