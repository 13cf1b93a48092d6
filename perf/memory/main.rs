//! `cargo memory`: what a key and what an element costs in memory, on Ringshard and redis-server.
//!
//! For each shape of key and value a fresh server is filled with a million keys, or with
//! collections that have ten million elements together; resident memory above that of the emptied
//! server, divided by the keys or elements, is the figure. It includes all that is really paid:
//! table, entry, allocator. Loading is not timed.

#[allow(
    dead_code,
    reason = "each tool uses its own part of what the tools share"
)]
#[path = "../support/mod.rs"]
mod support;

mod collections;

use crate::support::chart::{self, Panel};
use crate::support::figures::{Comparison, Figures, Metric, Outcome};
use crate::support::loader::{Fill, Name};
use crate::support::machine::Setting;
use crate::support::options::{self, Places};
use crate::support::peer::Peer;
use crate::support::server::{Extras, Launcher, Server};
use crate::support::wire::Connection;
use crate::support::{ledger, table};
use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use collections::{Collections, Kind};
use indicatif::{ProgressBar, ProgressStyle};

/// What is loaded, and its name in the ledger.
struct Shape {
    scenario: &'static str,
    load: Load,
}

enum Load {
    /// Strings: the key, the value's size, whether every key expires.
    Strings(Name, usize, bool),
    /// Collections of a type, each of so many elements.
    Elements(Kind, u64),
}

const SHAPES: [Shape; 18] = [
    strings("memory-16+32", Name::Benchmark, 32, false),
    strings("memory-16+32-ttl", Name::Benchmark, 32, true),
    strings("memory-8+8", Name::Short, 8, false),
    strings("memory-8+8-ttl", Name::Short, 8, true),
    strings("memory-16+100", Name::Benchmark, 100, false),
    strings("memory-16+500", Name::Benchmark, 500, false),
    elements("memory-list-10", Kind::List, 10),
    elements("memory-list-100", Kind::List, 100),
    elements("memory-list-10000", Kind::List, 10_000),
    elements("memory-hash-10", Kind::Hash, 10),
    elements("memory-hash-100", Kind::Hash, 100),
    elements("memory-hash-10000", Kind::Hash, 10_000),
    elements("memory-set-10", Kind::Set, 10),
    elements("memory-set-100", Kind::Set, 100),
    elements("memory-set-10000", Kind::Set, 10_000),
    elements("memory-zset-10", Kind::Zset, 10),
    elements("memory-zset-100", Kind::Zset, 100),
    elements("memory-zset-10000", Kind::Zset, 10_000),
];

const PEERS: [Peer; 3] = [
    Peer::Redis,
    Peer::Ringshard { shards: 1 },
    Peer::Ringshard { shards: 2 },
];

/// Far enough ahead that no key expires while memory is being read.
const TTL_SECONDS: u64 = 1_000_000;

/// Elements that are loaded in the place of a key. They are smaller: beside a million at 18 bytes,
/// what two shards keep for themselves on the way would be up to a fifth.
const ELEMENTS_FOR_A_KEY: u64 = 10;

/// How often a server is warmed up, each time on another connection.
const WARM_UPS: u64 = 4;

const fn strings(scenario: &'static str, name: Name, value_bytes: usize, ttl: bool) -> Shape {
    let load = Load::Strings(name, value_bytes, ttl);
    Shape { scenario, load }
}

