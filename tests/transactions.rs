//! Transactions on one shard and on several, in one thread: random commands with MULTI and WATCH
//! among them are all answered, alike on any number of shards, and leave nothing locked behind.
//!
//! Beside that, what dialogues cannot say: how many messages a transaction costs, what its effects
//! say, clients that go in the middle, clocks that stand apart. `EXEC_SEED=` repeats a run.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "differential/generate.rs"]
mod generate;
mod support;

use generate::{Command, Generator};
use ringshard::commands::local::{LocalClient, LocalNode};
use support::Reply;
use support::prng::seed_from;

fn replies(mut bytes: Vec<u8>) -> Vec<Reply> {
    let mut all = Vec::new();
    while let Some((reply, taken)) = Reply::parse(&bytes) {
        bytes.drain(..taken);
        all.push(reply);
    }
    all
}

fn run_all(node: &mut LocalNode, client: LocalClient, commands: &[Command]) -> Vec<Reply> {
    let mut packet = Vec::new();
    for command in commands {
        support::client::encode(command, &mut packet);
    }
    replies(node.talk(client, &packet))
}

/// Whether every shard says the same: not what walks tables or draws, nor what tells the node.
fn is_fixed(command: &Command) -> bool {
    use ringshard::command::Group;
    let name = command[0].to_ascii_uppercase();
    // A list that comes back from another shard may have found a smaller form there.
    let moody: [&[u8]; 4] = [b"KEYS", b"SCAN", b"RANDOMKEY", b"OBJECT"];
    // Not DBSIZE: it counts what has expired, as long as it is there, and pinned keys stay longer.
    let of_data: [&[u8]; 3] = [b"FLUSHALL", b"FLUSHDB", b"SWAPDB"];
    let group = ringshard::commands::table()
        .find(&name)
        .map(|it| it.spec.group);
    let fixed = [
        Group::String,
        Group::Bitmap,
        Group::List,
        Group::Generic,
        Group::Transactions,
    ];
    let is_select = name == b"SELECT" || name == b"PING";
    let is_fixed = group.is_none_or(|group| fixed.contains(&group))
        || is_select
        || of_data.contains(&name.as_slice());
    is_fixed && !moody.contains(&name.as_slice())
}

/// Leaves out commands that would wait for an element: in a transaction none does.
fn leave_out_waiting(commands: &mut Vec<Command>) {
    use ringshard::command::Flags;
    let mut is_in_multi = false;
    commands.retain(|command| {
        let name = command[0].to_ascii_uppercase();
        match name.as_slice() {
            b"MULTI" => is_in_multi = true,
            b"EXEC" | b"DISCARD" => is_in_multi = false,
            _ => {}
        }
        let row = ringshard::commands::table().find(&name);
        is_in_multi || row.is_none_or(|row| !row.spec.flags.has(Flags::BLOCKING))
    });
}

fn assert_clean(node: &LocalNode) {
    for core in &node.cores {
        assert!(core.shard.locks.is_empty(), "something is locked");
        assert!(core.execs.is_empty(), "a transaction has not ended");
        assert!(
            core.shard.space.common.pins.is_empty(),
            "something is pinned"
        );
    }
}

#[test]
fn any_number_of_shards_answers_alike() {
    let seed = seed_from("EXEC_SEED");
    for seed in seed..seed + 60 {
        let mut generator = Generator::new(seed);
        let mut nodes: Vec<LocalNode> = [1, 2, 7].map(|n| LocalNode::new(n, seed)).into();
        let clients: Vec<LocalClient> = nodes.iter_mut().map(|node| node.connect(0)).collect();
        for _ in 0..10 {
            let mut commands: Vec<Command> = (0..60).map(|_| generator.step()).collect();
            while generator.is_in_the_middle() {
                commands.push(generator.step());
            }
            commands.retain(is_fixed);
            leave_out_waiting(&mut commands);
            let mut expected: Vec<Reply> = Vec::new();
            for (node, client) in nodes.iter_mut().zip(&clients) {
                let got = run_all(node, *client, &commands);
                assert_eq!(got.len(), commands.len(), "EXEC_SEED={seed}: no reply");
                assert_clean(node);
                if expected.is_empty() {
                    expected = got;
                    continue;
                }
                for ((ours, theirs), command) in got.iter().zip(&expected).zip(&commands) {
                    let text = String::from_utf8_lossy(&command.join(&b' ')).into_owned();
                    let shards = node.cores.len();
                    assert_eq!(ours, theirs, "EXEC_SEED={seed}, {shards} shards: {text}");
                }
            }
        }
    }
}

fn say(node: &mut LocalNode, client: LocalClient, line: &str) -> String {
    let reply = node.talk(client, format!("{line}\r\n").as_bytes());
    String::from_utf8(reply).unwrap()
}

/// A key on each shard of a node.
fn key_on(node: &LocalNode, shard: usize) -> String {
    let owner = |key: &String| {
        let key = ringshard::keyspace::Key::new(key.as_bytes());
        node.node.map.shard(key.slot).0 as usize
    };
    let mut keys = (0..).map(|n| format!("k{n}"));
    keys.find(|key| owner(key) == shard).unwrap()
}

