//! Routing: from a request's name and key to its row, slot, hash and shard.
//!
//! What every command pays before its lookup; checked by where the keys came out.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ringshard::command::Args;
use ringshard::commands::table;
use ringshard::keyspace::{Key, SlotMap};
use ringshard::resp::{Limits, Parsed, parse};
use ringshard::router::{Route, route};

const KEYS: usize = 1000;

fn main() {
    divan::main();
}

fn keys(prefix: &str) -> Vec<String> {
    (0..KEYS).map(|key| format!("{prefix}{key:012}")).collect()
}

#[divan::bench(args = ["key:", "{user:1000}.", "a:rather:long:prefix:of:some:application:"])]
fn slot_and_hash(bencher: Bencher, prefix: &str) {
    let keys = keys(prefix);
    let expected: u64 = keys
        .iter()
        .map(|key| u64::from(Key::new(key.as_bytes()).slot.0))
        .sum();
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| {
        let slots = keys.iter().map(|key| {
            let key = Key::new(black_box(key.as_bytes()));
            black_box(key.hash);
            u64::from(key.slot.0)
        });
        assert_eq!(slots.sum::<u64>(), expected);
    });
}

#[divan::bench(args = ["get", "SET", "incrbyfloat", "nosuch"])]
fn find_row(bencher: Bencher, name: &str) {
    let is_known = name != "nosuch";
    bencher.bench_local(|| {
        let found = table().find(black_box(name.as_bytes()));
        assert_eq!(found.is_some(), is_known);
    });
}

#[divan::bench]
fn whole_way(bencher: Bencher) {
    let requests: Vec<u8> = keys("key:")
        .iter()
        .flat_map(|key| format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes())
        .collect();
    let map = SlotMap::new(2);
    let limits = Limits {
        bulk_max: 1 << 20,
        is_trusted: true,
    };
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| {
        let (mut at, mut spans, mut here) = (0, Vec::new(), 0);
        while let Parsed::Request(next) = parse(black_box(&requests), at, &mut spans, limits) {
            let args = Args::new(&requests, &spans, &[]);
            let command = table().find(args.get(0)).expect("GET is in the table");
            match route(map, &command.spec, args) {
                Route::One(shard, _) => here += usize::from(shard.0 == 0),
                other => panic!("one key is on one shard, not {other:?}"),
            }
            spans.clear();
            at = next;
        }
        assert!((KEYS / 3..KEYS * 2 / 3).contains(&here));
    });
}
