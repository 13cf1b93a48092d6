//! One executor per core: which CPUs, which threads, and what happens when one of them panics.
//!
//! - Shards float over the CPUs this process may use, unless they are given CPUs of their own. A
//!   pinned shard waits whenever something else runs on its CPU, and then every other shard waits
//!   for its answers; figures are on the architecture page.
//! - With a list of CPUs each shard is pinned to one of them. More shards than CPUs share the list:
//!   pinned in pairs they would only wait for each other where the scheduler could still move them.
//! - A thread is pinned after its executor was built, so that the executor's own blocking threads
//!   keep the whole mask and never compete with the shard for its CPU.
//! - A panic on a shard ends the process with a report: a node that answers for part of its keys
//!   is worse than a dead one, and the executor alone would only lose the task.
//!
//! What it does not do: know what a shard is for.
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};

use super::preflight;

/// A shard thread's number, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CoreId(pub u16);

/// A CPU as the kernel numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CpuId(pub usize);

/// Threads of shards are named by this and their number.
const THREAD_PREFIX: &str = "shard-";
/// Never. An executor whose preemption timer has fired before it ran anything takes that for having
/// nothing to run, and parks for good with its task still in the queue: a thread that lost its CPU
/// for a moment while starting never served. A shard's one task does not yield, so nobody misses
/// the timer.
const PREEMPT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// For direct file I/O, which shards do little of. It is registered with three rings and counts
/// three times against an ordinary user's limit of locked memory, so it is the least allowed.
const IO_MEMORY_BYTES: usize = 64 << 10;
const RING_DEPTH: usize = 256;

/// One shard thread to start: where, and what it is given.
pub struct Seat<S> {
    /// The CPUs it may run on; none for all that the process may use.
    pub cpus: Vec<CpuId>,
    pub load: S,
}

/// The running shard threads.
pub struct Cores {
    threads: Vec<JoinHandle<()>>,
}

impl Cores {
    /// Wait until every shard's body has returned.
    pub fn join(self) {
        for thread in self.threads {
            thread.join().expect("a panicking shard ends the process");
        }
    }
}

/// Start an executor for each seat and run `body` in it. Returns when all of them run, or
/// with the first executor's failure to start.
pub fn start<S, B, F>(seats: Vec<Seat<S>>, body: B) -> io::Result<Cores>
where
    S: Send + 'static,
    B: Fn(CoreId, S) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    die_of_panics_on_shards();
    let (tell, told) = mpsc::channel();
    let mut threads = Vec::with_capacity(seats.len());
    for (number, seat) in seats.into_iter().enumerate() {
        let (tell, body) = (tell.clone(), body.clone());
        let core = CoreId(u16::try_from(number).map_err(io::Error::other)?);
        let thread = std::thread::Builder::new()
            .name(format!("{THREAD_PREFIX}{number}"))
            .spawn(move || run(core, seat, tell, body))?;
        threads.push(thread);
    }
    drop(tell);
    for _ in 0..threads.len() {
        told.recv().map_err(io::Error::other)??;
    }
    Ok(Cores { threads })
}

fn run<S, B, F>(core: CoreId, seat: Seat<S>, tell: mpsc::Sender<io::Result<()>>, body: B)
where
    B: Fn(CoreId, S) -> F,
    F: Future<Output = ()> + 'static,
{
    let made = executor().and_then(|executor| {
        pin(&seat.cpus)?;
        Ok(executor)
    });
    match made {
        Ok(executor) => {
            // Nobody listens any more if another shard has failed.
            let _ = tell.send(Ok(()));
            drop(tell);
            executor.run(body(core, seat.load));
        }
        Err(error) => {
            let _ = tell.send(Err(error));
        }
    }
}

fn executor() -> io::Result<LocalExecutor> {
    LocalExecutorBuilder::new(Placement::Unbound)
        .preempt_timer(PREEMPT)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
        .make()
        .map_err(|error| executor_refused(io::Error::from(error)))
}

