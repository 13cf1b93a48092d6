//! Rewriting the log: a snapshot becomes its new base, without stopping anybody.
//!
//! ```text
//!   BGREWRITEAOF, growth, CONFIG SET appendonly yes
//!        | claim the desk, tell the log, cut over all shards
//!   walks --> temp-rewriteaof-bg-<pid>.rdb --> the log's thread renames it and writes the manifest
//! ```
//!
//! The cut stands at one place of the merged stream, so the increment that is begun there fits the
//! base exactly. A log that is turned on begins the same way: shards keep effects from the cut on.

use super::core::Core;
use super::duty::Duty;
use super::node::{Node, REDIS_VERSION};
use super::save::{Unwatched, style};
use crate::persistence::aof::files::Place;
use crate::persistence::aof::{Message, Opening};
use crate::persistence::snapshot::{Format, Outcome, Style, Target, Written, file_request};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::channel;

/// Why the log is not rewritten now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRewrite {
    /// It is being rewritten already.
    Running,
    /// A snapshot for something else is being taken.
    Busy,
    /// There is none.
    Off,
    Failed(String),
}

impl Core {
    /// Begins to rewrite the log.
    pub fn rewrite_log(&mut self) -> Result<(), NoRewrite> {
        let status = self.node.aof.status.clone();
        if status.figures.is_rewriting.load(Relaxed) {
            return Err(NoRewrite::Running);
        }
        if !status.is_on() {
            return Err(NoRewrite::Off);
        }
        if !self.node.desk.claim() {
            return Err(NoRewrite::Busy);
        }
        self.make_base(false)
    }

    /// Turns the log on: its base is the dataset of now.
    pub fn begin_log(&mut self) -> Result<(), NoRewrite> {
        if !self.node.desk.claim() {
            return Err(NoRewrite::Busy);
        }
        let begun = self.make_base(true);
        if begun.is_err() {
            self.node.desk.release();
        }
        begun
    }

    fn make_base(&mut self, is_first: bool) -> Result<(), NoRewrite> {
        let (node, place) = (self.node.clone(), Place::new(&self.config));
        let pid = std::process::id();
        let (format, end) = match self.config.aof_use_rdb_preamble {
            true => (Format::Rdb, "rdb"),
            false => (Format::Commands, "aof"),
        };
        let path = place.folder.join(format!("temp-rewriteaof-bg-{pid}.{end}"));
        let watch = Arc::new(Unwatched(node.clone()));
        let target = self.base_target(path.clone());
        let style = Style {
            format,
            ..style(&self.config, self.now_ms)
        };
        let (request, work) = file_request(target, style, watch);
        let id = node.desk.put(request);
        let figures = &node.aof.status.figures;
        // A log that is on and not being rewritten has its base: nobody may see that too soon.
        figures.is_rewriting.store(true, Relaxed);
        if is_first && let Err(refusal) = self.open_log(&place, id) {
            figures.is_rewriting.store(false, Relaxed);
            node.desk.clear(id);
            return Err(refusal);
        }
        if !is_first {
            node.aof.tell(Message::Rewrite(id));
        }
        figures.is_rewrite_scheduled.store(false, Relaxed);
        figures.rewrite_started_ms.store(self.now_ms, Relaxed);
        tracing::info!("Background append only file rewriting started by pid {pid}");
        let told = node.clone();
        let duty = Duty::new(move |outcome| rewritten(&told, id, path, outcome));
        let errand = move || duty.end(work());
        node.errands.run(Box::new(errand), || {});
        self.make_cut(id, is_first, self.id);
        Ok(())
    }

    /// Opens the files of a log that begins with a cut.
    fn open_log(&mut self, place: &Place, cut: u64) -> Result<(), NoRewrite> {
        let failed = |lines: Vec<String>| NoRewrite::Failed(lines.join(" "));
        let manifest = place.find().map_err(failed)?.unwrap_or_default();
        place.make_folder().map_err(failed)?;
        let node = self.node.clone();
        if !node.aof.start(node.config.hold(), node.clock.clone()) {
            return Err(NoRewrite::Failed("its thread can't be started".into()));
        }
        let (done, is_open) = channel();
        node.aof.tell(Message::Open(Box::new(Opening {
            folder: place.folder.clone(),
            manifest,
            salvaged: Vec::new(),
            cut: Some(cut),
            done,
        })));
        let opened = is_open
            .recv()
            .unwrap_or_else(|_| Err("its thread has ended".into()));
        opened.map_err(NoRewrite::Failed)
    }

