//! A server process under measurement: started, awaited, paused while others are measured, ended.
//!
//! Whatever happens to the tool, no server outlives it: each is ended when its handle is dropped,
//! and by the kernel (parent-death signal through setpriv) when the tool itself is killed.

use crate::support::peer::{Binaries, Peer};
use crate::support::process::{self, CpuTime, mortal};
use crate::support::wire::Connection;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Hands out ports that nobody listens on.
pub struct Ports {
    next: u16,
}

impl Ports {
    pub fn from(first: u16) -> Ports {
        Ports { next: first }
    }

    fn free(&mut self) -> Result<u16> {
        loop {
            let port = self.next;
            self.next = port.checked_add(1).context("no free port above --port")?;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
    }
}

/// What a scenario adds to how servers are started.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

/// Where servers come from: binaries, ports, extras.
pub struct Launcher {
    pub binaries: Binaries,
    pub ports: Ports,
}

pub struct Server {
    pub peer: Peer,
    pub port: u16,
    child: Child,
    directory: PathBuf,
}

impl Launcher {
    /// Starts a server and returns when it answers PING.
    pub fn start(&mut self, peer: Peer, extras: &Extras) -> Result<Server> {
        let program = peer.program(&self.binaries)?.to_path_buf();
        let port = self.ports.free()?;
        let directory = directory_for(port)?;
        let mut command = mortal(&program);
        peer.arguments(&mut command, port, &directory);
        if peer.takes_directives() {
            command.args(&extras.arguments);
        }
        let log = File::create(directory.join("log"))?;
        command.envs(&extras.environment).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))?;
        let mut server = Server {
            peer,
            port,
            child,
            directory,
        };
        server.await_answer()?;
        Ok(server)
    }
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn cpu(&self) -> Result<CpuTime> {
        CpuTime::of(self.pid())
    }

    pub fn rss_bytes(&self) -> Result<u64> {
        process::rss_bytes(self.pid())
    }

    /// Resident memory once it has stopped changing: after loading, tables are still being moved.
    pub fn settled_rss_bytes(&self) -> Result<u64> {
        let quiet = Duration::from_millis(800);
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut rss, mut since) = (self.rss_bytes()?, Instant::now());
        while since.elapsed() < quiet && Instant::now() < deadline {
            thread::sleep(POLL);
            let now = self.rss_bytes()?;
            if now != rss {
                (rss, since) = (now, Instant::now());
            }
        }
        Ok(rss)
    }

    /// Takes it off the cores, so that its timers do not disturb another's measurement.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)?;
        // Overdue timers run now, not within the measurement: an answer comes after them.
        let answer = Connection::open(self.port).and_then(|mut c| c.call(&[b"PING"]));
        answer.with_context(|| self.last_words())?;
        Ok(())
    }

    /// Its name and what it wrote last: the reason if it went away.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(6)..].join("\n");
        format!("{} wrote last:\n{last}", self.peer.label())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if !self.peer.may_be_paused() {
            return Ok(());
        }
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("{} is gone", self.peer.label()))
    }

    fn await_answer(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let name = self.peer.label();
        loop {
            let answer = Connection::open(self.port).and_then(|mut c| c.call(&[b"PING"]));
            if answer.is_ok_and(|answer| answer == "PONG") {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{name} ended at once ({status})\n{}", self.last_words());
            }
            if Instant::now() > deadline {
                bail!("{name} does not answer PING\n{}", self.last_words());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to save, and a paused process heeds only this signal.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn directory_for(port: u16) -> Result<PathBuf> {
    let name = format!("ringshard-perf-{}-{port}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {directory:?}"))?;
    Ok(directory)
}
