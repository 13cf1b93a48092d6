//! The end of a process: SHUTDOWN and signals.
//!
//! ```text
//!   writes are paused --> every core has sent on what had begun before
//!     --> core with the hub: a replica's stream rests, replicas catch up (shutdown-timeout)
//!     --> the place in the history is noted for the log
//!     --> a last snapshot, if one is wanted --> the main thread ends the process
//! ```
//!
//! So nothing that was acknowledged is missing in the last snapshot, and replicas go on where they
//! were when the process is back. Nothing changes by itself meanwhile: keys that expire stay, and
//! nothing is said to replicas. SHUTDOWN ABORT, or a snapshot that fails, takes everything back;
//! SHUTDOWN NOW waits for nobody.

use super::core::Core;
use super::node::Stop;
use super::order::{Order, Question};
use super::pause::Pause;
use super::replication::HUB_CORE;
use super::save::Wish;
use crate::config::choice::ShutdownFlags;
use crate::keyspace::ShardId;
use crate::persistence::Bookmark;
use crate::router::ReplyTo;
use std::sync::atomic::Ordering::Relaxed;

/// How long writes wait at most: until the end has come one way or the other.
const LAST_SAVE_MS: i64 = 24 * 3600 * 1000;
/// How often the replicas are looked at, in milliseconds.
const LOOK_MS: i64 = 10;
/// Rounds through all cores after which nothing is on its way that had begun before: a request may
/// be behind the first one, and its parcel behind the second.
const ROUNDS: u8 = 3;

/// Under this number cores answer that their turn has come; no question of a client has it.
pub(super) const QUIET: u64 = u64::MAX;

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Cores finish what they have begun.
    Quieting {
        rounds: u8,
        missing: usize,
    },
    /// Replicas catch up.
    Resting,
    /// The log of a replica has to get the dataset that the master has sent.
    Logging,
    /// Another snapshot has to end first.
    Waiting,
    Saving,
}

/// An end that has begun on this core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    flags: ShutdownFlags,
    client: Option<ReplyTo>,
    step: Step,
}

/// The rest before the end, on the core with the hub.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// Who waits for it.
    from: ShardId,
    /// How long replicas may take, Unix milliseconds.
    until_ms: i64,
    is_marking: bool,
}

/// The place of the dataset at the end, and the cut that it belongs to.
pub type LastPlace = Option<(Option<u64>, Bookmark)>;

impl Core {
    /// Whether the dataset is saved before the process ends.
    fn saves_at_end(&self, flags: ShutdownFlags) -> bool {
        let is_wanted = flags.has(ShutdownFlags::SAVE) || !self.config.save.is_empty();
        is_wanted && !flags.has(ShutdownFlags::NOSAVE) && !self.is_loading
    }

    /// Ends the process. A client hears of it only when that fails.
    pub fn shut_down(&mut self, flags: ShutdownFlags, client: Option<ReplyTo>) {
        tracing::warn!("User requested shutdown...");
        if self.is_loading {
            self.node.state.loading.give_up();
            return (self.node.stop)(Stop::Shutdown);
        }
        let until_ms = self.now_ms + LAST_SAVE_MS;
        let pause = Pause {
            until_ms,
            is_writes_only: true,
        };
        self.node.begin_pause(pause, self.now_ms);
        self.node.set_ending(true);
        self.look_until_ms = self.look_until_ms.max(until_ms);
        self.saves.ending = Some(Ending {
            flags,
            client,
            step: Step::Resting,
        });
        match flags.has(ShutdownFlags::NOW) {
            true => self.rested(),
            false => self.quiet_cores(ROUNDS),
        }
    }

    fn end_at(&mut self, step: Step) {
        if let Some(ending) = &mut self.saves.ending {
            ending.step = step;
        }
    }

    /// Lets every core come to its next turn.
    fn quiet_cores(&mut self, rounds: u8) {
        let missing = self.node.shards();
        self.end_at(Step::Quieting { rounds, missing });
        for core in 0..missing {
            let order = Order::Ask {
                from: self.id,
                number: QUIET,
                question: Question::Pause,
            };
            self.orders_for(ShardId(core as u16)).push(order);
        }
    }

    /// A core has come to its next turn.
    pub(super) fn quieted(&mut self) {
        let step = self.saves.ending.map(|ending| ending.step);
        let Some(Step::Quieting { rounds, missing }) = step else {
            return;
        };
        if missing > 1 {
            let missing = missing - 1;
            return self.end_at(Step::Quieting { rounds, missing });
        }
        if rounds > 1 {
            return self.quiet_cores(rounds - 1);
        }
        self.end_at(Step::Resting);
        let from = self.id;
        self.orders_for(HUB_CORE).push(Order::Rest(from));
    }

    /// Replicas have caught up, or were given up: the last snapshot, if it is wanted.
    pub fn rested(&mut self) {
        let Some(ending) = self.saves.ending.filter(|it| it.step == Step::Resting) else {
            return;
        };
        if self.has_log_to_begin(ending.flags) {
            return self.end_at(Step::Logging);
        }
        self.save_at_end(ending.flags);
    }

