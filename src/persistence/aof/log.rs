//! The log's thread: merges what the shards say, writes it, sees to it that it is on disk.
//!
//! ```text
//!   cores  -- deliveries -->  merge  -->  [#RS line][commands]  -- one write -->  file
//!     ^                                                               | fsync
//!     `------------------ durable up to this delivery <---------------'
//! ```
//!
//! All that has come while the last write was under way goes out with one write and, with
//! `always`, one fsync: a group commit over all cores. Replies wait on their cores until the log
//! has got past them, so nobody is told of what a crash may take back: with `everysec` and `no` a
//! crash of the process, with `always` one of the machine.
//!
//! A write that fails is never passed over. With `always` the process ends, because it has promised
//! what it cannot keep. Otherwise writes are refused (MISCONF), what was run already is kept and
//! written when there is room again, and the replies to it wait until then. After a failed fsync
//! the file is not trusted any more, because a second one may report success for pages that are
//! gone: writes are refused until a rewrite, which begins by itself, has put a new base in the
//! place of everything that was in it.

use super::frame::{bookmark_line, checksum_line, timestamp_line};
use super::manifest::Manifest;
use super::rewrite::Rewrite;
use super::status::Status;
use super::sync::{Outcome, Syncing};
use crate::base::clock::Clock;
use crate::base::planted::{Bug, is_planted};
use crate::config::Config;
use crate::config::choice::AppendFsync;
use crate::keyspace::ShardId;
use crate::persistence::Bookmark;
use crate::persistence::merge::{Merge, Stream};
use crate::runtime::Held;
use crate::runtime::log_file::LogFile;
use crate::shard::Journal;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

/// What the thread is told.
pub enum Message {
    /// A shard has said this.
    Said(ShardId, u64, Arc<Journal>),
    /// Write into these files from now on.
    Open(Box<Opening>),
    /// A base is going to be made of what was before this cut.
    Rewrite(u64),
    /// The base of this cut is complete, as this file in the folder.
    Rewritten(u64, PathBuf),
    /// It will not come.
    NotRewritten(u64),
    /// The dataset that ends with what was said is here in its history; or with this cut, if
    /// nothing was said behind it.
    Bookmark(Option<u64>, Bookmark),
    /// Write and sync everything, and tell whether that was possible.
    Flush(Sender<bool>),
    /// Write and sync everything, then no more.
    Close,
}

/// A log to be written.
pub struct Opening {
    pub folder: PathBuf,
    /// The base is there, unless a cut is awaited.
    pub manifest: Manifest,
    /// Whole commands of a write that a crash has cut; the file ends before them.
    pub salvaged: Vec<u8>,
    /// Everything before the snapshot of this number is in the base that is being made.
    pub cut: Option<u64>,
    pub done: Sender<Result<(), String>>,
}

/// So much is written at a time at most; it bounds what whoever reads the file has to hold.
const WRITE_BYTES_MAX: usize = 4 << 20;
/// How often a failed write is tried again, and how closely fsync keeps its second.
const TICK: Duration = Duration::from_millis(100);
const SYNC_MS: i64 = 1000;
/// A sync that takes longer is told.
const SLOW_SYNC_MS: i64 = 2000;

/// The thread's state.
pub struct Log {
    receiver: Receiver<Message>,
    pub(super) status: Arc<Status>,
    pub(super) config: Held<Config>,
    pub(super) clock: Clock,
    merge: Merge,
    stream: Stream,
    pub(super) files: Option<Files>,
    /// Deliveries have come up to this one, and these ahead of others.
    heard: u64,
    early: BTreeSet<u64>,
    /// Bytes that were taken over since the last write.
    taken: u64,
    /// A piece that was being written when that failed.
    unwritten: Vec<u8>,
    pub(super) syncing: Syncing,
    synced_ms: i64,
    /// What the sync under way will have made sure of.
    synced: u64,
    stamped: i64,
    is_unsynced: bool,
    /// The last cut, if nothing came behind it.
    last_cut: Option<u64>,
}

/// The files that are written.
pub(super) struct Files {
    pub folder: PathBuf,
    pub manifest: Manifest,
    /// The last increment.
    pub current: LogFile,
    pub rewrite: Option<Rewrite>,
    /// Bytes of all but the current one.
    pub settled_bytes: u64,
    pub trust: Trust,
}

/// Whether all that was written into the files can be on disk: not after a failed fsync.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trust {
    /// One of the files before the current one has failed.
    pub has_lost_older: bool,
    /// The current one has.
    pub has_lost_current: bool,
}

