//! One round of load on one server, and what it cost; and how many requests make a round.
//!
//! CPU is read from the server's own account before and after, so nothing the load generator
//! spends is counted.

use crate::support::benchmark::{Load, Report};
use crate::support::figures::{Figures, Metric};
use crate::support::server::Server;
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// A run at least this long tells how fast the server is; shorter ones measure the start.
const TELLING: Duration = Duration::from_millis(150);

/// One measured run.
pub fn run(server: &Server, load: &Load, requests: u64) -> Result<Figures> {
    let before = server.cpu()?;
    let report = load
        .run(server.port, requests)
        .with_context(|| server.last_words())?;
    let spent = before.until(&server.cpu()?);
    let ops = requests as f64;
    let mut figures = Figures::default();
    put_report(&mut figures, &report);
    figures
        .put(Metric::CpuPerOp, spent.total_us() / ops)
        .put(Metric::UserPerOp, spent.user_us / ops)
        .put(Metric::SysPerOp, spent.system_us / ops)
        .put(Metric::Rss, server.rss_bytes()? as f64);
    Ok(figures)
}

/// How many operations a second the server does, found with ever longer runs.
pub fn rate(server: &Server, load: &Load) -> Result<f64> {
    let mut requests = 1000 * u64::from(load.pipeline);
    loop {
        let start = Instant::now();
        let report = load
            .run(server.port, requests)
            .with_context(|| server.last_words())?;
        if start.elapsed() >= TELLING {
            return Ok(report.ops_per_second);
        }
        requests *= 4;
    }
}

fn put_report(figures: &mut Figures, report: &Report) {
    figures
        .put(Metric::Throughput, report.ops_per_second)
        .put(Metric::P50, report.p50_ms)
        .put(Metric::P99, report.p99_ms)
        .put(Metric::P999, report.p999_ms)
        .put(Metric::Worst, report.worst_ms);
}
