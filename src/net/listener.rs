//! Listening sockets: one per shard and address, yet only one server per port.
//!
//! Every shard listens for itself (SO_REUSEPORT), and the kernel spreads connections over them by
//! hash. The same option would let a second server of the same user share the port in silence.
//! Therefore the first socket of an address is bound *and listens* without the option, which only
//! one socket on the machine can do; only then the option is set on it and the others join:
//!
//! ```text
//!   first:   bind, listen     exclusive: fails beside any listening socket, sharing or not
//!   first:   SO_REUSEPORT on  from here others of this user may join
//!   others:  SO_REUSEPORT on, bind, listen
//! ```
//!
//! A server that starts meanwhile fails at its own first step, whatever the order of the two, so
//! there is no gap. Accepted connections inherit TCP_NODELAY and keep-alive from the listener,
//! which saves the system calls that would set them one by one.
//!
//! What it does not do: accept, or log; the lines to log are handed back.
use crate::base::clock;
use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::runtime::file;

/// What a TCP listener is made from: directives of the same names.
#[derive(Clone, Debug)]
pub struct TcpSettings {
    /// As in `bind`: addresses, `*`, `::*`, host names; a leading `-` makes one optional.
    pub bind: Vec<String>,
    pub port: u16,
    pub tcp_backlog: i32,
    /// Seconds; 0 = off.
    pub tcp_keepalive: u32,
    /// How often a port that is taken is tried again, at 20 ms each.
    pub retries: u32,
}

/// What a unix listener is made from.
#[derive(Clone, Debug)]
pub struct UnixSettings {
    pub path: String,
    /// `unixsocketperm`; 0 leaves it to the umask.
    pub mode: u32,
    pub tcp_backlog: i32,
}

/// Ends listening, whoever has the sockets.
///
/// The kernel lets go of the sockets of a ring only some time after the process has ended, 10 to 25
/// ms on a quiet machine. Clients that come meanwhile would be reset instead of refused, and the
/// next process would have to wait for the port.
#[derive(Debug)]
pub struct Closer(Vec<OwnedFd>);

impl Closer {
    /// Of these sockets.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn of<'a>(sockets: impl Iterator<Item = &'a OwnedFd>) -> io::Result<Closer> {
        sockets
            .map(OwnedFd::try_clone)
            .collect::<io::Result<_>>()
            .map(Closer)
    }

    /// Nobody is accepted from now on.
    pub fn close(self) {
        for socket in &self.0 {
            // One that does not listen any more is as it should be.
            let _ = SockRef::from(socket).shutdown(Shutdown::Both);
        }
    }
}

/// Listening sockets of all shards.
#[derive(Debug)]
pub struct Listening {
    /// For each shard one socket per address.
    pub shards: Vec<Vec<OwnedFd>>,
    /// Log lines (level warning) about addresses that were skipped.
    pub notes: Vec<String>,
}

/// Why the server cannot listen: log lines (level warning), in Redis's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenError {
    pub lines: Vec<String>,
}

/// Listen on every address with one socket per shard.
pub fn listen_tcp(settings: &TcpSettings, shards: usize) -> Result<Listening, ListenError> {
    let mut listening = Listening {
        shards: (0..shards).map(|_| Vec::new()).collect(),
        notes: Vec::new(),
    };
    for name in &settings.bind {
        let (name, optional) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        match listen_at(name, settings, shards) {
            Ok(sockets) => {
                for (shard, socket) in listening.shards.iter_mut().zip(sockets) {
                    shard.push(socket.into());
                }
            }
            Err(failure) => {
                let port = settings.port;
                listening.notes.push(format!(
                    "Warning: Could not create server TCP listening socket {name}:{port}: {}",
                    failure.text
                ));
                if !failure.may_be_skipped(optional) {
                    let mut lines = listening.notes;
                    lines.push(format!("Failed listening on port {port} (tcp), aborting."));
                    return Err(ListenError { lines });
                }
            }
        }
    }
    Ok(listening)
}

/// Listen on a unix socket that all shards share: a descriptor for each.
pub fn listen_unix(settings: &UnixSettings, shards: usize) -> Result<Vec<OwnedFd>, ListenError> {
    let failed = |step: &str, error: io::Error| ListenError {
        lines: vec![format!(
            "Failed opening Unix socket: {step}: {}",
            error_text(&error)
        )],
    };
    let path = Path::new(&settings.path);
    let address = SockAddr::unix(path).map_err(|_| ListenError {
        lines: vec![format!(
            "Failed opening Unix socket: unix socket path too long ({}), must be under 108",
            settings.path.len()
        )],
    })?;
    // One that is left over from a crash would be in the way. Redis: unlink, unconditionally.
    file::remove(path).map_err(|error| failed("unlink", error))?;
    let made = Socket::new(Domain::UNIX, Type::STREAM, None);
    let socket = made.map_err(|error| failed("creating socket", error))?;
    socket
        .bind(&address)
        .map_err(|error| failed("bind", error))?;
    socket
        .listen(settings.tcp_backlog)
        .map_err(|error| failed("listen", error))?;
    if settings.mode != 0 {
        file::set_mode(path, settings.mode).map_err(|error| failed("chmod", error))?;
    }
    let share = |_| socket.try_clone().map(OwnedFd::from);
    let all: io::Result<Vec<_>> = (0..shards).map(share).collect();
    all.map_err(|error| failed("dup", error))
}