impl Trust {
    pub fn is_lost(self) -> bool {
        self.has_lost_older || self.has_lost_current
    }
}

impl Log {
    /// A log without files.
    pub fn new(
        receiver: Receiver<Message>,
        status: Arc<Status>,
        config: Held<Config>,
        clock: Clock,
        shards: usize,
    ) -> Log {
        Log {
            receiver,
            status,
            config,
            clock,
            merge: Merge::new(shards),
            stream: Stream::default(),
            files: None,
            heard: 0,
            early: BTreeSet::new(),
            taken: 0,
            unwritten: Vec::new(),
            syncing: Syncing::default(),
            synced_ms: 0,
            synced: 0,
            stamped: 0,
            is_unsynced: false,
            last_cut: None,
        }
    }

    /// Serves until nobody can tell it anything any more.
    pub fn run(mut self) {
        loop {
            let has_to_look = self.is_unsynced || self.has_unwritten() || self.syncing.is_busy();
            let first = match has_to_look {
                true => self.receiver.recv_timeout(TICK),
                false => self.receiver.recv().map_err(RecvTimeoutError::from),
            };
            self.config.refresh();
            match first {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while self.stream.bytes.len() < WRITE_BYTES_MAX {
                let Ok(message) = self.receiver.try_recv() else {
                    break;
                };
                self.take(message);
            }
            self.write_out();
            self.look_at_base();
            self.tick();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Said(shard, delivery, journal) => self.said(shard, delivery, &journal),
            Message::Open(opening) => {
                let done = opening.done.clone();
                // Whoever has given up opening does not want to know.
                let _ = done.send(self.open(*opening));
            }
            Message::Rewrite(cut) => self.rewrite(cut),
            Message::Rewritten(cut, path) => self.rewritten(cut, &path),
            Message::NotRewritten(cut) => self.not_rewritten(cut),
            Message::Bookmark(cut, place) => self.bookmark(cut, &place),
            Message::Flush(done) => {
                let is_done = self.flush();
                let _ = done.send(is_done);
            }
            Message::Close => {
                self.flush();
                self.files = None;
                self.unwritten.clear();
                self.stream.clear();
                self.status.set_on(false);
            }
        }
    }

    fn hear(&mut self, delivery: u64) {
        self.early.insert(delivery);
        while self.early.remove(&(self.heard + 1)) {
            self.heard += 1;
        }
    }

    fn said(&mut self, shard: ShardId, delivery: u64, journal: &Journal) {
        self.hear(delivery);
        self.taken += journal.records.bytes.len() as u64;
        match self.files {
            Some(_) => self.merge.push(shard, delivery, journal, &mut self.stream),
            None => {
                self.status.took(std::mem::take(&mut self.taken));
            }
        }
    }

    fn open(&mut self, opening: Opening) -> Result<(), String> {
        let prefix = self.prefix();
        let mut manifest = opening.manifest;
        // What a first base does not hold goes behind nothing that was there before.
        let last = manifest.increments.last().filter(|_| opening.cut.is_none());
        let last = last.map(|part| part.name.clone());
        let is_new = last.is_none();
        let name = last.unwrap_or_else(|| manifest.add_increment(&prefix));
        let path = opening.folder.join(&name);
        let opened = match is_new {
            true => LogFile::begin(&path),
            false => LogFile::open(&path),
        };
        let current =
            opened.map_err(|error| format!("Can't open the append-only file {name}: {error}"))?;
        let shards = self.merge.shards();
        self.merge = match opening.cut {
            Some(cut) => Merge::behind(cut, shards),
            None => Merge::new(shards),
        };
        self.stream = Stream::default();
        self.files = Some(Files {
            folder: opening.folder,
            manifest,
            current,
            rewrite: opening.cut.map(|cut| Rewrite::new(cut, true)),
            settled_bytes: 0,
            trust: Trust::default(),
        });
        if opening.cut.is_some() {
            // A delivery of its own stands for what is in the base: it is on disk with that.
            let base = self.status.hand_over(0);
            self.hear(base);
        }
        if is_new && opening.cut.is_none() {
            self.save_manifest()?;
        }
        if opening.cut.is_none() {
            self.remove_history()?;
        }
        if !opening.salvaged.is_empty() {
            self.stream.bytes = opening.salvaged;
        }
        self.status.begin(self.heard);
        self.status.figures.needs_rewrite.store(false, Relaxed);
        self.measure();
        // What was salvaged is in the file again before anybody can see it.
        self.write_out();
        Ok(())
    }

    pub(super) fn prefix(&self) -> String {
        self.config.appendfilename.to_string_lossy().into_owned()
    }

    /// Writes the manifest.
    fn save_manifest(&mut self) -> Result<(), String> {
        let files = self.files.as_ref();
        let manifest = files.map(|files| files.manifest.clone());
        manifest.map_or(Ok(()), |manifest| self.adopt_manifest(manifest))
    }

    /// Writes a manifest; from now on it holds. If it cannot be written, the one before does: the
    /// files of both are there.
    pub(super) fn adopt_manifest(&mut self, manifest: Manifest) -> Result<(), String> {
        let prefix = self.prefix();
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let path = files.folder.join(format!("{prefix}.manifest"));
        let saved = crate::runtime::file::replace(&path, &manifest.text());
        let shown = path.display();
        saved.map_err(|error| format!("Can't write the AOF manifest {shown}: {error}"))?;
        files.manifest = manifest;
        Ok(())
    }

    fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty() || !self.stream.bytes.is_empty()
    }

