//! Stock Sentinels watch over Ringshard: a master is killed under load, a replica takes its place,
//! the others follow it, and the old master comes back as a replica.
//!
//! The configuration is conf/sentinel.conf with the addresses of the test; passwords on all nodes,
//! files that are rewritten. `SENTINEL_ROUNDS=20` makes the master die more often, and the same
//! happen to stock servers, whose median is printed beside ours.

use crate::load::Load;
use crate::pair::rounds;
use crate::support::server::{Folder, free_port, oracle_binary};
use crate::support::wait::holds_within;
use crate::support::{Client, Reply, Setup};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "secret";
const CONF: &str = include_str!("../../conf/sentinel.conf");
/// Of Sentinel, in milliseconds.
const DOWN_AFTER_MS: u64 = 2000;
/// A new master has to take writes so much later at the latest.
const TAKEOVER: Duration = Duration::from_secs(3);
/// What the Sentinel that leads a failover says, in order.
const EVENTS: &[&str] = &[
    "+sdown master",
    "+odown master",
    "+new-epoch",
    "+try-failover master",
    "+vote-for-leader",
    "+elected-leader master",
    "+failover-state-select-slave master",
    "+selected-slave slave",
    "+failover-state-send-slaveof-noone slave",
    "+failover-state-wait-promotion slave",
    "+promoted-slave slave",
    "+failover-state-reconf-slaves master",
    "+slave-reconf-sent slave",
    "+slave-reconf-inprog slave",
    "+slave-reconf-done slave",
    "+failover-end master",
    "+switch-master mymaster",
    "+slave slave",
];
/// Sentinel looks at a node that is back every ten seconds, and waits a little before it acts.
const PATIENCE: Duration = Duration::from_secs(60);
/// A Sentinel whose machine has stood still for two seconds distrusts what it has seen and does
/// nothing for thirty (TILT mode). A round in which one did is told, and does not count; more than
/// so many are no coincidence.
const TILTS_MAX: usize = 3;

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    assert!(
        holds_within(PATIENCE, &mut condition),
        "waited in vain: {what}"
    );
}

/// A process with a folder and a port, which can die and come back.
struct Node {
    folder: Folder,
    port: u16,
    setup: Setup,
    child: Option<Child>,
}

impl Node {
    fn with_file(text: &str) -> Node {
        let (folder, port) = (Folder::create(), free_port());
        fs::write(folder.path().join("conf"), text).unwrap();
        Node {
            folder,
            port,
            setup: Setup::default(),
            child: None,
        }
    }

    /// A server that follows a master, if one is named.
    fn server(setup: &Setup, master: Option<u16>) -> Node {
        let mut text = format!("requirepass {PASSWORD}\nmasterauth \"{PASSWORD}\"\n");
        text += "repl-diskless-sync-delay 0\nenable-debug-command yes\n# A comment stays.\n";
        if let Some(port) = master {
            text += &format!("replicaof 127.0.0.1 {port}\n");
        }
        let mut node = Node::with_file(&text);
        node.setup = setup.clone();
        node.start();
        node
    }

    fn start(&mut self) {
        let file = self.folder.path().join("conf");
        let setup = self.setup.clone().file(&file);
        let child = setup.command(self.folder.path(), self.port).spawn();
        self.child = Some(child.unwrap());
        let port = self.port;
        wait_for("the server answers", || Client::try_connect(port).is_ok());
    }