    fn base_target(&self, path: PathBuf) -> Target {
        let now = (self.now_ms / 1000).to_string();
        let memory = self.node.used_memory_bytes().to_string();
        Target {
            path,
            aux: vec![
                ("redis-ver", REDIS_VERSION.into()),
                ("redis-bits", b"64".to_vec()),
                ("ctime", now.into_bytes()),
                ("used-mem", memory.into_bytes()),
                ("aof-base", b"1".to_vec()),
            ],
            late_aux: None,
            shards: self.node.shards(),
            has_checksum: self.config.rdbchecksum,
            flushes: self.config.aof_rewrite_incremental_fsync,
            waiting: self.node.desk.waiting(),
        }
    }

    /// Rewrites the log if that is scheduled, or it has grown enough.
    pub fn mind_log(&mut self) {
        let status = self.node.aof.status.clone();
        let figures = &status.figures;
        if figures.is_rewriting.load(Relaxed) || self.is_loading {
            return;
        }
        if !status.is_on() {
            return self.mind_beginning();
        }
        if figures.is_rewrite_scheduled.load(Relaxed) {
            // It stays scheduled while something else is being saved.
            let _ = self.rewrite_log();
            return;
        }
        if figures.needs_rewrite.load(Relaxed) {
            return self.mind_failure();
        }
        let (percentage, min) = (
            u64::from(self.config.auto_aof_rewrite_percentage),
            self.config.auto_aof_rewrite_min_size,
        );
        let current = figures.current_bytes.load(Relaxed);
        let base = figures.base_bytes.load(Relaxed).max(1);
        if percentage == 0 || current <= min {
            return;
        }
        let growth = (u128::from(current) * 100 / u128::from(base)).saturating_sub(100);
        let has_failed = figures.has_rewrite_failed.load(Relaxed);
        let tried_ms = figures.rewrite_started_ms.load(Relaxed);
        let is_soon = has_failed && self.now_ms < tried_ms + RETRY_MS;
        if growth >= u128::from(percentage) && !is_soon {
            tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
            let _ = self.rewrite_log();
        }
    }
}

impl Core {
    /// A log that should be there is not: its first base has failed, or a replica has got another
    /// dataset.
    fn mind_beginning(&mut self) {
        let figures = &self.node.aof.status.figures;
        let has_failed = figures.has_rewrite_failed.load(Relaxed);
        let tried_ms = figures.rewrite_started_ms.load(Relaxed);
        let is_soon = has_failed && self.now_ms < tried_ms + RETRY_MS;
        if self.config.appendonly && !is_soon {
            // What stands in the way now may not do so the next time.
            let _ = self.begin_log();
        }
    }
}

impl Core {
    /// An fsync has failed, so nobody may write: a new base takes the place of what may be lost.
    fn mind_failure(&mut self) {
        let figures = &self.node.aof.status.figures;
        let has_failed = figures.has_rewrite_failed.load(Relaxed);
        let tried_ms = figures.rewrite_started_ms.load(Relaxed);
        if has_failed && self.now_ms < tried_ms + HEAL_MS {
            return;
        }
        tracing::warn!("Rewriting the AOF, because after a failed fsync it can't be trusted");
        // What stands in the way now may not do so the next time.
        let _ = self.rewrite_log();
    }
}

/// After a failure the log is not rewritten by itself for so long.
const RETRY_MS: i64 = 60_000;
/// The same while writes are refused until it is.
const HEAL_MS: i64 = 1_000;

/// Tells the log how its base ended.
fn rewritten(node: &Node, cut: u64, path: PathBuf, outcome: Outcome) {
    match outcome {
        Ok(Written { bytes }) => {
            tracing::info!("Background AOF rewrite terminated with success, {bytes} bytes");
            node.aof.tell(Message::Rewritten(cut, path));
        }
        Err(reason) => {
            tracing::warn!("Background AOF rewrite terminated by error: {reason}");
            node.aof.tell(Message::NotRewritten(cut));
        }
    }
    node.desk.release();
}
