//! The table of records that every keyspace is made of: finding, missing, inserting.
//!
//! A server's keys are spread over many tables; so are they here, once as few as the caches hold
//! and once as many as they do not. Each benchmark checks what it found: a fast wrong answer fails.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ringshard::base::hash;
use ringshard::base::prng::Prng;
use ringshard::base::record::{Content, Record};
use ringshard::base::table::{TABLE_RECORDS_MAX, Table, Tag};

/// Records per table: as full as it is before its owner splits it.
const RECORDS: u64 = TABLE_RECORDS_MAX as u64 * 3 / 4;
/// Lookups per iteration, of keys in random order.
const LOOKUPS: usize = 1024;
/// One table fits the first caches; a thousand hold millions of keys.
const TABLES: [usize; 2] = [1, 1000];

fn main() {
    divan::main();
}

fn key(table: usize, number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    key[4..8].copy_from_slice(&(table as u32).to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

fn record(key: &[u8]) -> (Tag, Record<String>) {
    let value = Content::Inline(&[b'x'; 32]);
    (Tag::of(hash::of(key)), Record::new(0, None, key, value))
}

fn filled(table: usize) -> Table<String> {
    let mut filled = Table::default();
    for number in 0..RECORDS {
        let (tag, record) = record(&key(table, number));
        filled.insert(tag, record);
    }
    filled
}

/// Keys of random tables; numbers from `RECORDS` on are in none.
fn random_keys(prng: &mut Prng, tables: usize, first: u64) -> Vec<(usize, [u8; 16])> {
    let mut random = || {
        let table = prng.below(tables as u64) as usize;
        (table, key(table, first + prng.below(RECORDS)))
    };
    (0..LOOKUPS).map(|_| random()).collect()
}

fn found(tables: &[Table<String>], keys: &[(usize, [u8; 16])]) -> usize {
    let is_found = |(table, key): &&(usize, [u8; 16])| {
        let tag = Tag::of(hash::of(key));
        tables[*table]
            .find(tag, |record| record.key() == key)
            .is_some()
    };
    keys.iter().filter(is_found).count()
}

/// Looks keys up that are new in every iteration, so that caches know them from none before.
fn look_up(bencher: Bencher, tables: usize, first: u64, hits: usize) {
    let filled: Vec<_> = (0..tables).map(filled).collect();
    let mut prng = Prng::from_seed(7);
    let bencher = bencher.counter(ItemsCount::new(LOOKUPS));
    bencher
        .with_inputs(|| random_keys(&mut prng, tables, first))
        .bench_local_refs(|keys| assert_eq!(found(black_box(&filled), keys), hits));
}

#[divan::bench(args = TABLES)]
fn find(bencher: Bencher, tables: usize) {
    look_up(bencher, tables, 0, LOOKUPS);
}

#[divan::bench(args = TABLES)]
fn miss(bencher: Bencher, tables: usize) {
    look_up(bencher, tables, RECORDS, 0);
}

/// From empty to full, with all growing in between and the records' own allocations.
#[divan::bench]
fn fill(bencher: Bencher) {
    let bencher = bencher.counter(ItemsCount::new(RECORDS));
    bencher.bench_local(|| {
        let table = filled(black_box(0));
        assert_eq!(table.len() as u64, RECORDS);
        table
    });
}
