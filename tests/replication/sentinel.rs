//! Stock Sentinels watch over Ringshard: a master is killed, a replica takes its place, the others
//! follow it, and the old master comes back as a replica.
//!
//! The configuration is that of the tutorials: passwords on all nodes, files that are rewritten.
//! `REPLICATION_ROUNDS=` makes the master die more often.

use crate::support::server::{Folder, free_port, oracle_binary};
use crate::support::wait::holds_within;
use crate::support::{Client, Reply, Setup};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "secret";
/// Sentinel looks at a node that is back every ten seconds, and waits a little before it acts.
const PATIENCE: Duration = Duration::from_secs(60);

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
    child: Option<Child>,
}

impl Node {
    fn with_file(text: &str) -> Node {
        let (folder, port) = (Folder::create(), free_port());
        fs::write(folder.path().join("conf"), text).unwrap();
        Node {
            folder,
            port,
            child: None,
        }
    }

    /// A Ringshard that follows a master, if one is named.
    fn ringshard(master: Option<u16>) -> Node {
        let mut text = format!("requirepass {PASSWORD}\nmasterauth \"{PASSWORD}\"\n");
        text += "repl-diskless-sync-delay 0\nenable-debug-command yes\n# A comment stays.\n";
        if let Some(port) = master {
            text += &format!("replicaof 127.0.0.1 {port}\n");
        }
        let mut node = Node::with_file(&text);
        node.start();
        node
    }

    fn start(&mut self) {
        let file = self.folder.path().join("conf");
        let setup = Setup::ringshard(2).file(&file);
        let child = setup.command(self.folder.path(), self.port).spawn();
        self.child = Some(child.unwrap());
        let port = self.port;
        wait_for("the server answers", || Client::try_connect(port).is_ok());
    }

    fn sentinel(master: u16) -> Node {
        let folder_text = format!(
            "bind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master} 2\n\
             sentinel auth-pass mymaster {PASSWORD}\n\
             sentinel down-after-milliseconds mymaster 1000\n\
             sentinel parallel-syncs mymaster 1\nsentinel failover-timeout mymaster 15000\n"
        );
        let mut node = Node::with_file(&folder_text);
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

/// Kills the master of these nodes; returns who has taken its place, after how long.
fn fail_over(nodes: &mut [Node], sentinels: &[Node], old: u16) -> (u16, Duration) {
    let mut sentinel = Client::connect(sentinels[0].port);
    wait_for("Sentinel knows everybody", || {
        let info = sentinel.call("INFO sentinel").text();
        info.contains("status=ok") && info.contains("slaves=2,sentinels=3")
    });
    let begin = Instant::now();
    let dead = nodes.iter_mut().find(|node| node.port == old).unwrap();
    dead.kill();
    let mut took = None;
    wait_for("another master takes writes, and all agree on it", || {
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
    });
    (master_of(&mut sentinel), took.unwrap_or_default())
}

#[test]
fn sentinels_replace_a_master_that_died() {
    if oracle_binary().is_none() {
        return eprintln!("SKIPPED: redis-server is not installed");
    }
    let first = Node::ringshard(None);
    let mut master = first.port;
    let mut nodes = vec![first];
    nodes.extend((0..2).map(|_| Node::ringshard(Some(master))));
    wait_for_links(&nodes, master);
    let sentinels: Vec<Node> = (0..3).map(|_| Node::sentinel(master)).collect();
    let rounds = std::env::var("REPLICATION_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(1);
    for round in 0..rounds {
        let before = nodes.iter().find(|node| node.port == master).unwrap();
        before.ask(&format!("SET round {round}"));
        let expected = Reply::Bulk(round.to_string().into_bytes());
        wait_for("all have it", || {
            nodes.iter().all(|node| node.ask("GET round") == expected)
        });
        let (new, took) = fail_over(&mut nodes, &sentinels, master);
        println!("round {round}: a new master takes writes after {took:?}");
        let old = std::mem::replace(&mut master, new);
        let alive: Vec<&Node> = nodes.iter().filter(|node| node.port != old).collect();
        let survivor = alive.iter().find(|node| node.port != master).unwrap();
        let promoted = alive.iter().find(|node| node.port == master).unwrap();
        wait_for("the survivor follows the new master", || {
            survivor.follows(master)
        });
        assert_eq!(promoted.ask("GET round"), expected);
        assert_eq!(promoted.field("sync_full"), "0", "the history goes on");
        assert!(
            !promoted.conf().contains("replicaof"),
            "{}",
            promoted.conf()
        );
        let line = format!("replicaof 127.0.0.1 {master}");
        assert!(survivor.conf().contains(&line), "{}", survivor.conf());
        assert!(survivor.conf().contains("# A comment stays."));
        let back = nodes.iter_mut().find(|node| node.port == old).unwrap();
        back.start();
        wait_for_links(&nodes, master);
        let back = nodes.iter().find(|node| node.port == old).unwrap();
        assert!(back.ask("SET a 1").text().starts_with("READONLY"));
        assert_eq!(back.ask("GET after-failover").text(), "1");
        assert!(
            sentinels
                .iter()
                .any(|it| it.log().contains("+switch-master"))
        );
    }
}