/// How many parcels arrive until a client has its replies.
fn parcels(node: &mut LocalNode, client: LocalClient, lines: &str) -> usize {
    node.run();
    node.send(client, lines.replace('\n', "\r\n").as_bytes());
    let mut count = 0;
    while node.step() {
        count += 1;
    }
    assert!(!node.receive(client).is_empty());
    count
}

#[test]
fn keys_on_one_shard_cost_no_more_than_one_command() {
    let mut node = LocalNode::new(3, 1);
    let client = node.connect(0);
    let (here, there) = (key_on(&node, 0), key_on(&node, 1));
    let tickets = |node: &LocalNode| {
        node.node
            .numbers
            .tickets
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let before = tickets(&node);
    let body = |key: &str| format!("MULTI\nSET {key} 1\nINCR {key}\nGET {key}\nEXEC\n");
    assert_eq!(parcels(&mut node, client, &body(&here)), 0);
    assert_eq!(parcels(&mut node, client, &format!("GET {there}\n")), 2);
    assert_eq!(parcels(&mut node, client, &body(&there)), 2);
    let watching = format!("WATCH {here}\n{}", body(&here));
    assert_eq!(parcels(&mut node, client, &watching), 0);
    assert_eq!(tickets(&node), before, "no ticket is drawn");
    // Two shards, this one among them: one round.
    let both = format!("MULTI\nSET {here} 1\nSET {there} 2\nMGET {here} {there}\nEXEC\n");
    assert_eq!(parcels(&mut node, client, &both), 2);
    assert_eq!(tickets(&node), before + 1);
}

#[test]
fn effects_of_one_exec_are_one_unit() {
    let mut node = LocalNode::new(3, 1);
    for core in &mut node.cores {
        core.shard.record(true);
    }
    let client = node.connect(0);
    let keys: Vec<String> = (0..3).map(|shard| key_on(&node, shard)).collect();
    let units = |node: &mut LocalNode, shard: usize| {
        let journal = node.cores[shard].shard.effects.take_journal();
        let units = journal.units.iter();
        units.map(|it| (it.point, it.records)).collect::<Vec<_>>()
    };
    say(&mut node, client, &format!("SET {} 1", keys[0]));
    assert_eq!(units(&mut node, 0), [(None, 1)]);
    for shard in [0, 1] {
        let key = &keys[shard];
        let exec = format!("MULTI\r\nSET {key} 1\r\nINCR {key}\r\nEXEC");
        for _ in 0..2 {
            say(&mut node, client, &exec);
        }
        assert_eq!(units(&mut node, shard), [(None, 2), (None, 2)]);
    }
    let sets: String = keys.iter().map(|key| format!("SET {key} 2\r\n")).collect();
    say(&mut node, client, &format!("MULTI\r\n{sets}EXEC"));
    let all: Vec<_> = (0..3).flat_map(|shard| units(&mut node, shard)).collect();
    assert_eq!(all[0].0.map(|point| point.parts), Some(3));
    assert_eq!(all, [(all[0].0, 1); 3]);
}

#[test]
fn a_watched_key_that_expires_before_exec_breaks_it_wherever_it_is() {
    for shards in [1, 2, 7] {
        for other in ["b", "c", "d", "e"] {
            let mut node = LocalNode::new(shards, 5);
            let client = node.connect(0);
            say(&mut node, client, "SET a 1 PX 100");
            say(&mut node, client, "WATCH a");
            node.clock.advance_millis(50);
            let exec = format!("MULTI\r\nSET {other} 1\r\nEXEC");
            let reply = say(&mut node, client, &exec);
            assert!(reply.ends_with("*1\r\n+OK\r\n"), "{reply}");
            say(&mut node, client, "WATCH a");
            node.clock.advance_millis(51);
            let reply = say(&mut node, client, &exec);
            assert!(reply.ends_with("*-1\r\n"), "{shards} shards: {reply}");
            say(&mut node, client, "WATCH a");
            let reply = say(&mut node, client, &exec);
            assert!(reply.ends_with("*1\r\n+OK\r\n"), "{reply}");
        }
    }
}

#[test]
fn clients_that_go_leave_nothing_behind() {
    for seed in 0..100 {
        let mut node = LocalNode::new(3, seed);
        let client = node.connect(0);
        let lines = "WATCH a b c d e f\r\nMULTI\r\nSET a 1\r\nCLIENT LIST\r\nRENAME b a\r\nEXEC\r\n\
                     WATCH a b c\r\n";
        say(&mut node, client, "MSET a 1 b 2");
        node.send(client, lines.as_bytes());
        for _ in 0..seed % 25 {
            node.step();
        }
        node.leave(client);
        node.run();
        let other = node.connect(1);
        say(&mut node, other, "MSET a 1 b 2 c 3");
        assert_clean(&node);
        for core in &node.cores {
            assert!(core.shard.space.common.watches.is_empty(), "seed {seed}");
        }
    }
}
