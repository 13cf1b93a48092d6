//! FAILOVER: master and replica change places while nobody writes.
//!
//! ```text
//!   Syncing    writes are paused until a replica has everything
//!   Handing    this node follows it already, and asks it to become the master
//! ```
//!
//! Whatever goes wrong, or takes too long, ends with this node being the master as before.

use super::deed::{Answer, Deed};
use super::hub::Hub;
use super::replicas::{Replica, Stage};
use crate::config::{Config, Master};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Syncing,
    Handing,
}

/// A failover that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Which replica; any, if none is named.
    pub to: Option<Master>,
    /// When time is over, it goes on with what the replica has.
    pub is_forced: bool,
    /// Unix milliseconds.
    pub until_ms: Option<i64>,
    pub step: Step,
}

impl Failover {
    /// As INFO calls it.
    pub fn name(failover: Option<&Failover>) -> &'static str {
        match failover.map(|failover| failover.step) {
            None => "no-failover",
            Some(Step::Syncing) => "waiting-for-sync",
            Some(Step::Handing) => "failover-in-progress",
        }
    }

    /// Whether time is over.
    pub fn is_late(&self, now_ms: i64) -> bool {
        self.until_ms.is_some_and(|until_ms| until_ms <= now_ms)
    }

    /// The replica that can take over now: it has everything up to this offset.
    pub fn ready(&self, replicas: &[Replica], offset: u64) -> Option<Master> {
        let is_meant = |replica: &&Replica| {
            self.to.as_ref().is_none_or(|to| is_at(replica, to))
                && replica.stage == Stage::Online
                && replica.acked >= offset
        };
        replicas.iter().find(is_meant).map(address)
    }

    /// Why a failover to this replica, or to any, cannot begin.
    pub fn obstacle(to: Option<&Master>, replicas: &[Replica]) -> Option<&'static str> {
        if replicas.is_empty() {
            return Some("ERR FAILOVER requires connected replicas.");
        }
        let to = to?;
        match replicas.iter().find(|replica| is_at(replica, to)) {
            None => Some("ERR FAILOVER target HOST and PORT is not a replica."),
            Some(replica) if replica.stage != Stage::Online => {
                Some("ERR FAILOVER target replica is not online.")
            }
            Some(_) => None,
        }
    }
}

fn is_at(replica: &Replica, address: &Master) -> bool {
    replica.applicant.port == address.port
        && replica
            .applicant
            .ip
            .as_bytes()
            .eq_ignore_ascii_case(&address.host)
}

fn address(replica: &Replica) -> Master {
    Master {
        host: replica.applicant.ip.clone().into_bytes(),
        port: replica.applicant.port,
    }
}

impl Hub {
    pub(super) fn begin_failover(
        &mut self,
        to: Option<Master>,
        is_forced: bool,
        until_ms: Option<i64>,
    ) -> Answer {
        let refused = |text: &str| Answer::Error(text.into());
        if self.failover.is_some() {
            return refused("ERR FAILOVER already in progress.");
        }
        if self.follower.is_some() {
            return refused("ERR FAILOVER is not valid when server is a replica.");
        }
        if let Some(text) = Failover::obstacle(to.as_ref(), &self.replicas) {
            return refused(text);
        }
        if is_forced && (to.is_none() || until_ms.is_none()) {
            return refused(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
            );
        }
        match &to {
            Some(to) => {
                let host = String::from_utf8_lossy(&to.host);
                tracing::info!("FAILOVER requested to {host}:{}.", to.port);
            }
            None => tracing::info!("FAILOVER requested."),
        }
        self.failover = Some(Failover {
            to,
            is_forced,
            until_ms,
            step: Step::Syncing,
        });
        // Until it is over, or is aborted.
        self.deeds.push(Deed::Pause(Some(i64::MAX)));
        Answer::Ok
    }

    pub(super) fn abort_failover(&mut self) -> Answer {
        match self.failover.as_ref().map(|failover| failover.step) {
            None => return Answer::Error("ERR No failover in progress.".into()),
            Some(Step::Syncing) => self.end_failover(),
            Some(Step::Handing) => self.take_back(),
        }
        tracing::info!("Failover aborted.");
        Answer::Ok
    }

    pub(super) fn go_on_failing_over(&mut self, now: (i64, &Config)) {
        let Some(failover) = &mut self.failover else {
            return;
        };
        let is_late = failover.is_late(now.0);
        if failover.step == Step::Handing {
            if is_late {
                tracing::warn!("Failover timed out, taking the role back.");
                self.take_back();
            }
            return;
        }
        let ready = failover.ready(&self.replicas, self.offset);
        let forced = failover
            .to
            .clone()
            .filter(|_| is_late && failover.is_forced);
        let Some(target) = ready.or(forced) else {
            if is_late {
                tracing::warn!("Replica never caught up before the timeout, failover aborted.");
                self.end_failover();
            }
            return;
        };
        failover.step = Step::Handing;
        let host = String::from_utf8_lossy(&target.host).into_owned();
        tracing::info!(
            "Failover target {host}:{} is synced, failing over.",
            target.port
        );
        self.obey(target, now);
    }

    /// Whether the role is being handed over.
    pub(super) fn is_handing(&self) -> bool {
        let failover = self.failover.as_ref();
        failover.is_some_and(|failover| failover.step == Step::Handing)
    }

    /// The replica does not want the role.
    pub(super) fn take_back(&mut self) {
        self.promote(None);
        self.end_failover();
    }

    pub(super) fn end_failover(&mut self) {
        self.failover = None;
        self.deeds.push(Deed::Pause(None));
    }
}
