//! Sets the stage of a comparison: decides who takes part, starts and loads them, shows progress.
//!
//! A contestant that is not there (no binary) is left out with a word on why; a comparison with
//! one server fewer is still a comparison. One that fails while it runs is an error.

use crate::bout;
use crate::support::options::Places;
use crate::support::peer::{Contestant, Peer};
use crate::support::scenario::Scenario;
use crate::support::server::{Launcher, Server};
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

/// More io-threads than this have not paid on any machine we know.
const IO_THREADS_MAX: usize = 8;
const TUNING_KEYS: u64 = 100_000;

pub struct Rig {
    pub launcher: Launcher,
    /// Labels that the user limited the comparison to; empty: all.
    wanted: Vec<String>,
}

impl Rig {
    pub fn new(places: &Places, wanted: Vec<String>) -> Rig {
        Rig {
            launcher: places.launcher(),
            wanted,
        }
    }

    /// The scenario's contestants that are available, with their threads settled.
    pub fn peers(&mut self, scenario: &Scenario) -> Result<Vec<Peer>> {
        let mut peers = Vec::new();
        for &contestant in &scenario.peers {
            if !self.wanted.is_empty() && !self.wanted.iter().any(|w| w == name(contestant)) {
                continue;
            }
            let Some(peer) = self.settle(contestant, scenario)? else {
                continue;
            };
            match peer.program(&self.launcher.binaries) {
                Ok(_) => peers.push(peer),
                Err(reason) => eprintln!("{}: without {}: {reason}", scenario.name, peer.label()),
            }
        }
        ensure!(
            !peers.is_empty(),
            "{}: nobody is left to take part",
            scenario.name
        );
        Ok(peers)
    }

    /// A running server with the scenario's keys.
    pub fn start(&mut self, peer: Peer, scenario: &Scenario, bar: &ProgressBar) -> Result<Server> {
        bar.set_message(format!("{}: starting {}", scenario.name, peer.label()));
        let server = self.launcher.start(peer, &scenario.extras())?;
        if let Some(fill) = scenario.fill() {
            let loading = format!("{}: loading {}", scenario.name, peer.label());
            let filled = fill.run(server.port, |keys| {
                bar.set_message(format!("{loading} {}%", 100 * keys / fill.keys));
            });
            filled.with_context(|| format!("cannot load {}", peer.label()))?;
        }
        Ok(server)
    }

    fn settle(&mut self, contestant: Contestant, scenario: &Scenario) -> Result<Option<Peer>> {
        Ok(match contestant {
            Contestant::Redis => Some(Peer::Redis),
            Contestant::Bare => Some(Peer::Bare {
                threads: scenario.shards,
            }),
            Contestant::Ringshard => Some(Peer::Ringshard {
                shards: scenario.shards,
            }),
            Contestant::RedisIo => self.best_io_threads(scenario)?,
        })
    }

    /// Tries every sensible number of io-threads under this load and keeps the fastest.
    fn best_io_threads(&mut self, scenario: &Scenario) -> Result<Option<Peer>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut tuning = scenario.clone();
        if let Some(preload) = &mut tuning.preload {
            preload.keys = preload.keys.min(TUNING_KEYS);
        }
        let bar = progress(0);
        let mut best: Option<(f64, Peer)> = None;
        for threads in 2..=cores.min(IO_THREADS_MAX) {
            for reads in [false, true] {
                let peer = Peer::RedisIo { threads, reads };
                let server = self.start(peer, &tuning, &bar)?;
                let rate = bout::rate(&server, &tuning.load())?;
                if best.is_none_or(|(fastest, _)| rate > fastest) {
                    best = Some((rate, peer));
                }
            }
        }
        bar.finish_and_clear();
        Ok(best.map(|(_, peer)| peer))
    }
}

fn name(contestant: Contestant) -> &'static str {
    match contestant {
        Contestant::Redis => "redis",
        Contestant::RedisIo => "redis-io",
        Contestant::Bare => "bare",
        Contestant::Ringshard => "ringshard",
    }
}

/// A bar for so many steps; without steps, it shows messages only.
pub fn progress(steps: usize) -> ProgressBar {
    let template = match steps {
        0 => "{spinner} {msg}",
        _ => "[{elapsed_precise}] {bar:32} {pos}/{len}, {eta} to go: {msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
