//! The dataset a process starts with: what the append-only file holds, or the last snapshot.
//!
//! It is loaded while clients connect already; they are told to wait. What cannot be loaded whole
//! ends the start: a server that lost a part of its keys must not go on as if it had them all.

use crate::persistence::{Fault, LoadError, Summary};
use crate::runtime::draft;
use crate::runtime::file::Incoming;
use crate::session::Node;

/// Whether there may be something to load: otherwise nobody is told to wait.
pub fn is_there(node: &Node) -> bool {
    let config = node.config.value();
    let opened = Incoming::open(&config.dir.join(&config.dbfilename));
    config.appendonly || !matches!(opened, Ok(None))
}

/// Loads the log if there is to be one, or the snapshot there is, if any; the lines to log when
/// that fails.
pub fn load(node: &Node) -> Result<(), Vec<String>> {
    let config = node.config.value();
    match draft::remove_stale(&config.dir) {
        Ok(names) => names
            .iter()
            .for_each(|name| tracing::info!("Removed {name}, which nobody writes any more")),
        Err(error) => tracing::warn!("Looking for old temporary files: {error}"),
    }
    if !node.state.loading.is_on() {
        // Clients may have written a file since: it holds what is here already.
        return Ok(());
    }
    if config.appendonly {
        // Redis: with a log, snapshots are not looked at.
        return node.load_log();
    }
    let path = config.dir.join(&config.dbfilename);
    let begin_ms = node.clock.millis().0;
    match node.load_file(&path) {
        Ok(None) => node.state.loading.end(&Summary::default()),
        Ok(Some(summary)) => {
            if let Some(place) = summary.replication.bookmark() {
                node.resume_history(place);
            }
            node.state.loading.end(&summary);
            tracing::info!(
                "Done loading RDB, keys loaded: {}, keys expired: {}.",
                summary.keys,
                summary.expired
            );
            let seconds = (node.clock.millis().0 - begin_ms) as f64 / 1000.0;
            tracing::info!("DB loaded from disk: {seconds:.3} seconds");
        }
        Err(error) if error.fault == Fault::GivenUp => {
            tracing::warn!("Loading is given up: the server is to end.");
            return Err(Vec::new());
        }
        Err(error) => return Err(refusal(&path.display().to_string(), &error)),
    }
    Ok(())
}

fn refusal(path: &str, error: &LoadError) -> Vec<String> {
    vec![
        format!("Fatal error loading the DB from {path}: {error}. Exiting."),
        format!(
            "Nothing was changed on disk. `ringshard --check-rdb {path}` says more; move the file \
             away to start without it."
        ),
    ]
}
