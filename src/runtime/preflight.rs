//! What this machine must allow before a server can start, each finding in one line that names
//! the fix.
//!
//! Everything here fails sooner or later anyway, but as a panic in a library or as a bare errno.
//! The checks run before the first shard thread; `--check-system` prints them all.
//!
//! | finding | how it is found |
//! |---|---|
//! | io_uring forbidden | set up a ring: EPERM = seccomp or sysctl, ENOSYS = not in this kernel |
//! | kernel too old | set up a ring as the network ring does, receive and wake with it |
//! | locked memory | 512 KiB a shard and 512 KiB more, after raising the soft limit |
//! | descriptors | raised to maxclients + 32, as Redis does |
//!
//! On locked memory: newer kernels count the rings of an ordinary user against the limit. The
//! executor insists on 512 KiB in any case, so no setting helps whose hard limit is lower.
//!
//! What it does not do: end the process, or log. The caller decides what a finding means.
use std::fmt;
use std::io;

use super::file;
use super::ring::{Ring, RingConfig};

/// The executor insists on this soft limit of locked memory; it is also what the rings of one
/// shard take where the kernel counts them.
const MEMLOCK_BYTES_MIN: u64 = 512 << 10;
pub(super) const MEMLOCK_ADVICE: &str = "raise it with 'ulimit -l unlimited', \
     LimitMEMLOCK=infinity in the systemd unit, 'memlock' in /etc/security/limits.conf, or \
     'docker run --ulimit memlock=-1'";
/// Descriptors the server itself needs besides its clients. Redis: CONFIG_MIN_RESERVED_FDS.
pub const DESCRIPTORS_RESERVED: u64 = 32;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    Ok,
    Warn,
    Fatal,
}

/// One check's result, in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub severity: Severity,
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Ok => "ok",
            Severity::Warn => "WARNING",
            Severity::Fatal => "FATAL",
        };
        write!(f, "[{word}] {}", self.text)
    }
}

fn ok(text: impl Into<String>) -> Finding {
    finding(Severity::Ok, text)
}

fn fatal(text: impl Into<String>) -> Finding {
    finding(Severity::Fatal, text)
}

fn finding(severity: Severity, text: impl Into<String>) -> Finding {
    let text = text.into();
    Finding { severity, text }
}

/// Limits of open descriptors after an attempt to raise them: the numbers Redis's log lines need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptors {
    /// maxclients + 32.
    pub wanted: u64,
    /// The soft limit before, and now.
    pub before: u64,
    pub now: u64,
    /// Why it could not be raised all the way; 0 if it could, or needed not.
    pub errno: i32,
}

impl Descriptors {
    /// How many clients the limit leaves room for.
    pub fn clients_max(&self) -> u64 {
        let wanted = self.wanted - DESCRIPTORS_RESERVED;
        wanted.min(self.now.saturating_sub(DESCRIPTORS_RESERVED))
    }

    fn finding(&self) -> Finding {
        let Descriptors { wanted, now, .. } = self;
        if now >= wanted {
            return ok(format!("descriptor limit {now}, {wanted} needed"));
        }
        let severity = match self.clients_max() {
            0 => Severity::Fatal,
            _ => Severity::Warn,
        };
        let clients = self.clients_max();
        let text = format!(
            "descriptor limit {now}, but {wanted} needed: only {clients} clients can connect. \
             Raise it with 'ulimit -n {wanted}' or LimitNOFILE={wanted} in the systemd unit, or \
             lower maxclients"
        );
        finding(severity, text)
    }
}

/// All findings of a start.
pub struct Preflight {
    pub findings: Vec<Finding>,
    pub descriptors: Descriptors,
}

impl Preflight {
    /// Check everything, and raise the limits that may be raised.
    pub fn run(clients_max: u64, shards: usize) -> Preflight {
        let descriptors = raise_descriptors(clients_max + DESCRIPTORS_RESERVED);
        let findings = vec![
            check_ring(),
            check_memlock(shards as u64),
            descriptors.finding(),
        ];
        Preflight {
            findings,
            descriptors,
        }
    }

