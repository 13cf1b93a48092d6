//! Makes results known: a table in the terminal, a chart per scenario, lines in the ledger, and the
//! combined charts that the README shows.
//!
//! It decides what is shown of a kind of scenario; how it looks is the support folder's.

use crate::support::chart::{self, Panel};
use crate::support::figures::{Comparison, Metric};
use crate::support::machine::Setting;
use crate::support::options::Places;
use crate::support::scenario::{Kind, Scenario};
use crate::support::{ledger, table};
use anyhow::{Result, ensure};
use std::path::Path;

const CPU: Panel = Panel {
    metric: Metric::CpuPerOp,
    title: "Server CPU per operation, us (shorter is better)",
};
const THROUGHPUT: Panel = Panel {
    metric: Metric::Throughput,
    title: "Throughput, k ops/s (longer is better)",
};

/// What the chart of a scenario shows, by what it measures.
fn panels(kind: Kind) -> Vec<Panel> {
    match kind {
        Kind::Load => vec![CPU, THROUGHPUT],
        Kind::IdleConnections => vec![
            Panel {
                metric: Metric::BytesPerIdle,
                title: "Bytes per idle connection",
            },
            Panel {
                metric: Metric::KeptThroughput,
                title: "Throughput kept, %",
            },
        ],
        Kind::IdleCpu => vec![Panel {
            metric: Metric::CpuShare,
            title: "CPU, % of one core",
        }],
        Kind::Bgsave => vec![
            Panel {
                metric: Metric::KeptMemory,
                title: "Most memory during the save, % of before",
            },
            Panel {
                metric: Metric::KeptThroughput,
                title: "Throughput kept during the save, %",
            },
        ],
        Kind::Resync => vec![
            Panel {
                metric: Metric::SaveSeconds,
                title: "Seconds until a new replica has everything",
            },
            Panel {
                metric: Metric::Worst,
                title: "Worst of the probe on the master, ms",
            },
        ],
        Kind::Replicas => vec![
            THROUGHPUT,
            Panel {
                metric: Metric::CpuPerOp,
                title: "CPU of the master per operation, us (shorter is better)",
            },
        ],
        Kind::Pipelines => vec![
            Panel {
                metric: Metric::P50,
                title: "Median wait of the probe, ms",
            },
            CPU,
        ],
        Kind::FullMemory => vec![
            Panel {
                metric: Metric::HitRate,
                title: "Hit rate, %",
            },
            CPU,
        ],
        Kind::Growth | Kind::BigDelete => vec![
            Panel {
                metric: Metric::P999,
                title: "p99.9 of the probe, ms",
            },
            Panel {
                metric: Metric::Worst,
                title: "Worst of the probe, ms",
            },
        ],
    }
}

pub fn publish(
    places: &Places,
    scenario: &Scenario,
    comparison: &Comparison,
    quick: bool,
) -> Result<()> {
    println!("\n{}: {}", scenario.name, scenario.about);
    println!("{}", table::of(comparison));
    let setting = Setting::of_this_run(&places.binaries);
    let path = places.out.join(format!("{}.svg", scenario.name));
    let title = format!("{} ({})", scenario.name, setting.machine);
    let groups = std::slice::from_ref(comparison);
    chart::draw(&path, &title, &panels(scenario.kind), groups)?;
    println!("chart: {}", path.display());
    let mode = if quick { ledger::QUICK } else { ledger::FULL };
    ledger::append(&places.ledger, &setting, mode, comparison)
}

/// The last full run of a scenario, and where it was.
type Latest<'a> = (&'a Setting, Comparison);

/// The charts of the README, from the last full run of every scenario: busy clients, the tests of
/// redis-benchmark, what saving in the background leaves, and what replicas leave.
pub fn combined_charts(places: &Places) -> Result<()> {
    let lines = ledger::read(&places.ledger)?;
    let groups = ledger::latest(&lines);
    ensure!(
        !groups.is_empty(),
        "{} has no full runs yet",
        places.ledger.display()
    );
    let is_busy = |(_, group): &&Latest| {
        let is_other = has(group, Metric::BytesPerIdle) || has(group, Metric::HitRate);
        // Their load is not redis-benchmark's.
        let is_ours = group.scenario.starts_with("beside-");
        has(group, Metric::CpuPerOp) && !is_other && !is_ours
    };
    let is_suite = |(_, group): &&Latest| group.scenario.starts_with("suite-");
    let is_led = |(_, group): &&Latest| group.scenario.starts_with("replicas-");
    let (led, busy): (Vec<&Latest>, Vec<_>) = groups.iter().filter(is_busy).partition(is_led);
    let (suite, busy): (Vec<&Latest>, Vec<_>) = busy.into_iter().partition(is_suite);
    let saves = groups.iter().filter(|(_, it)| has(it, Metric::KeptMemory));
    let load = [CPU, THROUGHPUT];
    for (name, title, panels, groups) in [
        ("chart", "redis-benchmark", &load[..], busy),
        (
            "suite",
            "redis-benchmark's own tests, 16-deep",
            &load,
            suite,
        ),
        (
            "replicas",
            "Masters without replicas and with two beside them",
            &panels(Kind::Replicas),
            led,
        ),
        (
            "bgsave",
            "BGSAVE while everything is overwritten",
            &panels(Kind::Bgsave),
            saves.collect(),
        ),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("perf/{name}.svg"));
        let mut machines: Vec<&str> = groups.iter().map(|(it, _)| &*it.machine).collect();
        machines.sort_unstable();
        machines.dedup();
        let machines = machines.join("; ");
        let groups: Vec<Comparison> = groups.into_iter().map(|(_, it)| it.clone()).collect();
        let title = format!("{title}, each on one machine: {machines}");
        chart::draw(&path, &title, panels, &groups)?;
        println!("{}: {} scenarios", path.display(), groups.len());
    }
    Ok(())
}

fn has(group: &Comparison, metric: Metric) -> bool {
    group
        .outcomes
        .iter()
        .any(|outcome| outcome.figures.value(metric).is_some())
}
