//! A server process for the length of a test: its own folder, a free port, its log at hand.
//!
//! The process ends with the value that holds it, by its own process id. When the test failed, the
//! end of the log is printed and the folder stays. `RINGSHARD_BIN` puts another binary in the place
//! of the one under test; redis-server there has to pass nearly everything.

use super::wait::{PATIENCE, holds_within};
use super::{Client, wait_until};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Below the kernel's range for outgoing connections, which would take ports away from us.
const PORTS: (u16, u16) = (21200, 21399);
const START_ATTEMPTS: usize = 20;

static STARTED: AtomicU32 = AtomicU32::new(0);

/// The binary under test.
pub fn binary() -> String {
    std::env::var("RINGSHARD_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringshard").to_owned())
}

/// Whether another server stands in for Ringshard.
pub fn is_stand_in() -> bool {
    binary().ends_with("redis-server")
}

/// The reference implementation, if this machine has it.
pub fn oracle_binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join("redis-server"))
        .find(|file| file.is_file())
}

/// How to start a server.
#[derive(Clone, Default)]
pub struct Setup {
    binary: String,
    file: Option<PathBuf>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// Shell commands before the server takes the shell's place, such as `ulimit -n 100`.
    prelude: String,
}

impl Setup {
    pub fn ringshard(shards: usize) -> Setup {
        let setup = Setup {
            binary: binary(),
            ..Setup::default()
        };
        if is_stand_in() {
            setup
        } else {
            setup.arg("shards", &shards.to_string())
        }
    }

    pub fn oracle() -> Option<Setup> {
        let binary = oracle_binary()?.to_string_lossy().into_owned();
        Some(Setup {
            binary,
            ..Setup::default()
        })
    }

    /// Another server in this file.
    pub fn of(binary: &Path) -> Setup {
        Setup {
            binary: binary.to_string_lossy().into_owned(),
            ..Setup::default()
        }
    }

    /// The same program as a copy in this folder, for users who may not read where it was built.
    pub fn copied_to(mut self, folder: &Folder) -> Setup {
        let copy = folder.path().join("server");
        fs::copy(&self.binary, &copy).expect("room for a copy");
        self.binary = copy.to_string_lossy().into_owned();
        self
    }

    /// A configuration file, before all arguments.
    pub fn file(mut self, path: &Path) -> Setup {
        self.file = Some(path.to_owned());
        self
    }

    /// One directive of redis.conf; its value is split at spaces.
    pub fn arg(mut self, name: &str, value: &str) -> Setup {
        self.args.push(format!("--{name}"));
        self.args.extend(value.split(' ').map(str::to_owned));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn prelude(mut self, shell: &str) -> Setup {
        self.prelude = shell.to_owned();
        self
    }

    pub fn start(&self) -> Server {
        for _ in 0..START_ATTEMPTS {
            if let Some(server) = self.try_start() {
                return server;
            }
        }
        panic!("{} does not start", self.binary);
    }

    /// The command line for a server in `dir` on `port`, to be run by the test itself.
    pub fn command(&self, dir: &Path, port: u16) -> Command {
        let log = File::create(dir.join("log")).expect("a writable folder");
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{}\nexec \"$0\" \"$@\"", self.prelude))
            .arg(&self.binary);
        command.args(&self.file);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(dir).args(&self.args);
        command.envs(self.env.iter().cloned()).current_dir(dir);
        command
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a second handle"))
            .stdout(log);
        command
    }

    /// None if the port was taken by somebody else in between.
    fn try_start(&self) -> Option<Server> {
        let (dir, port) = (Folder::create(), free_port());
        let child = self.command(dir.path(), port).spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", self.binary));
        let mut server = Server { child, port, dir };
        let mut ended = false;
        let ready = holds_within(PATIENCE, &mut || {
            ended = server.exit_status().is_some();
            ended || answers(port)
        });
        if ended && server.log().contains("ddress already in use") {
            return None;
        }
        assert!(
            ready && !ended,
            "{} does not serve:\n{}",
            self.binary,
            server.log()
        );
        // Somebody else may have answered while ours was dying of the taken port.
        server.exit_status().is_none().then_some(server)
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut client) = Client::try_connect(port) else {
        return false;
    };
    let is_ready = |reply: &super::Reply| match reply.is_error() {
        true => !reply.text().starts_with("LOADING"),
        false => reply.text() == "PONG",
    };
    client.try_call("PING").is_ok_and(|reply| is_ready(&reply))
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    let range = std::env::var("RINGSHARD_TEST_PORTS").ok().and_then(|text| {
        let (first, last) = text.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    let (first, last) = range.unwrap_or(PORTS);
    let count = u32::from(last - first) + 1;
    loop {
        // Test processes that run at the same time begin at different places.
        let next = STARTED.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let port = first + (next % count) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder that goes away with its value, unless the test failed.
pub struct Folder(PathBuf);

impl Folder {
    pub fn create() -> Folder {
        let count = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringshard-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a writable temporary folder");
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A running server.
pub struct Server {
    child: Child,
    port: u16,
    dir: Folder,
}

impl Server {
    pub fn ringshard(shards: usize) -> Server {
        Setup::ringshard(shards).start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Starts it again where it was, when it has ended or is about to.
    pub fn start_again(&mut self, setup: &Setup) {
        wait_until("the server ends", || self.exit_status().is_some());
        let child = setup.command(self.dir.path(), self.port).spawn();
        self.child = child.unwrap_or_else(|error| panic!("{}: {error}", setup.binary));
        let port = self.port;
        wait_until("the server serves again", || answers(port));
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait_for_exit();
    }

    /// Waits for the process to end by itself.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        wait_until("the server ends", || self.exit_status().is_some());
        self.exit_status().expect("it just ended")
    }

    pub fn signal(&self, signal: i32) {
        signal_process(self.pid(), signal);
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the server lives");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("a VmRSS line");
        let kib = line
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse::<usize>().ok());
        kib.expect("a number of kB") * 1024
    }
}

pub fn signal_process(pid: i32, signal: i32) {
    // SAFETY: kill has no memory effects; the pid is of a process the test started.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0, "signal {signal} to {pid}");
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.exit_status().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!(
                "--- log of the server on port {} ---\n{}",
                self.port,
                tail.join("\n")
            );
        }
    }
}

/// A short pause for things that must *not* happen; there is no condition to wait for then.
pub const QUIET: Duration = Duration::from_millis(300);
