//! Snapshots of the whole node: who may begin one, who waits for it, and what ends with it.
//!
//! ```text
//!   BGSAVE, SAVE, save points, SHUTDOWN --> claim the desk --> thread --> cut over all shards
//!                                                                |
//!   replies, the end of the process <-- Letter::Saved -----------+
//! ```
//!
//! Any core may begin one; the walks belong to the shards and the file to a thread. The core that
//! began hears of the end.

use super::core::Core;
use super::duty::Duty;
use super::ending::Ending;
use super::load::Letter;
use super::node::{Node, REDIS_VERSION};
use super::order::Order;
use super::reload::Reload;
use crate::command::{ArgStore, Flags, Group, Merge, Plan, Spec};
use crate::config::Config;
use crate::config::choice::MaxmemoryPolicy;
use crate::keyspace::{DbIndex, ShardId, Size};
use crate::persistence::snapshot::{Outcome, Style, Target, Watch, Written, file_request};
use crate::resp::{Output, Protocol, Writer};
use crate::router::{Head, ReplyTo};
use crate::shard::{Outcome as Reply, ShardCtx};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::mpsc::channel;

/// How often progress is logged, in milliseconds.
const PROGRESS_MS: i64 = 2_000;
/// After a failure no save point is tried for so long. Redis: CONFIG_BGSAVE_RETRY_DELAY.
const RETRY_MS: i64 = 5_000;

/// What whoever wants a second snapshot is told.
pub const IN_PROGRESS: &str = "ERR Background save already in progress";

/// The operation that makes the cut on all shards at one point of their order.
static CUT: Spec = everywhere("cut");

/// An operation of our own that runs on all shards at one point of their order.
pub(super) const fn everywhere(name: &'static str) -> Spec {
    let mut spec = Spec::new(name, 2, Flags::WRITE, Group::Server);
    spec.plan = Plan::Everywhere(Merge::AllOk);
    spec
}

/// A shard's part of the cut.
fn cut(ctx: &mut ShardCtx<'_>) -> Reply {
    let id = ctx.args.integer(1)?;
    let streams = ctx.args.len() > 2;
    if streams {
        ctx.effects.record(true);
        ctx.effects.want_notes(&mut ctx.space.common.notes);
    }
    let has_begun = ctx.space.begin_snapshot(id as u64);
    if ctx.effects.is_recording() && (has_begun || streams) {
        ctx.effects.cut(id as u64);
    }
    Ok(ctx.reply.ok())
}

/// Who wants a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A save point.
    Nobody,
    /// BGSAVE: the client gets its reply with the cut.
    Background(ReplyTo),
    /// SAVE: the client gets it with the end.
    Save(ReplyTo),
    /// DEBUG RELOAD: the dataset goes and comes back from the file.
    Reload(ReplyTo, Reload),
    /// SHUTDOWN, or a signal; the process ends with it.
    Last,
}

/// Why there is no snapshot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// One for dump.rdb is running.
    Saving,
    /// One for something else is running.
    Busy,
}

/// Who waits for snapshots on a core.
#[derive(Debug, Default)]
pub(super) struct Saves {
    /// The numbers of those whose cuts are being made, and who is told.
    cutting: VecDeque<(u64, ShardId)>,
    at_cut: Vec<ReplyTo>,
    at_end: Vec<ReplyTo>,
    reload: Option<(ReplyTo, Reload)>,
    pub(super) ending: Option<Ending>,
}

impl Core {
    /// Makes a cut on all shards; the stream for replicas is made from there on, if it is to be.
    pub(super) fn make_cut(&mut self, id: u64, streams: bool, from: ShardId) {
        self.saves.cutting.push_back((id, from));
        let number = id.to_string();
        let words = [&b"cut"[..], number.as_bytes(), b"stream"];
        let args = ArgStore::from_words(words.into_iter().take(2 + usize::from(streams)));
        let head = Head {
            spec: &CUT,
            run: cut,
            command: 0,
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            is_in_exec: false,
            may_wait: false,
            known: None,
        };
        self.router
            .begin(ReplyTo::OWN, head, args.args(), &mut self.shard);
    }

    /// All shards have made the cut.
    pub fn cut_made(&mut self) {
        let Some((id, from)) = self.saves.cutting.pop_front() else {
            return;
        };
        self.node.desk.clear(id);
        self.place_at_cut(id);
        self.replica_cut_made(id);
        self.resume_stream();
        match from == self.id {
            true => self.answer_at_cut(),
            false => self.orders_for(from).push(Order::CutMade),
        }
    }

