//! Snapshots for replicas: who waits for one, which kind it is, where it is cut, who has got it.
//!
//! ```text
//!   stock replicas     a file, then the stream behind it on the same connection
//!   of our own kind    each shard's part on a connection of its own, straight from its walk; the
//!                      stream behind it on the first connection
//! ```
//!
//! One snapshot is for replicas of one kind; those of the other kind wait for the next one.

use super::deed::{Deed, Place};
use super::flows::{Flows, Receiver};
use super::hub::{Hub, Recording};
use super::psync::Applicant;
use super::replicas::{Replica, Stage};
use crate::config::Config;
use crate::keyspace::DbIndex;
use bytes::Bytes;

/// For whom a snapshot is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanting {
    /// All who take a file.
    File,
    /// These, whose connections for the shards are all there.
    Flows(Vec<Place>),
}

impl Wanting {
    fn includes(&self, replica: &Replica) -> bool {
        match self {
            Wanting::File => replica.flows.is_none(),
            Wanting::Flows(places) => places.contains(&replica.place()),
        }
    }
}

impl Hub {
    /// A replica is to make a connection for each shard first.
    pub(super) fn open_flows(&mut self, applicant: Applicant, now_ms: i64) {
        let place = applicant.place;
        let mut replica = Replica::new(applicant, Stage::Opening, now_ms);
        let flows = Flows::new(self.shards, &mut self.random);
        self.say(place, flows.line());
        replica.flows = Some(flows);
        self.replicas.push(replica);
    }

    /// A connection is to be that of a shard for a replica that waits for it. With the last one the
    /// replica is synchronized.
    pub(super) fn join_flow(&mut self, place: Place, words: &[u8], now: (i64, &Config)) {
        let joined = self.replicas.iter_mut().position(|replica| {
            let flows = replica.flows.as_mut();
            let mut flows = flows.filter(|_| replica.stage == Stage::Opening);
            flows.as_mut().is_some_and(|flows| flows.join(words, place))
        });
        let Some(at) = joined else {
            let line = "-ERR no replica waits for this connection\r\n";
            return self.say(place, line.into());
        };
        self.say(place, "+OK\r\n".into());
        let flows = self.replicas[at].flows.as_ref();
        if flows.is_some_and(|flows| flows.all().is_some()) {
            let Replica {
                applicant, flows, ..
            } = self.replicas.remove(at);
            self.synchronize(applicant, flows, now);
        }
    }

    /// A connection is gone that may have been that of a shard: without it nothing gets whole.
    pub(super) fn lost_flow(&mut self, place: Place) {
        let lost = self.replicas.iter_mut().find_map(|replica| {
            let was_there = replica.flows.as_mut()?.forget(place);
            was_there.then_some(replica.place())
        });
        self.deeds.extend(lost.map(Deed::Close));
    }

    /// Ends the connections for the shards of a replica that goes.
    pub(super) fn close_flows(&mut self, replica: &Replica) {
        for place in replica.flows.iter().flat_map(Flows::places) {
            self.deeds.push(Deed::Close(place));
        }
    }

    /// Begins a snapshot for those who wait, if they have waited long enough.
    pub(super) fn begin_snapshots(&mut self, now: (i64, &Config)) {
        let (now_ms, config) = now;
        if self.awaits_cut.is_some() || !self.has_waiting() {
            return;
        }
        let waiting = self.replicas.iter().filter(|it| it.is_waiting());
        let (count, since_ms) = waiting.fold((0, now_ms), |(count, since_ms), replica| {
            (count + 1, since_ms.min(replica.since_ms))
        });
        let delay_ms = i64::from(config.repl_diskless_sync_delay) * 1000;
        let enough = config.repl_diskless_sync_max_replicas;
        let is_due = !config.repl_diskless_sync
            || now_ms - since_ms >= delay_ms
            || enough != 0 && count >= enough;
        // What waits for a mark waits for its own.
        if is_due && self.at_mark.is_none() {
            self.begin_snapshot();
        }
    }

