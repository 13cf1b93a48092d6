//! A pair of nodes behind one address, under the real keepalived with the files of conf/keepalived.
//!
//! ```text
//!   namespace a: server, keepalived --- veth --- namespace b: server, keepalived
//! ```
//!
//! A node that has never had all data does not get the address; the one that begins does, and the
//! other follows it. When its server dies the address and the role go to the other one, and when it
//! is back it is a replica and has what was written meanwhile. Skipped by name where there is no
//! keepalived, or namespaces may not be made.

use crate::pair::prompt;
use crate::support::Setup;
use crate::support::server::{Folder, signal_process};
use crate::support::wait::holds_within;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const CONF: &str = include_str!("../../conf/keepalived/keepalived.conf");
const SCRIPT: &str = include_str!("../../conf/keepalived/node.sh");
const PATIENCE: Duration = Duration::from_secs(40);
const PORT: u16 = 6379;
const SHARED: &str = "10.77.0.10";
const ADDRESSES: [&str; 2] = ["10.77.0.11", "10.77.0.12"];

/// Runs a command to its end; its output if it succeeded.
fn run(words: &str) -> Option<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let output = Command::new(words[0]).args(&words[1..]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.trim().to_owned())
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = holds_within(PATIENCE, &mut condition);
    assert!(holds, "waited in vain: {what}");
}

/// Two namespaces, joined by a cable.
struct Net([String; 2]);

impl Net {
    fn create() -> Option<Net> {
        let pid = std::process::id();
        let net = Net(["a", "b"].map(|end| format!("rs{pid}{end}")));
        for name in &net.0 {
            run(&format!("ip netns add {name}"))?;
        }
        let [a, b] = &net.0;
        run(&format!(
            "ip link add eth0 netns {a} type veth peer name eth0 netns {b}"
        ))?;
        for (name, address) in net.0.iter().zip(ADDRESSES) {
            run(&format!("ip -n {name} addr add {address}/24 dev eth0"))?;
            run(&format!("ip -n {name} link set lo up"))?;
            run(&format!("ip -n {name} link set eth0 up"))?;
        }
        Some(net)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.0 {
            run(&format!("ip netns del {name}"));
        }
    }
}

/// A server and its keepalived.
struct Host {
    name: String,
    folder: Folder,
    server: Option<Child>,
    keepalived: Option<Child>,
}

impl Host {
    /// The host of this number; the first one may begin.
    fn new(net: &Net, number: usize) -> Host {
        let folder = Folder::create();
        let path = folder.path().display().to_string();
        let peer = ADDRESSES[1 - number];
        let conf = CONF
            .replace("script_user ringshard", "script_user root")
            // A temporary folder is in everybody's reach.
            .replace("    enable_script_security\n", "")
            .replace("interval 3", "interval 1")
            .replace("/etc/ringshard/keepalived", &path)
            .replace("192.0.2.12", peer)
            .replace("192.0.2.10", SHARED)
            .replace("priority 100", &format!("priority {}", 100 - 10 * number));
        let begins = if number == 0 { "yes" } else { "no" };
        let env = format!("PEER={peer}\nADDRESS={SHARED}\nSTATE={path}/state\nBEGINS={begins}\n");
        let write = |name: &str, text: &str, mode: u32| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("keepalived.conf", &conf, 0o644);
        write("node.env", &env, 0o644);
        write("node.sh", SCRIPT, 0o755);
        Host {
            name: net.0[number].clone(),
            folder,
            server: None,
            keepalived: None,
        }
    }

