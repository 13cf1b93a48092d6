//! How long one SET of a new key may take on account of growth: five million keys into one shard.
//!
//! Every insertion is timed by itself; among them are all splits of segments, all growing tables
//! and all doublings of the directory. Then the same keys are set again, where nothing grows: what
//! is slow there is the machine's doing. Not an average but a worst case, so it needs no framework;
//! `cargo bench --bench growth -- 1000000` takes another number of keys.

use ringshard::base::alloc::Jemalloc;
use ringshard::base::clock;
use ringshard::base::prng::Prng;
use ringshard::keyspace::{DbIndex, Expiry, Key, Keyspace, SLOTS};

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const KEYS: u64 = 5_000_000;

fn main() {
    let keys = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(KEYS);
    let mut space = Keyspace::new(0..SLOTS, 1, Prng::from_seed(1));
    println!("{keys} keys of 16 bytes, values of 32 bytes; time of each SET");
    println!(
        "| round              |  median |   99.9 % | 99.999 % |    worst | > 100 us | > 1 ms |"
    );
    println!(
        "|--------------------|---------|----------|----------|----------|----------|--------|"
    );
    for round in ["new keys", "the same keys again"] {
        let mut nanos: Vec<u32> = (0..keys).map(|number| set(&mut space, number)).collect();
        nanos.sort_unstable();
        let part = |share: f64| f64::from(nanos[(share * (keys - 1) as f64) as usize]) / 1000.0;
        let over = |limit: u32| nanos.len() - nanos.partition_point(|nanos| *nanos <= limit);
        println!(
            "| {round:18.18} | {:4.1} us | {:5.1} us | {:5.0} us | {:5.0} us | {:8} | {:6} |",
            part(0.5),
            part(0.999),
            part(0.99999),
            part(1.0),
            over(100_000),
            over(1_000_000),
        );
    }
    assert_eq!(space.db(DbIndex(0)).len() as u64, keys);
}

fn set(space: &mut Keyspace, number: u64) -> u32 {
    let name = format!("key:{number:012}");
    let key = Key::new(name.as_bytes());
    let start = clock::cycles();
    let mut door = space.door(DbIndex(0));
    door.set_bytes(&key, &[b'x'; 32], Expiry::Clear);
    clock::nanos_between(start, clock::cycles()) as u32
}
