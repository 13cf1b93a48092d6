//! systemd: `supervised systemd` says READY=1 on NOTIFY_SOCKET, and only when the server serves.
//!
//! The test plays systemd with a datagram socket of its own. `supervised auto` finds the same from
//! the environment.

use crate::support::server::Folder;
use crate::support::{Client, Setup};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

fn notifies(supervised: &str) {
    let folder = Folder::create();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket for notifications");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let setup = Setup::ringshard(2).arg("supervised", supervised);
    let server = setup.env("NOTIFY_SOCKET", &path.to_string_lossy()).start();
    let mut said = String::new();
    while !said.contains("READY=1") {
        let mut buffer = [0; 4096];
        let len = socket
            .recv(&mut buffer)
            .expect("READY=1 within ten seconds");
        said.push_str(&String::from_utf8_lossy(&buffer[..len]));
    }
    assert_eq!(Client::connect(server.port()).call("PING").text(), "PONG");
}

#[test]
fn ready_is_said_when_supervised_by_systemd() {
    notifies("systemd");
}

#[test]
fn systemd_is_recognised() {
    notifies("auto");
}
