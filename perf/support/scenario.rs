//! Scenario files: what to load, on whom, for how long. One TOML file each in perf/scenarios.
//!
//! A file is checked when it is read; a misspelt field or a contradiction is an error with the
//! file's name, not a surprise in the figures. Nothing here runs anything.

use crate::support::benchmark::Load;
use crate::support::loader::{Fill, Name};
use crate::support::peer::Contestant;
use crate::support::server::Extras;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Busy clients: throughput, latency, CPU per operation.
    #[default]
    Load,
    /// The same load, alone and beside many connections that idle.
    IdleConnections,
    /// CPU of a server without clients.
    IdleCpu,
    /// Latency of a probe while the keyspace grows from nothing.
    Growth,
    /// Latency of a probe while a big value is deleted, and while one expires.
    BigDelete,
    /// What saving in the background costs under load.
    Bgsave,
    /// How long a new replica takes to get everything, and what its master's clients feel.
    Resync,
    /// How long others wait beside clients that send without an end.
    Pipelines,
    /// What two replicas cost their master under load.
    Replicas,
    /// A cache at its memory limit: what it keeps, and whether it keeps to the limit.
    FullMemory,
}

/// Keys that are there before the first round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    pub keys: u64,
    pub value_bytes: usize,
}

/// A test of redis-benchmark that is run before each round, uncounted: pushes before pops.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    pub test: String,
    /// Requests; as many as a round has, if it is not said.
    pub requests: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    pub about: String,
    #[serde(default)]
    pub kind: Kind,
    /// A test of redis-benchmark (`-t`), or else `command`.
    pub test: Option<String>,
    /// A command template for redis-benchmark; `__rand_int__` becomes twelve random digits.
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default = "fifty")]
    pub clients: u32,
    #[serde(default = "one")]
    pub pipeline: u32,
    /// Random keys out of so many (`-r`).
    pub keyspace: Option<u64>,
    #[serde(default = "thirty_two")]
    pub value_bytes: u32,
    /// Threads of the load generator.
    pub threads: Option<u32>,
    pub preload: Option<Preload>,
    pub prepare: Option<Prepare>,
    /// Requests of a round; or `seconds` that a round takes about, on the first peer.
    pub requests: Option<u64>,
    pub seconds: Option<f64>,
    #[serde(default = "five")]
    pub rounds: usize,
    #[serde(default = "one_shard")]
    pub shards: usize,
    pub peers: Vec<Contestant>,
    /// Idle connections, of a scenario of that kind.
    pub connections: Option<usize>,
    /// How far the keyspace grows; how many fields a big hash has; how many keys readers ask for.
    pub keys: Option<u64>,
    /// Whether master and replica have a CPU each, in a resynchronization.
    #[serde(default)]
    pub apart: bool,
    /// Directives on every server's command line, and its environment.
    #[serde(default)]
    pub server_arguments: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

fn fifty() -> u32 {
    50
}

fn thirty_two() -> u32 {
    32
}

fn one() -> u32 {
    1
}

fn one_shard() -> usize {
    1
}

fn five() -> usize {
    5
}

impl Scenario {
    pub fn parse(name: &str, text: &str) -> Result<Scenario> {
        let mut scenario: Scenario = toml::from_str(text)?;
        scenario.name = name.to_string();
        scenario.check()?;
        Ok(scenario)
    }

    pub fn read(name: &str) -> Result<Scenario> {
        let path = directory().join(format!("{name}.toml"));
        let text = fs::read_to_string(&path)
            .with_context(|| format!("no scenario {name:?}; there are: {}", names().join(" ")))?;
        Scenario::parse(name, &text).with_context(|| format!("in {}", path.display()))
    }

    /// A tenth of the work: shows that everything runs, not how fast.
    pub fn quick(mut self) -> Scenario {
        const ENOUGH: u64 = 100_000;
        let less = |count: u64| {
            if count > ENOUGH {
                ENOUGH.max(count / 10)
            } else {
                count
            }
        };
        self.requests = self.requests.map(|requests| requests / 10);
        self.seconds = self.seconds.map(|seconds| seconds / 5.0);
        self.keyspace = self.keyspace.map(less);
        self.keys = self.keys.map(less);
        self.connections = self.connections.map(|connections| connections / 10);
        if let Some(preload) = &mut self.preload {
            preload.keys = less(preload.keys);
        }
        self
    }

    /// Whether redis-benchmark sends something in it.
    pub fn has_load(&self) -> bool {
        matches!(
            self.kind,
            Kind::Load | Kind::IdleConnections | Kind::Replicas
        )
    }

