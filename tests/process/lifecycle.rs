//! Start and end: signals, SHUTDOWN, pid file, daemon, log file, sockets, and clear refusals.
//!
//! Exit codes matter to supervisors: 0 for an end that was asked for, 1 for a start that failed.
//! Log texts are checked only as far as people's log watchers rely on them.

use crate::support::server::{Folder, free_port, is_stand_in, signal_process};
use crate::support::{Client, Server, Setup, wait_until};
use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn ends_with_success(signal: i32) {
    let mut server = Server::ringshard(2);
    server.client().call("SET a 1");
    server.signal(signal);
    let status = server.wait_for_exit();
    assert_eq!(status.code(), Some(0), "{status:?}");
}

#[test]
fn sigterm_ends_with_success() {
    ends_with_success(libc::SIGTERM);
}

#[test]
fn sigint_ends_with_success() {
    ends_with_success(libc::SIGINT);
}

#[test]
fn shutdown_hangs_up_and_ends_with_success() {
    let mut server = Server::ringshard(2);
    let (mut client, mut other) = (server.client(), server.client());
    assert_eq!(other.call("PING").text(), "PONG");
    client.send_args(&["SHUTDOWN", "NOSAVE"]);
    assert!(
        client.receive_with_bytes().is_none(),
        "SHUTDOWN does not answer"
    );
    assert!(other.read_to_end().is_empty());
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn nobody_is_accepted_once_the_process_has_ended() {
    for _ in 0..3 {
        let mut server = Server::ringshard(4);
        let port = server.port();
        let clients: Vec<Client> = (0..20).map(|_| server.client()).collect();
        server.signal(libc::SIGTERM);
        assert_eq!(server.wait_for_exit().code(), Some(0));
        // The kernel may have the rings of the process still, but none that listens.
        let refused = TcpStream::connect(("127.0.0.1", port)).expect_err("it has ended");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        drop(clients);
    }
}

#[test]
fn signal_under_load_ends_soon() {
    let mut server = Server::ringshard(2);
    let mut client = server.client();
    let pings = b"SET a 1\r\nGET a\r\n".repeat(2_000);
    client.send_bytes(&pings);
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn pid_file_lives_as_long_as_the_server() {
    let folder = Folder::create();
    let file = folder.path().join("server.pid");
    let mut server = Setup::ringshard(1)
        .arg("pidfile", &file.to_string_lossy())
        .start();
    let text = fs::read_to_string(&file).expect("a pid file");
    assert_eq!(text.trim(), server.pid().to_string());
    server.signal(libc::SIGTERM);
    server.wait_for_exit();
    assert!(!file.exists(), "the pid file goes with the server");
}

#[test]
fn daemon_serves_when_its_parent_ends() {
    let (folder, port) = (Folder::create(), free_port());
    let pid_file = folder.path().join("daemon.pid");
    let setup = Setup::ringshard(2).arg("daemonize", "yes");
    let setup = setup.arg("pidfile", &pid_file.to_string_lossy());
    let setup = setup.arg(
        "logfile",
        &folder.path().join("daemon.log").to_string_lossy(),
    );
    let status = setup
        .command(folder.path(), port)
        .status()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(0));
    if is_stand_in() {
        wait_until("the daemon serves", || Client::try_connect(port).is_ok());
        wait_until("the daemon writes its pid", || {
            fs::read(&pid_file).is_ok_and(|p| !p.is_empty())
        });
    }
    let text = fs::read_to_string(&pid_file).expect("a pid file");
    let pid: i32 = text.trim().parse().expect("a pid");
    let mut client = Client::connect(port);
    assert_eq!(client.call("PING").text(), "PONG");
    signal_process(pid, libc::SIGTERM);
    assert!(client.read_to_end().is_empty());
    wait_until("the daemon ends", || {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
}

#[test]
fn daemon_that_cannot_serve_says_so_to_its_parent() {
    if is_stand_in() {
        println!("SKIPPED: redis-server's parent does not wait for the daemon");
        return;
    }
    let server = Server::ringshard(1);
    let folder = Folder::create();
    let setup = Setup::ringshard(1).arg("daemonize", "yes");
    let status = setup
        .command(folder.path(), server.port())
        .status()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn log_lines_have_the_known_form() {
    let folder = Folder::create();
    let file = folder.path().join("server.log");
    let mut server = Setup::ringshard(2)
        .arg("logfile", &file.to_string_lossy())
        .start();
    server.signal(libc::SIGTERM);
    server.wait_for_exit();
    let text = fs::read_to_string(&file).expect("a log file");
    let odd: Vec<&str> = text.lines().filter(|line| !is_log_line(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(text.lines().count() > 2, "a log says something:\n{text}");
    assert!(text.contains("eady to accept connections"), "{text}");
}

/// `1234:M 01 Jan 2024 10:20:30.456 * Text`
fn is_log_line(line: &str) -> bool {
    // Redis: what a signal handler logs carries seconds only.
    if line.contains(":signal-handler (") {
        return true;
    }
    let mut words = line.splitn(7, ' ');
    let mut next = || words.next().unwrap_or("");
    let (who, day, month, year, time, level) = (next(), next(), next(), next(), next(), next());
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((pid, role)) = who.split_once(':') else {
        return false;
    };
    let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let clock: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    digits(pid)
        && ["M", "S", "C", "X"].contains(&role)
        && day.len() == 2
        && digits(day)
        && month.len() == 3
        && months.contains(month)
        && year.len() == 4
        && clock == "00:00:00.000"
        && [".", "-", "*", "#"].contains(&level)
}

#[test]
fn unix_socket_has_its_permissions() {
    let folder = Folder::create();
    let path = folder.path().join("server.sock");
    let path = path.to_string_lossy().into_owned();
    let setup = Setup::ringshard(2)
        .arg("unixsocket", &path)
        .arg("unixsocketperm", "700");
    let mut server = setup.start();
    let mode = fs::metadata(&path).expect("a socket").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{mode:o}");
    let mut clients: Vec<Client> = (0..8)
        .map(|_| Client::connect_unix(&path).expect("it listens"))
        .collect();
    for (i, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.call(&format!("SET key:{i} {i}")).text(), "OK");
    }
    assert_eq!(clients[0].call("DBSIZE").integer(), 8);
    assert!(clients[0].call("CLIENT INFO").text().contains(" flags=U "));
    server.signal(libc::SIGTERM);
    server.wait_for_exit();
    assert!(
        !Path::new(&path).exists(),
        "the socket goes with the server"
    );
}

/// Runs a server that must not come up; returns what it said.
fn refuses_to_start(setup: &Setup, port: u16) -> String {
    let folder = Folder::create();
    let status = setup
        .command(folder.path(), port)
        .status()
        .expect("the binary runs");
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert_eq!(status.code(), Some(1), "{log}");
    log
}

#[test]
fn taken_port_is_a_clear_error() {
    let server = Server::ringshard(2);
    let log = refuses_to_start(&Setup::ringshard(2), server.port());
    assert!(
        log.contains(&server.port().to_string()),
        "names the port:\n{log}"
    );
    assert!(log.contains("ddress already in use"), "{log}");
    assert_eq!(server.client().call("PING").text(), "PONG");
}

#[test]
fn port_taken_by_a_stranger_is_a_clear_error() {
    let port = free_port();
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let log = refuses_to_start(&Setup::ringshard(2), port);
    assert!(log.contains("ddress already in use"), "{log}");
}

#[test]
fn wrong_directives_are_clear_errors() {
    let log = refuses_to_start(&Setup::ringshard(1).arg("nosuch", "1"), free_port());
    assert!(log.contains("nosuch"), "{log}");
    assert!(
        log.contains("Bad directive or wrong number of arguments"),
        "{log}"
    );
    let log = refuses_to_start(&Setup::ringshard(1).arg("maxmemory", "lots"), free_port());
    assert!(
        log.contains("maxmemory") && log.contains("argument must be a memory value"),
        "{log}"
    );
    let log = refuses_to_start(
        &Setup::ringshard(1).arg("dir", "/nosuch/folder"),
        free_port(),
    );
    assert!(
        log.contains("/nosuch/folder") || log.contains("No such file"),
        "{log}"
    );
}

#[test]
fn configuration_file_comes_before_arguments() {
    let folder = Folder::create();
    let file = folder.path().join("redis.conf");
    fs::write(&file, "# A comment.\ntimeout 17\nhz 20\nmaxmemory 10mb\n").expect("a file");
    let setup = Setup::ringshard(1).file(&file).arg("hz", "30");
    let server = setup.start();
    let mut client = server.client();
    assert_eq!(client.call("CONFIG GET timeout").items()[1].text(), "17");
    assert_eq!(client.call("CONFIG GET hz").items()[1].text(), "30");
    assert_eq!(
        client.call("CONFIG GET maxmemory").items()[1].text(),
        "10485760"
    );
    assert_eq!(client.call("CONFIG SET timeout 18").text(), "OK");
    assert_eq!(client.call("CONFIG REWRITE").text(), "OK");
    let text = fs::read_to_string(&file).expect("the rewritten file");
    assert!(
        text.contains("timeout 18") && text.contains("# A comment."),
        "{text}"
    );
}

#[test]
fn info_names_the_process() {
    let server = Server::ringshard(2);
    let info = server.client().call("INFO server").text();
    let field = |name: &str| {
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in\n{info}"))
            .to_owned()
    };
    assert_eq!(field("process_id"), server.pid().to_string());
    assert_eq!(field("tcp_port"), server.port().to_string());
    assert_eq!(field("redis_mode"), "standalone");
    assert_eq!(field("run_id").len(), 40);
}