    /// Whether a cut is being made here.
    pub(super) fn is_cutting(&self) -> bool {
        !self.saves.cutting.is_empty()
    }

    /// A cut that this core has asked for has been made.
    pub fn answer_at_cut(&mut self) {
        for to in std::mem::take(&mut self.saves.at_cut) {
            self.answer_late(to, |reply| {
                reply.status("Background saving started");
            });
        }
    }

    /// Takes a snapshot into dump.rdb.
    pub fn save(&mut self, wish: Wish) -> Result<(), Refusal> {
        let node = self.node.clone();
        if !node.desk.claim() {
            let is_saving = node.state.saving.is_on();
            return Err(if is_saving {
                Refusal::Saving
            } else {
                Refusal::Busy
            });
        }
        node.state.saving.begin(self.now_ms);
        match wish {
            Wish::Background(to) => self.saves.at_cut.push(to),
            Wish::Save(to) => self.saves.at_end.push(to),
            Wish::Reload(to, what) => self.saves.reload = Some((to, what)),
            Wish::Nobody | Wish::Last => {}
        }
        if wish != Wish::Last {
            tracing::info!("Background saving started by pid {}", std::process::id());
        }
        let watch = Arc::new(Progress {
            node: node.clone(),
            logged_ms: AtomicI64::new(self.now_ms),
        });
        let (bookmark, late) = channel();
        let target = Target {
            late_aux: Some(late),
            ..self.target()
        };
        let style = style(&self.config, self.now_ms);
        let (request, work) = file_request(target, style, watch);
        let (told, core) = (node.clone(), self.id);
        let duty = Duty::new(move |outcome| saved(&told, core, outcome));
        let errand = move || duty.end(work());
        node.errands.run(Box::new(errand), || {});
        self.begin_marked_cut(request, bookmark);
        Ok(())
    }

    pub(super) fn target(&self) -> Target {
        let now = (self.now_ms / 1000).to_string();
        let memory = self.node.used_memory_bytes().to_string();
        Target {
            path: self.config.dir.join(&self.config.dbfilename),
            aux: vec![
                ("redis-ver", REDIS_VERSION.into()),
                ("redis-bits", b"64".to_vec()),
                ("ctime", now.into_bytes()),
                ("used-mem", memory.into_bytes()),
                ("aof-base", b"0".to_vec()),
            ],
            late_aux: None,
            shards: self.node.shards(),
            has_checksum: self.config.rdbchecksum,
            flushes: self.config.rdb_save_incremental_fsync,
            waiting: self.node.desk.waiting(),
        }
    }

    /// A snapshot that this core began has ended.
    pub(super) fn saved(&mut self, outcome: &Outcome) {
        let is_ok = outcome.is_ok();
        for to in std::mem::take(&mut self.saves.at_end) {
            self.answer_late(to, |reply| match is_ok {
                true => drop(reply.ok()),
                // Redis: the reason is in the log.
                false => drop(reply.error(&"ERR".into())),
            });
        }
        match self.saves.reload.take() {
            Some((to, what)) if is_ok => self.begin_reload(to, what),
            Some((to, _)) => self.reloaded(to, Err("ERR")),
            None => {}
        }
        self.go_on_ending(is_ok);
    }

    /// Tells a client why its snapshot was not begun, or that it is scheduled.
    pub fn answer_refused(&mut self, to: ReplyTo, refusal: Refusal, is_scheduled: bool) {
        const BUSY: &str = "ERR Another child process is active (AOF?): can't BGSAVE right now. \
                            Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";
        if is_scheduled && refusal == Refusal::Busy {
            self.node.state.saving.schedule();
        }
        self.answer_late(to, |reply| match refusal {
            Refusal::Saving => drop(reply.error(&IN_PROGRESS.into())),
            Refusal::Busy if is_scheduled => drop(reply.status("Background saving scheduled")),
            Refusal::Busy => drop(reply.error(&BUSY.into())),
        });
    }

