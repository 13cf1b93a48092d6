//! What replicas cost their master: the same load on a master without any and on one with two.
//!
//! All servers share the machine, so throughput tells as much of the replicas' appetite as of the
//! master's work; the CPU for an operation, of the master and of a replica, tells them apart. How
//! long the replicas need after a round until they have all of it is told too: a master that is
//! fast because its replicas lag behind would not have won anything.

use crate::bout;
use crate::load::{prepare, requests};
use crate::rig::{Rig, progress};
use crate::support::figures::{Comparison, Figures, Metric, Outcome};
use crate::support::peer::Peer;
use crate::support::process::CpuTime;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::Connection;
use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use std::thread;
use std::time::{Duration, Instant};

const REPLICAS: usize = 2;
/// Nobody takes longer to come up or to catch up.
const TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// The first of how many parts of a round is run beforehand, uncounted.
const WARM_UP: u64 = 5;

/// A master, what follows it, and what was measured.
struct Group {
    label: String,
    master: Server,
    replicas: Vec<Server>,
    rounds: Vec<Figures>,
}

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    let peers = rig.peers(scenario)?;
    let bar = progress(2 * peers.len() * (scenario.rounds + 1));
    let mut groups = Vec::new();
    for peer in peers {
        for replicas in [0, REPLICAS] {
            let group = Group::start(rig, (peer, replicas), scenario, &bar)?;
            group.pause()?;
            groups.push(group);
        }
    }
    let load = scenario.load();
    let first = &groups[0];
    first.resume()?;
    let requests = requests(scenario, &load, &first.master)?;
    first.pause()?;
    for round in 0..=scenario.rounds {
        for group in &mut groups {
            bar.set_message(format!("{}: {}", scenario.name, group.label));
            let counted = if round == 0 {
                requests.div_ceil(WARM_UP)
            } else {
                requests
            };
            let figures = group.run(scenario, counted)?;
            if round > 0 {
                group.rounds.push(figures);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Comparison {
        scenario: scenario.name.clone(),
        outcomes: outcomes(&groups),
    })
}

impl Group {
    fn start(
        rig: &mut Rig,
        (peer, count): (Peer, usize),
        scenario: &Scenario,
        bar: &ProgressBar,
    ) -> Result<Group> {
        let master = rig.start(peer, scenario, bar)?;
        let replicas: Result<Vec<Server>> = (0..count)
            .map(|_| rig.launcher.start(peer, &scenario.extras()))
            .collect();
        let label = match count {
            0 => peer.label(),
            _ => format!("{} +{count}", peer.label()),
        };
        let group = Group {
            label,
            master,
            replicas: replicas?,
            rounds: Vec::new(),
        };
        let port = group.master.port.to_string();
        for replica in &group.replicas {
            let mut connection = Connection::open(replica.port)?;
            let reply = connection.call(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()])?;
            ensure!(reply.starts_with("OK"), "REPLICAOF: {reply:?}");
        }
        group.catch_up()?;
        Ok(group)
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.master).chain(&self.replicas)
    }

    fn pause(&self) -> Result<()> {
        self.servers().try_for_each(Server::pause)
    }

    fn resume(&self) -> Result<()> {
        self.servers().try_for_each(Server::resume)
    }

    fn replicas_cpu(&self) -> Result<Vec<CpuTime>> {
        self.replicas.iter().map(Server::cpu).collect()
    }

    /// A measured round, after which the replicas have everything.
    fn run(&self, scenario: &Scenario, requests: u64) -> Result<Figures> {
        let load = scenario.load();
        self.resume()?;
        prepare(scenario, &load, &self.master, requests)?;
        self.catch_up()?;
        let before = self.replicas_cpu()?;
        let mut figures = bout::run(&self.master, &load, requests)?;
        let lag = self.catch_up()?;
        if !self.replicas.is_empty() {
            let spent: f64 = before
                .iter()
                .zip(self.replicas_cpu()?)
                .map(|(before, after)| before.until(&after).total_us())
                .sum();
            let each = spent / (self.replicas.len() as u64 * requests) as f64;
            figures
                .put(Metric::SaveSeconds, lag.as_secs_f64())
                .put(Metric::ReplicaCpuPerOp, each);
        }
        self.pause()?;
        Ok(figures)
    }

    /// Waits until all replicas follow and are where the master is; says how long that took.
    fn catch_up(&self) -> Result<Duration> {
        let begin = Instant::now();
        let mut master = Connection::open(self.master.port)?;
        for replica in &self.replicas {
            let mut follower = Connection::open(replica.port)?;
            loop {
                let there: i64 = master.info(b"replication", "master_repl_offset")?;
                let link: String = follower.info(b"replication", "master_link_status")?;
                let here: i64 = follower.info(b"replication", "master_repl_offset")?;
                if link == "up" && here >= there {
                    break;
                }
                let words = || format!("{}\n{}", self.master.last_words(), replica.last_words());
                ensure!(
                    begin.elapsed() < TIMEOUT,
                    "a replica lags behind\n{}",
                    words()
                );
                thread::sleep(LOOK_INTERVAL);
            }
        }
        // A master that has dropped a replica meanwhile was not a master with so many.
        if !self.replicas.is_empty() {
            let full: usize = master.info(b"stats", "sync_full")?;
            ensure!(full <= REPLICAS, "{}: {full} full syncs", self.label);
        }
        Ok(begin.elapsed())
    }
}

/// How each group did, with the throughput that its master keeps.
fn outcomes(groups: &[Group]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for group in groups {
        let mut figures = Figures::median(&group.rounds);
        let alone = outcomes.last().filter(|_| !group.replicas.is_empty());
        let kept = alone.and_then(|alone| figures.ratio(&alone.figures, Metric::Throughput));
        if let Some(kept) = kept {
            figures.put(Metric::KeptThroughput, kept * 100.0);
        }
        outcomes.push(Outcome {
            peer: group.label.clone(),
            rounds: group.rounds.len(),
            figures,
        });
    }
    outcomes
}
