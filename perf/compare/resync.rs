//! A full resynchronization under load: how long does it take, and what do the master's clients
//! feel?
//!
//! Two servers of a kind, on the cores that all share, or with a core each (`apart`): then the
//! probe is on the master's, and all else on the replica's, so that the master has what it has on a
//! machine of its own. A writer overwrites keys one by one, a probe sends the master a GET every
//! millisecond, first alone, then beside two threads that do nothing but keep the CPUs busy, then
//! while the second server becomes its replica, until that says that its link is up. The middle
//! part is the yardstick on a machine with few cores: what the probe waits there, it waits for a
//! CPU and not for anything that a master does for a replica.

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
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

pub fn compare(rig: &mut Rig, scenario: &Scenario) -> Result<Comparison> {
    in_parts(rig, scenario, |rig, peer, master| {
        let replica = rig.launcher.start(peer, &scenario.extras())?;
        if scenario.apart {
            process::keep_all_on(master.pid(), MASTER_CPU)?;
            process::keep_all_on(replica.pid(), REPLICA_CPU)?;
        }
        round(master, &replica, scenario).with_context(|| replica.last_words())
    })
}

fn round(master: &Server, replica: &Server, scenario: &Scenario) -> Result<Parts<3>> {
    let data = Data::Keys(scenario.preload.expect("a checked scenario has keys"));
    let traffic = Traffic::default();
    thread::scope(|scope| {
        let (port, pipeline, traffic) = (master.port, scenario.pipeline, &traffic);
        let apart = scenario.apart;
        let writer = scope.spawn(move || {
            stay_on(apart, REPLICA_CPU)?;
            overwrite(port, (0, data, pipeline), traffic)
        });
        let figures = measure((master, apart), replica, traffic);
        traffic.is_over.store(true, Relaxed);
        writer
            .join()
            .map_err(|_| anyhow!("the writer panicked"))??;
        figures
    })
}

fn measure(master: (&Server, bool), replica: &Server, traffic: &Traffic) -> Result<Parts<3>> {
    let for_a_while = || {
        let end = Instant::now() + BEFORE;
        watch(master, traffic, &mut || Ok(Instant::now() < end))
    };
    let before = for_a_while()?;
    let beside = beside_busy_threads(master.1, for_a_while)?;
    let mut control = Connection::open(replica.port)?;
    let port = master.0.port.to_string();
    let reply = control.call(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()])?;
    ensure!(reply.starts_with("OK"), "REPLICAOF: {reply:?}");
    let started = Instant::now();
    let mut is_syncing = || {
        ensure!(started.elapsed() < TIMEOUT, "the replica does not come up");
        let info = control.call(&[b"INFO", b"replication"])?;
        Ok(!info.contains("master_link_status:up"))
    };
    let mut during = watch(master, traffic, &mut is_syncing)?;
    during.put(Metric::SaveSeconds, started.elapsed().as_secs_f64());
    if let Some(ratio) = during.ratio(&before, Metric::Throughput) {
        during.put(Metric::KeptThroughput, ratio * 100.0);
    }
    Ok([("", during), (" before", before), (" beside loops", beside)])
}

fn beside_busy_threads<T>(apart: bool, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let busy = AtomicBool::new(true);
    thread::scope(|scope| {
        for _ in 0..BUSY_THREADS {
            scope.spawn(|| {
                // On the wrong CPU they would show more waits, not fewer.
                let _ = stay_on(apart, REPLICA_CPU);
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
    (master, apart): (&Server, bool),
    traffic: &Traffic,
    more: &mut dyn FnMut() -> Result<bool>,
) -> Result<Figures> {
    let (start, first) = (Instant::now(), traffic.written.load(Relaxed));
    let (mut figures, ()) = beside(
        |more| {
            stay_on(apart, MASTER_CPU)?;
            probe(master, more)
        },
        || wait_while(more),
    )?;
    let written = traffic.written.load(Relaxed) - first;
    let elapsed = start.elapsed().as_secs_f64();
    figures.put(Metric::Throughput, written as f64 / elapsed);
    Ok(figures)
}

/// Keeps this thread on a CPU, if servers have one each.
fn stay_on(apart: bool, cpu: usize) -> Result<()> {
    ensure!(!apart || process::stay_on(cpu), "there is no CPU {cpu}");
    Ok(())
}

fn wait_while(more: &mut dyn FnMut() -> Result<bool>) -> Result<()> {
    while more()? {
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}
