//! The replica's side of the hub: which master, how the link to it is, what becomes of the stream.
//!
//! ```text
//!   Down --> Calling --> Up            the stream goes on where it was
//!    ^          |         ^
//!    |          v         |
//!    +------- Loading ----+            everything anew
//! ```
//!
//! The history and the offset of the hub are the master's while it follows one: what has been
//! applied is passed on unchanged to the replicas of this node, with the same offsets.

use super::deed::{Answer, Deed};
use super::history::History;
use super::hub::{AtMark, Hub, Recording};
use super::info::LinkPicture;
use super::link::Call;
use super::order::Chunk;
use crate::config::choice::ReplDisklessLoad;
use crate::config::{Config, Master};
use crate::keyspace::ShardId;
use std::net::IpAddr;
use std::time::Duration;

/// How long after a failure the next attempt is made, in milliseconds.
const RETRY_MS: i64 = 1000;

/// How the link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Until the next attempt, Unix milliseconds.
    Down { retry_ms: i64 },
    /// An attempt is being made.
    Calling { is_talking: bool },
    /// The snapshot is arriving; the history and the offset it stands for, if the master named
    /// them.
    Loading {
        start: Option<(String, u64)>,
        total: Option<u64>,
        read: u64,
        io_ms: i64,
    },
    /// The stream is followed.
    Up { io_ms: i64 },
}

/// A node that follows a master.
#[derive(Debug)]
pub struct Follower {
    pub master: Master,
    pub link: Link,
    /// What is here is a beginning of the history's stream.
    pub is_resumable: bool,
    /// Unix milliseconds.
    pub down_since_ms: Option<i64>,
    /// It was a master, or is new, and has not caught up with a master yet: its offset says
    /// nothing, and nobody should promote it.
    pub is_doubtful: bool,
}

/// The address to call a master from, if one is named.
fn source_address(config: &Config) -> Option<IpAddr> {
    let text = std::str::from_utf8(config.bind_source_addr.as_ref()?).ok()?;
    text.parse().ok()
}

impl Follower {
    /// `host:port` for the log.
    pub fn name(&self) -> String {
        let host = String::from_utf8_lossy(&self.master.host);
        format!("{host}:{}", self.master.port)
    }

    /// Whether the stream is being followed.
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Whether it is known where in the master's history the dataset is.
    pub fn has_place(&self) -> bool {
        self.is_resumable && !matches!(self.link, Link::Loading { .. })
    }

    fn state(&self) -> &'static str {
        match self.link {
            Link::Down { .. } => "connect",
            Link::Calling { is_talking: false } => "connecting",
            Link::Calling { is_talking: true } => "handshake",
            Link::Loading { .. } => "sync",
            Link::Up { .. } => "connected",
        }
    }
}

impl Hub {
    /// REPLICAOF: follow this master from now on, or none.
    pub(super) fn follow(
        &mut self,
        master: Option<Master>,
        client: &str,
        wish: (ShardId, u64),
        now: (i64, &Config),
    ) -> Option<Answer> {
        let Some(master) = master else {
            let waits = self.follower.is_some() && self.promote(Some(wish));
            if !waits {
                return Some(Answer::Ok);
            }
            tracing::info!("MASTER MODE enabled (user request from '{client}')");
            return None;
        };
        if self.failover.is_some() {
            let text = "ERR REPLICAOF not allowed while failing over.";
            return Some(Answer::Error(text.into()));
        }
        if self
            .follower
            .as_ref()
            .is_some_and(|follower| follower.master == master)
        {
            tracing::info!(
                "REPLICAOF would result into synchronization with the master we are already \
                 connected with. No operation performed."
            );
            return Some(Answer::Status("OK Already connected to specified master"));
        }
        self.obey(master, now);
        let name = self
            .follower
            .as_ref()
            .map(Follower::name)
            .unwrap_or_default();
        tracing::info!("REPLICAOF {name} enabled (user request from '{client}')");
        Some(Answer::Ok)
    }

    /// Follows a master; what is here may be a beginning of what it has.
    pub fn obey(&mut self, master: Master, now: (i64, &Config)) {
        let was_master = self.follower.is_none();
        if was_master && self.backlog.is_some() {
            tracing::info!(
                "Before turning into a replica, using my own master parameters to synthesize a \
                 cached master: I may be able to synchronize with the new master with just a \
                 partial transfer."
            );
        }
        let is_open = self.recording != Recording::Off;
        let (is_resumable, is_doubtful) = match self.follower.take() {
            // Without a stream of its own it is a replica that was loaded.
            None => (self.backlog.is_some(), is_open || self.backlog.is_none()),
            Some(old) => (old.is_resumable, old.is_doubtful),
        };
        self.deeds.push(Deed::Disconnect);
        self.deeds.push(Deed::Configure(Some(master.clone())));
        if was_master {
            self.deeds.push(Deed::BecomeReplica(true));
            self.give_up_waiting();
        }
        self.follower = Some(Follower {
            master,
            // What this node has still written has to be in its stream first.
            link: Link::Down {
                retry_ms: if is_open { i64::MAX } else { now.0 },
            },
            is_resumable,
            down_since_ms: Some(now.0),
            is_doubtful,
        });
        match is_open {
            true => self.mark(AtMark::Call),
            false => self.call(now),
        }
    }

