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
    let name = command[0].to_ascii_uppercase();
    let moody: [&[u8]; 6] = [
        b"KEYS",
        b"SCAN",
        b"RANDOMKEY",
        b"HELLO",
        b"COMMAND",
        b"CLIENT",
    ];
    !moody.contains(&name.as_slice())
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
            while generator.is_in_multi() {
                commands.push(generator.step());
            }
            commands.retain(is_fixed);
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