    /// Whether the log does not hold the dataset yet, but will: it begins anew behind a full
    /// resynchronization. Until then a restart would find what was there before.
    fn has_log_to_begin(&self, flags: ShutdownFlags) -> bool {
        let hurries = flags.has(ShutdownFlags::NOW) || flags.has(ShutdownFlags::FORCE);
        let status = &self.node.aof.status;
        let figures = &status.figures;
        let is_there = status.is_on() && !figures.is_rewriting.load(Relaxed);
        let is_replica = self.node.replication.is_replica();
        let is_hopeless = figures.has_rewrite_failed.load(Relaxed);
        self.config.appendonly && is_replica && !is_there && !hurries && !is_hopeless
    }

    fn save_at_end(&mut self, flags: ShutdownFlags) {
        if !self.saves_at_end(flags) {
            return (self.node.stop)(Stop::Shutdown);
        }
        tracing::info!("Saving the final RDB snapshot before exiting.");
        self.end_at(Step::Waiting);
        self.mind_ending();
    }

    /// The log may be there, or the desk free: goes on to the last snapshot.
    pub(super) fn mind_ending(&mut self) {
        let Some(Ending { flags, step, .. }) = self.saves.ending else {
            return;
        };
        if step == Step::Logging && !self.has_log_to_begin(flags) {
            return self.save_at_end(flags);
        }
        if step == Step::Waiting && self.save(Wish::Last).is_ok() {
            self.end_at(Step::Saving);
        }
    }

    pub(super) fn go_on_ending(&mut self, is_ok: bool) {
        let Some(ending) = self.saves.ending.filter(|it| it.step == Step::Saving) else {
            return;
        };
        if is_ok || ending.flags.has(ShutdownFlags::FORCE) {
            return (self.node.stop)(Stop::Shutdown);
        }
        tracing::warn!("Error trying to save the DB, can't exit.");
        self.stay(ending);
    }

    /// Ends the ending: clients may write again.
    fn stay(&mut self, ending: Ending) {
        self.saves.ending = None;
        self.node.set_ending(false);
        self.node.end_pause();
        self.tell_all(&Question::Unpause);
        self.orders_for(HUB_CORE).push(Order::Stay);
        if let Some(to) = ending.client {
            self.answer_late(to, |reply| {
                let text = "ERR Errors trying to SHUTDOWN. Check logs.";
                reply.error(&text.into());
            });
        }
    }

    /// SHUTDOWN ABORT: says whether there was a shutdown here to abort.
    pub fn abort_ending(&mut self) -> bool {
        let Some(ending) = self.saves.ending else {
            return false;
        };
        tracing::warn!("Shutdown manually aborted.");
        self.stay(ending);
        true
    }
}

/// On the core with the hub.
impl Core {
    /// The process is about to end: replicas are to have everything, and no more is to come.
    pub fn begin_rest(&mut self, from: ShardId) {
        let timeout_ms = i64::try_from(self.config.shutdown_timeout.saturating_mul(1000));
        let until_ms = self.now_ms.saturating_add(timeout_ms.unwrap_or(i64::MAX));
        self.replication.rest = Some(Rest {
            from,
            until_ms,
            is_marking: false,
        });
        if let Some(hub) = &mut self.replication.hub {
            hub.rest(true);
        }
        self.do_deeds();
        self.go_on_resting();
    }

    /// When the rest has to be looked after, Unix milliseconds.
    pub(super) fn rest_due_ms(&self) -> Option<i64> {
        let rest = self.replication.rest.filter(|rest| !rest.is_marking);
        rest.map(|_| self.now_ms + LOOK_MS)
    }

    pub(super) fn go_on_resting(&mut self) {
        let Some(rest) = self.replication.rest.filter(|rest| !rest.is_marking) else {
            return;
        };
        if !self.calm_stream() {
            return;
        }
        self.pass_on();
        let now_ms = self.now_ms;
        let Some(hub) = &mut self.replication.hub else {
            return;
        };
        let lagging = hub.lagging();
        if lagging > 0 && now_ms < rest.until_ms {
            return;
        }
        if lagging > 0 {
            tracing::warn!("{lagging} of the replicas are lagging when shutting down.");
        }
        if hub.mark_rest() {
            self.replication.rest = Some(Rest {
                is_marking: true,
                ..rest
            });
            return self.do_deeds();
        }
        self.end_rest(None);
    }

    /// The stream is at this mark.
    pub(super) fn rest_marked(&mut self, mark: u64) {
        if self.replication.rest.is_some_and(|rest| rest.is_marking) {
            self.end_rest(Some(mark));
        }
    }

    fn end_rest(&mut self, mark: Option<u64>) {
        let Some(rest) = self.replication.rest.take() else {
            return;
        };
        let place = self.bookmark().map(|bookmark| (mark, bookmark));
        self.node.set_last_place(place);
        self.orders_for(rest.from).push(Order::Rested);
    }

    /// The process goes on.
    pub fn end_stay(&mut self) {
        self.replication.rest = None;
        self.node.set_last_place(None);
        if let Some(hub) = &mut self.replication.hub {
            hub.rest(false);
        }
        self.resume_stream();
    }
}
