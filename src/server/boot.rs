//! From a command line to a serving process, in order, with one clear line where it cannot go on.
//!
//! Everything that can fail fails here: before the first client is accepted, and before the
//! parent of a daemon has exited.

use super::banner::{self, Service};
use super::check_aof;
use super::check_rdb::check_rdb;
use super::daemon::{self, Readiness, Side};
use super::dataset;
use super::notify::{self, Supervisor, Surroundings};
use super::pidfile::PidFile;
use crate::base::clock::{self, Clock};
use crate::base::cpu_list;
use crate::commands::table;
use crate::config::choice::{LogLevel, Supervised, SyslogFacility};
use crate::config::{self, Config, Startup};
use crate::keyspace::ShardId;
use crate::net::listener::{self, Closer, TcpSettings, UnixSettings};
use crate::net::{Freight, Reactor, Seats};
use crate::observe::log::{Facility, Level, Log, Output, Role};
use crate::runtime::core::{Cores, CpuId, Seat, allowed_cpus, place, start, usable_cpus};
use crate::runtime::mesh::{Mesh, Port};
use crate::runtime::preflight::{Preflight, Severity};
use crate::runtime::ring::{Ring, RingConfig};
use crate::runtime::signal::{Request, Requests};
use crate::session::{Core, Letter, Node, Stop};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

/// Receive buffers of a core: 256 of 16 KiB. More would only cost memory: a buffer is in use no
/// longer than a turn.
const RING: RingConfig = RingConfig {
    entries: 512,
    buffers: 256,
    buffer_bytes: 16 * 1024,
};

/// Why a start fails: the lines to be logged.
struct Failure(Vec<String>);

impl From<String> for Failure {
    fn from(line: String) -> Failure {
        Failure(vec![line])
    }
}

/// What asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Command,
    Signal(Request),
}

/// Runs the server with these arguments, the program's name first; returns the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let (program, rest) = match args.split_first() {
        Some((program, rest)) => (program.to_string_lossy().into_owned(), rest.to_vec()),
        None => (String::from("ringshard"), Vec::new()),
    };
    match Config::load(&rest) {
        Err(error) => {
            eprintln!("{error}");
            1
        }
        Ok(Startup::PrintVersion) => print(&config::version()),
        Ok(Startup::Help(text)) => print(&text),
        Ok(Startup::CheckSystem) => check_system(),
        Ok(Startup::CheckAof(words)) => check_aof::run(&words),
        Ok(Startup::CheckRdb(path)) => check_rdb(&path),
        Ok(Startup::Run { loaded, file }) => {
            if let Some(line) = loaded.deferred.first() {
                eprintln!("{}", line.error("Ringshard has no such thing yet"));
                return 1;
            }
            serve(loaded.config, file, (&program, !rest.is_empty()))
        }
    }
}

fn print(text: &str) -> u8 {
    println!("{text}");
    0
}

fn check_system() -> u8 {
    let shards = usable_cpus().len();
    let preflight = Preflight::run(u64::from(Config::default().maxclients), shards);
    for finding in &preflight.findings {
        let mark = match finding.severity {
            Severity::Ok => "ok   ",
            Severity::Warn => "warn ",
            Severity::Fatal => "FATAL",
        };
        println!("{mark} {}", finding.text);
    }
    u8::from(preflight.fatal().is_some())
}

/// Logs what goes wrong from here on, and tells whoever waits for the start.
fn serve(config: Config, file: Option<PathBuf>, called: (&str, bool)) -> u8 {
    let log = Log::new(Clock::Real);
    log.install();
    configure_log(&log, &config);
    let supervisor = Supervisor::begin(directive(config.supervised), &Surroundings::of_process());
    let mut readiness = None;
    if config.daemonize && !supervisor.is_present() {
        match daemon::daemonize() {
            Ok(Side::Parent(verdict)) => return verdict.exit_code(),
            Ok(Side::Child(duty)) => readiness = Some(duty),
            Err(error) => {
                tracing::warn!("Can't daemonize: {error}");
                return 1;
            }
        }
    }
    let (sender, receiver) = channel();
    match Server::start(config, file, called, (log, sender)) {
        Err(Failure(lines)) => {
            for line in &lines {
                tracing::warn!("{line}");
            }
            if lines.is_empty() {
                return 0;
            }
            if let Some(readiness) = readiness {
                readiness.failed(&lines.join("\n"));
            }
            1
        }
        Ok(server) => server.wait(&supervisor, readiness, &receiver),
    }
}

fn directive(supervised: Supervised) -> notify::Supervised {
    match supervised {
        Supervised::No => notify::Supervised::No,
        Supervised::Auto => notify::Supervised::Auto,
        Supervised::Systemd => notify::Supervised::Systemd,
        Supervised::Upstart => notify::Supervised::Upstart,
    }
}

/// The log's level of the directive's.
pub fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
        LogLevel::Nothing => Level::Nothing,
    }
}

