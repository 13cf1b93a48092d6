//! A hop: a pipeline of GETs whose keys live on the other core, there and back.
//!
//! Two cores' worlds in one thread, without sockets and without sleeping: what remains is the price
//! of a message. The same pipeline on one core is beside it; both check their replies.

use divan::Bencher;
use divan::counter::ItemsCount;
use ringshard::commands::local::{LocalClient, LocalNode};
use ringshard::keyspace::{ShardId, Slot, SlotMap};

const PIPELINE: usize = 64;

fn main() {
    divan::main();
}

/// Keys that live on this one of two shards.
fn keys_on(shard: u16) -> Vec<String> {
    let map = SlotMap::new(2);
    let keys = (0..).map(|key| format!("key:{key:012}"));
    keys.filter(|key| map.shard(Slot::of(key.as_bytes())) == ShardId(shard))
        .take(PIPELINE)
        .collect()
}

fn pipeline(command: &[&str], keys: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for key in keys {
        let words = [&command[..1], &[key.as_str()], &command[1..]].concat();
        bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
    }
    bytes
}

fn node(keys: &[String]) -> (LocalNode, LocalClient) {
    let mut node = LocalNode::new(2, 1);
    let client = node.connect(0);
    let stored = node.talk(client, &pipeline(&["SET", "value"], keys));
    assert_eq!(stored, b"+OK\r\n".repeat(PIPELINE));
    (node, client)
}

#[divan::bench(args = [0, 1])]
fn gets_by_hops(bencher: Bencher, hops: u16) {
    let keys = keys_on(hops);
    let (mut node, client) = node(&keys);
    let (request, expected) = (
        pipeline(&["GET"], &keys),
        b"$5\r\nvalue\r\n".repeat(PIPELINE),
    );
    bencher
        .counter(ItemsCount::new(PIPELINE))
        .bench_local(|| assert_eq!(node.talk(client, &request), expected));
}
