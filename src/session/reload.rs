//! DEBUG RELOAD and DEBUG LOADAOF: the dataset goes, and comes back from disk.
//!
//! ```text
//!   RELOAD    writes pause | snapshot | all keys go, dump.rdb is loaded | writes go on
//!   LOADAOF   writes pause | log is written out | all keys go, it is replayed | writes go on
//! ```
//!
//! Clients hear that the dataset is being loaded meanwhile, as at the start. What it does not do:
//! change the log, which holds the same dataset before and behind.

use super::core::Core;
use super::load::Letter;
use super::node::Node;
use super::order::Question;
use super::pause::Pause;
use super::save::Wish;
use crate::persistence::{Rules, Summary};
use crate::router::ReplyTo;
use std::sync::Arc;

/// Writes pause for so long at most: until the dataset is there again.
const PAUSE_MS: i64 = 24 * 3600 * 1000;

/// What the dataset is to come back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// A snapshot, which may be one from before; the keys there are may stay, or be replaced by
    /// those of the same name.
    Snapshot {
        saves: bool,
        empties: bool,
        merges: bool,
    },
    Log,
}

impl Core {
    /// Takes the dataset from disk again; the client waits for it.
    pub fn reload(&mut self, to: ReplyTo, what: Reload) {
        let pause = Pause {
            until_ms: self.now_ms + PAUSE_MS,
            is_writes_only: true,
        };
        self.node.begin_pause(pause, self.now_ms);
        self.look_until_ms = self.look_until_ms.max(pause.until_ms);
        let saves = matches!(what, Reload::Snapshot { saves: true, .. });
        if !saves {
            return self.begin_reload(to, what);
        }
        if let Err(refusal) = self.save(Wish::Reload(to, what)) {
            self.end_reload_pause();
            self.answer_refused(to, refusal, false);
        }
    }

    /// Lets a thread empty the cores and fill them again.
    pub(super) fn begin_reload(&mut self, to: ReplyTo, what: Reload) {
        let (node, core) = (self.node.clone(), self.id);
        let errand = move || {
            let done = node.reload(what);
            node.letters[usize::from(core.0)].post(Letter::Reloaded(to, done));
        };
        self.node.errands.run(Box::new(errand), || {});
    }

    /// The dataset is there again, or is not.
    pub(super) fn reloaded(&mut self, to: ReplyTo, done: Result<(), &'static str>) {
        self.end_reload_pause();
        self.answer_late(to, |reply| match done {
            Ok(()) => drop(reply.ok()),
            Err(text) => drop(reply.error(&text.into())),
        });
    }

    pub(super) fn end_reload_pause(&mut self) {
        self.look_until_ms = self.now_ms;
        self.node.end_pause();
        self.tell_all(&Question::Unpause);
    }
}

impl Node {
    fn reload(self: &Arc<Node>, what: Reload) -> Result<(), &'static str> {
        match what {
            Reload::Snapshot {
                empties, merges, ..
            } => self.reload_snapshot(empties, merges),
            Reload::Log => self.reload_log(),
        }
    }

    fn reload_snapshot(&self, empties: bool, merges: bool) -> Result<(), &'static str> {
        let config = self.config.value();
        self.state.loading.begin(self.clock.millis().0, 0);
        if empties {
            self.empty_all();
        }
        let rules = Rules {
            merges,
            ..self.load_rules()
        };
        match self.load_by(rules, &config.dir.join(&config.dbfilename)) {
            Ok(Some(summary)) => {
                self.state.loading.end(&summary);
                tracing::warn!("DB reloaded by DEBUG RELOAD");
                return Ok(());
            }
            Ok(None) => tracing::warn!("There is no dump file to reload"),
            Err(error) => tracing::warn!("Reloading the dump file: {error}"),
        }
        self.state.loading.give_up();
        Err("ERR Error trying to load the RDB dump, check server logs.")
    }

    fn reload_log(&self) -> Result<(), &'static str> {
        const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
        if !self.aof.status.is_on() || !self.aof.flush() {
            return Err(FAILED);
        }
        self.state.loading.begin(self.clock.millis().0, 0);
        self.record(false);
        self.empty_all();
        let replayed = self.replay_log();
        self.record(true);
        match replayed {
            Ok(()) => {
                self.state.loading.end(&Summary::default());
                tracing::warn!("Append Only File loaded by DEBUG LOADAOF");
                Ok(())
            }
            Err(lines) => {
                lines.iter().for_each(|line| tracing::warn!("{line}"));
                self.state.loading.give_up();
                Err(FAILED)
            }
        }
    }
}