/// Redis's warning when the kernel cuts the backlog short.
pub fn backlog_warning(tcp_backlog: i32) -> Option<String> {
    let text = file::read_trimmed("/proc/sys/net/core/somaxconn")?;
    let somaxconn: i32 = text.parse().ok()?;
    (somaxconn > 0 && somaxconn < tcp_backlog).then(|| {
        format!(
            "WARNING: The TCP backlog setting of {tcp_backlog} cannot be enforced because \
             /proc/sys/net/core/somaxconn is set to the lower value of {somaxconn}."
        )
    })
}

/// Set what every client socket has: no delay, and keep-alive probes as Redis asks for them
/// (first after `keepalive` seconds, then three at a third of that). On a listener it holds for
/// the connections accepted from then on.
pub fn tune(socket: &impl AsFd, keepalive: u32) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    if keepalive == 0 {
        return socket.set_keepalive(false);
    }
    let seconds = |count: u32| Duration::from_secs(u64::from(count));
    let probes = TcpKeepalive::new()
        .with_time(seconds(keepalive))
        .with_interval(seconds((keepalive / 3).max(1)))
        .with_retries(3);
    socket.set_tcp_keepalive(&probes)
}

/// A step of listening that failed.
struct Failure {
    text: String,
    errno: i32,
}

impl Failure {
    fn new(step: &str, error: &io::Error) -> Failure {
        let text = match step {
            "" => error_text(error),
            _ => format!("{step}: {}", error_text(error)),
        };
        Failure {
            text,
            errno: error.raw_os_error().unwrap_or(0),
        }
    }

    /// An optional address that this machine does not have, or a protocol it does not speak.
    fn may_be_skipped(&self, optional: bool) -> bool {
        match self.errno {
            libc::EADDRNOTAVAIL => optional,
            libc::ENOPROTOOPT
            | libc::EPROTONOSUPPORT
            | libc::ESOCKTNOSUPPORT
            | libc::EPFNOSUPPORT
            | libc::EAFNOSUPPORT => true,
            _ => false,
        }
    }
}

fn listen_at(name: &str, settings: &TcpSettings, shards: usize) -> Result<Vec<Socket>, Failure> {
    let address = resolve(name, settings.port)?;
    let mut sockets = Vec::with_capacity(shards);
    for _ in 0..shards {
        let first = sockets.is_empty();
        let socket = listen_one(address, settings, !first)?;
        if first {
            socket
                .set_reuse_port(true)
                .map_err(|error| Failure::new("setsockopt SO_REUSEPORT", &error))?;
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

fn listen_one(address: SocketAddr, settings: &TcpSettings, share: bool) -> Result<Socket, Failure> {
    let at = |step: &'static str| move |error: io::Error| Failure::new(step, &error);
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).map_err(at("socket"))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true).map_err(at("setsockopt"))?;
    }
    socket
        .set_reuse_address(true)
        .map_err(at("setsockopt SO_REUSEADDR"))?;
    if share {
        socket
            .set_reuse_port(true)
            .map_err(at("setsockopt SO_REUSEPORT"))?;
    }
    tune(&socket, settings.tcp_keepalive).map_err(at("setsockopt"))?;
    bind_patiently(&socket, address, settings.retries).map_err(at("bind"))?;
    socket.listen(settings.tcp_backlog).map_err(at("listen"))?;
    Ok(socket)
}

/// Binds; a port that is taken is tried again for a moment.
///
/// The kernel takes a ring apart, and the listeners in it, a little after its process has ended:
/// whoever restarts a server at once, or after a kill -9, would find its own port taken.
fn bind_patiently(socket: &Socket, address: SocketAddr, retries: u32) -> io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 0..retries {
        match socket.bind(&address.into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => clock::pause(PAUSE),
            result => return result,
        }
    }
    socket.bind(&address.into())
}

/// An address of the family its spelling asks for: a colon means IPv6, as Redis has it.
fn resolve(name: &str, port: u16) -> Result<SocketAddr, Failure> {
    match name {
        "*" => return Ok(SocketAddr::from(([0u8; 4], port))),
        "::*" => return Ok(SocketAddr::from(([0u16; 8], port))),
        _ => {}
    }
    let wants_v6 = name.contains(':');
    let found = (name, port).to_socket_addrs().map_err(|error| {
        let text = error.to_string();
        let cause = text.rsplit(": ").next().unwrap_or(&text).to_string();
        let errno = error.raw_os_error().unwrap_or(0);
        Failure { text: cause, errno }
    })?;
    let mut family = found.filter(|address| address.is_ipv6() == wants_v6);
    family.next().ok_or_else(|| Failure {
        text: "Name or service not known".to_string(),
        errno: 0,
    })
}

