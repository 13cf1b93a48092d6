//! A master's snapshot on its way in: first into a file, then, when all of it is there, into the
//! cores.
//!
//! Until then the old data are served, and a link that breaks has cost nothing. All of this happens
//! on the thread that talks to the master. What it does not do: load straight from the socket;
//! `repl-diskless-load` makes no difference.

use super::load::Letter;
use super::node::Node;
use crate::base::process;
use crate::replication::link::Intake;
use crate::runtime::file::Spool;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

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

    /// Takes all keys away, on all cores.
    fn flush(&self) {
        tracing::info!("MASTER <-> REPLICA sync: Flushing old data");
        let (sender, done) = channel();
        for letters in &self.node.letters {
            letters.post(Letter::Empty(sender.clone()));
        }
        drop(sender);
        // Ends when every core has done so and let go of its sender.
        while done.recv().is_ok() {}
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

    fn finish(&mut self) -> Result<(), String> {
        const FAILED: &str = "Failed trying to load the MASTER synchronization DB from disk, check \
                              server logs.";
        let Some(file) = self.file.take() else {
            return Err(String::from(FAILED));
        };
        let state = &self.node.state.loading;
        state.begin(self.node.clock.millis().0, file.len());
        // Redis: a log begins anew with another dataset; see `Core::mind_log`.
        self.node.aof.close();
        self.flush();
        tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        match self.node.load_file(file.path()) {
            Ok(Some(summary)) => {
                state.end(&summary);
                Ok(())
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
}