    fn begin_snapshot(&mut self) {
        let ready = |replica: &Replica| {
            let flows = replica.flows.as_ref().filter(|_| replica.is_waiting())?;
            let (main, flows) = (replica.place(), flows.all()?);
            Some(Receiver { main, flows })
        };
        let receivers: Vec<Receiver> = self.replicas.iter().filter_map(ready).collect();
        self.awaits_cut = Some(match receivers.is_empty() {
            true => Wanting::File,
            false => Wanting::Flows(receivers.iter().map(|it| it.main).collect()),
        });
        if self.follower.is_none() && self.recording == Recording::Off {
            self.recording = Recording::Beginning;
        }
        self.deeds.push(Deed::Snapshot(receivers));
    }

    /// There is no snapshot now: later.
    pub fn snapshot_later(&mut self) {
        self.awaits_cut = None;
        if self.recording == Recording::Beginning && self.at_mark.is_none() {
            self.recording = Recording::Off;
        }
    }

    /// The snapshot's cut is here in the stream, which goes on in this database: who waits gets
    /// what comes from now on.
    pub fn cut(&mut self, now: (i64, &Config), db: DbIndex) -> Vec<Place> {
        self.hand_out();
        let wanting = self.awaits_cut.take().unwrap_or(Wanting::File);
        if self.recording == Recording::Beginning {
            self.recording = Recording::On;
        }
        let (id, offset) = (self.history.id.clone(), self.offset);
        let mut places = Vec::new();
        for replica in &mut self.replicas {
            if replica.stage != Stage::Waiting || !wanting.includes(replica) {
                continue;
            }
            replica.stage = Stage::Sending;
            replica.since_ms = now.0;
            places.push(replica.place());
            if replica.applicant.request.is_some() {
                // A file says the database itself.
                let line = match replica.flows.is_some() {
                    true => format!("+FULLRESYNC {id} {offset} {}\r\n", db.0),
                    false => format!("+FULLRESYNC {id} {offset}\r\n"),
                };
                self.deeds.push(Deed::Feed {
                    place: replica.place(),
                    bytes: Bytes::from(line.into_bytes()),
                });
            }
            self.deeds.push(Deed::Hold(replica.place()));
            let Some(flows) = &replica.flows else {
                continue;
            };
            self.deeds.extend(flows.places().map(Deed::Hold));
            let bytes = self.streams.beginning(flows.count(), offset);
            let place = replica.place();
            self.deeds.push(Deed::Feed { place, bytes });
        }
        places
    }

    /// Whether a snapshot has begun whose cut has not come.
    pub fn awaits_cut(&self) -> bool {
        self.awaits_cut.is_some()
    }

    /// No snapshot came of it: those who wait for its end have to ask again.
    pub fn snapshot_lost(&mut self) {
        for replica in self.replicas.iter().filter(|it| it.stage == Stage::Sending) {
            self.deeds.push(Deed::Close(replica.place()));
        }
    }

    pub(super) fn sent(&mut self, place: Place, is_whole: bool, now: (i64, &Config)) {
        let Some(replica) = self.replica_at(place) else {
            return;
        };
        if !is_whole {
            return self.deeds.push(Deed::Close(place));
        }
        replica.stage = Stage::Online;
        replica.acked_ms = now.0;
        let flows: Vec<Place> = replica.flows.iter().flat_map(Flows::places).collect();
        let name = replica.applicant.name();
        let is_done = replica.applicant.is_snapshot_only;
        tracing::info!("Synchronization with replica {name} succeeded");
        self.deeds.extend(flows.into_iter().map(Deed::Release));
        if is_done {
            tracing::info!("Close the connection with replica {name} as RDB transfer is complete");
            self.deeds.push(Deed::Close(place));
        }
    }

    /// Whether a replica waits for its snapshot to begin.
    fn has_waiting(&self) -> bool {
        self.replicas.iter().any(Replica::is_waiting)
    }
}
