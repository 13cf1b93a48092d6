//! Rewriting: a new base takes the place of everything before its cut.
//!
//! ```text
//!   base 1   incr 1 .... cut          the old log, still valid
//!                         | incr 2 ..         written from the cut on
//!   base 2 ---------------'                   made meanwhile; when it is on disk the manifest
//!                                             names base 2 and incr 2, and the rest is history
//! ```
//!
//! Until then a crash finds base 1, incr 1 and incr 2: the same history. Each step is on disk
//! before the next one relies on it.

use super::log::{Files, Log, Trust};
use crate::base::planted::{Bug, is_planted};
use crate::runtime::file;
use crate::runtime::log_file::{self, LogFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

/// A base that is being made.
#[derive(Debug)]
pub(super) struct Rewrite {
    cut: u64,
    at: At,
    /// The log begins with this base: before the cut there is nothing to be kept.
    pub is_first: bool,
    /// The base, if it is there before the log has come to its cut.
    base: Option<PathBuf>,
}

/// Where the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    BeforeCut,
    /// What comes goes behind the base.
    PastCut,
    /// It has come to the cut and could not begin a new increment.
    Lost,
}

impl Rewrite {
    /// Of what was before this cut.
    pub fn new(cut: u64, is_first: bool) -> Rewrite {
        Rewrite {
            cut,
            at: At::BeforeCut,
            is_first,
            base: None,
        }
    }
}

impl Log {
    /// A base is going to be made of what was before this cut.
    pub(super) fn rewrite(&mut self, cut: u64) {
        if let Some(files) = &mut self.files {
            files.rewrite = Some(Rewrite::new(cut, false));
        }
    }

    /// The stream has come to a cut: what follows goes into the next increment.
    pub(super) fn pass_cut(&mut self, cut: u64) -> io::Result<()> {
        let prefix = self.prefix();
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let Some(rewrite) = files.rewrite.as_mut().filter(|it| it.cut == cut) else {
            return Ok(());
        };
        if rewrite.is_first {
            rewrite.at = At::PastCut;
            return Ok(());
        }
        rewrite.at = At::Lost;
        self.next_increment(&prefix)
    }

