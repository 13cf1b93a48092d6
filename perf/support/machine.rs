//! Where and with what a result was measured: date, commit, processor, versions.
//!
//! Figures of different machines must never be compared unawares; so each ledger line carries
//! this. What cannot be found out is written as `unknown`, never guessed.

use crate::support::benchmark;
use crate::support::peer::Binaries;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub date: String,
    pub commit: String,
    pub machine: String,
    pub versions: String,
}

impl Setting {
    pub fn of_this_run(binaries: &Binaries) -> Setting {
        Setting {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commit: commit(),
            machine: machine(),
            versions: versions(binaries),
        }
    }
}

fn commit() -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let describe = [
        "-C",
        root,
        "describe",
        "--always",
        "--dirty",
        "--exclude",
        "*",
    ];
    said(Path::new("git"), &describe).unwrap_or_else(unknown)
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = processor(&cpuinfo).unwrap_or_else(unknown);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| unknown());
    let series: Vec<&str> = kernel.trim().split('.').take(2).collect();
    format!("{model}, {cores} cores, Linux {}", series.join("."))
}

fn versions(binaries: &Binaries) -> String {
    let redis = said(&binaries.redis, &["--version"]).unwrap_or_default();
    let redis = redis_version(&redis).unwrap_or_else(unknown);
    let benchmark = benchmark::version().unwrap_or_else(|_| unknown());
    format!("redis-server {redis}, redis-benchmark {benchmark}")
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    let model = line.split_once(':')?.1;
    Some(model.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn redis_version(line: &str) -> Option<String> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
        .map(str::to_string)
}

fn said(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn unknown() -> String {
    "unknown".to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_processors_are_read() {
        let line = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        assert_eq!(redis_version(line).as_deref(), Some("7.0.15"));
        let cpuinfo = "processor\t: 0\nmodel name\t: Some  CPU @ 2GHz\nmodel name\t: other\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("Some CPU @ 2GHz"));
        assert_eq!(processor(""), None);
    }
}
