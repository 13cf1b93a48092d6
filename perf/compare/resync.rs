//! A full resynchronization under load: how long does it take, and what do the master's clients
//! feel?
//!
//! Two servers of a kind, on the cores that all share, or with a core each (`apart`): then the
//! probe is on the master's, and all else on the replica's, so that the master has what it has on a
//! machine of its own. There the probe gets the CPU before the master, as a client elsewhere has
//! one of its own: the scheduler lets a thread that wakes wait for one that is busy. A writer
//! overwrites keys one by one, a probe sends the master a GET every millisecond, first alone, then
//! beside two threads that do nothing but keep the CPUs busy, then while the second server becomes
//! its replica, until that says that its link is up. The middle part is the yardstick on a machine
//! with few cores: what the probe waits there, it waits for a CPU and not for anything that a
//! master does for a replica.

use crate::bgsave::{Data, Parts, Traffic, in_parts, overwrite};
use crate::probe::{beside, probe};
use crate::rig::Rig;
use crate::support::figures::{Comparison, Figures, Metric};
use crate::support::process;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::wire::Connection;
use anyhow::{Context, Result, anyhow, ensure};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long the load runs before the resynchronization.
const BEFORE: Duration = Duration::from_secs(3);
/// As many as a replica of two shards keeps busy.
const BUSY_THREADS: usize = 2;
/// Nobody takes longer.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Where master and replica are, if they have a CPU each.
const MASTER_CPU: usize = 0;
const REPLICA_CPU: usize = 1;
/// The least that is real-time: whoever watches the machine comes before the probe.
const PROBE_PRIORITY: i32 = 1;
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    in_parts(rig, scenario, |rig, peer, master| {
        let replica = rig.launcher.start(peer, &scenario.extras())?;
        if scenario.apart {
            process::keep_all_on(master.pid(), MASTER_CPU)?;
            process::keep_all_on(replica.pid(), REPLICA_CPU)?;
        }
        let pair = Pair {
            master,
            replica: &replica,
            apart: scenario.apart,
        };
        round(pair, scenario).with_context(|| replica.last_words())
    })
}

/// Two servers, the second of which becomes a replica of the first.
#[derive(Clone, Copy)]
struct Pair<'a> {
    master: &'a Server,
    replica: &'a Server,
    /// Whether they have a CPU each.
    apart: bool,
}

impl Pair<'_> {
    /// Keeps this thread on a CPU, if servers have one each.
    fn stay_on(self, cpu: usize) -> Result<()> {
        let stays = !self.apart || process::stay_on(cpu);
        ensure!(stays, "there is no CPU {cpu}");
        Ok(())
    }

    /// Gives this thread the CPU before the server, if servers have one each.
    fn come_first(self) -> Result<()> {
        let is_first = !self.apart || process::run_at(PROBE_PRIORITY);
        ensure!(is_first, "threads may not have a real-time priority here");
        Ok(())
    }
}

fn round(pair: Pair<'_>, scenario: &Scenario) -> Result<Parts<3>> {
    let data = Data::Keys(scenario.preload.expect("a checked scenario has keys"));
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let (port, pipeline, traffic) = (pair.master.port, scenario.pipeline, &traffic);
        let writer = scope.spawn(move || {
            pair.stay_on(REPLICA_CPU)?;
            overwrite(port, (0, data, pipeline), traffic)
        });
        let figures = measure(pair, traffic);
        traffic.is_over.store(true, Relaxed);
        writer
            .join()
            .map_err(|_| anyhow!("the writer panicked"))??;
        figures
    })
}

fn measure(pair: Pair<'_>, traffic: &Traffic) -> Result<Parts<3>> {
    let for_a_while = || {
        let end = Instant::now() + BEFORE;
        watch(pair, traffic, &mut || Ok(Instant::now() < end))
    };
    let before = for_a_while()?;
    let beside = beside_busy_threads(pair, for_a_while)?;
    let mut control = Connection::open(pair.replica.port)?;
    let port = pair.master.port.to_string();
    let reply = control.call(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()])?;
    ensure!(reply.starts_with("OK"), "REPLICAOF: {reply:?}");
    let started = Instant::now();
    let mut is_syncing = || {
        ensure!(started.elapsed() < TIMEOUT, "the replica does not come up");
        let info = control.call(&[b"INFO", b"replication"])?;
        Ok(!info.contains("master_link_status:up"))
    };
    let mut during = watch(pair, traffic, &mut is_syncing)?;
    during.put(Metric::SaveSeconds, started.elapsed().as_secs_f64());
    if let Some(ratio) = during.ratio(&before, Metric::Throughput) {
        during.put(Metric::KeptThroughput, ratio * 100.0);
    }
    Ok([("", during), (" before", before), (" beside loops", beside)])
}

fn beside_busy_threads<T>(pair: Pair<'_>, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let busy = AtomicBool::new(true);
    thread::scope(|scope| {
        for _ in 0..BUSY_THREADS {
            scope.spawn(|| {
                // On the wrong CPU they would show more waits, not fewer.
                let _ = pair.stay_on(REPLICA_CPU);
                while busy.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = body();
        busy.store(false, Relaxed);
        result
    })
}

/// Throughput and the probe's latencies as long as there is more.
fn watch(
    pair: Pair<'_>,
    traffic: &Traffic,
    more: &mut dyn FnMut() -> Result<bool>,
) -> Result<Figures> {
    let (start, first) = (Instant::now(), traffic.written.load(Relaxed));
    let (mut figures, ()) = beside(
        |more| {
            pair.stay_on(MASTER_CPU)?;
            pair.come_first()?;
            probe(pair.master, more)
        },
        || wait_while(more),
    )?;
    let written = traffic.written.load(Relaxed) - first;
    let elapsed = start.elapsed().as_secs_f64();
    figures.put(Metric::Throughput, written as f64 / elapsed);
    Ok(figures)
}

fn wait_while(more: &mut dyn FnMut() -> Result<bool>) -> Result<()> {
    while more()? {
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}