    /// With conf/sentinel.conf, for this test's addresses.
    fn sentinel(master: u16) -> Node {
        let mut text = CONF.to_owned();
        let down_after = format!("down-after-milliseconds mymaster {DOWN_AFTER_MS}");
        for (from, to) in [
            ("192.0.2.11 6379", &*format!("127.0.0.1 {master}")),
            ("\nport 26379", "\nbind 127.0.0.1"),
            ("dir /var/lib/ringshard-sentinel", "dir ."),
            (
                "#sentinel auth-pass mymaster \"change-me\"",
                &*format!("sentinel auth-pass mymaster {PASSWORD}"),
            ),
            ("down-after-milliseconds mymaster 5000", &*down_after),
        ] {
            assert!(text.contains(from), "conf/sentinel.conf says {from}");
            text = text.replace(from, to);
        }
        let mut node = Node::with_file(&text);
        let log = fs::File::create(node.folder.path().join("log")).unwrap();
        let child = Command::new(oracle_binary().expect("it was looked for"))
            .arg(node.folder.path().join("conf"))
            .args(["--sentinel", "--port", &node.port.to_string()])
            .current_dir(node.folder.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn();
        node.child = Some(child.unwrap());
        let port = node.port;
        wait_for("Sentinel answers", || Client::try_connect(port).is_ok());
        node
    }

    /// A connection of its own for each question: Sentinel closes all of a node that it
    /// reconfigures.
    fn ask(&self, words: &str) -> Reply {
        let asked = || {
            let mut client = Client::try_connect(self.port)?;
            client.try_call(&format!("AUTH {PASSWORD}"))?;
            client.try_call(words)
        };
        asked().unwrap_or(Reply::Null)
    }

    /// A field of INFO, empty when nobody answers.
    fn field(&self, name: &str) -> String {
        let info = self.ask("INFO");
        let text = if info.is_nil() {
            String::new()
        } else {
            info.text()
        };
        let prefix = format!("{name}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().to_owned()
    }

    fn follows(&self, master: u16) -> bool {
        self.field("master_port") == master.to_string() && self.field("master_link_status") == "up"
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn conf(&self) -> String {
        fs::read_to_string(self.folder.path().join("conf")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!(
                "--- log of the node on port {} ---\n{}",
                self.port,
                tail.join("\n")
            );
        }
    }
}

/// Whom a Sentinel calls the master.
fn master_of(sentinel: &mut Client) -> u16 {
    let reply = sentinel.call("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster");
    reply.items()[1].text().parse().unwrap()
}

fn wait_for_links(nodes: &[Node], master: u16) {
    for node in nodes.iter().filter(|node| node.port != master) {
        wait_for("a replica follows the master", || node.follows(master));
    }
}

/// How often Sentinels have gone into TILT mode.
fn tilts(sentinels: &[Node]) -> usize {
    let of = |node: &Node| node.log().matches("+tilt").count();
    sentinels.iter().map(of).sum()
}

/// Kills the master of these nodes; returns who has taken its place, after how long if the machine
/// did not stand still meanwhile.
fn fail_over(nodes: &mut [Node], sentinels: &[Node], old: u16) -> (u16, Option<Duration>) {
    let mut sentinel = Client::connect(sentinels[0].port);
    wait_for("Sentinel knows everybody", || {
        let info = sentinel.call("INFO sentinel").text();
        info.contains("status=ok") && info.contains("slaves=2,sentinels=3")
    });
    let (begin, tilts_before) = (Instant::now(), tilts(sentinels));
    let dead = nodes.iter_mut().find(|node| node.port == old).unwrap();
    dead.kill();
    let mut took = None;
    let mut is_over = || {
        let named: Vec<u16> = sentinels
            .iter()
            .map(|it| master_of(&mut Client::connect(it.port)))
            .collect();
        let new = named[0];
        let node = nodes.iter().find(|node| node.port == new).unwrap();
        let takes = new != old && node.ask("SET after-failover 1") == Reply::Simple(b"OK".to_vec());
        if takes {
            took.get_or_insert_with(|| begin.elapsed());
        }
        let all_agree = named.iter().all(|other| *other == new);
        let others = nodes.iter().filter(|node| ![old, new].contains(&node.port));
        takes && all_agree && others.clone().all(|node| node.follows(new))
    };
    let is_steady = || tilts(sentinels) == tilts_before;
    let agreed = holds_within(PATIENCE, &mut is_over)
        || (!is_steady() && holds_within(PATIENCE, &mut is_over));
    assert!(agreed, "no other master takes writes and is agreed on");
    (master_of(&mut sentinel), took.filter(|_| is_steady()))
}

/// Three nodes, the first one being the master, and three Sentinels.
struct Group {
    nodes: Vec<Node>,
    sentinels: Vec<Node>,
    master: u16,
}

impl Group {
    fn of(setup: &Setup) -> Group {
        let first = Node::server(setup, None);
        let master = first.port;
        let mut nodes = vec![first];
        nodes.extend((0..2).map(|_| Node::server(setup, Some(master))));
        wait_for_links(&nodes, master);
        let sentinels = (0..3).map(|_| Node::sentinel(master)).collect();
        Group {
            nodes,
            sentinels,
            master,
        }
    }

    fn node(&self, port: u16) -> &Node {
        self.nodes.iter().find(|node| node.port == port).unwrap()
    }

    /// Writes a value that every node has before anything happens.
    fn agree_on(&self, round: usize) -> Reply {
        self.node(self.master).ask(&format!("SET round {round}"));
        let expected = Reply::Bulk(round.to_string().into_bytes());
        wait_for("all have it", || {
            self.nodes
                .iter()
                .all(|node| node.ask("GET round") == expected)
        });
        expected
    }

    /// The master dies under load; returns how long nobody could write, if that can be said.
    fn master_dies(&mut self, round: usize) -> Option<Duration> {
        let expected = self.agree_on(round);
        let full = |node: &Node| (node.port, node.field("sync_full"));
        let before: Vec<_> = self.nodes.iter().map(full).collect();
        let load = Load::of(self.master, 2, Some(PASSWORD));
        wait_for("clients write", || load.writes() > 300);
        let (new, took) = fail_over(&mut self.nodes, &self.sentinels, self.master);
        drop(load);
        let old = std::mem::replace(&mut self.master, new);
        let alive = || self.nodes.iter().filter(|node| node.port != old);
        let survivor = alive().find(|node| node.port != new).unwrap();
        wait_for("the survivor follows the new master", || {
            survivor.follows(new)
        });
        let promoted = self.node(new);
        assert_eq!(promoted.ask("GET round"), expected);
        for node in alive() {
            assert!(before.contains(&full(node)), "nobody begins anew");
        }
        assert!(
            !promoted.conf().contains("replicaof"),
            "{}",
            promoted.conf()
        );
        let line = format!("replicaof 127.0.0.1 {new}");
        assert!(survivor.conf().contains(&line), "{}", survivor.conf());
        assert!(survivor.conf().contains("# A comment stays."));
        self.comes_back(old);
        took
    }

    /// The old master is a replica with all data.
    fn comes_back(&mut self, old: u16) {
        let back = self.nodes.iter_mut().find(|node| node.port == old).unwrap();
        back.start();
        wait_for_links(&self.nodes, self.master);
        let back = self.node(old);
        wait_for("it has caught up", || {
            back.ask("GET after-failover") == Reply::Bulk(b"1".to_vec())
        });
        assert!(back.ask("SET a 1").text().starts_with("READONLY"));
        assert_eq!(back.field("slave_priority"), "100");
    }

    /// Whether one Sentinel has led a failover through all its steps.
    fn has_said_all(&self) -> bool {
        self.sentinels.iter().any(|it| {
            let log = it.log();
            let mut rest = &*log;
            EVENTS.iter().all(|event| match rest.find(event) {
                Some(at) => {
                    rest = &rest[at..];
                    true
                }
                None => false,
            })
        })
    }
}

/// Masters die; returns the median of how long nobody could write.
fn masters_die(setup: &Setup, rounds: usize) -> Duration {
    let mut group = Group::of(setup);
    let (mut all, mut tilted) = (Vec::new(), 0);
    while all.len() < rounds {
        match group.master_dies(all.len() + tilted) {
            Some(took) => all.push(took),
            None => tilted += 1,
        }
        assert!(
            tilted <= TILTS_MAX,
            "Sentinels were in TILT mode {tilted} times"
        );
    }
    all.sort();
    if tilted > 0 {
        println!("{tilted} more rounds do not count: the machine stood still (+tilt)");
    }
    println!("{rounds} masters died; new ones took writes after {all:?}");
    let limit = Duration::from_millis(DOWN_AFTER_MS) + TAKEOVER;
    let median = all[all.len() / 2];
    assert!(median <= limit, "{median:?}");
    assert!(group.has_said_all(), "{}", group.sentinels[0].log());
    median
}

#[test]
fn sentinels_replace_a_master_that_died() {
    let Some(stock) = Setup::oracle() else {
        return eprintln!("SKIPPED: redis-server is not installed");
    };
    let rounds = rounds("SENTINEL_ROUNDS", 1);
    let ours = masters_die(&Setup::ringshard(2), rounds);
    if rounds > 1 {
        let theirs = masters_die(&stock, rounds);
        println!("median of {rounds}: Ringshard {ours:?}, redis-server {theirs:?}");
    }
}

#[test]
fn sentinels_change_the_master_by_hand() {
    if oracle_binary().is_none() {
        return eprintln!("SKIPPED: redis-server is not installed");
    }
    let mut group = Group::of(&Setup::ringshard(2));
    group.agree_on(0);
    let mut sentinel = Client::connect(group.sentinels[0].port);
    wait_for("Sentinel knows everybody", || {
        let info = sentinel.call("INFO sentinel").text();
        info.contains("status=ok") && info.contains("slaves=2,sentinels=3")
    });
    let old = group.master;
    wait_for("it begins", || {
        sentinel.call("SENTINEL FAILOVER mymaster").text() == "OK"
    });
    wait_for("another is the master", || {
        group.master = master_of(&mut sentinel);
        group.master != old && group.node(group.master).field("role") == "master"
    });
    wait_for_links(&group.nodes, group.master);
    group.agree_on(1);
    assert!(group.node(old).conf().contains("replicaof 127.0.0.1"));
}
