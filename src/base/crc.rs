//! Checksums and digests that Redis fixes: CRC16 of keys and SHA-1 of contents.
//!
//! Both are part of the protocol: clients compute the same CRC16 to find a key's slot, and tools
//! compare DEBUG DIGEST and script hashes between servers. Which part of a key is hashed (the tag
//! in braces) is the keyspace's rule and not known here, nor is the CRC64 of snapshots.

use crc::{CRC_16_XMODEM, Crc, Table};
use sha1::{Digest, Sha1};

/// Sixteen tables of 512 bytes: a step takes 16 bytes, which is most keys in one.
static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// CRC-16/XMODEM (polynomial 0x1021, no reflection, starts at 0), as in the cluster specification.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    CRC16.checksum(bytes)
}

/// SHA-1, for DEBUG DIGEST and the names of scripts; not for anything that must resist attack.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

/// The digest in 40 lower-case hexadecimal digits.
pub fn sha1_hex(bytes: &[u8]) -> [u8; 40] {
    hex(&sha1(bytes))
}

/// A digest as DEBUG DIGEST and SCRIPT LOAD print it.
pub fn hex(digest: &[u8; 20]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|index| {
        let byte = digest[index / 2];
        let digit = if index % 2 == 0 { byte >> 4 } else { byte & 15 };
        DIGITS[usize::from(digit)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit_by_bit(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
                if crc & 0x8000 != 0 {
                    crc << 1 ^ 0x1021
                } else {
                    crc << 1
                }
            })
        })
    }

    #[test]
    fn crc16_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc16(b"foo") % 16384, 12182);
    }

    #[test]
    fn crc16_at_every_length() {
        let bytes: Vec<u8> = (0..300u32)
            .map(|index| ((index * 7) ^ (index >> 3)) as u8)
            .collect();
        for len in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..len]), bit_by_bit(&bytes[..len]), "{len}");
        }
    }

    #[test]
    fn sha1_of_known_texts() {
        assert_eq!(
            &sha1_hex(b"return 1"),
            b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        );
        assert_eq!(&sha1_hex(b""), b"da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