    /// Goes on in a new increment, as soon as the manifest names it.
    fn next_increment(&mut self, prefix: &str) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        if !files.trust.has_lost_current
            && let Err(error) = files.current.sync()
        {
            self.lose_trust(&error);
            return Err(error);
        }
        let mut manifest = files.manifest.clone();
        let name = manifest.add_increment(prefix);
        let next = LogFile::begin(&files.folder.join(&name))?;
        self.adopt_manifest(manifest).map_err(io::Error::other)?;
        if let Some(files) = &mut self.files {
            files.current = next;
            files.trust = Trust {
                has_lost_older: files.trust.is_lost(),
                has_lost_current: false,
            };
            if let Some(rewrite) = &mut files.rewrite {
                rewrite.at = At::PastCut;
            }
        }
        tracing::info!("Creating AOF incr file {name} on background rewrite");
        Ok(())
    }

    /// A base is complete, as this file in the folder. A small one may be there before the last
    /// shard has told the log of its cut.
    pub(super) fn rewritten(&mut self, cut: u64, path: &Path) {
        let rewrite = self.files.as_mut().and_then(|it| it.rewrite.as_mut());
        match rewrite.filter(|it| it.cut == cut && it.at == At::BeforeCut) {
            Some(rewrite) => rewrite.base = Some(path.into()),
            None => self.take_base(cut, path),
        }
    }

    /// Takes a base that has waited for its cut.
    pub(super) fn look_at_base(&mut self) {
        let rewrite = self.files.as_mut().and_then(|it| it.rewrite.as_mut());
        let Some(rewrite) = rewrite.filter(|it| it.at != At::BeforeCut) else {
            return;
        };
        if let (Some(path), cut) = (rewrite.base.take(), rewrite.cut) {
            self.take_base(cut, &path);
        }
    }

    fn take_base(&mut self, cut: u64, path: &Path) {
        let Some(files) = &mut self.files else {
            let _ = file::remove(path);
            return self.outlive_log();
        };
        let rewrite = files.rewrite.take_if(|it| it.cut == cut);
        let (at, is_first) = rewrite.map_or((At::Lost, false), |it| (it.at, it.is_first));
        let result = match at {
            At::PastCut => self.adopt(path),
            At::BeforeCut | At::Lost => Err("the log has no place for it".into()),
        };
        let has_failed = result.is_err();
        if let Err(what) = result {
            tracing::warn!("Background AOF rewrite failed: {what}");
            // Nobody can do anything about a file that stays.
            let _ = file::remove(path);
            if is_first {
                self.end_without_base();
            }
        } else {
            tracing::info!("Background AOF rewrite finished successfully");
        }
        self.end_rewrite(has_failed);
    }

    /// A log that has no base begins anew.
    fn end_without_base(&mut self) {
        self.files = None;
        self.status.set_on(false);
    }

    /// A base will not come.
    pub(super) fn not_rewritten(&mut self, cut: u64) {
        let Some(files) = &mut self.files else {
            return self.outlive_log();
        };
        let Some(rewrite) = files.rewrite.take_if(|it| it.cut == cut) else {
            return;
        };
        if rewrite.is_first {
            self.end_without_base();
        }
        self.end_rewrite(true);
    }

    /// A base has come, or will not, for a log that has ended meanwhile: nothing has failed, and
    /// the next log need not wait.
    fn outlive_log(&self) {
        tracing::info!("The AOF was turned off during its rewrite");
        self.status.figures.is_rewriting.store(false, Relaxed);
    }

    fn end_rewrite(&mut self, has_failed: bool) {
        let figures = &self.status.figures;
        figures.has_rewrite_failed.store(has_failed, Relaxed);
        figures.is_rewriting.store(false, Relaxed);
        let began = figures.rewrite_started_ms.load(Relaxed);
        let seconds = (self.clock.millis().0 - began) / 1000;
        figures.rewrite_seconds.store(seconds, Relaxed);
        if !has_failed {
            figures.rewrites.fetch_add(1, Relaxed);
        }
    }

    fn adopt(&mut self, path: &Path) -> Result<(), String> {
        let prefix = self.prefix();
        let files = self.files.as_mut().ok_or("there is no log any more")?;
        let is_rdb = path.extension().is_none_or(|end| end != "aof");
        let mut manifest = files.manifest.clone();
        let name = manifest.add_base(&prefix, is_rdb);
        let to = files.folder.join(&name);
        log_file::rename(path, &to).map_err(|error| format!("can't rename to {name}: {error}"))?;
        manifest.keep_increments(1);
        if is_planted(Bug::RemovesEarly) {
            for part in &manifest.history {
                let _ = file::remove(&files.folder.join(&part.name));
            }
        }
        self.adopt_manifest(manifest)?;
        if let Some(files) = &mut self.files {
            files.trust.has_lost_older = false;
            let needs_another = files.trust.is_lost();
            let figures = &self.status.figures;
            figures.needs_rewrite.store(needs_another, Relaxed);
        }
        self.remove_history()?;
        self.measure();
        Ok(())
    }

    /// Removes what the manifest calls history, then forgets it.
    pub(super) fn remove_history(&mut self) -> Result<(), String> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        let mut manifest = files.manifest.clone();
        if self.config.aof_disable_auto_gc || manifest.history.is_empty() {
            return Ok(());
        }
        for part in std::mem::take(&mut manifest.history) {
            if let Err(error) = file::remove(&files.folder.join(&part.name)) {
                tracing::warn!("Removing the history file {}: {error}", part.name);
            }
        }
        self.adopt_manifest(manifest)
    }

    /// Measures all files but the one that grows.
    pub(super) fn measure(&mut self) {
        let Some(files) = &mut self.files else {
            return;
        };
        let len = |name: &str| {
            let len = log_file::len_of(&files.folder.join(name));
            len.ok().flatten().unwrap_or(0)
        };
        let base = files
            .manifest
            .base
            .as_ref()
            .map_or(0, |part| len(&part.name));
        let (_, older) = files.manifest.increments.split_last().unzip();
        let older: u64 = older
            .unwrap_or_default()
            .iter()
            .map(|part| len(&part.name))
            .sum();
        files.settled_bytes = base + older;
        let all = files.all_bytes();
        self.status.figures.base_bytes.store(all, Relaxed);
    }
}

impl Files {
    /// Bytes of all files.
    pub(super) fn all_bytes(&self) -> u64 {
        self.settled_bytes + self.current.len()
    }
}