    /// Writes what there is, and tells the cores.
    fn write_out(&mut self) {
        if self.files.is_none() {
            return;
        }
        self.status
            .set_holds_all(self.config.appendfsync == AppendFsync::Always);
        if let Err(error) = self.try_write() {
            return self.failed(&error, "Error writing to the AOF file");
        }
        self.status.took(std::mem::take(&mut self.taken));
        let is_always = self.config.appendfsync == AppendFsync::Always;
        if is_always && self.is_unsynced && !is_planted(Bug::AcksBeforeSync) {
            let synced = self.files.as_ref().map(|files| files.current.sync());
            if let Some(Err(error)) = synced {
                self.give_up(&error, "Can't persist AOF for fsync error");
            }
            self.is_unsynced = false;
        }
        self.note_size();
        let (durable, is_lost) = (self.durable(), self.trust().is_lost());
        if !is_lost && self.status.set_failure(None) {
            tracing::warn!("AOF write error looks solved. The server can write again.");
        }
        if is_always && is_lost {
            // The policy has changed since an fsync failed: only a new base keeps its promise.
            return;
        }
        if is_always {
            self.note_synced(durable);
        }
        self.status.publish(durable);
    }

    /// All deliveries up to this one are on disk. Without its first base a log is of no use.
    fn note_synced(&self, synced: u64) {
        let files = self.files.as_ref();
        let rewrite = files.and_then(|files| files.rewrite.as_ref());
        if files.is_some() && rewrite.is_none_or(|rewrite| !rewrite.is_first) {
            self.status.publish_synced(synced);
        }
    }

    fn trust(&self) -> Trust {
        self.files.as_ref().map_or(Trust::default(), |it| it.trust)
    }

    /// The current file has failed to get to disk.
    pub(super) fn lose_trust(&mut self, error: &io::Error) {
        self.failed(error, "Fail to fsync the AOF file");
        if is_planted(Bug::SyncsAgain) {
            self.is_unsynced = true;
            return;
        }
        if let Some(files) = &mut self.files {
            files.trust.has_lost_current = true;
        }
        self.status.figures.needs_rewrite.store(true, Relaxed);
        self.status.alarm();
    }

    /// All deliveries up to this one are in the file.
    fn durable(&self) -> u64 {
        let waiting = self.merge.oldest();
        waiting.map_or(self.heard, |oldest| self.heard.min(oldest - 1))
    }

    fn try_write(&mut self) -> io::Result<()> {
        self.append_unwritten()?;
        while let Some((at, cut)) = self.stream.cuts.first().copied() {
            self.write_first(at)?;
            self.stream.cuts.remove(0);
            self.last_cut = Some(cut);
            self.pass_cut(cut)?;
        }
        self.write_first(self.stream.bytes.len())
    }

    /// Writes the first bytes of the stream.
    fn write_first(&mut self, len: usize) -> io::Result<()> {
        if len > 0 {
            self.last_cut = None;
            let rest = self.stream.bytes.split_off(len);
            let piece = std::mem::replace(&mut self.stream.bytes, rest);
            for (at, _) in &mut self.stream.cuts {
                *at -= len;
            }
            self.unwritten = self.framed(piece);
        }
        self.append_unwritten()
    }