    /// Becomes a master, with the data of now and a history of its own. Whether that takes until
    /// the stream of its own has begun; then whoever wishes it is told.
    pub(super) fn promote(&mut self, wish: Option<(ShardId, u64)>) -> bool {
        self.follower = None;
        self.deeds.push(Deed::Disconnect);
        self.deeds.push(Deed::Configure(None));
        self.history.shift(self.offset, &mut self.random);
        if let Some(previous) = &self.history.previous {
            tracing::warn!(
                "Setting secondary replication ID to {}, valid up to offset: {}. New replication \
                 ID is {}",
                previous.id,
                previous.end,
                self.history.id
            );
        }
        tracing::info!("Discarding previously cached master state.");
        // They have to learn the new name of the history; a partial resync tells it.
        self.close_replicas();
        match self.backlog.is_some() {
            true => self.mark(AtMark::Lead { wish }),
            false => self.deeds.push(Deed::BecomeReplica(false)),
        }
        self.backlog.is_some()
    }

    /// Makes an attempt to reach the master.
    pub(super) fn call(&mut self, now: (i64, &Config)) {
        let config = now.1;
        let Some(follower) = &mut self.follower else {
            return;
        };
        follower.link = Link::Calling { is_talking: false };
        tracing::info!("Connecting to MASTER {}", follower.name());
        tracing::info!("MASTER <-> REPLICA sync started");
        let resume = follower
            .is_resumable
            .then(|| (self.history.id.clone(), self.offset + 1));
        let announced_port = config.replica_announce_port;
        let listening_port = if announced_port != 0 {
            announced_port
        } else {
            config.port
        };
        self.deeds.push(Deed::Connect(Box::new(Call {
            host: follower.master.host.clone(),
            port: follower.master.port,
            listening_port,
            announced_ip: config.replica_announce_ip.clone(),
            user: config.masteruser.clone(),
            password: config.masterauth.clone(),
            timeout: Duration::from_secs(u64::from(config.repl_timeout)),
            source: source_address(config),
            resume,
            is_failover: self.is_handing(),
            // Old data are served until all the new is there: what comes shard by shard is not
            // kept anywhere else meanwhile.
            can_flows: config.repl_shard_streams
                && config.repl_diskless_load != ReplDisklessLoad::Swapdb,
        })));
    }