const fn elements(scenario: &'static str, kind: Kind, per_key: u64) -> Shape {
    let load = Load::Elements(kind, per_key);
    Shape { scenario, load }
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
    options::command(
        "memory",
        "Measure bytes per key and element beside redis-server",
    )
    .arg(
        Arg::new("shapes")
            .num_args(0..)
            .help("only these, as `16+32`, `16+32-ttl`, `list-10`, or all of a type: `list`"),
    )
    .arg(
        Arg::new("keys")
            .long("keys")
            .default_value("1000000")
            .value_parser(value_parser!(u64).range(1..))
            .help("how many keys each server gets, or tenths of its elements"),
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
            let figures = bytes_each(&mut launcher, peer, shape, keys)
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
        let kind = size.split('-').next().unwrap_or(size);
        wanted.is_empty()
            || wanted
                .iter()
                .any(|wanted| *wanted == size || *wanted == kind)
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

fn bytes_each(launcher: &mut Launcher, peer: Peer, shape: &Shape, count: u64) -> Result<Figures> {
    let server = launcher.start(peer, &Extras::default())?;
    warm_up(&server, shape, count)?;
    let empty = settled_bytes(&server, &[&[b"MEMORY", b"PURGE"]])?;
    let (metric, loaded) = shape.load.run(server.port, count)?;
    let full = settled_bytes(&server, &[&[b"MEMORY", b"PURGE"]])?;
    let mut figures = Figures::default();
    figures.put(metric, full.saturating_sub(empty) as f64 / loaded as f64);
    figures.put(Metric::Rss, full as f64);
    Ok(figures)
}

/// Loads some and takes it away again: buffers of the server that any load fills are no part of
/// what the data takes, on whichever core the connection that loads comes to lie.
fn warm_up(server: &Server, shape: &Shape, count: u64) -> Result<()> {
    let mut others = Vec::new();
    for _ in 0..WARM_UPS {
        shape.load.run(server.port, count.div_ceil(4 * WARM_UPS))?;
        let mut other = Connection::open(server.port)?;
        other.call(&[b"FLUSHALL", b"SYNC"])?;
        // It stays, so that the next one goes to another core.
        others.push(other);
    }
    Ok(())
}

/// Resident memory after these commands.
fn settled_bytes(server: &Server, commands: &[&[&[u8]]]) -> Result<u64> {
    let mut connection = Connection::open(server.port)?;
    for command in commands {
        connection.call(command)?;
    }
    server.settled_rss_bytes()
}

impl Load {
    /// Loads about `count` of what is counted; says which figure that makes, and the exact number.
    fn run(&self, port: u16, count: u64) -> Result<(Metric, u64)> {
        match *self {
            Load::Strings(name, value_bytes, ttl) => {
                let fill = Fill {
                    keys: count,
                    name,
                    value_bytes,
                    ttl: ttl.then_some(TTL_SECONDS),
                };
                fill.run(port, |_| ())?;
                Ok((Metric::BytesPerKey, count))
            }
            Load::Elements(kind, per_key) => {
                let keys = (count * ELEMENTS_FOR_A_KEY).div_ceil(per_key);
                let all = Collections {
                    kind,
                    keys,
                    per_key,
                };
                all.fill(port)?;
                Ok((Metric::BytesPerElement, keys * per_key))
            }
        }
    }
}

fn publish(places: &Places, comparisons: &[Comparison], quick: bool) -> Result<()> {
    let setting = Setting::of_this_run(&places.binaries);
    let mode = if quick { ledger::QUICK } else { ledger::FULL };
    for comparison in comparisons {
        ledger::append(&places.ledger, &setting, mode, comparison)?;
    }
    let charts = [
        (Metric::BytesPerKey, "memory.svg", "key (key + value size)"),
        (
            Metric::BytesPerElement,
            "elements.svg",
            "element of collections",
        ),
    ];
    for (metric, file, of) in charts {
        let has_it = |comparison: &&Comparison| {
            let figures = comparison.reference();
            figures.is_some_and(|figures| figures.value(metric).is_some())
        };
        let groups: Vec<Comparison> = comparisons.iter().filter(has_it).cloned().collect();
        if groups.is_empty() {
            continue;
        }
        let title = format!("Bytes per {of}, above the empty server");
        let panels = [Panel {
            metric,
            title: "bytes (shorter is better)",
        }];
        let path = places.out.join(file);
        chart::draw(&path, &title, &panels, &groups)?;
        println!("chart: {}", path.display());
    }
    Ok(())
}

fn progress(steps: usize) -> ProgressBar {
    let template = "[{elapsed_precise}] {bar:32} {pos}/{len}, {eta} to go: {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(steps as u64).with_style(style)
}
