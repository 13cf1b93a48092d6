//! Who takes part in a comparison, and how each is started for measuring: loopback only, a
//! directory of its own, no persistence.
//!
//! A peer is a value; `server` turns it into a process. Adding a contestant means one variant
//! here.

use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A contestant as a scenario file names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contestant {
    /// redis-server as it comes: one thread.
    Redis,
    /// redis-server with the io-threads that serve this load best on this machine.
    RedisIo,
    /// The least that a server on io_uring can do, as the floor.
    Bare,
    Ringshard,
}

/// A contestant with its threads settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Redis,
    RedisIo { threads: usize, reads: bool },
    Bare { threads: usize },
    Ringshard { shards: usize },
}

/// Where the servers are.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub redis: PathBuf,
    pub ringshard: PathBuf,
    pub bare: Option<PathBuf>,
}

impl Peer {
    /// Its name in tables, charts and the ledger.
    pub fn label(&self) -> String {
        match self {
            Peer::Redis => "redis".to_string(),
            Peer::RedisIo {
                threads,
                reads: false,
            } => format!("redis-io{threads}"),
            Peer::RedisIo {
                threads,
                reads: true,
            } => format!("redis-io{threads}-reads"),
            Peer::Bare { threads } => format!("bare-{threads}"),
            Peer::Ringshard { shards } => format!("ringshard-{shards}"),
        }
    }

    /// Its program; an error says what to do about a missing one.
    pub fn program<'a>(&self, binaries: &'a Binaries) -> Result<&'a Path> {
        let program = match self {
            Peer::Redis | Peer::RedisIo { .. } => return Ok(&binaries.redis),
            Peer::Ringshard { .. } => &binaries.ringshard,
            Peer::Bare { .. } => match &binaries.bare {
                Some(bare) => bare,
                None => bail!("no bare ring server: build it and set BARE_RING to its path"),
            },
        };
        ensure!(
            program.is_file(),
            "{} is missing: `cargo build --release` makes target/release/ringshard",
            program.display()
        );
        Ok(program)
    }

    /// Appends what it needs to serve on `port`, with its files in `directory`.
    pub fn arguments(&self, command: &mut Command, port: u16, directory: &Path) {
        let port = port.to_string();
        if let Peer::Bare { threads } = self {
            command.args([&port, &threads.to_string()]);
            return;
        }
        command.args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
        ]);
        command.arg(directory);
        match self {
            Peer::RedisIo { threads, reads } => {
                let reads = if *reads { "yes" } else { "no" };
                command.args(["--io-threads", &threads.to_string()]);
                command.args(["--io-threads-do-reads", reads]);
            }
            Peer::Ringshard { shards } => {
                command.args(["--shards", &shards.to_string()]);
            }
            Peer::Redis | Peer::Bare { .. } => {}
        }
    }

    /// Whether it understands Redis directives on its command line.
    pub fn takes_directives(&self) -> bool {
        !matches!(self, Peer::Bare { .. })
    }

    /// Whether it survives being stopped and continued. The bare server takes the interrupted
    /// wait for a fatal error; but it has no timers either, and disturbs nobody while it waits.
    pub fn may_be_paused(&self) -> bool {
        !matches!(self, Peer::Bare { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(peer: Peer) -> String {
        let mut command = Command::new("x");
        peer.arguments(&mut command, 7000, Path::new("/d"));
        let arguments = command
            .get_args()
            .map(|argument| argument.to_string_lossy());
        arguments.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_peer_is_started_without_persistence() {
        let redis = "--port 7000 --bind 127.0.0.1 --save  --dir /d";
        assert_eq!(line(Peer::Redis), redis);
        assert_eq!(
            line(Peer::Ringshard { shards: 2 }),
            format!("{redis} --shards 2")
        );
        assert_eq!(line(Peer::Bare { threads: 2 }), "7000 2");
        let threaded = Peer::RedisIo {
            threads: 2,
            reads: true,
        };
        assert_eq!(
            line(threaded),
            format!("{redis} --io-threads 2 --io-threads-do-reads yes")
        );
    }

    #[test]
    fn a_missing_program_is_explained() {
        let nowhere = PathBuf::from("/nowhere/ringshard");
        let binaries = Binaries {
            redis: "redis-server".into(),
            ringshard: nowhere,
            bare: None,
        };
        assert!(Peer::Redis.program(&binaries).is_ok());
        for peer in [Peer::Ringshard { shards: 1 }, Peer::Bare { threads: 1 }] {
            assert!(peer.program(&binaries).is_err());
        }
    }
}
