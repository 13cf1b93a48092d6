//! Runs the stock redis-benchmark and reads what it prints: throughput and latency percentiles.
//!
//! It is the load generator of every comparison, because everybody has it and nobody can say that
//! it was built to please us. What the server spent meanwhile is measured by the caller.

use crate::support::process::mortal;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What to send, in redis-benchmark's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// A name for `-t`, unless `command` says exactly what to send.
    pub test: Option<String>,
    pub command: Vec<String>,
    pub clients: u32,
    pub pipeline: u32,
    pub keyspace: Option<u64>,
    pub value_bytes: u32,
    pub threads: Option<u32>,
}

/// What one run of redis-benchmark said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    pub ops_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub worst_ms: f64,
}

const INSTALL: &str = "redis-benchmark cannot be started: install redis-tools";

/// More requests than anybody waits for; redis-benchmark counts them in 32 bits.
const ENDLESS: u64 = 2_000_000_000;

/// A load generator at work; it ends with this value.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Load {
    pub fn arguments(&self, port: u16, requests: u64) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut option = |flag: &str, value: String| arguments.extend([flag.to_string(), value]);
        option("-p", port.to_string());
        option("-n", requests.to_string());
        option("-c", self.clients.to_string());
        option("-P", self.pipeline.to_string());
        option("-d", self.value_bytes.to_string());
        option("--precision", "3".to_string());
        if let Some(keyspace) = self.keyspace {
            option("-r", keyspace.to_string());
        }
        if let Some(threads) = self.threads {
            option("--threads", threads.to_string());
        }
        if let Some(test) = &self.test {
            option("-t", test.clone());
        }
        arguments.extend(self.command.iter().cloned());
        arguments
    }

    /// Sends the load and waits for its end.
    pub fn run(&self, port: u16, requests: u64) -> Result<Report> {
        let output = self.command(port, requests).output().context(INSTALL)?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "redis-benchmark failed: {}",
            complaint(&output)
        );
        parse(&text).with_context(|| format!("no figures in what redis-benchmark said:\n{text}"))
    }

    /// Sends the load in the background until the answer is dropped.
    pub fn start(&self, port: u16) -> Result<Running> {
        let mut command = self.command(port, ENDLESS);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context(INSTALL)?;
        Ok(Running(child))
    }

    fn command(&self, port: u16, requests: u64) -> Command {
        let mut command = mortal(Path::new("redis-benchmark"));
        let arguments = self.arguments(port, requests);
        command.args(arguments).stdin(Stdio::null());
        command
    }
}

/// A bare server answers CONFIG with nothing, of which redis-benchmark warns: not of interest.
fn complaint(output: &std::process::Output) -> String {
    let both = [&output.stderr[..], &output.stdout[..]].concat();
    let text = String::from_utf8_lossy(&both).replace('\r', "\n");
    let lines = text
        .lines()
        .filter(|line| !line.contains("rps=") && !line.trim().is_empty());
    lines.take(8).collect::<Vec<_>>().join("; ")
}

/// The version of the installed redis-benchmark.
pub fn version() -> Result<String> {
    let output = Command::new("redis-benchmark").arg("--version").output()?;
    match String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .nth(1)
    {
        Some(version) => Ok(version.to_string()),
        None => bail!("redis-benchmark does not say its version"),
    }
}

fn parse(text: &str) -> Option<Report> {
    let ops_per_second = text.lines().find_map(|line| {
        line.trim()
            .strip_prefix("throughput summary:")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })?;
    let summary = summary_line(text)?;
    let [_average, _least, p50_ms, _p95, p99_ms, worst_ms] = summary[..] else {
        return None;
    };
    let p999_ms = percentiles(text).find(|&(share, _)| share >= 99.9)?.1;
    Some(Report {
        ops_per_second,
        p50_ms,
        p99_ms,
        p999_ms,
        worst_ms,
    })
}

/// The figures below the heading "avg min p50 p95 p99 max".
fn summary_line(text: &str) -> Option<Vec<f64>> {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("avg "));
    let figures = lines.nth(1)?;
    figures
        .split_whitespace()
        .map(|figure| figure.parse().ok())
        .collect()
}

/// The first list of "99.902% <= 1.383 milliseconds": its steps are finer than the second's.
fn percentiles(text: &str) -> impl Iterator<Item = (f64, f64)> + '_ {
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("Latency by percentile"));
    lines.skip(1).map_while(|line| {
        let (share, rest) = line.split_once("% <= ")?;
        Some((
            share.parse().ok()?,
            rest.split_whitespace().next()?.parse().ok()?,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "GET: rps=0.0 (overall: 0.0) avg_msec=-nan\r====== GET ======\n\
        \x20 200000 requests completed in 0.11 seconds\n\n\
        Latency by percentile distribution:\n\
        0.000% <= 0.151 milliseconds (cumulative count 64)\n\
        50.000% <= 0.335 milliseconds (cumulative count 100864)\n\
        99.805% <= 1.311 milliseconds (cumulative count 199616)\n\
        99.902% <= 1.383 milliseconds (cumulative count 199808)\n\
        100.000% <= 1.711 milliseconds (cumulative count 200000)\n\n\
        Cumulative distribution of latencies:\n\
        0.000% <= 0.103 milliseconds (cumulative count 0)\n\
        100.000% <= 1.807 milliseconds (cumulative count 200000)\n\n\
        Summary:\n\
        \x20 throughput summary: 1785714.25 requests per second\n\
        \x20 latency summary (msec):\n\
        \x20         avg       min       p50       p95       p99       max\n\
        \x20       0.368     0.144     0.335     0.671     0.823     1.711\n";

    #[test]
    fn reads_what_redis_benchmark_prints() {
        let expected = Report {
            ops_per_second: 1785714.25,
            p50_ms: 0.335,
            p99_ms: 0.823,
            p999_ms: 1.383,
            worst_ms: 1.711,
        };
        assert_eq!(parse(PRINTED), Some(expected));
    }

    #[test]
    fn a_run_that_broke_off_gives_no_figures() {
        let half = &PRINTED[..PRINTED.find("Summary").expect("a summary")];
        assert_eq!(parse(half), None);
        assert_eq!(parse("Could not connect to server"), None);
    }

    #[test]
    fn a_command_of_our_own_comes_last() {
        let load = Load {
            test: None,
            command: vec!["GET".into(), "key:__rand_int__".into()],
            clients: 50,
            pipeline: 16,
            keyspace: Some(100),
            value_bytes: 32,
            threads: None,
        };
        let line = load.arguments(7000, 10).join(" ");
        let expected = "-p 7000 -n 10 -c 50 -P 16 -d 32 --precision 3 -r 100 GET key:__rand_int__";
        assert_eq!(line, expected);
    }
}