/// The system's words alone, as strerror gives them.
fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    fn settings(bind: &[&str]) -> TcpSettings {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpSettings {
            bind: bind.iter().map(|name| name.to_string()).collect(),
            port: probe.local_addr().unwrap().port(),
            tcp_backlog: 511,
            tcp_keepalive: 300,
            retries: 0,
        }
    }

    fn accept(fd: &OwnedFd) -> io::Result<Socket> {
        let socket = Socket::from(fd.try_clone()?);
        socket.set_nonblocking(true)?;
        socket.accept().map(|(guest, _)| guest)
    }

    #[test]
    fn shards_share_a_port_and_nobody_else_does() {
        let settings = settings(&["127.0.0.1"]);
        let port = settings.port;
        let first = listen_tcp(&settings, 3).unwrap();
        assert_eq!(
            first.shards.iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 1]
        );
        for shards in [1, 3] {
            let error = listen_tcp(&settings, shards).unwrap_err();
            assert_eq!(
                error.lines,
                [
                    format!(
                        "Warning: Could not create server TCP listening socket 127.0.0.1:{port}: \
                         bind: Address already in use"
                    ),
                    format!("Failed listening on port {port} (tcp), aborting."),
                ]
            );
        }
        let mut any = settings.clone();
        any.bind = vec!["*".to_string()];
        assert!(listen_tcp(&any, 2).is_err(), "the wildcard is taken, too");
        let guests: Vec<_> = (0..60)
            .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
            .collect();
        for shard in &first.shards {
            let guest = accept(&shard[0]).expect("the kernel spreads connections over all shards");
            assert!(guest.tcp_nodelay().unwrap() && guest.keepalive().unwrap());
            assert_eq!(
                guest.tcp_keepalive_time().unwrap(),
                Duration::from_secs(300)
            );
            assert_eq!(
                guest.tcp_keepalive_interval().unwrap(),
                Duration::from_secs(100)
            );
            assert_eq!(guest.tcp_keepalive_retries().unwrap(), 3);
        }
        drop(guests);
        drop(first);
        listen_tcp(&settings, 2).expect("the port is free again at once");
    }

    #[test]
    fn a_foreign_listener_that_shares_is_refused() {
        let settings = settings(&["127.0.0.1"]);
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        other.set_reuse_address(true).unwrap();
        other.set_reuse_port(true).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], settings.port));
        other.bind(&address.into()).unwrap();
        other.listen(5).unwrap();
        assert!(listen_tcp(&settings, 2).is_err());
    }

    #[test]
    fn servers_that_start_at_once_never_share() {
        for _ in 0..50 {
            let settings = settings(&["127.0.0.1"]);
            let start = || {
                std::thread::spawn({
                    let settings = settings.clone();
                    move || listen_tcp(&settings, 2)
                })
            };
            let servers: Vec<_> = (0..3).map(|_| start()).collect();
            let servers: Vec<_> = servers.into_iter().map(|s| s.join().unwrap()).collect();
            let up = servers.iter().filter(|server| server.is_ok()).count();
            assert_eq!(up, 1, "one of them, and only one");
        }
    }

    #[test]
    fn optional_addresses_are_skipped_and_others_are_not() {
        let mut listening = listen_tcp(&settings(&["127.0.0.1", "-203.0.113.7"]), 1).unwrap();
        assert_eq!(listening.shards.remove(0).len(), 1);
        assert!(listening.notes[0].ends_with("bind: Cannot assign requested address"));
        let error = listen_tcp(&settings(&["203.0.113.7"]), 1).unwrap_err();
        assert_eq!(error.lines.len(), 2);
        let error = listen_tcp(&settings(&["no.such.host.invalid"]), 1).unwrap_err();
        assert!(error.lines[0].contains("listening socket no.such.host.invalid:"));
    }

    #[test]
    fn a_unix_socket_is_shared_and_replaces_a_stale_one() {
        let path = std::env::temp_dir().join(format!("ringshard-{}.sock", std::process::id()));
        let settings = UnixSettings {
            path: path.to_str().unwrap().to_string(),
            mode: 0o700,
            tcp_backlog: 511,
        };
        drop(listen_unix(&settings, 1).unwrap());
        let shards = listen_unix(&settings, 2).unwrap();
        UnixStream::connect(&path).unwrap().write_all(b"x").unwrap();
        accept(&shards[1]).unwrap();
        file::remove(&path).unwrap();
        let long = UnixSettings {
            path: "x".repeat(200),
            ..settings
        };
        assert!(listen_unix(&long, 1).unwrap_err().lines[0].contains("path too long (200)"));
    }

    #[test]
    fn a_backlog_beyond_the_kernels_is_warned_of() {
        assert!(backlog_warning(1).is_none());
        let warning = backlog_warning(i32::MAX).unwrap();
        assert!(warning.contains("The TCP backlog setting of 2147483647 cannot be enforced"));
    }
}