    pub fn load(&self) -> Load {
        Load {
            test: self.test.clone(),
            command: self.command.clone(),
            clients: self.clients,
            pipeline: self.pipeline,
            keyspace: self.keyspace,
            value_bytes: self.value_bytes,
            threads: self.threads,
        }
    }

    pub fn fill(&self) -> Option<Fill> {
        let Preload { keys, value_bytes } = self.preload?;
        Some(Fill {
            keys,
            name: Name::Benchmark,
            value_bytes,
            ttl: None,
        })
    }

    pub fn extras(&self) -> Extras {
        let (arguments, environment) = (self.server_arguments.clone(), self.env.clone());
        Extras {
            arguments,
            environment,
        }
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.peers.is_empty(), "nobody takes part");
        ensure!(
            self.rounds > 0 && self.shards > 0,
            "rounds and shards begin at 1"
        );
        if self.has_load() {
            ensure!(
                self.test.is_some() == self.command.is_empty(),
                "either `test` or `command` says what to send"
            );
            ensure!(
                self.requests.is_some() != self.seconds.is_some(),
                "either `requests` or `seconds` says how long a round is"
            );
        }
        ensure!(
            (self.kind == Kind::IdleConnections) == self.connections.is_some(),
            "`connections` belongs to idle-connections"
        );
        ensure!(
            matches!(self.kind, Kind::Growth | Kind::BigDelete | Kind::FullMemory)
                == (self.keys.is_some() && self.kind != Kind::Bgsave),
            "`keys` belongs to growth, big-delete, full-memory and bgsave"
        );
        ensure!(
            self.kind != Kind::Bgsave || self.preload.is_some() != self.keys.is_some(),
            "either `preload` or `keys` says what to save"
        );
        ensure!(
            !matches!(self.kind, Kind::Resync | Kind::Pipelines) || self.preload.is_some(),
            "`preload` says what to send"
        );
        ensure!(
            !self.apart || self.kind == Kind::Resync,
            "`apart` belongs to resync"
        );
        ensure!(
            !matches!(
                self.kind,
                Kind::IdleCpu | Kind::FullMemory | Kind::Pipelines
            ) || self.seconds.is_some(),
            "`seconds` says how long to watch"
        );
        Ok(())
    }
}

/// The names of all scenario files, sorted.
pub fn names() -> Vec<String> {
    let files = fs::read_dir(directory()).into_iter().flatten().flatten();
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_string());
    let mut names: Vec<String> = files.filter_map(|file| stem(file.path())).collect();
    names.sort();
    names
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("perf/scenarios")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "about = 'x'\npeers = ['redis', 'redis-io']\n";

    fn parse(rest: &str) -> Result<Scenario> {
        Scenario::parse("x", &format!("{LEAST}{rest}"))
    }

    #[test]
    fn defaults_are_those_of_redis_benchmark_but_for_the_value() {
        let scenario = parse("test = 'get'\nrequests = 10").expect("valid");
        let load = scenario.load();
        assert_eq!((load.clients, load.pipeline, load.value_bytes), (50, 1, 32));
        assert_eq!(scenario.peers, [Contestant::Redis, Contestant::RedisIo]);
        assert_eq!(scenario.fill(), None);
    }

    #[test]
    fn contradictions_and_misspellings_are_errors() {
        for wrong in [
            "test = 'get'",
            "test = 'get'\nrequests = 1\nseconds = 1.0",
            "test = 'get'\ncommand = ['GET', 'a']\nrequests = 1",
            "test = 'get'\nrequests = 1\nkeyspce = 5",
            "test = 'get'\nrequests = 1\nconnections = 5",
            "kind = 'growth'",
            "kind = 'idle-cpu'\nseconds = 1.0\napart = true",
            "kind = 'big-delete'",
            "kind = 'idle-cpu'",
            "kind = 'bgsave'",
            "kind = 'bgsave'\nkeys = 5\npreload = { keys = 5, value_bytes = 5 }",
            "kind = 'sleep'\nseconds = 1.0",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn quick_keeps_keyspace_and_preload_in_step() {
        let text = "test = 'get'\nseconds = 3.0\nkeyspace = 3000000\n\
            preload = { keys = 3000000, value_bytes = 32 }";
        let quick = parse(text).expect("valid").quick();
        assert_eq!(quick.keyspace, Some(300_000));
        assert_eq!(quick.preload.map(|preload| preload.keys), Some(300_000));
    }

    #[test]
    fn every_file_is_valid_and_its_gets_hit() {
        let names = names();
        assert!(names.len() >= 10, "{names:?}");
        for name in names {
            let scenario = Scenario::read(&name).expect("valid");
            if scenario.test.as_deref() == Some("get") {
                assert_eq!(
                    scenario.keyspace,
                    scenario.preload.map(|preload| preload.keys)
                );
            }
        }
    }
}
