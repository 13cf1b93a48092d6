//! How long the threads of a server that answer clients were ready to run and had no CPU.
//!
//! Where a server, its replica and their clients share CPUs, a client waits for what the server
//! does, and for its turn on a CPU that others have. The kernel counts the second for each thread
//! (`/proc/PID/task/TID/schedstat`, its second number, nanoseconds). Of several threads the one
//! that waited longest counts: a request may have met one of them or two, one behind the other, so
//! what is left is an upper bound of the time that the server itself took.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The counters of a server's threads.
#[derive(Debug)]
pub struct Readiness {
    threads: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    file: File,
    before_ns: u64,
}

impl Readiness {
    /// `None` where the kernel does not count, or the process is gone.
    pub fn of(pid: u32) -> Option<Readiness> {
        let names = thread_names(pid)?;
        let threads = answering(pid, &names);
        let open = |thread: u32| {
            let file = File::open(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
            let before_ns = waited_ns(&file)?;
            Some(Counter { file, before_ns })
        };
        let threads: Option<Vec<Counter>> = threads.into_iter().map(open).collect();
        threads.map(|threads| Readiness { threads })
    }

    /// From now on.
    pub fn begin(&mut self) {
        for thread in &mut self.threads {
            thread.before_ns = waited_ns(&thread.file).unwrap_or(thread.before_ns);
        }
    }

    /// What the one that waited longest has waited since.
    pub fn waited(&self) -> Duration {
        let since = |thread: &Counter| {
            let now_ns = waited_ns(&thread.file).unwrap_or(thread.before_ns);
            now_ns.saturating_sub(thread.before_ns)
        };
        Duration::from_nanos(self.threads.iter().map(since).max().unwrap_or(0))
    }
}

/// Threads in the order in which they were made.
fn thread_names(pid: u32) -> Option<BTreeMap<u32, String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let name = |folder: &Path| fs::read_to_string(folder.join("comm")).ok();
    let named = threads.flatten().filter_map(|thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        Some((number, name(&thread.path())?.trim().to_owned()))
    });
    Some(named.collect())
}

/// Each core of Ringshard, whose helpers bear its name and come later; of other servers the first
/// thread.
fn answering(pid: u32, names: &BTreeMap<u32, String>) -> Vec<u32> {
    let mut cores = BTreeMap::new();
    for (thread, name) in names.iter().filter(|(_, name)| name.starts_with("shard-")) {
        cores.entry(name).or_insert(*thread);
    }
    match cores.is_empty() {
        true => vec![pid],
        false => cores.into_values().collect(),
    }
}

fn waited_ns(file: &File) -> Option<u64> {
    let mut line = [0; 64];
    let len = file.read_at(&mut line, 0).ok()?;
    parse(std::str::from_utf8(&line[..len]).ok()?)
}

/// The line is: time on a CPU, time ready without one, slices.
fn parse(line: &str) -> Option<u64> {
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_told_from_their_helpers_and_from_other_servers() {
        let names = |names: &[(u32, &str)]| {
            let named = names.iter().map(|(id, name)| (*id, (*name).to_owned()));
            named.collect::<BTreeMap<_, _>>()
        };
        let threads = [
            (7, "ringshard"),
            (9, "shard-0"),
            (10, "shard-1"),
            (12, "shard-1"),
            (13, "shard-0"),
        ];
        assert_eq!(answering(7, &names(&threads)), [9, 10]);
        let threads = [(7, "redis-server"), (8, "bio_close_file")];
        assert_eq!(answering(7, &names(&threads)), [7]);
    }

    #[test]
    fn the_second_number_counts() {
        assert_eq!(parse("150521 107730 2\n"), Some(107_730));
        assert_eq!(parse("150521"), None);
    }
}
