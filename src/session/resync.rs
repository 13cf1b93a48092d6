//! A snapshot for replicas, and its way to them.
//!
//! ```text
//!   cut        the replicas that wait are told where the stream goes on, and it goes on behind
//!   file       made by all cores, as for BGSAVE, under a name of its own
//!   sockets    lent to threads, which send the file; then what has gathered behind
//! ```
//!
//! On a node that is a replica itself the offset of the cut is that of its master's stream: nothing
//! of it is run while the cut is made. What it does not do: send to stock replicas without a file
//! in between; for them `repl-diskless-sync` only says whether to wait for more. Those of our own
//! kind need no file, see `outflow.rs`.

use super::core::Core;
use super::duty::Duty;
use super::load::Letter;
use super::node::Node;
use super::order::Order;
use super::registry::SessionId;
use super::replication::HUB_CORE;
use super::save::{Unwatched, style};
use crate::persistence::snapshot::{Outcome, Target, file_request};
use crate::replication::Report;
use crate::runtime::file;
use crate::runtime::peer;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A snapshot that goes away when the last replica has it.
#[derive(Debug)]
pub struct Parcelled(pub PathBuf);

impl Drop for Parcelled {
    fn drop(&mut self) {
        // Nobody can do anything about a file that stays.
        let _ = file::remove(&self.0);
    }
}

impl Core {
    /// The snapshot is there, or not: its receivers get it.
    pub(super) fn snapshot_ready(&mut self, snapshot: Result<Arc<Parcelled>, String>) {
        self.replication.snapshot = None;
        let receivers = std::mem::take(&mut self.replication.receivers);
        match snapshot {
            Ok(parcel) => {
                tracing::info!("Background saving terminated with success");
                for place in receivers {
                    let order = Order::Lend(place.session, parcel.clone());
                    self.orders_for(place.core).push(order);
                }
            }
            Err(reason) => {
                tracing::warn!("Background saving error: {reason}");
                if let Some(hub) = &mut self.replication.hub {
                    hub.snapshot_lost();
                }
                self.do_deeds();
            }
        }
    }

    /// A replica here is to get a snapshot, as soon as its socket is quiet.
    pub fn lend(&mut self, session: u64, parcel: Arc<Parcelled>) {
        let id = SessionId::from_bits(session);
        if self.sessions.find(id).is_some() {
            self.replication.lends.push((id, parcel));
        }
    }

    /// Replicas whose sockets are to be lent.
    pub fn take_lends(&mut self) -> Vec<(SessionId, Arc<Parcelled>)> {
        std::mem::take(&mut self.replication.lends)
    }

    /// Puts one back whose socket is not quiet yet.
    pub fn put_lend_back(&mut self, lend: (SessionId, Arc<Parcelled>)) {
        self.replication.lends.push(lend);
    }

    /// Sends a snapshot on a socket, on a thread.
    pub fn send_snapshot(&mut self, id: SessionId, fd: OwnedFd, parcel: Arc<Parcelled>) {
        let (node, core) = (self.node.clone(), usize::from(self.id.0));
        let timeout = Duration::from_secs(u64::from(self.config.repl_timeout));
        peer::set_nodelay(&fd, !self.config.repl_disable_tcp_nodelay);
        let errand = move || {
            let sent = peer::send_file(fd, &parcel.0, timeout);
            if let Err(error) = &sent {
                let reason = crate::base::process::reason(error);
                tracing::warn!("Write error sending DB to replica: {reason}");
            }
            let is_whole = sent.is_ok();
            node.letters[core].post(Letter::Sent(id.to_bits(), is_whole));
        };
        self.node.errands.run(Box::new(errand), || {});
    }

    /// A replica has got its snapshot: what has gathered behind follows.
    pub fn snapshot_sent(&mut self, session: u64, is_whole: bool) {
        let id = SessionId::from_bits(session);
        if self.sessions.find(id).is_none() {
            return;
        }
        self.release_held(id);
        let place = self.place(id);
        self.report(Report::Sent { place, is_whole });
    }

    /// What has waited behind a shard's part of a snapshot follows, behind the last of its frames.
    pub fn release_flow(&mut self, session: u64) {
        self.take_letters();
        self.release_held(SessionId::from_bits(session));
    }

    /// What has waited behind a snapshot follows.
    pub(super) fn release_held(&mut self, id: SessionId) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        if let Some(mut behind) = session.behind.take() {
            session.output.append(&mut behind);
        }
        self.mark_dirty(id);
    }

    /// What a replica is fed from now on waits until it has got its snapshot.
    pub fn hold_replica(&mut self, session: u64) {
        if let Some(session) = self.sessions.find_mut(SessionId::from_bits(session)) {
            session.behind = Some(Box::default());
        }
    }
}

/// Tells the hub what has become of a snapshot for replicas.
fn parcelled(node: &Node, parcel: Parcelled, outcome: Outcome) {
    node.desk.release();
    let letter = outcome.map(|_| Arc::new(parcel));
    node.letters[usize::from(HUB_CORE.0)].post(Letter::Snapshot(letter));
}

impl Core {
    /// Makes a snapshot for the replicas that wait.
    pub(super) fn begin_replica_snapshot(&mut self) {
        let is_replica = self.node.replication.is_replica();
        self.replication.awaits_calm = is_replica && !self.calm_stream();
        if self.replication.awaits_calm {
            return;
        }
        if self.replication.snapshot.is_some() || !self.node.desk.claim() {
            self.resume_stream();
            if let Some(hub) = &mut self.replication.hub {
                hub.snapshot_later();
            }
            return;
        }
        let id = match std::mem::take(&mut self.replication.wanting) {
            receivers if receivers.is_empty() => self.begin_file(),
            receivers => self.begin_outflow(&receivers),
        };
        self.replication.snapshot = Some(id);
        if !is_replica {
            self.begin_feed(id);
        }
        self.make_cut(id, !is_replica, self.id);
    }

    /// A snapshot into a file; returns its number.
    fn begin_file(&mut self) -> u64 {
        tracing::info!("Starting BGSAVE for SYNC with target: disk");
        tracing::info!("Background saving started by pid {}", std::process::id());
        self.replication.marks += 1;
        let name = format!(
            "temp-repl-{}.{}.rdb",
            self.replication.marks,
            std::process::id()
        );
        let (bookmark, late) = channel();
        let target = Target {
            path: self.config.dir.join(name),
            late_aux: Some(late),
            ..self.target()
        };
        let (told, parcel) = (self.node.clone(), Parcelled(target.path.clone()));
        let duty = Duty::new(move |outcome| parcelled(&told, parcel, outcome));
        let style = style(&self.config, self.now_ms);
        let watch = Arc::new(Unwatched(self.node.clone()));
        let (request, work) = file_request(target, style, watch);
        let errand = move || duty.end(work());
        self.node.errands.run(Box::new(errand), || {});
        let id = self.node.desk.put(request);
        self.await_place(id, bookmark);
        id
    }

    /// All shards have made a cut. On a replica nothing of the master's stream was run meanwhile.
    pub(super) fn replica_cut_made(&mut self, id: u64) {
        if self.replication.snapshot != Some(id) || !self.node.replication.is_replica() {
            return;
        }
        self.pass_on();
        let (now_ms, config) = (self.now_ms, self.config.share());
        let db = self.stream_db();
        if let Some(hub) = &mut self.replication.hub {
            self.replication.receivers = hub.cut((now_ms, &config), db);
        }
        self.do_deeds();
        self.end_outflow();
    }
}
