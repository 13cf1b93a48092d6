//! CRC-64/REDIS: the checksum behind DUMP payloads and at the end of snapshots.
//!
//! Polynomial 0xad93d23594c935a9 (Jones), reflected, from zero, without a final inversion. Parts
//! that several cores wrote are combined without a second look at their bytes.

use crc_fast::{CrcAlgorithm, Digest, checksum, checksum_combine};

/// Bytes of a checksum where one is stored, little-endian.
pub const CHECKSUM_BYTES: usize = 8;

/// The checksum of these bytes.
pub fn crc64(bytes: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// The checksum of two pieces behind each other, from theirs and the length of the second.
pub fn combine(first: u64, second: u64, second_len: u64) -> u64 {
    checksum_combine(CrcAlgorithm::Crc64Redis, first, second, second_len)
}

/// A checksum that grows.
#[derive(Clone, Debug)]
pub struct Checksum(Digest);

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum(Digest::new(CrcAlgorithm::Crc64Redis))
    }
}

impl Checksum {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit_by_bit(bytes: &[u8]) -> u64 {
        let polynomial = 0xad93_d235_94c9_35a9_u64.reverse_bits();
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| {
                if crc & 1 != 0 {
                    crc >> 1 ^ polynomial
                } else {
                    crc >> 1
                }
            })
        })
    }

    #[test]
    fn it_is_redis_s_at_every_length() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let bytes: Vec<u8> = (0..700u32).map(|n| ((n * 31) ^ (n >> 3)) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(crc64(&bytes[..len]), bit_by_bit(&bytes[..len]), "{len}");
        }
    }

    #[test]
    fn parts_make_the_whole() {
        let bytes: Vec<u8> = (0..5000u32).map(|n| ((n * n) >> 3) as u8).collect();
        let mut growing = Checksum::default();
        for piece in bytes.chunks(7) {
            growing.update(piece);
        }
        assert_eq!(growing.value(), crc64(&bytes));
        for cut in [0, 1, 255, 256, 4999, 5000] {
            let (first, second) = bytes.split_at(cut);
            let whole = combine(crc64(first), crc64(second), second.len() as u64);
            assert_eq!(whole, crc64(&bytes), "{cut}");
        }
    }
}