    /// A piece with the lines that belong before it.
    fn framed(&mut self, piece: Vec<u8>) -> Vec<u8> {
        let seconds = self.clock.millis().seconds();
        let mut body = Vec::new();
        if self.config.aof_timestamp_enabled && seconds > self.stamped {
            body.extend_from_slice(timestamp_line(seconds).as_bytes());
            self.stamped = seconds;
        }
        let covered = match body.is_empty() {
            true => piece,
            false => [body, piece].concat(),
        };
        let mut framed = checksum_line(&covered).into_bytes();
        framed.extend_from_slice(&covered);
        framed
    }

    fn append_unwritten(&mut self) -> io::Result<()> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        if self.unwritten.is_empty() {
            return Ok(());
        }
        match files.current.append(&self.unwritten) {
            Ok(()) => {
                self.unwritten.clear();
                self.is_unsynced = true;
                Ok(())
            }
            Err(torn) => {
                if torn.left > 0 {
                    tracing::warn!(
                        "Could not remove short write from the append-only file. The server may \
                         refuse to load the AOF the next time it starts."
                    );
                    self.unwritten.drain(..torn.left);
                }
                Err(torn.error)
            }
        }
    }

    fn failed(&mut self, error: &io::Error, what: &str) {
        if self.config.appendfsync == AppendFsync::Always {
            self.give_up(error, what);
        }
        if self
            .status
            .set_failure(Some(error.raw_os_error().unwrap_or(libc::EIO)))
        {
            tracing::warn!("{what}: {error}");
        }
    }

    /// Ends the process: what it has promised it cannot keep.
    fn give_up(&self, error: &io::Error, what: &str) -> ! {
        tracing::error!("{what}: {error}");
        tracing::error!(
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
        );
        std::process::exit(1);
    }

    /// What has to be done now and then: the fsync of each second.
    fn tick(&mut self) {
        match self.syncing.outcome() {
            Outcome::None => {}
            Outcome::Synced if self.trust().is_lost() => {}
            Outcome::Synced => self.note_synced(self.synced),
            Outcome::Failed(error) => self.lose_trust(&error),
        }
        self.status
            .figures
            .pending_fsyncs
            .store(u64::from(self.syncing.is_busy()), Relaxed);
        let now_ms = self.clock.millis().0;
        let is_due = now_ms >= self.synced_ms + SYNC_MS || now_ms < self.synced_ms;
        if self.config.appendfsync == AppendFsync::No {
            // The system decides when.
            self.is_unsynced = false;
            return;
        }
        let may_sync = !self.trust().has_lost_current && !is_planted(Bug::NeverSyncs);
        let durable = self.status.durable();
        if !self.is_unsynced && !self.syncing.is_busy() && may_sync && !self.trust().is_lost() {
            // Deliveries that have become whole since, or a first base has.
            if self.status.synced() < durable {
                self.note_synced(durable);
            }
            return;
        }
        let is_everysec = self.config.appendfsync == AppendFsync::Everysec;
        if !self.is_unsynced || !is_everysec || !is_due || !may_sync {
            return;
        }
        if self.syncing.is_busy() {
            if now_ms >= self.synced_ms + SLOW_SYNC_MS && self.syncing.is_news() {
                self.status.figures.delayed_fsyncs.fetch_add(1, Relaxed);
                tracing::info!("Asynchronous AOF fsync is taking too long (disk is busy?).");
            }
            return;
        }
        let is_rewriting = self.status.figures.is_rewriting.load(Relaxed);
        if self.config.no_appendfsync_on_rewrite && is_rewriting {
            return;
        }
        if let Some(files) = &self.files {
            self.synced = self.status.durable();
            self.syncing.begin(files.current.syncer());
            self.synced_ms = now_ms;
            self.is_unsynced = false;
        }
    }

    /// Says behind everything where the dataset is, unless more was said meanwhile.
    fn bookmark(&mut self, cut: Option<u64>, place: &Bookmark) {
        self.write_out();
        let is_there = cut.is_none() || cut == self.last_cut;
        if is_there && !self.has_unwritten() && self.files.is_some() {
            self.unwritten = bookmark_line(place).into_bytes();
            self.write_out();
        }
    }

    /// Writes and syncs everything.
    fn flush(&mut self) -> bool {
        self.write_out();
        let Some(files) = &self.files else {
            return true;
        };
        let is_synced = files.current.sync();
        if let Err(error) = &is_synced {
            self.lose_trust(error);
            return false;
        }
        if self.trust().is_lost() {
            return false;
        }
        self.is_unsynced = false;
        self.note_synced(self.status.durable());
        !self.has_unwritten()
    }

    fn note_size(&self) {
        if let Some(files) = &self.files {
            let bytes = files.all_bytes();
            self.status.figures.current_bytes.store(bytes, Relaxed);
        }
    }
}
