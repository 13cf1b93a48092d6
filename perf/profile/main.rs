//! `cargo profile`: where the server's time goes under a scenario's load, thread by thread.
//!
//! It starts the server, puts the scenario's load on it, samples stacks with `perf`, and leaves one
//! flame graph per thread and one for all, and a table of the symbols that burn most. The binary
//! under test keeps frame pointers, so that stacks are whole (.cargo/config.toml).

#[allow(
    dead_code,
    reason = "each tool uses its own part of what the tools share"
)]
#[path = "../support/mod.rs"]
mod support;

mod folded;
mod record;

use crate::folded::Stacks;
use crate::support::benchmark::Load;
use crate::support::options::{self, Places};
use crate::support::peer::Peer;
use crate::support::scenario::Scenario;
use crate::support::server::Server;
use crate::support::table;
use anyhow::{Context, Result, bail, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::thread;
use std::time::Duration;

const SYMBOLS_SHOWN: usize = 25;
const SYMBOL_WIDTH: usize = 70;
/// CPU time after which tables, branches and buffers are as they will stay.
const WARM_UP_US: f64 = 500_000.0;

fn main() -> Result<()> {
    let matches = command().get_matches_from(options::arguments());
    let places = Places::from(&matches);
    let scenario = chosen(&matches)?;
    record::ensure_available()?;
    let server = places
        .launcher()
        .start(peer(&matches, &scenario)?, &scenario.extras())?;
    if let Some(fill) = scenario.fill() {
        eprintln!("loading {} keys", fill.keys);
        fill.run(server.port, |_| ())?;
    }
    let folder = places
        .out
        .join("profile")
        .join(&scenario.name)
        .join(server.peer.label());
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {folder:?}"))?;
    let seconds = *matches.get_one::<u64>("seconds").expect("it has a default");
    let script = sample(&server, &scenario.load(), seconds, &folder)?;
    let stacks = Stacks::fold(&script)?;
    print_symbols(&stacks, &scenario, &server.peer.label());
    draw_graphs(&stacks, &scenario, &folder)
}

fn command() -> Command {
    options::command(
        "profile",
        "Sample a server under a scenario's load; draw flame graphs",
    )
    .arg(
        Arg::new("scenario")
            .required(true)
            .help("a name from perf/scenarios"),
    )
    .arg(
        Arg::new("seconds")
            .long("seconds")
            .default_value("10")
            .value_parser(value_parser!(u64))
            .help("how long to sample"),
    )
    .arg(
        Arg::new("shards")
            .long("shards")
            .value_parser(value_parser!(usize))
            .help("instead of the scenario's own number"),
    )
    .arg(
        Arg::new("peer")
            .long("peer")
            .default_value("ringshard")
            .value_parser(["ringshard", "redis", "bare"])
            .help("whom to profile"),
    )
}

fn chosen(matches: &ArgMatches) -> Result<Scenario> {
    let name = matches
        .get_one::<String>("scenario")
        .expect("it is required");
    let mut scenario = Scenario::read(name)?;
    ensure!(
        scenario.has_load(),
        "{name} puts no load of redis-benchmark on the server"
    );
    if matches.get_flag("quick") {
        scenario = scenario.quick();
    }
    if let Some(&shards) = matches.get_one::<usize>("shards") {
        scenario.shards = shards.max(1);
    }
    Ok(scenario)
}

fn peer(matches: &ArgMatches, scenario: &Scenario) -> Result<Peer> {
    let name = matches.get_one::<String>("peer").expect("it has a default");
    Ok(match name.as_str() {
        "ringshard" => Peer::Ringshard {
            shards: scenario.shards,
        },
        "bare" => Peer::Bare {
            threads: scenario.shards,
        },
        "redis" => Peer::Redis,
        other => bail!("{other} cannot be profiled"),
    })
}

/// Samples while the load runs; returns what `perf script` prints.
fn sample(server: &Server, load: &Load, seconds: u64, folder: &Path) -> Result<Vec<u8>> {
    let start = server.cpu()?;
    let running = load.start(server.port)?;
    while start.until(&server.cpu()?).total_us() < WARM_UP_US {
        thread::sleep(Duration::from_millis(20));
    }
    eprintln!("sampling {} for {seconds} s", server.peer.label());
    let data = folder.join("perf.data");
    record::run(server.pid(), seconds, &data)?;
    drop(running);
    record::script(&data)
}

fn print_symbols(stacks: &Stacks, scenario: &Scenario, peer: &str) {
    let threads = stacks.threads();
    let mut table = table::plain();
    let mut header = vec![
        format!("{} on {peer}: self %", scenario.name),
        "all".to_string(),
    ];
    header.extend(threads.iter().map(|(name, _)| name.clone()));
    table.set_header(header);
    for (symbol, share) in stacks.top_symbols(SYMBOLS_SHOWN) {
        let name: String = symbol.chars().take(SYMBOL_WIDTH).collect();
        let mut cells = vec![name, format!("{share:.2}")];
        cells.extend(
            threads
                .iter()
                .map(|(_, thread)| format!("{:.2}", thread.self_share(&symbol))),
        );
        table.add_row(cells);
    }
    table::align_figures(&mut table);
    println!("{table}");
}

fn draw_graphs(stacks: &Stacks, scenario: &Scenario, folder: &Path) -> Result<()> {
    let mut graphs = vec![("all".to_string(), stacks.clone())];
    graphs.extend(stacks.threads());
    for (name, stacks) in graphs {
        let path = folder.join(format!("{name}.svg"));
        let file = File::create(&path).with_context(|| format!("cannot write {path:?}"))?;
        let title = format!("{}: {name}", scenario.name);
        stacks.draw(&title, BufWriter::new(file))?;
        println!("{}: {} samples", path.display(), stacks.samples());
    }
    Ok(())
}
