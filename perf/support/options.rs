//! The command line that all measuring tools share: where the servers are, where results go.
//!
//! Each tool adds its own options to `command` and reads the shared ones with `Places::from`.

use crate::support::peer::Binaries;
use crate::support::server::{Launcher, Ports};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Above the ports of Redis and its relatives, below those the kernel gives to clients.
const FIRST_PORT: &str = "21100";

/// Where servers and results are.
pub struct Places {
    pub binaries: Binaries,
    /// Folder for charts and flame graphs of this run.
    pub out: PathBuf,
    pub ledger: PathBuf,
    first_port: u16,
}

pub fn command(name: &'static str, about: &'static str) -> Command {
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("PATH")
            .value_parser(value_parser!(PathBuf))
            .help(help)
    };
    Command::new(name)
        .about(about)
        .arg(path(
            "ringshard",
            "the server under test [default: target/release/ringshard]",
        ))
        .arg(path(
            "redis",
            "redis-server to compare with [default: from PATH]",
        ))
        .arg(path(
            "bare-ring",
            "the bare ring server [default: from the environment, BARE_RING]",
        ))
        .arg(path("out", "folder for charts [default: target/perf]"))
        .arg(path(
            "ledger",
            "file that results are added to [default: perf/results.tsv]",
        ))
        .arg(
            Arg::new("port")
                .long("port")
                .default_value(FIRST_PORT)
                .value_parser(value_parser!(u16))
                .help("the servers listen on free ports from here on"),
        )
        .arg(
            Arg::new("quick")
                .long("quick")
                .action(ArgAction::SetTrue)
                .help("a tenth of the work: shows that everything runs, not how fast"),
        )
}

/// The program's arguments. The cargo aliases end in `--`; a second one is dropped, so that both
/// `cargo compare ping` and `cargo compare -- ping` do what they say.
pub fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "--") {
        arguments.remove(1);
    }
    arguments
}

impl Places {
    pub fn from(matches: &ArgMatches) -> Places {
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let inside = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let bare_from_environment = || std::env::var_os("BARE_RING").map(PathBuf::from);
        let binaries = Binaries {
            redis: path("redis").unwrap_or_else(|| "redis-server".into()),
            ringshard: path("ringshard").unwrap_or_else(|| inside("target/release/ringshard")),
            bare: path("bare-ring").or_else(bare_from_environment),
        };
        Places {
            binaries,
            out: path("out").unwrap_or_else(|| inside("target/perf")),
            ledger: path("ledger").unwrap_or_else(|| inside("perf/results.tsv")),
            first_port: *matches.get_one("port").expect("it has a default"),
        }
    }

    pub fn launcher(&self) -> Launcher {
        Launcher {
            binaries: self.binaries.clone(),
            ports: Ports::from(self.first_port),
        }
    }
}