    fn inside(&self, log: &str) -> Command {
        let log = fs::File::create(self.folder.path().join(log)).unwrap();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log);
        command
    }

    fn start_server(&mut self) {
        let setup = prompt(Setup::ringshard(2))
            .arg("bind", "0.0.0.0")
            .arg("protected-mode", "no");
        let own = setup.command(self.folder.path(), PORT);
        let mut command = self.inside("server.log");
        command.arg(own.get_program()).args(own.get_args());
        self.server = Some(command.spawn().unwrap());
        wait_for("the server answers", || {
            self.ask("127.0.0.1", "PING") == "PONG"
        });
    }

    fn start_keepalived(&mut self) {
        let mut command = self.inside("keepalived.log");
        command.args(["keepalived", "-n", "-l", "-D", "-f", "keepalived.conf"]);
        for (option, file) in [("-p", "pid"), ("-r", "vrrp.pid"), ("-c", "checkers.pid")] {
            command.arg(option).arg(self.folder.path().join(file));
        }
        self.keepalived = Some(command.spawn().unwrap());
    }

    fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// What a server answers when it is asked from here.
    fn ask(&self, host: &str, words: &str) -> String {
        let name = &self.name;
        run(&format!(
            "ip netns exec {name} timeout 2 redis-cli -h {host} {words}"
        ))
        .unwrap_or_default()
    }

    fn field(&self, name: &str) -> String {
        let info = self.ask("127.0.0.1", "INFO");
        let prefix = format!("{name}:");
        let line = info.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().trim().to_owned()
    }

    fn has_address(&self) -> bool {
        let shown = run(&format!("ip -n {} addr show dev eth0", self.name));
        shown.unwrap_or_default().contains(&format!("{SHARED}/"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("keepalived.log")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut keepalived) = self.keepalived.take() {
            signal_process(keepalived.id() as i32, libc::SIGTERM);
            let _ = keepalived.wait();
        }
        self.kill_server();
        if std::thread::panicking() {
            eprintln!("--- keepalived of {} ---\n{}", self.name, self.log());
        }
    }
}

/// One host has the address and is the master, the other one follows it.
fn wait_for_roles(leader: &Host, other: &Host) {
    wait_for("one has the address and leads", || {
        leader.has_address() && leader.field("role") == "master"
    });
    wait_for("the other one follows", || {
        !other.has_address() && other.field("master_link_status") == "up"
    });
    wait_for("the other one is fit", || {
        let log = other.log();
        let mut states = log.lines().filter(|line| line.contains("Entering "));
        states
            .next_back()
            .is_some_and(|line| line.contains("BACKUP STATE"))
    });
}

#[test]
fn an_address_goes_where_the_data_are() {
    let is_there = run("keepalived --version").is_some() || run("which keepalived").is_some();
    if !is_there || run("which redis-cli").is_none() {
        return eprintln!("SKIPPED: keepalived or redis-cli is not installed");
    }
    let Some(net) = Net::create() else {
        return eprintln!("SKIPPED: network namespaces are not permitted");
    };
    let (mut a, mut b) = (Host::new(&net, 0), Host::new(&net, 1));
    b.start_server();
    b.start_keepalived();
    // It looks at once whether it is fit.
    wait_for("an empty node is not fit", || b.log().contains("FAULT"));
    assert!(!b.has_address());
    a.start_server();
    a.start_keepalived();
    wait_for_roles(&a, &b);
    assert_eq!(b.ask(SHARED, "SET key one"), "OK");
    wait_for("the other one has it", || {
        b.ask("127.0.0.1", "GET key") == "one"
    });
    assert!(b.ask("127.0.0.1", "SET key two").starts_with("READONLY"));
    a.kill_server();
    wait_for("the address moves", || {
        b.has_address() && !a.has_address() && b.field("role") == "master"
    });
    assert_eq!(a.ask(SHARED, "GET key"), "one");
    assert_eq!(a.ask(SHARED, "SET key two"), "OK");
    a.start_server();
    wait_for_roles(&b, &a);
    wait_for("it has what was written", || {
        a.ask("127.0.0.1", "GET key") == "two"
    });
    // And back.
    b.kill_server();
    wait_for("the address moves back", || {
        a.has_address() && a.field("role") == "master"
    });
    assert_eq!(b.ask(SHARED, "GET key"), "two");
}
