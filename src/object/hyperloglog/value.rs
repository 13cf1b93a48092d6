//! A whole HyperLogLog: header and registers, to read and to change.
//!
//! The cached count is part of the bytes: who raises registers says with [`set_stale`] that it is
//! out of date, who has counted says with [`set_cached`] what came out.

use super::estimate::{Histogram, estimate};
use super::sparse::{self, Raised};
use super::{HEADER, REGISTER_BITS, REGISTERS, VALUE_BITS, dense};
use crate::base::murmur;

const MAGIC: &[u8] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const ENCODING_AT: usize = 4;
const CACHED_AT: usize = 8;
const DENSE_LEN: usize = HEADER + dense::BYTES;
const HASH_SEED: u64 = 0xadc8_3b19;

/// The runs of a sparse one do not cover the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// One that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.resize(HEADER, 0);
    bytes[ENCODING_AT] = SPARSE;
    // All registers in one run of zeros.
    bytes.extend_from_slice(&[0x7f, 0xff]);
    bytes
}

/// Whether a string looks like one; its runs may still be corrupt.
pub fn is_hyperloglog(bytes: &[u8]) -> bool {
    let has_header = bytes.len() >= HEADER && bytes.starts_with(MAGIC);
    has_header
        && match bytes[ENCODING_AT] {
            DENSE => bytes.len() == DENSE_LEN,
            encoding => encoding == SPARSE,
        }
}

/// The register an element belongs to, and what it raises it to.
#[inline]
pub(super) fn place_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur::hash_64a(element, HASH_SEED);
    // A bit behind all others ends the count of zeros.
    let rest = hash >> REGISTER_BITS | 1 << VALUE_BITS;
    let index = hash as usize & (REGISTERS - 1);
    (index, rest.trailing_zeros() as u8 + 1)
}

/// One to read; its bytes have passed [`is_hyperloglog`].
#[derive(Clone, Copy, Debug)]
pub struct HllRef<'a> {
    bytes: &'a [u8],
}

impl<'a> HllRef<'a> {
    pub fn new(bytes: &'a [u8]) -> HllRef<'a> {
        HllRef { bytes }
    }

    /// Whether it is dense.
    pub fn is_dense(self) -> bool {
        self.bytes[ENCODING_AT] == DENSE
    }

    /// The bytes of its registers.
    pub fn registers(self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }

    /// The count that was made last, unless registers have been raised since.
    pub fn cached(self) -> Option<u64> {
        let cached = self.bytes[CACHED_AT..HEADER].try_into();
        let cached = u64::from_le_bytes(cached.expect("eight bytes"));
        (cached >> 63 == 0).then_some(cached)
    }

    /// Whether an element would raise a register.
    pub fn is_news(self, element: &[u8]) -> Result<bool, Corrupt> {
        let (index, value) = place_of(element);
        let register = match self.is_dense() {
            true => dense::register(self.registers(), index),
            false => sparse::register(self.registers(), index)?,
        };
        Ok(register < value)
    }

    /// Estimates how many different elements it has seen.
    pub fn count(self) -> Result<u64, Corrupt> {
        let mut histogram: Histogram = [0; 64];
        if self.is_dense() {
            for value in dense::values(self.registers()) {
                histogram[usize::from(value)] += 1;
            }
            return Ok(estimate(&histogram));
        }
        let mut covered = 0;
        for run in sparse::runs(self.registers()) {
            covered += run.len;
            histogram[usize::from(run.value)] += run.len as u32;
        }
        (covered == REGISTERS)
            .then(|| estimate(&histogram))
            .ok_or(Corrupt)
    }
}

/// The highest value of each register among several HyperLogLogs.
pub struct Maxima {
    values: Vec<u8>,
}

impl Default for Maxima {
    fn default() -> Maxima {
        Maxima {
            values: vec![0; REGISTERS],
        }
    }
}

impl Maxima {
    /// Adds one more.
    pub fn add(&mut self, hll: HllRef<'_>) -> Result<(), Corrupt> {
        if hll.is_dense() {
            for (own, value) in self.values.iter_mut().zip(dense::values(hll.registers())) {
                *own = value.max(*own);
            }
            return Ok(());
        }
        sparse::each_value(hll.registers(), |first, run| {
            for own in &mut self.values[first..first + run.len] {
                *own = run.value.max(*own);
            }
        })
    }

    /// Estimates how many different elements all of them have seen.
    pub fn count(&self) -> u64 {
        let mut histogram: Histogram = [0; 64];
        for value in &self.values {
            histogram[usize::from(*value)] += 1;
        }
        estimate(&histogram)
    }

    /// All values in order.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Raises the registers of one to these.
    pub fn raise(&self, bytes: &mut Vec<u8>, bytes_max: usize) -> Result<(), Corrupt> {
        for (index, value) in self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0)
        {
            raise_register(bytes, (index, *value), bytes_max)?;
        }
        Ok(())
    }
}

/// Lets one see an element; says whether that raised a register. A sparse one that would take
/// more than so many bytes becomes dense.
pub fn raise(bytes: &mut Vec<u8>, element: &[u8], bytes_max: usize) -> Result<bool, Corrupt> {
    raise_register(bytes, place_of(element), bytes_max)
}

pub(super) fn raise_register(
    bytes: &mut Vec<u8>,
    place: (usize, u8),
    bytes_max: usize,
) -> Result<bool, Corrupt> {
    let (index, value) = place;
    if bytes[ENCODING_AT] == SPARSE {
        match sparse::raise(bytes, HEADER, place, bytes_max)? {
            Raised::Yes => return Ok(true),
            Raised::No => return Ok(false),
            Raised::TooBig => to_dense(bytes)?,
        };
    }
    Ok(dense::raise(&mut bytes[HEADER..], index, value))
}

/// Lets a dense one see an element, where it lies; says whether that raised a register.
pub fn raise_dense(bytes: &mut [u8], element: &[u8]) -> bool {
    let (index, value) = place_of(element);
    dense::raise(&mut bytes[HEADER..], index, value)
}

/// Makes a dense one of a sparse one; says whether it was sparse.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    let hll = HllRef::new(bytes);
    if hll.is_dense() {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[ENCODING_AT] = DENSE;
    sparse::each_value(hll.registers(), |first, run| {
        for index in first..first + run.len {
            dense::put(&mut dense[HEADER..], index, run.value);
        }
    })?;
    *bytes = dense;
    Ok(true)
}

/// Says that the cached count is out of date.
pub fn set_stale(bytes: &mut [u8]) {
    bytes[HEADER - 1] |= 0x80;
}

/// Keeps a count.
pub fn set_cached(bytes: &mut [u8], count: u64) {
    bytes[CACHED_AT..HEADER].copy_from_slice(&count.to_le_bytes());
}
