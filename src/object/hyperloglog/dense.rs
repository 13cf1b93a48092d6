//! Dense registers: 6 bits each, four of them in three bytes.
//!
//! They know no header and no bounds of values beyond their width.

use super::REGISTERS;

/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS / 4 * 3;
/// The largest value a register can hold.
pub(super) const VALUE_MAX: u8 = 63;

/// The register with this number.
#[inline]
pub(super) fn register(registers: &[u8], index: usize) -> u8 {
    let [low, high] = pair(registers, index);
    (u16::from_le_bytes([low, high]) >> shift(index)) as u8 & VALUE_MAX
}

/// Raises a register; says whether it was lower.
#[inline]
pub(super) fn raise(registers: &mut [u8], index: usize, value: u8) -> bool {
    let is_lower = register(registers, index) < value;
    if is_lower {
        put(registers, index, value);
    }
    is_lower
}

pub(super) fn put(registers: &mut [u8], index: usize, value: u8) {
    let at = index * 6 / 8;
    let mask = u16::from(VALUE_MAX) << shift(index);
    let word = u16::from_le_bytes(pair(registers, index));
    let word = word & !mask | u16::from(value) << shift(index);
    let [low, high] = word.to_le_bytes();
    registers[at] = low;
    // The last register lies wholly in the last byte.
    if let Some(byte) = registers.get_mut(at + 1) {
        *byte = high;
    }
}

#[inline]
fn pair(registers: &[u8], index: usize) -> [u8; 2] {
    let at = index * 6 / 8;
    [registers[at], registers.get(at + 1).copied().unwrap_or(0)]
}

#[inline]
fn shift(index: usize) -> u32 {
    (index * 6 % 8) as u32
}

/// All registers in order.
pub(super) fn values(registers: &[u8]) -> impl Iterator<Item = u8> {
    let (threes, _) = registers.as_chunks::<3>();
    threes.iter().flat_map(|[one, two, three]| {
        let four = u32::from_le_bytes([*one, *two, *three, 0]);
        [four, four >> 6, four >> 12, four >> 18].map(|value| value as u8 & VALUE_MAX)
    })
}