    /// Gives a client that waits for it its reply.
    pub(super) fn answer_late(&mut self, to: ReplyTo, write: impl FnOnce(&mut Writer<'_>)) {
        let mut output = Output::default();
        write(&mut Writer::new(&mut output, Protocol::Resp2));
        if let Some(error) = output.plain().and_then(|text| text.strip_prefix(b"-")) {
            self.count_error(error.strip_suffix(b"\r\n").unwrap_or(error));
        }
        let end = output.mark();
        self.arrived(to, (&output, Output::start(), end));
    }

    /// Takes a snapshot if one is scheduled or a save point is reached. Returns when to look again
    /// at the latest, Unix milliseconds.
    pub fn mind_save_points(&mut self) -> i64 {
        let node = self.node.clone();
        let saving = &node.state.saving;
        if node.is_ending() {
            self.mind_ending();
            return i64::MAX;
        }
        if self.is_loading || saving.is_on() {
            return i64::MAX;
        }
        if saving.is_scheduled() && self.save(Wish::Nobody).is_ok() {
            return i64::MAX;
        }
        let changes = saving.changes_since(node.board.totals().changes_since_save);
        let (saved_ms, tried_ms) = saving.times_ms();
        let mut next_ms = i64::MAX;
        for point in &self.config.share().save {
            if changes < point.changes.max(1) as u64 {
                continue;
            }
            let mut due_ms = saved_ms + point.seconds * 1000 + 1;
            if saving.has_failed() {
                due_ms = due_ms.max(tried_ms + RETRY_MS);
            }
            if due_ms <= self.now_ms {
                let seconds = point.seconds;
                tracing::info!("{changes} changes in {seconds} seconds. Saving...");
                // One that is running already is as good.
                let _ = self.save(Wish::Nobody);
                return i64::MAX;
            }
            next_ms = next_ms.min(due_ms);
        }
        next_ms
    }
}

pub(super) fn style(config: &Config, now_ms: i64) -> Style {
    let noted = match config.maxmemory_policy {
        MaxmemoryPolicy::AllkeysLru
        | MaxmemoryPolicy::VolatileLru
        | MaxmemoryPolicy::AllkeysLfu
        | MaxmemoryPolicy::VolatileLfu => Some(super::rules::access_rule(config)),
        _ => None,
    };
    Style {
        compresses: config.rdbcompression,
        noted,
        now_ms,
        ..Style::default()
    }
}

/// Keeps the node's figures while a file is written.
struct Progress {
    node: Arc<Node>,
    logged_ms: AtomicI64,
}

impl Watch for Progress {
    fn begins(&self, size: Size) {
        self.node.state.saving.expect(size.keys, size.changes);
    }

    fn advances(&self, keys: u64) {
        self.node.state.saving.advance(keys);
    }

    fn writes(&self, bytes: u64, memory: i64) {
        self.node.note_helper(memory);
        let (now_ms, logged_ms) = (self.node.clock.millis().0, self.logged_ms.load(Relaxed));
        if now_ms < logged_ms + PROGRESS_MS {
            return;
        }
        self.logged_ms.store(now_ms, Relaxed);
        let saving = &self.node.state.saving;
        let (written, total) = saving.keys();
        let seconds = saving.seconds(now_ms).1.max(1) as u64;
        tracing::info!(
            "Saving: {:.2}% of {total} keys, {} MB, {} MB/s",
            written as f64 / total.max(1) as f64 * 100.0,
            bytes >> 20,
            (bytes / seconds) >> 20
        );
    }
}

/// Nobody asks how a snapshot for a log or for replicas is getting on, but its memory counts.
pub(super) struct Unwatched(pub Arc<Node>);

impl Watch for Unwatched {
    fn begins(&self, _: Size) {}

    fn advances(&self, _: u64) {}

    fn writes(&self, _: u64, memory: i64) {
        self.0.note_helper(memory);
    }
}

/// Tells the log, the figures and the core that has begun a snapshot how it ended.
fn saved(node: &Node, core: ShardId, outcome: Outcome) {
    let (saving, now_ms) = (&node.state.saving, node.clock.millis().0);
    match &outcome {
        Ok(Written { bytes }) => {
            saving.succeed(now_ms);
            tracing::info!("DB saved on disk, {bytes} bytes");
            tracing::info!("Background saving terminated with success");
        }
        Err(reason) => {
            saving.fail(now_ms);
            tracing::warn!("Error saving DB on disk: {reason}");
            tracing::warn!("Background saving error");
        }
    }
    node.desk.release();
    node.letters[usize::from(core.0)].post(Letter::Saved(outcome));
}
