//! What PFSELFTEST runs: registers keep what is put into them, and estimates are near the truth.
//!
//! A shorter walk than that of Redis, which takes seconds: a shard has clients that wait.

use super::value::{self, HllRef};
use super::{REGISTERS, dense};
use crate::base::prng::Prng;

/// What went wrong, if anything did.
pub fn selftest(random: &mut Prng) -> Result<(), String> {
    registers(random)?;
    estimates(random)
}

fn registers(random: &mut Prng) -> Result<(), String> {
    const ROUNDS: usize = 10;
    let mut packed = vec![0; dense::BYTES];
    let mut plain = vec![0; REGISTERS];
    for _ in 0..ROUNDS {
        for (index, value) in plain.iter_mut().enumerate() {
            *value = random.below(u64::from(dense::VALUE_MAX) + 1) as u8;
            dense::put(&mut packed, index, *value);
        }
        let differs = |(index, value): (usize, &u8)| dense::register(&packed, index) != *value;
        if let Some(index) = plain.iter().enumerate().position(differs) {
            let (is, was) = (dense::register(&packed, index), plain[index]);
            return Err(format!(
                "TESTFAILED Register {index} should be {was} but is {is}"
            ));
        }
    }
    Ok(())
}

fn estimates(random: &mut Prng) -> Result<(), String> {
    const ELEMENTS_MAX: u64 = 100_000;
    /// The standard error for so many registers, by theory.
    const ERROR: f64 = 1.04 / 128.0;
    let (mut sparse, mut dense) = (value::empty(), value::empty());
    let is_corrupt = |_| "TESTFAILED corrupt registers";
    value::to_dense(&mut dense).map_err(is_corrupt)?;
    let (seed, mut checkpoint) = (random.next_u64(), 1);
    for number in 1..=ELEMENTS_MAX {
        let element = (number ^ seed).to_ne_bytes();
        value::raise_dense(&mut dense, &element);
        value::raise(&mut sparse, &element, 3000).map_err(is_corrupt)?;
        if number != checkpoint {
            continue;
        }
        let counts = [&sparse, &dense].map(|bytes| HllRef::new(bytes).count());
        let [Ok(one), Ok(other)] = counts else {
            return Err("TESTFAILED corrupt registers".into());
        };
        if one != other {
            return Err("TESTFAILED dense/sparse disagree".into());
        }
        let off = one.abs_diff(number);
        let off_max = (ERROR * 6.0 * number as f64).ceil() as u64;
        if off > off_max {
            return Err(format!(
                "TESTFAILED Too big error. card:{number} abserr:{off}"
            ));
        }
        checkpoint *= 10;
    }
    Ok(())
}
