//! The request parser: a buffer of pipelined requests to argument slices.
//!
//! As many GETs and SETs as a receive buffer holds, whole; and the same cut in pieces, which is the
//! assembly's long way. Each benchmark checks how many arguments it found.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ringshard::resp::{Assembly, Fed, Limits, Parsed, parse};

const REQUESTS: usize = 200;
const LIMITS: Limits = Limits {
    bulk_max: 512 << 20,
    is_trusted: true,
};

fn main() {
    divan::main();
}

fn buffer(request: &[&str]) -> Vec<u8> {
    let mut one = format!("*{}\r\n", request.len());
    for arg in request {
        one.push_str(&format!("${}\r\n{arg}\r\n", arg.len()));
    }
    one.repeat(REQUESTS).into_bytes()
}

fn requests(kind: &str) -> Vec<u8> {
    match kind {
        "get" => buffer(&["GET", "key:000000012345"]),
        _ => buffer(&["SET", "key:000000012345", &"x".repeat(32)]),
    }
}

#[divan::bench(args = ["get", "set"])]
fn whole(bencher: Bencher, kind: &str) {
    let (buffer, args) = (requests(kind), if kind == "get" { 2 } else { 3 });
    bencher
        .counter(ItemsCount::new(REQUESTS))
        .counter(BytesCount::new(buffer.len()))
        .with_inputs(Vec::new)
        .bench_local_refs(|spans| {
            spans.clear();
            let mut at = 0;
            while let Parsed::Request(next) = parse(black_box(&buffer), at, spans, LIMITS) {
                at = next;
            }
            assert_eq!((at, spans.len()), (buffer.len(), REQUESTS * args));
        });
}

#[divan::bench(args = [1, 7, 100])]
fn in_pieces(bencher: Bencher, bytes: usize) {
    let buffer = requests("set");
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        let (mut assembly, mut whole) = (Assembly::default(), 0);
        for piece in buffer.chunks(bytes) {
            let mut rest = piece;
            while let Fed::Whole(taken) = assembly.feed(black_box(rest), LIMITS) {
                assembly = Assembly::default();
                whole += 1;
                rest = &rest[taken..];
                if rest.is_empty() {
                    break;
                }
            }
        }
        assert_eq!(whole, REQUESTS);
    });
}