fn configure_log(log: &Arc<Log>, config: &Config) {
    log.set_level(level(config.loglevel));
    if let Some(path) = &config.logfile {
        log.set_output(Output::File(config.dir.join(path)));
    }
    if config.syslog_enabled {
        let name = match config.syslog_facility {
            SyslogFacility::User => "user".to_string(),
            other => format!("local{}", other as u32 - SyslogFacility::Local0 as u32),
        };
        let facility = Facility::from_name(&name).expect("both know the same facilities");
        log.enable_syslog(&String::from_utf8_lossy(&config.syslog_ident), facility);
    }
}

/// A serving process.
struct Server {
    node: Arc<Node>,
    cores: Cores,
    closer: Closer,
    pidfile: Option<PidFile>,
}

impl Server {
    fn start(
        config: Config,
        file: Option<PathBuf>,
        called: (&str, bool),
        wiring: (Arc<Log>, Sender<Ending>),
    ) -> Result<Server, Failure> {
        let (log, sender) = wiring;
        clock::start_counter();
        banner::starting(called.0, called.1);
        crate::runtime::file::change_into(&config.dir)
            .map_err(|error| format!("Can't chdir to '{}': {error}", config.dir.display()))?;
        let named = named_cpus(&config)?;
        let shards = match (config.shards, named.len()) {
            (0, 0) => usable_cpus().len(),
            (0, named) => named,
            (shards, _) => shards,
        };
        let config = check(config, shards)?;
        let (tcp, unix) = listen(&config, shards)?;
        let is_daemon = config.daemonize;
        let pidfile = PidFile::write(config.pidfile.as_deref(), is_daemon);
        let service = Service {
            mode: "standalone",
            port: config.port,
        };
        banner::running(&service, banner::shows_logo(&log, config.always_show_logo));
        let place = Arc::new(OnceLock::new());
        watch_signals(sender.clone(), place.clone())?;
        log.set_role(match config.replicaof {
            Some(_) => Role::Replica,
            None => Role::Master,
        });
        let rows = table().rows();
        let mut node = Node::new(config, file, Clock::Real, (shards, rows), log);
        node.stop = Box::new(move |Stop::Shutdown| {
            // Nobody listens any more when the process is ending already.
            let _ = sender.send(Ending::Command);
        });
        let node = place.get_or_init(|| Arc::new(node)).clone();
        node.mind_purger();
        if dataset::is_there(&node) {
            node.state.loading.begin(node.clock.millis().0, 0);
        }
        let closer =
            Closer::of(tcp.iter().flatten().chain(unix.iter().flatten())).map_err(|error| {
                Failure::from(format!("Can't share the listening sockets: {error}"))
            })?;
        let cores = start_cores(&node, &named, tcp, unix)?;
        banner::initialized();
        dataset::load(&node).map_err(Failure)?;
        Ok(Server {
            node,
            cores,
            closer,
            pidfile,
        })
    }

    /// Says that it serves, and serves until it is asked to end.
    fn wait(
        self,
        supervisor: &Supervisor,
        readiness: Option<Readiness>,
        endings: &Receiver<Ending>,
    ) -> u8 {
        let config = self.node.config.value();
        if config.port != 0 {
            banner::ready("tcp");
        }
        if config.unixsocket.is_some() {
            banner::ready("unix");
        }
        supervisor.ready(false);
        if let Some(readiness) = readiness {
            readiness.ready();
        }
        while let Ok(Ending::Signal(request)) = endings.recv() {
            tracing::warn!("Received {} scheduling shutdown...", request.name());
            let config = self.node.config.value();
            let flags = match request {
                Request::Interrupt => config.shutdown_on_sigint,
                Request::Terminate | Request::Quit => config.shutdown_on_sigterm,
            };
            self.node.letters[0].post(Letter::Shutdown(flags));
        }
        supervisor.stopping();
        if self.node.aof.status.is_on() {
            tracing::info!("Calling fsync() on the AOF file.");
            if !self.node.finish_log() {
                tracing::warn!("The append-only file could not be written completely.");
            }
        }
        if let Some(pidfile) = self.pidfile {
            tracing::info!("Removing the pid file.");
            pidfile.remove();
        }
        if let Some(path) = &config.unixsocket {
            tracing::info!("Removing the unix socket file.");
            // It may have been removed by hand.
            let _ = crate::runtime::file::remove(path);
        }
        self.closer.close();
        banner::bye();
        // The shards' threads end with the process.
        std::mem::forget(self.cores);
        0
    }
}

/// The CPUs that server_cpulist gives to the shards; none if it gives none.
fn named_cpus(config: &Config) -> Result<Vec<CpuId>, Failure> {
    let Some(list) = &config.server_cpulist else {
        return Ok(Vec::new());
    };
    let named = cpu_list::parse(list).expect("checked when it was read");
    let allowed = allowed_cpus();
    match named.iter().find(|cpu| !allowed.contains(&CpuId(**cpu))) {
        None => Ok(named.into_iter().map(CpuId).collect()),
        Some(cpu) => Err(Failure::from(format!(
            "server_cpulist names CPU {cpu}, which this process may not use: correct the list, or \
             let the process use more CPUs (taskset, cpuset)"
        ))),
    }
}

