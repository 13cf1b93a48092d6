//! Drives `perf`: is it there and allowed, which event it can count here, record, print.
//!
//! Virtual machines often have no hardware counters; then the kernel's CPU clock is sampled, which
//! tells the same story except inside stretches where interrupts are off.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Off the beat of timers that tick a thousand times a second.
const FREQUENCY: &str = "997";

const INSTALL: &str = "`perf` is missing. Debian: apt install linux-perf; Ubuntu: apt install \
    linux-tools-generic; Fedora: dnf install perf; Arch: pacman -S perf";

/// An error that says what to install or to allow, if sampling is not possible.
pub fn ensure_available() -> Result<()> {
    let found = Command::new("perf").arg("--version").output();
    ensure!(found.is_ok_and(|output| output.status.success()), INSTALL);
    let trial = perf(&["record", "-e", "cpu-clock", "-o", "/dev/null", "--", "true"])?;
    if !trial.status.success() {
        bail!(
            "perf may not sample here; allow it with `sysctl kernel.perf_event_paranoid=1` \
             or run as root. It says:\n{}",
            String::from_utf8_lossy(&trial.stderr)
        );
    }
    Ok(())
}

/// Samples all threads of a process for some seconds.
pub fn run(pid: u32, seconds: u64, data: &Path) -> Result<()> {
    let (pid, seconds) = (pid.to_string(), seconds.to_string());
    let data = data.to_str().context("the folder's name is not UTF-8")?;
    let event = if counts_cycles()? {
        "cycles"
    } else {
        "cpu-clock"
    };
    let output = perf(&[
        "record",
        "-e",
        event,
        "--call-graph",
        "fp",
        "-F",
        FREQUENCY,
        "-p",
        &pid,
        "-o",
        data,
        "--",
        "sleep",
        &seconds,
    ])?;
    ensure!(
        output.status.success(),
        "perf record failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The samples as text, with the fields that folding needs.
pub fn script(data: &Path) -> Result<Vec<u8>> {
    let data = data.to_str().context("the folder's name is not UTF-8")?;
    // Inlined frames would need debug information read sample by sample: minutes, not seconds.
    let fields = "comm,pid,tid,time,event,ip,sym,dso";
    let output = perf(&["script", "--no-inline", "-i", data, "-F", fields])?;
    ensure!(
        output.status.success(),
        "perf script failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

fn counts_cycles() -> Result<bool> {
    let output = perf(&["stat", "-x", ",", "-e", "cycles", "--", "true"])?;
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(output.status.success() && !text.contains("<not"))
}

fn perf(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new("perf");
    command.args(arguments).stdin(Stdio::null());
    command.output().context(INSTALL)
}
