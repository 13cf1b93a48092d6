//! A master's snapshot on its way in: first into a file, then, when all of it is there, into the
//! cores; or shard by shard, straight into the cores.
//!
//! With a file the old data are served until then, and a link that breaks has cost nothing. This
//! happens on the thread that talks to the master. What comes shard by shard takes the place of the
//! old data at once, on a thread for each of the master's shards, which frames, checks and hands on
//! to the cores that own the keys; what has come in vain is taken away again. What it does not do:
//! load from the socket of a stock master; there `repl-diskless-load` makes no difference.

use super::node::Node;
use crate::base::process;
use crate::keyspace::DbIndex;
use crate::replication::Inflow;
use crate::replication::link::Intake;
use crate::runtime::file::Spool;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Release};

/// The right to put another dataset in the place of the one that is here.
struct Turn(Arc<Node>);

impl Turn {
    /// One thread has it at a time; who comes while an attempt that was given up ends tries again.
    fn take(node: &Arc<Node>) -> Result<Turn, String> {
        match node.is_taking_in.swap(true, AcqRel) {
            true => Err("MASTER <-> REPLICA sync: the last one has not ended yet".into()),
            false => Ok(Turn(node.clone())),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_taking_in.store(false, Release);
    }
}

/// A snapshot that is being received.
pub struct Incoming {
    node: Arc<Node>,
    file: Option<Spool>,
}

impl Incoming {
    /// One of which nothing has come yet.
    pub fn new(node: Arc<Node>) -> Incoming {
        Incoming { node, file: None }
    }

    fn path(&self) -> PathBuf {
        let seconds = self.node.clock.millis().0 / 1000;
        PathBuf::from(format!("temp-{seconds}.{}.rdb", std::process::id()))
    }

    /// A dataset of so many bytes takes the place of the one that is here.
    fn make_room(&self, bytes: u64) {
        self.node
            .state
            .loading
            .begin(self.node.clock.millis().0, bytes);
        // Redis: a log begins anew with another dataset; see `Core::mind_log`.
        self.node.aof.close();
        tracing::info!("MASTER <-> REPLICA sync: Flushing old data");
        self.node.empty_all();
        tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
    }
}

impl Intake for Incoming {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let failed = |error: std::io::Error| {
            let reason = process::reason(&error);
            format!(
                "Write error or short write writing to the DB dump file needed for MASTER <-> \
                     REPLICA synchronization: {reason}"
            )
        };
        if self.file.is_none() {
            self.file = Some(Spool::create(&self.path()).map_err(failed)?);
        }
        match &mut self.file {
            Some(file) => file.append(bytes).map_err(failed),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<DbIndex, String> {
        const FAILED: &str = "Failed trying to load the MASTER synchronization DB from disk, check \
                              server logs.";
        let Some(file) = self.file.take() else {
            return Err(String::from(FAILED));
        };
        let state = &self.node.state.loading;
        let _turn = Turn::take(&self.node)?;
        self.make_room(file.len());
        match self.node.load_file(file.path()) {
            Ok(Some(summary)) => {
                state.end(&summary);
                // Of a master that is a replica itself: its stream goes on where its master's was.
                Ok(DbIndex(summary.replication.db.unwrap_or(0)))
            }
            Ok(None) => {
                state.give_up();
                Err(String::from(FAILED))
            }
            Err(error) => {
                tracing::warn!("{error}");
                state.give_up();
                Err(String::from(FAILED))
            }
        }
    }

    fn take_flows(
        &mut self,
        flows: Vec<Inflow>,
        came: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<Inflow>, String> {
        let _turn = Turn::take(&self.node)?;
        self.make_room(0);
        let loaded = super::inflow::load(&self.node, flows, came);
        let state = &self.node.state.loading;
        if loaded.is_err() {
            self.node.empty_all();
            state.give_up();
        }
        loaded.map(|(summary, flows)| {
            state.end(&summary);
            flows
        })
    }
}