fn executor_refused(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => io::Error::other(format!(
            "not enough memory that may be locked for one more shard: {}",
            preflight::MEMLOCK_ADVICE
        )),
        _ => error,
    }
}

fn pin(cpus: &[CpuId]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    // SAFETY: a zeroed set is valid; the set is a local of the size given, and setting a CPU
    // beyond its size does nothing.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cpus.iter().for_each(|cpu| libc::CPU_SET(cpu.0, &mut set));
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    match failed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Where each of `shards` shards goes, if these CPUs were named for them.
pub fn place(shards: usize, named: &[CpuId]) -> Vec<Vec<CpuId>> {
    if shards > named.len() {
        return vec![named.to_vec(); shards];
    }
    named.iter().take(shards).map(|cpu| vec![*cpu]).collect()
}

/// The CPUs this process may use: its affinity mask, no more of them than its cgroups' quota
/// pays for, at least one.
pub fn usable_cpus() -> Vec<CpuId> {
    let mut cpus = allowed_cpus();
    if let Some(quota) = cgroup_quota(Path::new("/sys/fs/cgroup"), Path::new("/proc/self/cgroup")) {
        cpus.truncate(quota.max(1));
    }
    cpus
}

/// The CPUs of this process's affinity mask.
pub fn allowed_cpus() -> Vec<CpuId> {
    // SAFETY: a zeroed set is valid; the kernel fills a local of the size given.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of_val(&set), &mut set) != 0 {
            return vec![CpuId(0)];
        }
        set
    };
    // SAFETY: every number is below the size of the set.
    let is_in = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    let all = 0..libc::CPU_SETSIZE as usize;
    all.filter(is_in).map(CpuId).collect()
}

/// Whole CPUs that the tightest quota on the way up pays for, rounded up.
fn cgroup_quota(root: &Path, membership: &Path) -> Option<usize> {
    let membership = std::fs::read_to_string(membership).ok()?;
    let mut tightest: Option<f64> = None;
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else {
            continue;
        };
        let base = match controllers {
            "" => root.to_path_buf(),
            _ if controllers.split(',').any(|name| name == "cpu") => root.join(controllers),
            _ => continue,
        };
        let inside = base.join(group.trim_start_matches('/'));
        // In a container the group's path may not exist below the mount; its root does.
        for folder in inside
            .ancestors()
            .take_while(|folder| folder.starts_with(&base))
        {
            if let Some(quota) = quota_of(folder) {
                tightest = Some(tightest.map_or(quota, |tightest| tightest.min(quota)));
            }
        }
    }
    tightest.map(|quota| quota.ceil() as usize)
}

/// CPUs granted by one cgroup folder: `cpu.max` (v2), or `cpu.cfs_*` (v1).
fn quota_of(folder: &Path) -> Option<f64> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(text) => {
            let mut words = text.split_whitespace();
            (words.next()?.to_string(), words.next()?.to_string())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    let quota: f64 = quota.trim().parse().ok().filter(|&quota| quota > 0.0)?;
    let period: f64 = period.trim().parse().ok().filter(|&period| period > 0.0)?;
    Some(quota / period)
}

/// From now on a panic on a shard thread ends the process, after a report.
pub fn die_of_panics_on_shards() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            match thread.name() {
                Some(name) if name.starts_with(THREAD_PREFIX) => {
                    report(name, &panic.to_string());
                    std::process::abort();
                }
                _ => usual(panic),
            }
        }));
    });
}

