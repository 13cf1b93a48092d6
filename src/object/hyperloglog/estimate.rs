//! The estimate: from how many registers have which value to how many elements there were.
//!
//! The steps are done in the order in which Redis does them, so that every digit is the same.
//!
//! Source: O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284, algorithm 6.

use super::{REGISTERS, VALUE_BITS};

/// How many registers have each value.
pub(super) type Histogram = [u32; 64];

/// 1 / (2 ln 2): the bias correction for infinitely many registers.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The number of elements that registers with these values have probably seen.
pub(super) fn estimate(histogram: &Histogram) -> u64 {
    let registers = REGISTERS as f64;
    let values = VALUE_BITS as usize;
    let full = f64::from(histogram[values + 1]);
    let mut sum = registers * tau((registers - full) / registers);
    for value in (1..=values).rev() {
        sum += f64::from(histogram[value]);
        sum *= 0.5;
    }
    sum += registers * sigma(f64::from(histogram[0]) / registers);
    let elements = (ALPHA * registers * registers / sum).round();
    // Redis: what no integer can hold, which only forged registers give, is the lowest one.
    if elements >= i64::MAX as f64 {
        return i64::MIN as u64;
    }
    elements as u64
}

fn tau(start: f64) -> f64 {
    if start == 0.0 || start == 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (start, 1.0, 1.0 - start);
    loop {
        let before = sum;
        root = root.sqrt();
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

fn sigma(start: f64) -> f64 {
    if start == 1.0 {
        return f64::INFINITY;
    }
    let (mut square, mut weight, mut sum) = (start, 1.0, start);
    loop {
        let before = sum;
        square *= square;
        sum += square * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}
