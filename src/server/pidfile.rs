//! The pid file: tells init scripts which process to signal.
//!
//! Written when the process has its final id, removed at a clean exit, left behind by a crash. The
//! rules are Redis's: there is one if `pidfile` names it, and in the background also without, at a
//! fixed place; a file that cannot be written is logged and nothing more.

use std::path::{Path, PathBuf};

use crate::base::process;

/// Redis: CONFIG_DEFAULT_PID_FILE. Init scripts look for this name.
const DEFAULT_PATH: &str = "/var/run/redis.pid";

/// A pid file that was written, or was to be.
#[derive(Debug, PartialEq, Eq)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file that this configuration asks for, if it asks for one.
    pub fn write(configured: Option<&Path>, is_daemon: bool) -> Option<PidFile> {
        let path = wanted(configured, is_daemon)?;
        // `dir` may move the process before it ends.
        let path = std::path::absolute(&path).unwrap_or(path);
        if let Err(error) =
            process::write_file(&path, format!("{}\n", std::process::id()).as_bytes())
        {
            tracing::warn!("Failed to write PID file: {}", process::reason(&error));
        }
        Some(PidFile { path })
    }

    /// At a clean exit.
    pub fn remove(self) {
        tracing::info!("Removing the pid file.");
        if let Err(error) = process::remove_file(&self.path) {
            tracing::debug!("The pid file was gone: {error}");
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn wanted(configured: Option<&Path>, is_daemon: bool) -> Option<PathBuf> {
    // An empty name is no name, as with any path directive.
    let configured = configured.filter(|path| !path.as_os_str().is_empty());
    configured
        .or_else(|| is_daemon.then_some(Path::new(DEFAULT_PATH)))
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn who_gets_one() {
        let named = Path::new("/run/a.pid");
        assert_eq!(wanted(None, false), None);
        assert_eq!(wanted(None, true), Some(DEFAULT_PATH.into()));
        assert_eq!(wanted(Some(named), false), Some(named.into()));
        assert_eq!(wanted(Some(named), true), Some(named.into()));
        assert_eq!(wanted(Some(Path::new("")), false), None);
    }

    #[test]
    fn it_holds_the_id_until_it_is_removed() {
        let path = std::env::temp_dir().join(format!("pidfile-{}.pid", std::process::id()));
        let pidfile = PidFile::write(Some(&path), false).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
        pidfile.remove();
        assert!(!path.exists());
    }

    #[test]
    fn an_impossible_place_is_no_reason_to_stop() {
        let path = Path::new("/nonexistent/folder/a.pid");
        let pidfile = PidFile::write(Some(path), true).unwrap();
        assert_eq!(pidfile.path(), path);
        pidfile.remove();
    }
}