    /// The first reason not to start.
    pub fn fatal(&self) -> Option<&Finding> {
        let is_fatal = |finding: &&Finding| finding.severity == Severity::Fatal;
        self.findings.iter().find(is_fatal)
    }
}

fn check_ring() -> Finding {
    let release = kernel_release();
    if kernel_is_too_old(&release) {
        return fatal(format!(
            "kernel {release} is too old: Linux 6.1 or newer is needed (io_uring with deferred \
             task work, multishot receive and messages between rings). Upgrade the kernel"
        ));
    }
    let config = RingConfig {
        entries: 8,
        buffers: 1,
        buffer_bytes: 4096,
    };
    // A thread of its own, as the ring belongs to the thread that makes it.
    let made = std::thread::spawn(move || Ring::new(config).map(drop)).join();
    match made {
        Ok(Ok(())) => ok(format!("io_uring is allowed, kernel {release}")),
        Ok(Err(error)) => fatal(ring_refused(&error, &release, disabled_by_sysctl())),
        Err(_) => fatal(format!("io_uring does not work on kernel {release}")),
    }
}

fn ring_refused(error: &io::Error, release: &str, disabled: u8) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) if disabled == 2 => "io_uring is disabled by sysctl: run \
             'sysctl -w kernel.io_uring_disabled=0'"
            .to_string(),
        Some(libc::EPERM | libc::EACCES) if disabled == 1 => "io_uring is reserved to a group by \
             sysctl: run 'sysctl -w kernel.io_uring_disabled=0', or add the user to the group in \
             kernel.io_uring_group"
            .to_string(),
        Some(libc::EPERM | libc::EACCES) => "io_uring is forbidden by a seccomp filter, as \
             container engines do by default: start the container with '--security-opt \
             seccomp=unconfined' or a profile that allows io_uring_setup, io_uring_enter and \
             io_uring_register"
            .to_string(),
        Some(libc::ENOSYS) => format!(
            "kernel {release} has no io_uring: use a kernel with CONFIG_IO_URING=y, 6.1 or newer \
             (sandboxes such as gVisor have none)"
        ),
        Some(libc::EINVAL) => format!(
            "kernel {release} lacks the io_uring features this server needs: Linux 6.1 or newer \
             is needed"
        ),
        Some(libc::ENOMEM) => format!(
            "not enough memory that may be locked for io_uring: {}",
            MEMLOCK_ADVICE
        ),
        Some(libc::EMFILE | libc::ENFILE) => {
            "no file descriptors left for io_uring: raise the limit with 'ulimit -n'".to_string()
        }
        _ => format!("io_uring cannot be set up on kernel {release}: {error}"),
    }
}

fn check_memlock(shards: u64) -> Finding {
    let wanted = MEMLOCK_BYTES_MIN * (shards + 1);
    let now = raise_limit(libc::RLIMIT_MEMLOCK, wanted).now;
    let (kib, wanted_kib) = (now >> 10, wanted >> 10);
    if now == libc::RLIM_INFINITY {
        return ok("locked memory is not limited");
    }
    if now >= wanted {
        return ok(format!(
            "locked memory limit {kib} KiB, {wanted_kib} needed"
        ));
    }
    let text = format!(
        "locked memory limit is {kib} KiB and may not be raised by this user, {wanted_kib} KiB \
         are needed for {shards} shards: {MEMLOCK_ADVICE}, or lower shards"
    );
    // Kernels before 6.14 do not count rings; only the executor's own check is certain.
    let severity = match now < MEMLOCK_BYTES_MIN {
        true => Severity::Fatal,
        false => Severity::Warn,
    };
    finding(severity, text)
}

/// Raises the limit of descriptors for so many clients, and tells for how many it is enough now.
pub fn raise_clients(clients_max: u64) -> u64 {
    raise_descriptors(clients_max + DESCRIPTORS_RESERVED).clients_max()
}