    /// The master answers.
    pub fn talking(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.link = Link::Calling { is_talking: true };
        }
    }

    /// The stream goes on where it was, perhaps under another name.
    pub fn continued(&mut self, id: Option<String>, now_ms: i64) {
        if let Some(id) = id.filter(|id| *id != self.history.id) {
            tracing::warn!("Master replication ID changed to {id}");
            self.history.rename(self.offset, id);
            // They have to learn the new name too.
            self.close_replicas();
        }
        self.is_up(now_ms);
        tracing::info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
    }

    /// Everything will come anew, for this history and offset.
    pub fn begin_full(&mut self, start: Option<(String, u64)>, now_ms: i64) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        if std::mem::take(&mut follower.is_resumable) {
            tracing::info!("Discarding previously cached master state.");
        }
        follower.link = Link::Loading {
            start,
            total: None,
            read: 0,
            io_ms: now_ms,
        };
        // What this node has is about to be another history's.
        self.close_replicas();
        self.backlog = None;
    }

    /// More of the snapshot has come.
    pub fn transferred(&mut self, length: Option<u64>, more: usize, now_ms: i64) {
        let link = self.follower.as_mut().map(|follower| &mut follower.link);
        if let Some(Link::Loading {
            total, read, io_ms, ..
        }) = link
        {
            *total = total.or(length);
            *read += more as u64;
            if more > 0 {
                *io_ms = now_ms;
            }
        }
    }

    /// The snapshot is in place.
    pub fn loaded(&mut self, now: (i64, &Config)) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        let Link::Loading { start, .. } = &mut follower.link else {
            return;
        };
        match start.take() {
            Some((id, offset)) => {
                (self.history, self.offset) = (History::named(id), offset);
                follower.is_resumable = true;
            }
            // A master that cannot name its history cannot resume it either.
            None => self.history = History::fresh(&mut self.random),
        }
        tracing::info!("MASTER <-> REPLICA sync: Finished with success");
        self.keep_backlog(now.1);
        self.is_up(now.0);
    }

    fn is_up(&mut self, now_ms: i64) {
        if let Some(follower) = &mut self.follower {
            follower.link = Link::Up { io_ms: now_ms };
            follower.down_since_ms = None;
            follower.is_doubtful = false;
        }
        if self.is_handing() {
            self.end_failover();
        }
        self.publish_standing();
    }

    /// An attempt has failed; the reason is in the log.
    pub fn call_failed(&mut self, now: (i64, &Config)) {
        if self.is_handing() {
            return self.take_back();
        }
        if let Some(follower) = &mut self.follower {
            let retry_ms = now.0 + RETRY_MS;
            follower.link = Link::Down { retry_ms };
        }
    }

    /// The connection is gone.
    pub fn lost(&mut self, now: (i64, &Config)) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        if !follower.is_up() {
            return;
        }
        tracing::warn!("Connection with master lost.");
        if follower.is_resumable {
            tracing::info!("Caching the disconnected master state.");
        }
        follower.down_since_ms = Some(now.0);
        tracing::info!("Reconnecting to MASTER {}", follower.name());
        self.call(now);
        self.publish_standing();
    }

    /// Something has arrived from the master.
    pub fn heard(&mut self, now_ms: i64) {
        if let Some(Follower {
            link: Link::Up { io_ms },
            ..
        }) = &mut self.follower
        {
            *io_ms = now_ms;
        }
    }

    /// This of the master's stream is being applied, and will be.
    pub fn applied(&mut self, chunk: Chunk) {
        if self.follower.is_some() && !chunk.bytes.is_empty() {
            self.feed(chunk);
        }
    }

    /// What has come could not be applied: everything has to come anew.
    pub fn distrust(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.is_resumable = false;
        }
    }

    /// The streams of the master's shards are at these offsets.
    pub fn adopt_streams(&mut self, offsets: Vec<u64>) {
        self.hand_out();
        self.streams.adopt(offsets);
        let bytes = self.streams.beginning(self.shards, self.offset);
        for replica in self
            .replicas
            .iter()
            .filter(|it| it.is_fed() && it.flows.is_some())
        {
            self.deeds.push(Deed::Feed {
                place: replica.place(),
                bytes: bytes.clone(),
            });
        }
    }

    /// Once a second, on a replica.
    pub(super) fn look_after_link(&mut self, now: (i64, &Config)) {
        let (now_ms, config) = now;
        let limit_ms = i64::from(config.repl_timeout) * 1000;
        let Some(follower) = &mut self.follower else {
            return;
        };
        match follower.link {
            Link::Down { retry_ms } if retry_ms <= now_ms => self.call(now),
            Link::Up { io_ms } if now_ms - io_ms > limit_ms => {
                tracing::warn!("MASTER timeout: no data nor PING received...");
                self.deeds.push(Deed::Disconnect);
                self.lost(now);
            }
            _ => {}
        }
    }

    pub(super) fn link_picture(&self, now_ms: i64) -> Option<LinkPicture> {
        let follower = self.follower.as_ref()?;
        let seconds = |since_ms: i64| (now_ms - since_ms).max(0) / 1000;
        // Redis: 1 as long as there is nothing to go on with.
        let offset = match follower.is_up() || follower.is_resumable {
            true => self.offset,
            false => 1,
        };
        let mut picture = LinkPicture {
            host: String::from_utf8_lossy(&follower.master.host).into_owned(),
            port: follower.master.port,
            state: follower.state(),
            is_up: follower.is_up(),
            is_doubtful: follower.is_doubtful,
            read_offset: offset,
            offset,
            down_seconds: follower.down_since_ms.map(seconds),
            ..LinkPicture::default()
        };
        match &follower.link {
            Link::Up { io_ms } => picture.last_io_seconds = Some(seconds(*io_ms)),
            Link::Loading {
                total, read, io_ms, ..
            } => {
                picture.transfer = Some((*total, *read));
                picture.transfer_io_seconds = seconds(*io_ms);
            }
            Link::Down { .. } | Link::Calling { .. } => {}
        }
        Some(picture)
    }

    /// Ends the connections of all replicas.
    pub(super) fn close_replicas(&mut self) {
        for replica in std::mem::take(&mut self.replicas) {
            self.deeds.push(Deed::Close(replica.place()));
            self.close_flows(&replica);
        }
    }
}
