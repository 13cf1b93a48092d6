//! `cargo compare`: Ringshard beside other servers, under the same load, in the same minutes.
//!
//! For each scenario it starts the contestants itself, loads the keys, runs the rounds in turn
//! (A B C A B C ...), so that what the machine does meanwhile meets all alike, and reports medians:
//! throughput, latency, CPU per operation and memory, with ratios to redis-server. Results go to
//! the terminal, an SVG chart per scenario, and one ledger line per peer.
//!
//! The load generator shares the cores with the servers, on purpose: CPU per operation is the
//! steady figure, throughput the one to be read with care.

#[allow(
    dead_code,
    reason = "each tool uses its own part of what the tools share"
)]
#[path = "../support/mod.rs"]
mod support;

mod bgsave;
mod bout;
mod deletion;
mod full;
mod growth;
mod idle;
mod load;
mod pipelines;
mod probe;
mod replicas;
mod report;
mod resync;
mod rig;

use crate::rig::Rig;
use crate::support::scenario::{self, Kind, Scenario};
use crate::support::{options, options::Places};
use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

fn main() -> Result<()> {
    let matches = command().get_matches_from(options::arguments());
    let places = Places::from(&matches);
    if matches.get_flag("list") {
        return list();
    }
    if matches.get_flag("chart") {
        return report::combined_charts(&places);
    }
    for scenario in chosen(&matches)? {
        let mut rig = Rig::new(&places, strings(&matches, "peers"));
        let comparison = match scenario.kind {
            Kind::Load => load::compare(&mut rig, &scenario)?,
            Kind::IdleConnections => idle::compare_connections(&mut rig, &scenario)?,
            Kind::IdleCpu => idle::compare_cpu(&mut rig, &scenario)?,
            Kind::BigDelete => deletion::compare(&mut rig, &scenario)?,
            Kind::Bgsave => bgsave::compare(&mut rig, &scenario)?,
            Kind::Resync => resync::compare(&mut rig, &scenario)?,
            Kind::Pipelines => pipelines::compare(&mut rig, &scenario)?,
            Kind::Replicas => replicas::compare(&mut rig, &scenario)?,
            Kind::Growth => growth::compare(&mut rig, &scenario)?,
            Kind::FullMemory => full::compare(&mut rig, &scenario)?,
        };
        report::publish(&places, &scenario, &comparison, matches.get_flag("quick"))?;
    }
    Ok(())
}

fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    options::command(
        "compare",
        "Compare Ringshard with other servers under the same load",
    )
    .arg(
        Arg::new("scenarios")
            .num_args(1..)
            .help("names from perf/scenarios, or `all`"),
    )
    .arg(
        Arg::new("rounds")
            .long("rounds")
            .value_parser(value_parser!(usize))
            .help("rounds per peer, instead of the scenario's own number"),
    )
    .arg(
        Arg::new("peers")
            .long("peers")
            .value_delimiter(',')
            .help("only these: redis,redis-io,bare,ringshard"),
    )
    .arg(flag("list", "say which scenarios there are"))
    .arg(flag(
        "chart",
        "draw the charts of the README from the last full run of each scenario",
    ))
    .arg_required_else_help(true)
}

fn chosen(matches: &ArgMatches) -> Result<Vec<Scenario>> {
    let names = strings(matches, "scenarios");
    let names = if names == ["all"] {
        scenario::names()
    } else {
        names
    };
    let mut scenarios = Vec::new();
    for name in names {
        let mut scenario = Scenario::read(&name)?;
        if matches.get_flag("quick") {
            scenario = scenario.quick();
        }
        if let Some(&rounds) = matches.get_one::<usize>("rounds") {
            scenario.rounds = rounds.max(1);
        }
        scenarios.push(scenario);
    }
    Ok(scenarios)
}

fn strings(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches
        .get_many(name)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

fn list() -> Result<()> {
    for name in scenario::names() {
        println!("{name:24} {}", Scenario::read(&name)?.about);
    }
    Ok(())
}
