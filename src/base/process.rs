//! What a process asks of its operating system about itself: to fork, to leave its terminal, its
//! place in time, its small files, the system log, the time and memory it has used.
//!
//! These calls live here because they need `unsafe` or touch the machine, and the parts that use
//! them (log lines, daemonize, pid files, INFO) may do neither. Nothing here decides anything.
//! Not here: threads and affinity, sockets for clients, files of data. Those belong to `runtime`.

use std::ffi::{CString, OsString};
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Which side of `fork` the caller is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    Parent { child: u32 },
    Child,
}

/// Doubles the process. The child has one thread, so no other may run by now: a lock that another
/// thread holds would stay locked in the child for ever. Refused if there is another.
pub fn fork() -> io::Result<Forked> {
    if threads()? != 1 {
        return Err(io::Error::other(
            "cannot fork once there is more than one thread",
        ));
    }
    // SAFETY: the process has one thread (checked above), so the child may go on with any code.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        child => Ok(Forked::Parent {
            child: child.unsigned_abs(),
        }),
    }
}

/// Starts a session of its own: no terminal, no signals from one.
pub fn new_session() -> io::Result<()> {
    // SAFETY: setsid takes nothing and touches no memory of ours.
    match unsafe { libc::setsid() } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Points standard input, output and error at /dev/null.
pub fn silence_standard_streams() -> io::Result<()> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both descriptors are open or to be opened; dup2 replaces the second atomically.
        if unsafe { libc::dup2(null.as_raw_fd(), stream) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Waits for a child and tells its exit code, if it has exited by itself.
pub fn wait_for(child: u32) -> io::Result<Option<i32>> {
    let mut status = 0;
    let pid = libc::pid_t::try_from(child).map_err(io::Error::other)?;
    // SAFETY: `status` is a valid place for the answer during the call.
    if unsafe { libc::waitpid(pid, &mut status, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)))
}

/// Why a system call failed, without the number that Rust puts behind the words.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether the stream that people see is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdout())
}

/// Appends to a file, which is opened for this one write: whoever renames the file away (logrotate)
/// needs to tell nobody. One `write` call, so lines of several threads do not mix.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(bytes)
}

/// Replaces a file's content.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)
}

pub fn remove_file(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// A moment as a calendar and a clock on the wall show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    pub year: i32,
    /// 0 is January.
    pub month: usize,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
}

/// System, release and machine, as `uname -srm` prints them.
pub fn system() -> String {
    let mut name = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the pointer is valid for the call, and an all-zero `utsname` is a valid one.
    let name = unsafe {
        libc::uname(name.as_mut_ptr());
        name.assume_init()
    };
    let text = |field: &[libc::c_char]| {
        let bytes = field.iter().map(|byte| byte.cast_unsigned());
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let parts = [&name.sysname[..], &name.release, &name.machine];
    parts.map(text).join(" ")
}

/// The file this process was started from.
pub fn executable() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// The process meets this signal, as if it had been sent from outside.
pub fn raise(signal: i32) {
    // SAFETY: raise takes a number; what the signal does is for its disposition to say.
    unsafe {
        libc::raise(signal);
    }
}

/// Seconds since 1970 in the local time zone.
pub fn local_time(unix_seconds: i64) -> LocalTime {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; an all-zero `tm` is a valid one, so it may be
    // read even if the call refuses the year.
    let tm = unsafe {
        libc::localtime_r(&unix_seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    LocalTime {
        year: tm.tm_year + 1900,
        month: usize::try_from(tm.tm_mon).unwrap_or(0) % 12,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    }
}

/// Opens the connection to the system log; `facility` is one of libc's LOG_ constants.
pub fn open_system_log(ident: &str, facility: i32) {
    let ident = CString::new(ident.replace('\0', "")).expect("zero bytes were taken out");
    // SAFETY: openlog keeps the pointer for the life of the process, and so does the leaked string.
    unsafe {
        libc::openlog(
            ident.into_raw(),
            libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT,
            facility,
        )
    }
}

/// Sends one line to the system log; `priority` is one of libc's LOG_ constants.
pub fn write_system_log(priority: i32, text: &str) {
    let Ok(text) = CString::new(text.replace('\0', " ")) else {
        return;
    };
    // SAFETY: the format takes exactly one string, which ends with zero and outlives the call.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) }
}

/// Whose processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Process,
    Children,
    Thread,
}

/// Processor time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    pub user_us: u64,
    pub system_us: u64,
}

pub fn cpu_time(usage: Usage) -> CpuTime {
    let who = match usage {
        Usage::Process => libc::RUSAGE_SELF,
        Usage::Children => libc::RUSAGE_CHILDREN,
        Usage::Thread => libc::RUSAGE_THREAD,
    };
    let mut rusage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for the call, and an all-zero `rusage` is a valid one.
    let rusage = unsafe {
        libc::getrusage(who, rusage.as_mut_ptr());
        rusage.assume_init()
    };
    CpuTime {
        user_us: micros(rusage.ru_utime),
        system_us: micros(rusage.ru_stime),
    }
}

/// Bytes of this process that are in memory.
pub fn resident_bytes() -> u64 {
    let statm = read_small("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0);
    pages * page_bytes()
}

/// Bytes of memory of this machine.
pub fn machine_memory_bytes() -> u64 {
    // SAFETY: sysconf takes a number and returns a number.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages).unwrap_or(0) * page_bytes()
}

/// Bytes of this process in anonymous huge pages.
pub fn huge_page_bytes() -> u64 {
    let rollup = read_small("/proc/self/smaps_rollup").unwrap_or_default();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn page_bytes() -> u64 {
    // SAFETY: sysconf takes a number and returns a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}

fn micros(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

fn read_small(path: &str) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_may_not_fork() {
        // The test runner has at least the main thread beside this one.
        assert!(fork().is_err());
    }

    #[test]
    fn local_time_moves_with_the_seconds() {
        let (first, later) = (local_time(1_795_171_781), local_time(1_795_171_782));
        assert_eq!(first.year, 2026);
        assert_eq!(later.second, (first.second + 1) % 60);
        assert!(first.month == 10 && (19..=21).contains(&first.day));
    }

    #[test]
    fn reasons_are_words() {
        let error = io::Error::from_raw_os_error(libc::EADDRINUSE);
        assert_eq!(reason(&error), "Address already in use");
        assert_eq!(reason(&io::Error::other("no idea")), "no idea");
    }

    #[test]
    fn the_process_knows_its_size() {
        assert!(resident_bytes() > 100_000);
        assert!(machine_memory_bytes() > resident_bytes());
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = cpu_time(Usage::Thread);
        let spent = || {
            let now = cpu_time(Usage::Thread);
            now.user_us + now.system_us - before.user_us - before.system_us
        };
        while spent() < 5000 {
            std::hint::black_box((0..10_000u64).sum::<u64>());
        }
        assert!(cpu_time(Usage::Process).user_us > 0);
    }
}
