//! The reply writer: strings, integers and nulls into an output buffer.
//!
//! What a pipeline of GETs and INCRs writes; checked by the length of what was written.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ringshard::resp::{Output, Protocol, Writer};

const REPLIES: usize = 1000;

fn main() {
    divan::main();
}

fn measure(bencher: Bencher, expected: usize, write: impl Fn(&mut Writer<'_>, usize)) {
    bencher
        .counter(ItemsCount::new(REPLIES))
        .with_inputs(Output::default)
        .bench_local_refs(|out| {
            out.clear();
            let mut writer = Writer::new(out, Protocol::Resp2);
            for reply in 0..REPLIES {
                write(&mut writer, reply);
            }
            assert_eq!(out.len(), expected);
        });
}

#[divan::bench(args = [3, 32, 1000])]
fn bulk(bencher: Bencher, len: usize) {
    let value = vec![b'x'; len];
    let head = format!("${len}\r\n").len();
    measure(bencher, REPLIES * (head + len + 2), |writer, _| {
        writer.bulk(black_box(&value));
    });
}

#[divan::bench]
fn integer(bencher: Bencher) {
    measure(bencher, REPLIES * 10, |writer, reply| {
        writer.integer(black_box(1_000_000 + reply as i64));
    });
}

#[divan::bench]
fn null(bencher: Bencher) {
    measure(bencher, REPLIES * 5, |writer, _| {
        writer.null();
    });
}
