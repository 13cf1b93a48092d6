//! PSYNC: a client wants to become a replica, from an offset on if it can.
//!
//! Whether it can is a question to the history and to the backlog. What it is told is the line that
//! every Redis since 2.8 understands.

use super::backlog::Backlog;
use super::deed::Place;
use super::history::History;

/// A client that asks to become a replica, and what it has said of itself by REPLCONF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    pub place: Place,
    /// Where it listens, as INFO tells others.
    pub ip: String,
    pub port: u16,
    /// Can read a snapshot whose length is not known.
    pub can_eof: bool,
    /// Can go on under another name of the history.
    pub can_psync2: bool,
    /// Takes a snapshot shard by shard, on a connection for each.
    pub can_flows: bool,
    /// Wants the snapshot and no stream.
    pub is_snapshot_only: bool,
    /// What it has: a history and the first offset it has not. None of the older SYNC.
    pub request: Option<(Vec<u8>, i64)>,
    /// It hands its role over to this node (PSYNC .. FAILOVER).
    pub is_failover: bool,
}

impl Applicant {
    /// `ip:port` for the log.
    pub fn name(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }

    /// Whether it has nothing to go on with.
    pub fn is_new(&self) -> bool {
        self.request
            .as_ref()
            .is_none_or(|(id, _)| id.first() == Some(&b'?'))
    }
}

/// How a replica goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// With these bytes, from this offset on.
    Partial { bytes: Vec<u8>, offset: u64 },
    /// With everything; the reason is a line for the log.
    Full { reason: String },
}

impl Continuation {
    /// Whether a replica can go on from what it has.
    pub fn of(applicant: &Applicant, history: &History, backlog: Option<&Backlog>) -> Continuation {
        let name = applicant.name();
        let full = |reason: String| Continuation::Full { reason };
        let Some((id, offset)) = &applicant.request else {
            return full(format!("Full resync requested by replica {name}"));
        };
        let offset = u64::try_from(*offset).unwrap_or(0);
        if !history.covers(id, offset) {
            return full(match applicant.is_new() {
                true => format!("Full resync requested by replica {name}"),
                false => mismatch(id, offset, history),
            });
        }
        match backlog.and_then(|backlog| backlog.since(offset)) {
            Some(bytes) => Continuation::Partial { bytes, offset },
            None => full(format!(
                "Unable to partial resync with replica {name} for lack of backlog (Replica request \
                 was: {offset})."
            )),
        }
    }
}

fn mismatch(id: &[u8], offset: u64, history: &History) -> String {
    let id = crate::resp::errors::clipped(id, super::history::ID_LEN);
    let previous = history.previous.as_ref();
    if let Some(previous) = previous.filter(|previous| previous.id.eq_ignore_ascii_case(&id)) {
        return format!(
            "Partial resynchronization not accepted: Requested offset for second ID was {offset}, \
             but I can reply up to {}",
            previous.end
        );
    }
    let nobody = "0".repeat(super::history::ID_LEN);
    format!(
        "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
         '{id}', my replication IDs are '{}' and '{}')",
        history.id,
        previous.map_or(&nobody, |previous| &previous.id)
    )
}
