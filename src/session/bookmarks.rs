//! Bookmarks: a dataset that is saved says where in the history of replication it is, and the
//! process that loads it goes on from there.
//!
//! ```text
//!   any core:  cut wanted --> core with the hub --> the cut --> its place is known --> head of the
//!                             a replica's stream rests          on a master when the   file
//!                                                               stream is at the cut
//! ```
//!
//! A cut that is to be marked is made by the core with the hub. On a master the offset is that of
//! the merged stream at the cut; on a replica nothing of its master's stream is run meanwhile, so
//! it is that of what has been applied. Whoever writes the file waits until one of the two is
//! known, or until the sender is gone: then the file says nothing, and nobody can go on from it.

use super::core::Core;
use super::order::Order;
use super::replication::HUB_CORE;
use crate::keyspace::{DbIndex, ShardId};
use crate::persistence::Bookmark;
use crate::persistence::snapshot::{Pairs, Request};
use hashbrown::HashMap;
use std::sync::mpsc::Sender;

/// A cut that is to be marked.
#[derive(Clone, Debug)]
pub struct MarkedCut {
    pub id: u64,
    /// Who is told when it has been made.
    pub from: ShardId,
    pub bookmark: Sender<Pairs>,
}

/// Who waits for the place of a cut.
#[derive(Debug)]
struct Awaited {
    bookmark: Sender<Pairs>,
    /// It is known with the cut itself, not when the stream gets there.
    is_at_cut: bool,
}

/// Cuts that are to be marked, on the core with the hub.
#[derive(Debug, Default)]
pub struct Bookmarks {
    awaited: HashMap<u64, Awaited>,
    /// It is made when nothing of the master's stream is on its way.
    waiting: Option<MarkedCut>,
    /// Let go of when the stream of a master that has started is there.
    resumed: Option<Sender<()>>,
}

impl Core {
    /// Puts a request on the desk and makes the cut, whose place goes there.
    pub fn begin_marked_cut(&mut self, request: Request, bookmark: Sender<Pairs>) {
        let (id, from) = (self.node.desk.put(request), self.id);
        let cut = MarkedCut { id, from, bookmark };
        match from == HUB_CORE {
            true => self.make_marked_cut(cut),
            false => self.orders_for(HUB_CORE).push(Order::Cut(cut)),
        }
    }

    /// Makes a cut that is to be marked, as soon as that is possible.
    pub fn make_marked_cut(&mut self, cut: MarkedCut) {
        self.replication.bookmarks.waiting = Some(cut);
        self.go_on_cutting();
    }

    /// Whether a cut waits for the master's stream to rest.
    pub(super) fn has_waiting_cut(&self) -> bool {
        self.replication.bookmarks.waiting.is_some()
    }

    pub(super) fn go_on_cutting(&mut self) {
        if !self.has_waiting_cut() || !self.calm_stream() {
            return;
        }
        if let Some(cut) = self.replication.bookmarks.waiting.take() {
            self.await_place(cut.id, cut.bookmark);
            self.make_cut(cut.id, false, cut.from);
        }
    }

    /// The place of this cut is to be told, if there is one.
    pub(super) fn await_place(&mut self, id: u64, bookmark: Sender<Pairs>) {
        let Some(hub) = &self.replication.hub else {
            return;
        };
        let is_at_cut = hub.is_replica();
        if is_at_cut || hub.is_recording() {
            let awaited = Awaited {
                bookmark,
                is_at_cut,
            };
            self.replication.bookmarks.awaited.insert(id, awaited);
        }
    }

    /// All shards have made this cut.
    pub(super) fn place_at_cut(&mut self, id: u64) {
        let awaited = &mut self.replication.bookmarks.awaited;
        if awaited.get(&id).is_some_and(|it| it.is_at_cut) {
            self.tell_place(id);
        }
    }

    /// The stream, or what has been applied of it, is at this cut.
    pub(super) fn tell_place(&mut self, id: u64) {
        let Some(awaited) = self.replication.bookmarks.awaited.remove(&id) else {
            return;
        };
        let is_replica = self.replication.hub.as_ref().map(|hub| hub.is_replica());
        if is_replica != Some(awaited.is_at_cut) {
            // The role has changed in between.
            return;
        }
        if let Some(bookmark) = self.bookmark() {
            // Whoever does not write any more does not want to know.
            let _ = awaited.bookmark.send(bookmark.pairs());
        }
    }

    /// The stream ends: it will not get to any cut.
    pub(super) fn forget_places(&mut self) {
        let awaited = &mut self.replication.bookmarks.awaited;
        awaited.retain(|_, it| it.is_at_cut);
    }

    /// Where the dataset is now, if nothing is on its way.
    pub(super) fn bookmark(&self) -> Option<Bookmark> {
        let (id, offset) = self.replication.hub.as_ref()?.place()?;
        let db = self.stream_db();
        Some(Bookmark { id, offset, db })
    }

    /// The database that the master's stream has selected.
    pub(super) fn stream_db(&self) -> DbIndex {
        if let Some(db) = self.db_of_parts() {
            return db;
        }
        let stream = self.replication.stream.as_ref();
        let session = stream.and_then(|stream| self.sessions.find(stream.session));
        session.map_or(self.replication.db, |session| session.db)
    }

    /// The dataset that was loaded is at this place: goes on there. The sender is let go of when
    /// clients may write.
    pub(super) fn resume_history(&mut self, bookmark: Bookmark, done: Sender<()>) {
        let (now_ms, config) = (self.now_ms, self.config.share());
        let Some(hub) = &mut self.replication.hub else {
            return;
        };
        match config.replicaof.is_some() {
            true => {
                hub.resume_following(bookmark.id, bookmark.offset, &config);
                self.replication.db = bookmark.db;
            }
            false => {
                hub.resume_leading(bookmark.id, bookmark.offset, (now_ms, &config));
                self.replication.bookmarks.resumed = Some(done);
            }
        }
        self.do_deeds();
    }

    /// The stream of this node has begun.
    pub(super) fn stream_begun(&mut self) {
        self.replication.bookmarks.resumed = None;
    }
}
