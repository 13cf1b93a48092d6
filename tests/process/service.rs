//! What starts and stops the server on a machine: units for systemd, a script for init.
//!
//! The units are read by systemd's own checker, with the binary under test in the place of the
//! installed one; the script goes through its life. What needs a tool that is not there is skipped
//! by name.

use crate::support::server::{Folder, binary, free_port};
use crate::support::{Client, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 2] = ["ringshard.service", "ringshard-sentinel.service"];

fn delivered(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("conf")
        .join(path)
}

#[test]
fn units_are_in_order() {
    let folder = Folder::create();
    for name in UNITS {
        let text = fs::read_to_string(delivered("systemd").join(name)).unwrap();
        let text = text
            .replace("/usr/local/bin/ringshard", &binary())
            .replace("/usr/bin/redis-sentinel", &binary());
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut checker = Command::new("systemd-analyze");
    checker
        .arg("verify")
        .args(UNITS.map(|name| folder.path().join(name)));
    let Ok(checked) = checker.output() else {
        return eprintln!("SKIPPED: systemd-analyze is not installed");
    };
    let said = String::from_utf8_lossy(&checked.stderr);
    let about_ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("ringshard"))
        .collect();
    assert!(checked.status.success() && about_ours.is_empty(), "{said}");
}

/// What the script says to one word, and its exit code.
fn script(conf: &Path, word: &str) -> (String, Option<i32>) {
    let said = Command::new(delivered("init.d/ringshard"))
        .arg(word)
        .env("CONF", conf)
        .env("EXEC", binary())
        .output()
        .expect("a shell");
    (
        String::from_utf8_lossy(&said.stdout).into_owned(),
        said.status.code(),
    )
}

#[test]
fn the_script_starts_and_stops() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        return eprintln!("SKIPPED: redis-cli is not installed");
    }
    let (folder, port) = (Folder::create(), free_port());
    let (conf, dir) = (folder.path().join("redis.conf"), folder.path().display());
    let text = format!(
        "daemonize yes\npidfile \"{dir}/pid\"\nport {port}\nbind 127.0.0.1\ndir \"{dir}\"\n\
         logfile \"{dir}/log\"\nrequirepass \"secret\"\nsave 3600 1\nshards 2\n"
    );
    fs::write(&conf, text).unwrap();
    assert_eq!(script(&conf, "status").1, Some(3));
    for _ in 0..2 {
        assert_eq!(
            script(&conf, "start"),
            ("ringshard started\n".into(), Some(0))
        );
        let (said, code) = script(&conf, "status");
        assert!(
            said.starts_with("ringshard is running (") && code == Some(0),
            "{said}"
        );
        let mut client = Client::connect(port);
        assert_eq!(client.call("AUTH secret").text(), "OK");
        client.call("INCR starts");
        assert_eq!(
            script(&conf, "stop"),
            ("ringshard stopped\n".into(), Some(0))
        );
    }
    script(&conf, "restart");
    let mut client = Client::connect(port);
    client.call("AUTH secret");
    assert_eq!(client.call("GET starts").text(), "2");
    script(&conf, "stop");
    wait_until("nobody serves", || Client::try_connect(port).is_err());
    assert_eq!(script(&conf, "sing").1, Some(2));
}
