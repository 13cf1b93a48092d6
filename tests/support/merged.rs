//! What a node in one thread has changed, as the one stream that its shards' journals merge into.
//!
//! It takes the place of a log or a replica in tests: drain it after a step, replay what it has.

use ringshard::command::{ArgStore, Args};
use ringshard::commands::local::LocalNode;
use ringshard::keyspace::ShardId;
use ringshard::persistence::merge::{Merge, Stream};
use ringshard::resp::{Limits, Parsed, parse};

pub struct Merged {
    merge: Merge,
    stream: Stream,
    deliveries: u64,
}

impl Merged {
    /// Lets all shards of a node keep their effects from now on.
    pub fn of(node: &mut LocalNode) -> Merged {
        for core in &mut node.cores {
            core.shard.record(true);
        }
        Merged {
            merge: Merge::new(node.cores.len()),
            stream: Stream::default(),
            deliveries: 0,
        }
    }

    /// Takes what a shard has said so far.
    pub fn drain(&mut self, node: &mut LocalNode, shard: usize) {
        let journal = node.cores[shard].shard.effects.take_journal();
        let id = ShardId(shard as u16);
        self.deliveries += 1;
        self.merge
            .push(id, self.deliveries, &journal, &mut self.stream);
    }

    /// Takes what all shards have said; as nothing is on its way, nothing may wait.
    pub fn drain_all(&mut self, node: &mut LocalNode) {
        for shard in 0..node.cores.len() {
            self.drain(node, shard);
        }
        assert_eq!(self.merge.oldest(), None, "something waits for ever");
    }

    /// The stream since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.stream.bytes);
        self.stream.clear();
        bytes
    }
}

/// The requests in a stream.
pub fn requests(bytes: &[u8]) -> Vec<ArgStore> {
    let limits = Limits {
        bulk_max: u64::MAX,
        is_trusted: true,
    };
    let (mut at, mut spans, mut all) = (0, Vec::new(), Vec::new());
    while at < bytes.len() {
        spans.clear();
        let Parsed::Request(next) = parse(bytes, at, &mut spans, limits) else {
            panic!("a stream consists of requests");
        };
        all.push(ArgStore::of(Args::new(bytes, &spans, &[])));
        at = next;
    }
    all
}
