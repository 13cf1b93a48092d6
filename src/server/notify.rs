//! Word to the supervisor: the directive `supervised` with systemd and upstart.
//!
//! systemd listens on a datagram socket that it names in NOTIFY_SOCKET, either a path or, with a
//! leading `@`, an abstract name; one datagram of `NAME=value` lines is one message. Upstart waits
//! for the process to stop itself. A server that is supervised stays in the foreground, whatever
//! `daemonize` says. Log lines and states are those of Redis; the protocol is small enough to need
//! no crate. Lost messages are logged: no supervisor is a reason to stop serving.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use signal_hook::{consts::SIGSTOP, low_level};

use crate::base::process;

/// The directive `supervised`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    No,
    Auto,
    Systemd,
    Upstart,
}

/// What the environment says about a supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub notify_socket: Option<OsString>,
    pub upstart_job: Option<OsString>,
}

/// Who watches this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supervisor {
    #[default]
    Nobody,
    Systemd {
        socket: OsString,
    },
    Upstart,
}

impl Surroundings {
    pub fn of_process() -> Surroundings {
        Surroundings {
            notify_socket: process::variable("NOTIFY_SOCKET"),
            upstart_job: process::variable("UPSTART_JOB"),
        }
    }
}

impl Supervisor {
    /// Finds the supervisor and tells it that the server is loading. For upstart, this stops the
    /// process until it is continued.
    pub fn begin(directive: Supervised, around: &Surroundings) -> Supervisor {
        match detected(directive, around) {
            Supervised::No | Supervised::Auto => Supervisor::Nobody,
            Supervised::Systemd => begin_systemd(around),
            Supervised::Upstart => begin_upstart(around),
        }
    }

    /// Whether `daemonize` is to be ignored.
    pub fn is_present(&self) -> bool {
        *self != Supervisor::Nobody
    }

    /// The value of INFO's process_supervised.
    pub fn name(&self) -> &'static str {
        match self {
            Supervisor::Nobody => "no",
            Supervisor::Systemd { .. } => "systemd",
            Supervisor::Upstart => "upstart",
        }
    }

    /// The server accepts connections.
    pub fn ready(&self, is_replica: bool) {
        let status = if is_replica {
            "Ready to accept connections in read-only mode. Waiting for MASTER <-> REPLICA sync"
        } else {
            "Ready to accept connections"
        };
        self.tell(&format!("STATUS={status}\nREADY=1\n"));
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}\n"));
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    fn tell(&self, message: &str) {
        if let Supervisor::Systemd { socket } = self
            && let Err(error) = send(socket, message)
        {
            log_failure(&error);
        }
    }
}

fn detected(directive: Supervised, around: &Surroundings) -> Supervised {
    if directive != Supervised::Auto {
        return directive;
    }
    if around.upstart_job.is_some() {
        tracing::debug!("Upstart supervision detected.");
        Supervised::Upstart
    } else if around.notify_socket.is_some() {
        tracing::debug!("Systemd supervision detected.");
        Supervised::Systemd
    } else {
        Supervised::No
    }
}

fn begin_systemd(around: &Surroundings) -> Supervisor {
    let Some(socket) = around.notify_socket.clone() else {
        tracing::warn!("systemd supervision error: NOTIFY_SOCKET not found!");
        return Supervisor::Nobody;
    };
    if let Err(error) = send(&socket, "STATUS=Ringshard is loading...\n") {
        log_failure(&error);
        return Supervisor::Nobody;
    }
    tracing::info!(
        "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec \
         and TimeoutStopSec in your service unit."
    );
    Supervisor::Systemd { socket }
}

fn begin_upstart(around: &Surroundings) -> Supervisor {
    if around.upstart_job.is_none() {
        tracing::warn!("upstart supervision requested, but UPSTART_JOB not found!");
        return Supervisor::Nobody;
    }
    tracing::info!("supervised by upstart, will stop to signal readiness.");
    if let Err(error) = low_level::raise(SIGSTOP) {
        tracing::warn!("upstart supervision error: {error}");
    }
    Supervisor::Upstart
}

fn log_failure(error: &io::Error) {
    let code = error.raw_os_error().unwrap_or(0);
    tracing::warn!("systemd supervision error: sd_notify: {code} ({error})");
}

fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(message.as_bytes(), &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(notify_socket: Option<&str>) -> Surroundings {
        Surroundings {
            notify_socket: notify_socket.map(Into::into),
            upstart_job: None,
        }
    }

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    /// A whole life as systemd hears it.
    fn tells_its_life(listener: &UnixDatagram, name: &str) {
        let supervisor = Supervisor::begin(Supervised::Auto, &around(Some(name)));
        assert_eq!(supervisor.name(), "systemd");
        assert!(supervisor.is_present());
        assert_eq!(next(listener), "STATUS=Ringshard is loading...\n");
        supervisor.ready(false);
        assert_eq!(
            next(listener),
            "STATUS=Ready to accept connections\nREADY=1\n"
        );
        supervisor.ready(true);
        assert!(next(listener).contains("read-only mode. Waiting for MASTER <-> REPLICA sync\n"));
        supervisor.status("Saving the final RDB snapshot");
        assert_eq!(next(listener), "STATUS=Saving the final RDB snapshot\n");
        supervisor.stopping();
        assert_eq!(next(listener), "STOPPING=1\n");
    }

    #[test]
    fn systemd_hears_of_it_on_a_path() {
        let path = std::env::temp_dir().join(format!("notify-{}.sock", std::process::id()));
        let listener = UnixDatagram::bind(&path).unwrap();
        tells_its_life(&listener, path.to_str().unwrap());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn systemd_hears_of_it_on_an_abstract_name() {
        let name = format!("notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        tells_its_life(&listener, &format!("@{name}"));
    }

    #[test]
    fn without_a_supervisor_the_server_is_on_its_own() {
        for directive in [
            Supervised::No,
            Supervised::Auto,
            Supervised::Systemd,
            Supervised::Upstart,
        ] {
            let supervisor = Supervisor::begin(directive, &around(None));
            assert_eq!(supervisor, Supervisor::Nobody);
            assert!(!supervisor.is_present());
            supervisor.ready(false);
        }
        let nobody = Supervisor::begin(Supervised::No, &around(Some("/run/systemd/notify")));
        assert_eq!(nobody, Supervisor::Nobody);
    }

    #[test]
    fn a_deaf_socket_is_no_supervisor() {
        let deaf = around(Some("/nonexistent/notify"));
        assert_eq!(
            Supervisor::begin(Supervised::Systemd, &deaf),
            Supervisor::Nobody
        );
    }

    #[test]
    fn upstart_is_asked_first() {
        let both = Surroundings {
            notify_socket: Some("/run/systemd/notify".into()),
            upstart_job: Some("ringshard".into()),
        };
        assert_eq!(detected(Supervised::Auto, &both), Supervised::Upstart);
        assert_eq!(detected(Supervised::Systemd, &both), Supervised::Systemd);
    }
}