fn report(thread: &str, panic: &str) {
    let trace = std::backtrace::Backtrace::force_capture();
    eprintln!(
        "\n\n=== RINGSHARD BUG REPORT START: Cut & paste starting from here ===\n\
         Ringshard {} crashed on thread {thread}, process {}\n\
         {panic}\n\n\
         ------ STACK TRACE ------\n{trace}\n\
         === RINGSHARD BUG REPORT END. Please report the text above. ===\n",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static SEEN: AtomicUsize = AtomicUsize::new(0);

    fn has_io_uring() -> bool {
        let made = std::thread::spawn(|| executor().is_ok()).join().unwrap();
        if !made {
            eprintln!("SKIPPED: no executor on this machine");
        }
        made
    }

    #[test]
    fn seven_shards_run_on_however_many_cpus() {
        if !has_io_uring() {
            return;
        }
        let seats = place(7, &usable_cpus());
        let seats = seats
            .into_iter()
            .zip(1..)
            .map(|(cpus, load)| Seat { cpus, load });
        let cores = start(seats.collect(), |core, load: usize| async move {
            let name = std::thread::current().name().map(str::to_string);
            assert_eq!(name, Some(format!("shard-{}", core.0)));
            SEEN.fetch_add(load, Ordering::SeqCst);
        });
        cores.unwrap().join();
        assert_eq!(SEEN.load(Ordering::SeqCst), 28);
    }

    #[test]
    fn shards_get_a_named_cpu_each_or_share_them() {
        let cpus = [CpuId(3), CpuId(5)];
        assert_eq!(place(1, &cpus), [[CpuId(3)]]);
        assert_eq!(place(2, &cpus), [[CpuId(3)], [CpuId(5)]]);
        assert_eq!(place(3, &cpus), [cpus, cpus, cpus]);
        assert_eq!(place(2, &[]), [[], []], "they float");
    }

    #[test]
    fn a_pinned_shard_sees_one_cpu() {
        if !has_io_uring() {
            return;
        }
        let cpu = usable_cpus()[0];
        let all = allowed_cpus();
        let seat = Seat {
            cpus: vec![cpu],
            load: (),
        };
        let cores = start(vec![seat], move |_, ()| {
            let all = all.clone();
            async move {
                assert_eq!(allowed_cpus(), [cpu]);
                let elsewhere = glommio::executor().spawn_blocking(allowed_cpus).await;
                assert_eq!(elsewhere, all, "blocking work keeps the whole mask");
            }
        });
        cores.unwrap().join();
    }

    #[test]
    fn quotas_of_both_cgroup_versions_are_read() {
        let root = std::env::temp_dir().join(format!("ringshard-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("v2", "0::/app/inner\n");
        write("fs/app/inner/cpu.max", "max 100000\n");
        write("fs/app/cpu.max", "250000 100000\n");
        assert_eq!(cgroup_quota(&root.join("fs"), &root.join("v2")), Some(3));
        write("v1", "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n");
        write("fs/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
        write("fs/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
        assert_eq!(cgroup_quota(&root.join("fs"), &root.join("v1")), Some(2));
        write("fs/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
        assert_eq!(cgroup_quota(&root.join("fs"), &root.join("v1")), None);
        std::fs::remove_dir_all(&root).unwrap();
    }

    /// Not a test of its own: what `a_panic_ends_the_process` runs in a process of its own.
    #[test]
    fn panics_when_asked_to() {
        if std::env::var_os("RINGSHARD_TEST_PANIC").is_none() || !has_io_uring() {
            return;
        }
        let seats = (0..2)
            .map(|load| Seat {
                cpus: Vec::new(),
                load,
            })
            .collect();
        let cores = start(seats, |_, load| async move {
            assert_eq!(load, 0, "the second shard panics");
            std::future::pending::<()>().await;
        });
        cores.unwrap().join();
    }

    #[test]
    fn a_panic_ends_the_process() {
        if !has_io_uring() {
            return;
        }
        let test = "runtime::core::tests::panics_when_asked_to";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env("RINGSHARD_TEST_PANIC", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}");
        assert!(text.contains("crashed on thread shard-1"), "{text}");
        assert!(text.contains("the second shard panics"), "{text}");
        assert!(text.contains("BUG REPORT END"), "{text}");
    }
}