/// What the machine does not allow ends the start; what it limits is noted.
fn check(config: Config, shards: usize) -> Result<Config, Failure> {
    let wanted = config.maxclients;
    let preflight = Preflight::run(u64::from(wanted), shards);
    if let Some(finding) = preflight.fatal() {
        return Err(finding.text.clone().into());
    }
    for finding in &preflight.findings {
        if finding.severity == Severity::Warn {
            tracing::warn!("WARNING: {}", finding.text);
        }
    }
    let possible = preflight.descriptors.clients_max();
    if possible >= u64::from(wanted) {
        return Ok(config);
    }
    let caller = config::Caller {
        is_local: true,
        is_loading: false,
    };
    let possible = possible.to_string();
    let limited = config.set_all(&[(b"maxclients", possible.as_bytes())], caller);
    limited.map_err(|error| Failure::from(error.to_string()))
}

type Listeners = (Vec<Vec<OwnedFd>>, Vec<Option<OwnedFd>>);

/// Two seconds for a port that the process before us has just left: the kernel lets go of the
/// sockets of a ring some time after the process has ended, on a busy machine late.
const PORT_RETRIES: u32 = 100;

fn listen(config: &Config, shards: usize) -> Result<Listeners, Failure> {
    let mut tcp: Vec<Vec<OwnedFd>> = (0..shards).map(|_| Vec::new()).collect();
    let mut unix: Vec<Option<OwnedFd>> = (0..shards).map(|_| None).collect();
    let tcp_backlog = i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX);
    if config.port != 0 {
        let text = |address: &Vec<u8>| String::from_utf8_lossy(address).into_owned();
        let bind = config.bind.iter().map(text).collect();
        let (port, tcp_keepalive) = (config.port, config.tcp_keepalive);
        let settings = TcpSettings {
            bind,
            port,
            tcp_backlog,
            tcp_keepalive,
            retries: PORT_RETRIES,
        };
        let listening =
            listener::listen_tcp(&settings, shards).map_err(|error| Failure(error.lines))?;
        for note in &listening.notes {
            tracing::warn!("{note}");
        }
        tcp = listening.shards;
    }
    if let Some(path) = &config.unixsocket {
        let (path, mode) = (path.display().to_string(), config.unixsocketperm);
        let settings = UnixSettings {
            path,
            mode,
            tcp_backlog,
        };
        let listening =
            listener::listen_unix(&settings, shards).map_err(|error| Failure(error.lines))?;
        unix = listening.into_iter().map(Some).collect();
    }
    if let Some(warning) = listener::backlog_warning(tcp_backlog) {
        tracing::warn!("{warning}");
    }
    if config.port == 0 && config.unixsocket.is_none() {
        return Err("Configured to not listen anywhere, exiting."
            .to_string()
            .into());
    }
    Ok((tcp, unix))
}

fn watch_signals(sender: Sender<Ending>, node: Arc<OnceLock<Arc<Node>>>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::from(format!("Can't watch signals: {error}"));
    let mut requests = Requests::new().map_err(failed)?;
    let watch = move || {
        while let Some(request) = requests.wait() {
            // Nobody listens any more when the process is ending already.
            let _ = sender.send(Ending::Signal(request));
            if let Some(node) = node.get() {
                node.state.loading.give_up();
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(watch)
        .map_err(failed)?;
    Ok(())
}

/// What a core is given when it starts.
struct Load {
    node: Arc<Node>,
    port: Port<Freight>,
    seats: Arc<Seats>,
    listeners: Vec<OwnedFd>,
}

fn start_cores(
    node: &Arc<Node>,
    named: &[CpuId],
    tcp: Vec<Vec<OwnedFd>>,
    unix: Vec<Option<OwnedFd>>,
) -> Result<Cores, Failure> {
    let shards = node.shards();
    let seats = Arc::new(Seats::new(shards));
    let ports = Mesh::<Freight>::new(shards);
    let listeners = tcp.into_iter().zip(unix).map(|(mut tcp, unix)| {
        tcp.extend(unix);
        tcp
    });
    let loads = ports
        .into_iter()
        .zip(listeners)
        .map(|(port, listeners)| Load {
            node: node.clone(),
            port,
            seats: seats.clone(),
            listeners,
        });
    let places = place(shards, named);
    let seats = places
        .into_iter()
        .zip(loads)
        .map(|(cpus, load)| Seat { cpus, load })
        .collect();
    start(seats, |id, load: Load| async move {
        let ring = match Ring::new(RING) {
            Ok(ring) => ring,
            Err(error) => panic!("no network ring for shard {}: {error}", id.0),
        };
        let core = Core::new(load.node, ShardId(id.0));
        Reactor::new(core, ring, load.port, load.seats, load.listeners)
            .serve()
            .await;
    })
    .map_err(|error| Failure::from(format!("Can't start the shards: {error}")))
}
