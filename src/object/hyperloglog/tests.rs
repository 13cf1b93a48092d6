//! HyperLogLogs against plain registers, and against bytes that redis-server 7.0.15 made.
//!
//! Each case prints its seed when it fails.

use super::value::{place_of, raise_register};
use super::*;
use crate::base::prng::Prng;

fn registers(bytes: &[u8]) -> Vec<u8> {
    let mut maxima = Maxima::default();
    maxima.add(HllRef::new(bytes)).expect("it is whole");
    maxima.values().to_vec()
}

#[test]
fn registers_are_raised_in_both_encodings() {
    for seed in 0..12 {
        let mut random = Prng::from_seed(seed);
        let bytes_max = [40, 300, 3000, 15_000][seed as usize % 4];
        let (mut bytes, mut plain) = (empty(), vec![0; REGISTERS]);
        let spread = [30, 3000, REGISTERS as u64][seed as usize % 3];
        for step in 0..1500 {
            let index = random.below(spread) as usize;
            let value = 1 + random.below([4, 51][step / 1400]) as u8;
            let is_raised = raise_register(&mut bytes, (index, value), bytes_max);
            assert_eq!(is_raised, Ok(plain[index] < value), "{seed} {step}");
            plain[index] = value.max(plain[index]);
            assert_eq!(registers(&bytes), plain, "seed {seed} step {step}");
            assert!(is_hyperloglog(&bytes));
            let hll = HllRef::new(&bytes);
            assert!(hll.is_dense() || bytes.len() <= bytes_max.max(18));
        }
        let before = HllRef::new(&bytes).count();
        to_dense(&mut bytes).expect("it is whole");
        assert_eq!(HllRef::new(&bytes).count(), before);
        assert_eq!(registers(&bytes), plain, "seed {seed}");
        let mut maxima = Maxima::default();
        maxima.add(HllRef::new(&bytes)).expect("it is whole");
        assert_eq!(Ok(maxima.count()), before);
    }
}

#[test]
fn neighbours_become_one_run() {
    let mut bytes = empty();
    let mut raise = |index, value| {
        raise_register(&mut bytes, (index, value), 3000).expect("it is whole");
        bytes[HEADER..].to_vec()
    };
    assert_eq!(raise(100, 3), [0x40, 99, 0x88, 0x7f, 154]);
    assert_eq!(raise(102, 3), [0x40, 99, 0x88, 0, 0x88, 0x7f, 152]);
    assert_eq!(raise(101, 3), [0x40, 99, 0x8a, 0x7f, 152]);
    assert_eq!(raise(103, 3), [0x40, 99, 0x8b, 0x7f, 151]);
    assert_eq!(raise(104, 3), [0x40, 99, 0x8b, 0x88, 0x7f, 150]);
    assert_eq!(raise(101, 4), [0x40, 99, 0x88, 0x8c, 0x8a, 0x7f, 150]);
    assert_eq!(raise(0, 1), [0x80, 0x40, 98, 0x88, 0x8c, 0x8a, 0x7f, 150]);
    assert_eq!(raise(50, 1)[..5], [0x80, 48, 0x80, 48, 0x88]);
}

#[test]
fn elements_belong_where_redis_puts_them() {
    // PFDEBUG DECODE after PFADD of one element each.
    for (element, index, value) in [("a", 12711, 2), ("b", 15780, 1), ("hello", 9216, 1)] {
        assert_eq!(place_of(element.as_bytes()), (index, value), "{element}");
    }
}

#[test]
fn corrupt_runs_are_found() {
    let mut short = empty();
    short[HEADER] = 0x41;
    let mut long = empty();
    long.extend_from_slice(&[0x80]);
    let mut cut = empty();
    cut.pop();
    for bytes in [short, long, cut] {
        assert!(is_hyperloglog(&bytes));
        assert_eq!(HllRef::new(&bytes).count(), Err(Corrupt));
        assert_eq!(Maxima::default().add(HllRef::new(&bytes)), Err(Corrupt));
        assert_eq!(to_dense(&mut bytes.clone()), Err(Corrupt));
    }
    assert!(!is_hyperloglog(b"HYLL"));
    assert!(!is_hyperloglog(
        &[b"HYLL\x02".as_slice(), &[0; 20]].concat()
    ));
    assert!(!is_hyperloglog(&[b"HYLL\0".as_slice(), &[0; 20]].concat()));
}

#[test]
fn any_bytes_are_answered() {
    let mut random = Prng::from_seed(11);
    for _ in 0..20_000 {
        let mut bytes = empty();
        for number in 0..random.below(30) {
            raise(&mut bytes, &number.to_le_bytes(), 3000).expect("it is whole");
        }
        for _ in 0..=random.below(3) {
            let at = HEADER + random.below((bytes.len() - HEADER) as u64) as usize;
            bytes[at] = random.next_u64() as u8;
        }
        bytes.truncate(bytes.len() - random.below(2) as usize);
        let hll = HllRef::new(&bytes);
        let is_whole = Maxima::default().add(hll).is_ok();
        assert_eq!(to_dense(&mut bytes.clone()).is_ok(), is_whole);
        assert!(!is_whole || hll.count().is_ok());
        let place = (random.below(REGISTERS as u64) as usize, 3);
        let raised = raise_register(&mut bytes, place, 3000);
        assert!(raised.is_ok() || !is_whole);
    }
}

#[test]
fn the_self_test_passes() {
    assert_eq!(selftest(&mut Prng::from_seed(1)), Ok(()));
}
