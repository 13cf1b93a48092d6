//! Machines that do not let it run: what is said, and that it is said at once.
//!
//! A server that cannot serve ends with code 1 and one line that tells what to do; it never waits,
//! and never serves half. What needs a tool that is missing is skipped by name.

use crate::support::server::{Folder, free_port, is_stand_in};
use crate::support::{Server, Setup};
use std::process::Command;

/// Loads a seccomp filter that fails io_uring_setup with EPERM, as container engines do, and then
/// becomes the program of its arguments.
const WITHOUT_IO_URING: &str = r#"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
filters = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in filters))
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
loaded = Program(len(filters), ctypes.addressof(program))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(loaded)) == 0
os.execv(sys.argv[1], sys.argv[1:])
"#;

fn is_installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        println!("SKIPPED: no {tool} on this machine");
    }
    found
}

/// Runs a server behind `wrapper`, which must end it with code 1; the log's last line.
fn refusal(wrapper: &[&str]) -> String {
    refusal_of(Setup::ringshard(2), wrapper)
}

fn refusal_of(setup: Setup, wrapper: &[&str]) -> String {
    let folder = Folder::create();
    let plain = setup.command(folder.path(), free_port());
    let mut command = Command::new(wrapper[0]);
    command
        .args(&wrapper[1..])
        .arg("/bin/sh")
        .args(plain.get_args());
    let output = command.output().expect("the wrapper runs");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    log.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn without_io_uring_it_says_so() {
    if is_stand_in() || !is_installed("python3") {
        return;
    }
    let said = refusal(&["python3", "-c", WITHOUT_IO_URING]);
    assert!(said.contains("io_uring is forbidden"), "{said}");
}

#[test]
fn without_lockable_memory_it_says_so() {
    // SAFETY: no memory is touched.
    let is_root = unsafe { libc::geteuid() } == 0;
    if is_stand_in() || !is_root || !is_installed("setpriv") || !is_installed("prlimit") {
        println!("SKIPPED: becoming an ordinary user needs root");
        return;
    }
    let user = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let folder = Folder::create();
    let setup = Setup::ringshard(2).copied_to(&folder);
    for limit in ["--memlock=65536", "--memlock=0"] {
        let said = refusal_of(setup.clone(), &[&user[..], &["prlimit", limit]].concat());
        assert!(said.contains("ulimit -l"), "{limit}: {said}");
    }
}

#[test]
fn it_serves_however_often_it_starts() {
    // A thread that loses its CPU while starting must not stay asleep; a crowd takes CPUs away.
    const CROWD: usize = 4;
    const STARTS: usize = 40;
    std::thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                for _ in 0..STARTS {
                    let server = Server::ringshard(2);
                    assert_eq!(server.client().call("PING").text(), "PONG");
                }
            });
        }
    });
}

/// Where the threads of shards may run, as the kernel lists it.
fn cpus_of_shards(pid: i32) -> Vec<String> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let folders = threads.map(|thread| thread.expect("a thread").path());
    let shards = folders.filter(|folder| read(folder.join("comm")).starts_with("shard-"));
    let status = shards.map(|folder| read(folder.join("status")));
    status.map(|status| allowed_cpus(&status)).collect()
}

/// Where a thread may run, as the kernel lists it in the thread's status.
pub fn allowed_cpus(status: &str) -> String {
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.expect("every thread has one").trim().to_owned()
}

#[test]
fn shards_float_unless_cpus_are_named_for_them() {
    if is_stand_in() {
        return;
    }
    let named = |list: &str| Setup::ringshard(1).arg("server_cpulist", list);
    let floating = Server::ringshard(1);
    let cpus = cpus_of_shards(floating.pid());
    assert!(cpus.iter().all(|list| *list == cpus[0]), "{cpus:?}");
    let pinned = named("0").start();
    // Its executor's thread for blocking work bears the same name and floats.
    let cpus = cpus_of_shards(pinned.pid());
    assert!(cpus.iter().any(|list| list == "0"), "{cpus:?}");
    let said = refusal_of(named("0,1023"), &["env"]);
    assert!(said.contains("server_cpulist names CPU 1023"), "{said}");
}