/// Raise the soft limit of descriptors to `wanted`, or as near as it gets.
fn raise_descriptors(wanted: u64) -> Descriptors {
    let limit = raise_limit(libc::RLIMIT_NOFILE, wanted);
    Descriptors {
        wanted,
        before: limit.before,
        now: limit.now,
        errno: limit.errno,
    }
}

struct Raised {
    before: u64,
    now: u64,
    errno: i32,
}

/// Raise a soft limit to `wanted`: past the hard limit if we may, else up to it.
fn raise_limit(resource: libc::__rlimit_resource_t, wanted: u64) -> Raised {
    let Ok(limit) = limit_of(resource) else {
        return Raised {
            before: 0,
            now: 0,
            errno: libc::EINVAL,
        };
    };
    let before = limit.rlim_cur;
    let mut raised = Raised {
        before,
        now: before,
        errno: 0,
    };
    if before >= wanted {
        return raised;
    }
    let hard = limit.rlim_max;
    for (soft, hard) in [(wanted, hard.max(wanted)), (hard.min(wanted), hard)] {
        match set_limit(resource, soft, hard) {
            Ok(()) => {
                raised.now = raised.now.max(soft);
                break;
            }
            Err(error) => raised.errno = error.raw_os_error().unwrap_or(libc::EPERM),
        }
    }
    if raised.now >= wanted {
        raised.errno = 0;
    }
    raised
}

fn limit_of(resource: libc::__rlimit_resource_t) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel fills a local.
    match unsafe { libc::getrlimit(resource, &mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the kernel reads a local.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn kernel_release() -> String {
    file::read_trimmed("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_string())
}

/// Before 6.1. What cannot be read is not held against the kernel: the ring will tell.
fn kernel_is_too_old(release: &str) -> bool {
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < (6u32, 1u32),
        _ => false,
    }
}

fn disabled_by_sysctl() -> u8 {
    let text = file::read_trimmed("/proc/sys/kernel/io_uring_disabled");
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_before_6_1_are_too_old() {
        for release in ["5.15.0-91-generic", "6.0.19", "4.18.0-553.el8"] {
            assert!(kernel_is_too_old(release), "{release}");
        }
        for release in ["6.1.0-18-amd64", "6.18.44-fc", "7.0-rc1", "unknown", "10.2"] {
            assert!(!kernel_is_too_old(release), "{release}");
        }
    }

    #[test]
    fn every_refusal_names_a_fix() {
        let text =
            |errno, disabled| ring_refused(&io::Error::from_raw_os_error(errno), "6.1", disabled);
        assert!(text(libc::EPERM, 0).contains("seccomp=unconfined"));
        assert!(text(libc::EPERM, 1).contains("kernel.io_uring_group"));
        assert!(text(libc::EPERM, 2).contains("kernel.io_uring_disabled=0"));
        assert!(text(libc::ENOSYS, 0).contains("CONFIG_IO_URING"));
        assert!(text(libc::EINVAL, 0).contains("6.1 or newer"));
        assert!(text(libc::ENOMEM, 0).contains("ulimit -l"));
        for errno in [
            libc::EPERM,
            libc::ENOSYS,
            libc::EINVAL,
            libc::ENOMEM,
            libc::EIO,
        ] {
            assert!(!text(errno, 0).contains('\n'));
        }
    }

    #[test]
    fn few_descriptors_cost_clients() {
        let limits = |now| Descriptors {
            wanted: 10_032,
            before: now,
            now,
            errno: 0,
        };
        assert_eq!(limits(10_032).finding().severity, Severity::Ok);
        assert_eq!(limits(20_000).clients_max(), 10_000);
        assert_eq!(limits(1024).clients_max(), 992);
        assert_eq!(limits(1024).finding().severity, Severity::Warn);
        assert_eq!(limits(32).finding().severity, Severity::Fatal);
    }

    #[test]
    fn this_machine_passes_or_says_why() {
        let preflight = Preflight::run(100, 2);
        for finding in &preflight.findings {
            eprintln!("{finding}");
        }
        assert_eq!(preflight.findings.len(), 3);
        assert_eq!(preflight.descriptors.wanted, 132);
    }
}
