//! `cargo memory`: what a key costs in memory, on Ringshard and on redis-server.
//!
//! For each shape of key and value a fresh server is filled with a million keys; resident memory
//! above that of the empty server, divided by the keys, is the figure. It includes all that is
//! really paid: table, entry, allocator. Loading is not timed.

#[allow(
    dead_code,
    reason = "each tool uses its own part of what the tools share"
)]
#[path = "../support/mod.rs"]
mod support;

use crate::support::chart::{self, Panel};
use crate::support::figures::{Comparison, Figures, Metric, Outcome};
use crate::support::loader::{Fill, Name};
use crate::support::machine::Setting;
use crate::support::options::{self, Places};
use crate::support::peer::Peer;
use crate::support::server::{Extras, Launcher};
use crate::support::{ledger, table};
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

/// What is loaded: its name in the ledger, the key, the value's size, whether every key expires.
struct Shape {
    scenario: &'static str,
    name: Name,
    value_bytes: usize,
    ttl: bool,
}

const SHAPES: [Shape; 6] = [
    shape("memory-16+32", Name::Benchmark, 32, false),
    shape("memory-16+32-ttl", Name::Benchmark, 32, true),
    shape("memory-8+8", Name::Short, 8, false),
    shape("memory-8+8-ttl", Name::Short, 8, true),
    shape("memory-16+100", Name::Benchmark, 100, false),
    shape("memory-16+500", Name::Benchmark, 500, false),
];

const PEERS: [Peer; 3] = [
    Peer::Redis,
    Peer::Ringshard { shards: 1 },
    Peer::Ringshard { shards: 2 },
];

/// Far enough ahead that no key expires while memory is being read.
const TTL_SECONDS: u64 = 1_000_000;

const fn shape(scenario: &'static str, name: Name, value_bytes: usize, ttl: bool) -> Shape {
    Shape {
        scenario,
        name,
        value_bytes,
        ttl,
    }
}

fn main() -> Result<()> {
    let matches = command().get_matches_from(options::arguments());
    let places = Places::from(&matches);
    let comparisons = measure(&places, &matches)?;
    for comparison in &comparisons {
        println!("{}\n", table::of(comparison));
    }
    publish(&places, &comparisons, matches.get_flag("quick"))
}

fn command() -> Command {
    options::command("memory", "Measure bytes per key beside redis-server")
        .arg(
            Arg::new("shapes")
                .num_args(0..)
                .help("only these, as `16+32`, `16+32-ttl`, `8+8`"),
        )
        .arg(
            Arg::new("keys")
                .long("keys")
                .default_value("1000000")
                .value_parser(value_parser!(u64).range(1..))
                .help("how many keys each server gets"),
        )
}

fn measure(places: &Places, matches: &ArgMatches) -> Result<Vec<Comparison>> {
    let keys = *matches.get_one::<u64>("keys").expect("it has a default");
    let keys = if matches.get_flag("quick") {
        keys.div_ceil(10)
    } else {
        keys
    };
    let shapes = chosen(matches);
    let peers = available(places);
    let bar = progress(shapes.len() * peers.len());
    let mut launcher = places.launcher();
    let mut comparisons = Vec::new();
    for shape in shapes {
        let mut outcomes = Vec::new();
        for &peer in &peers {
            bar.set_message(format!("{}: {}", shape.scenario, peer.label()));
            let figures = bytes_per_key(&mut launcher, peer, shape, keys)
                .with_context(|| format!("{} on {}", shape.scenario, peer.label()))?;
            outcomes.push(Outcome {
                peer: peer.label(),
                rounds: 1,
                figures,
            });
            bar.inc(1);
        }
        comparisons.push(Comparison {
            scenario: shape.scenario.to_string(),
            outcomes,
        });
    }
    bar.finish_and_clear();
    Ok(comparisons)
}

fn chosen(matches: &ArgMatches) -> Vec<&'static Shape> {
    let wanted: Vec<&String> = matches.get_many("shapes").into_iter().flatten().collect();
    let is_wanted = |shape: &&Shape| {
        let size = shape.scenario.trim_start_matches("memory-");
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == size)
    };
    SHAPES.iter().filter(is_wanted).collect()
}

fn available(places: &Places) -> Vec<Peer> {
    let is_there = |peer: &Peer| match peer.program(&places.binaries) {
        Ok(_) => true,
        Err(reason) => {
            eprintln!("without {}: {reason}", peer.label());
            false
        }
    };
    PEERS.into_iter().filter(is_there).collect()
}

fn bytes_per_key(launcher: &mut Launcher, peer: Peer, shape: &Shape, keys: u64) -> Result<Figures> {
    let server = launcher.start(peer, &Extras::default())?;
    let empty = server.settled_rss_bytes()?;
    let ttl = shape.ttl.then_some(TTL_SECONDS);
    let fill = Fill {
        keys,
        name: shape.name,
        value_bytes: shape.value_bytes,
        ttl,
    };
    fill.run(server.port, |_| ())?;
    let full = server.settled_rss_bytes()?;
    let mut figures = Figures::default();
    figures.put(
        Metric::BytesPerKey,
        full.saturating_sub(empty) as f64 / keys as f64,
    );
    figures.put(Metric::Rss, full as f64);
    Ok(figures)
}

fn publish(places: &Places, comparisons: &[Comparison], quick: bool) -> Result<()> {
    let setting = Setting::of_this_run(&places.binaries);
    let mode = if quick { ledger::QUICK } else { ledger::FULL };
    for comparison in comparisons {
        ledger::append(&places.ledger, &setting, mode, comparison)?;
    }
    let path = places.out.join("memory.svg");
    let title = "Bytes per key (key + value size), above the empty server";
    let panels = [Panel {
        metric: Metric::BytesPerKey,
        title: "B/key (shorter is better)",
    }];
    chart::draw(&path, title, &panels, comparisons)?;
    println!("chart: {}", path.display());
    Ok(())
}

fn progress(steps: usize) -> ProgressBar {
    let template = "[{elapsed_precise}] {bar:32} {pos}/{len}, {eta} to go: {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
