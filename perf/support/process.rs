//! What a process costs, read from /proc: CPU time by the nanosecond and resident memory.
//!
//! `stat` counts in ticks of 10 ms; the scheduler's own account in `task/*/schedstat` is exact.
//! So the total comes from there, over all threads (kernel threads of an io_uring included), and
//! the ticks only say how it divides into user and system time. Processes that measuring needs are
//! started from here, too, so that none is left behind, and kept on CPUs.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// CPU time that a process has used up to one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuTime {
    /// Nanoseconds on a core, all living threads.
    run_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
}

/// CPU time between two moments, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuSpent {
    pub user_us: f64,
    pub system_us: f64,
}

impl CpuTime {
    pub fn of(pid: u32) -> Result<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} is gone"))?;
        let (user_ticks, system_ticks) = parse_stat(&stat).context("/proc/PID/stat looks odd")?;
        let run_ns = run_time_ns(pid)?;
        Ok(CpuTime {
            run_ns,
            user_ticks,
            system_ticks,
        })
    }

    pub fn until(&self, later: &CpuTime) -> CpuSpent {
        let total_us = later.run_ns.saturating_sub(self.run_ns) as f64 / 1e3;
        let user = later.user_ticks.saturating_sub(self.user_ticks) as f64;
        let system = later.system_ticks.saturating_sub(self.system_ticks) as f64;
        // Too short for a tick: nothing is known of the division, so it is called user time.
        let user_share = if user + system > 0.0 {
            user / (user + system)
        } else {
            1.0
        };
        CpuSpent {
            user_us: total_us * user_share,
            system_us: total_us * (1.0 - user_share),
        }
    }
}

impl CpuSpent {
    pub fn total_us(&self) -> f64 {
        self.user_us + self.system_us
    }

    /// Percent of one core over a stretch of time.
    pub fn share_of_core(&self, over: Duration) -> f64 {
        100.0 * self.total_us() / (over.as_secs_f64() * 1e6)
    }
}

/// A command whose process the kernel ends with this one. It stays one process: setpriv execs.
pub fn mortal(program: &Path) -> Command {
    let found = Command::new("setpriv")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Keeps this thread on a CPU; whether that was possible.
pub fn stay_on(cpu: usize) -> bool {
    keep_on(0, cpu)
}

/// Keeps all threads of a process on a CPU, those that they start included.
pub fn keep_all_on(pid: u32, cpu: usize) -> Result<()> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task: libc::pid_t = task?.file_name().to_string_lossy().parse()?;
        ensure!(
            keep_on(task, cpu),
            "thread {task} cannot be kept on CPU {cpu}"
        );
    }
    Ok(())
}

fn keep_on(task: libc::pid_t, cpu: usize) -> bool {
    // SAFETY: a set of CPUs is plain bits, all of them clear at first, which the kernel reads.
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut cpus);
        libc::sched_setaffinity(task, size_of::<libc::cpu_set_t>(), &cpus) == 0
    }
}

/// Gives this thread a priority of the real-time kind, 1 to 99: it gets its CPU whenever it wants
/// it, before all threads with less. Whether that was permitted.
pub fn run_at(priority: i32) -> bool {
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the parameters are a local that the kernel reads.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) == 0 }
}

/// Asks the scheduler to let this thread run soon after it wakes, so that a stopwatch on a machine
/// that is full does not take its own waiting for the server's. A thread that says it wants short
/// slices gets the CPU before those with long ones as long as it takes less than its share; no
/// privilege is needed. Linux before 6.12 takes no notice. Nor does a thread of a real-time
/// priority, which has the CPU sooner than that.
///
/// Where servers may go to any CPU, such a priority is no better: whom such a thread wakes goes to
/// another CPU, which sleeps, and on a virtual machine its waking takes long. The p99 of a server
/// with nothing to do was then 1.4 to 13.7 ms instead of 0.3 to 0.9 (three interleaved pairs).
pub fn run_promptly() {
    /// The least that the kernel takes, in nanoseconds.
    const SLICE_NS: u64 = 100_000;
    /// `struct sched_attr` (sched_setattr(2)) for the ordinary policy: its size in the first word,
    /// then flags, niceness and priority, the slice, and what only deadlines need.
    const ATTRIBUTES: [u64; 7] = [56, 0, 0, SLICE_NS, 0, 0, 0];
    // SAFETY: the kernel reads as many bytes as the first word says, which are there.
    unsafe {
        if libc::sched_getscheduler(0) == libc::SCHED_OTHER {
            libc::syscall(libc::SYS_sched_setattr, 0, ATTRIBUTES.as_ptr(), 0);
        }
    }
}

/// Resident memory of a process.
pub fn rss_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    parse_rss(&status).context("/proc/PID/status has no VmRSS")
}

/// Memory of a process and its children; a page that several of them share counts once.
pub fn tree_pss_bytes(pid: u32) -> Result<u64> {
    let mut total = pss_bytes(pid).with_context(|| format!("process {pid} is gone"))?;
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    // A child may end between the listing and the reading.
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    total += children.filter_map(|pid| pss_bytes(pid).ok()).sum::<u64>();
    Ok(total)
}

fn pss_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.context("/proc/PID/smaps_rollup looks odd")?.trim();
    Ok(kib.parse::<u64>()? * 1024)
}

fn run_time_ns(pid: u32) -> Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .with_context(|| format!("process {pid} is gone"))?;
    let mut total = 0;
    for task in tasks {
        // A thread may end between the listing and the reading.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        total += parse_schedstat(&text).unwrap_or(0);
    }
    Ok(total)
}

/// User and system ticks. The name before them may hold spaces and brackets: count from its end.
fn parse_stat(stat: &str) -> Option<(u64, u64)> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn parse_rss(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "71 (a) b) (c) S 1 71 71 0 -1 4194560 310 0 0 0 1234 567 0 0 20 0 5 0 99";
        assert_eq!(parse_stat(stat), Some((1234, 567)));
        assert_eq!(parse_stat("71 cut off"), None);
    }

    #[test]
    fn rss_is_in_bytes() {
        assert_eq!(
            parse_rss("VmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n"),
            Some(2_097_152)
        );
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }

    #[test]
    fn the_exact_total_is_divided_by_ticks() {
        let start = CpuTime {
            run_ns: 1_000_000,
            user_ticks: 10,
            system_ticks: 10,
        };
        let end = CpuTime {
            run_ns: 9_000_000,
            user_ticks: 13,
            system_ticks: 11,
        };
        let spent = start.until(&end);
        assert_eq!(
            spent,
            CpuSpent {
                user_us: 6000.0,
                system_us: 2000.0
            }
        );
        assert_eq!(spent.share_of_core(Duration::from_millis(80)), 10.0);
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        let pid = std::process::id();
        let start = CpuTime::of(pid).expect("own stat");
        let mut sum = 0u64;
        while CpuTime::of(pid).expect("own stat").run_ns == start.run_ns {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(rss_bytes(pid).expect("own status") > 100_000);
    }
}
