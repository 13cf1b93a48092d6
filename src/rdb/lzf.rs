//! LZF, the compression of strings in RDB: tiny, quick, and never more than a byte format.
//!
//! ```text
//!  000LLLLL  literals       L+1 bytes follow as they are (1 to 32)
//!  LLLOOOOO  [L2] oooooooo  a copy of what stood offset+1 bytes before (offset 13 bits: O, o);
//!                           its length is L+2, and when L is 7, L2 more (up to 264)
//! ```
//!
//! The crate of this name is deprecated; the format is small and fixed, so both ways are here.
//! Reading reserves no more than the compressed bytes can make. Source of the format: the
//! description in LibLZF by Marc Lehmann.

/// The longest copy that one reference makes.
const COPY_MAX: usize = 264;
/// The furthest back that one reference reaches.
const REACH: usize = 1 << 13;
const LITERALS_MAX: usize = 32;
const HASH_BITS: u32 = 13;
/// After each of so many literals (as a power of two) the search takes a longer step.
const HOPE_BITS: u32 = 6;
/// Nothing gets longer than by the longest copy for each three bytes.
const GAIN_MAX: usize = COPY_MAX / 3;

/// The original, if the bytes are a compressed string of this length.
pub fn decompress(bytes: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > bytes.len().saturating_mul(GAIN_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = bytes;
    while let Some((&control, tail)) = rest.split_first() {
        let control = usize::from(control);
        if control < LITERALS_MAX {
            let (literals, tail) = tail.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            rest = tail;
        } else {
            let (more, tail) = match control >> 5 {
                7 => tail.split_first().map(|(more, tail)| (*more, tail))?,
                _ => (0, tail),
            };
            let (&low, tail) = tail.split_first()?;
            let offset = (control & 0x1f) << 8 | usize::from(low);
            copy(&mut out, offset + 1, (control >> 5) + 2 + usize::from(more))?;
            rest = tail;
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Appends what stood some bytes before the end; the copy may run into what it has just written.
fn copy(out: &mut Vec<u8>, back: usize, len: usize) -> Option<()> {
    let from = out.len().checked_sub(back)?;
    if back >= len {
        out.extend_from_within(from..from + len);
        return Some(());
    }
    for at in from..from + len {
        out.push(out[at]);
    }
    Some(())
}

/// Compresses one string after the other; what it remembers between them is only memory.
#[derive(Debug, Default)]
pub struct Compressor {
    /// Where a hash of three bytes was last seen, counted from the first string on.
    last: Vec<u32>,
    /// Where the running string begins in that count; what lies before it is forgotten.
    base: u32,
}

impl Compressor {
    /// Appends the compressed string, if that saves at least four bytes.
    pub fn compress(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let Some(limit) = bytes.len().checked_sub(4).filter(|limit| *limit > 0) else {
            return false;
        };
        self.open(bytes.len());
        let is_smaller = self.encode(bytes, out, start + limit);
        // A string too long for the count is not looked into either.
        self.base += u32::try_from(bytes.len()).unwrap_or(0);
        if !is_smaller {
            out.truncate(start);
        }
        is_smaller
    }

    fn open(&mut self, len: usize) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        // Zero means never, so no string begins there.
        if self.last.is_empty() || self.base.checked_add(len).is_none_or(|end| end == u32::MAX) {
            self.last.clear();
            self.last.resize(1 << HASH_BITS, 0);
            self.base = 1;
        }
    }

    fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>, end: usize) -> bool {
        let (mut at, mut literals) = (0, 0);
        while at < bytes.len() {
            let Some((back, len)) = self.repeated(bytes, at) else {
                // What has not repeated itself for long will hardly do so soon.
                at += 1 + ((at - literals) >> HOPE_BITS);
                continue;
            };
            write_literals(&bytes[literals..at], out);
            write_copy(back, len, out);
            at += len;
            literals = at;
            if out.len() > end {
                return false;
            }
        }
        // Literals take a byte more for each run of them.
        let rest = bytes.len() - literals;
        if out.len() + rest + rest.div_ceil(LITERALS_MAX) > end {
            return false;
        }
        write_literals(&bytes[literals..], out);
        true
    }

    /// How far back and for how many bytes the string repeats itself here.
    fn repeated(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let next: &[u8; 3] = bytes.get(at..at + 3)?.try_into().expect("three bytes");
        let hash = u32::from_le_bytes([next[0], next[1], next[2], 0]).wrapping_mul(0x9e37_79b1);
        let seen = &mut self.last[(hash >> (32 - HASH_BITS)) as usize];
        let here = self.base.checked_add(u32::try_from(at).ok()?)?;
        let from = std::mem::replace(seen, here).checked_sub(self.base)? as usize;
        let back = at - from;
        if back > REACH || &bytes[from..from + 3] != next {
            return None;
        }
        let most = COPY_MAX.min(bytes.len() - at);
        Some((back, same_bytes(&bytes[from..], &bytes[at..at + most])))
    }
}

/// How many bytes two strings have in common at their beginnings; eight are compared at a time.
fn same_bytes(one: &[u8], other: &[u8]) -> usize {
    let ((ones, _), (others, _)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut same = 0;
    for (one, other) in ones.iter().zip(others) {
        let different = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if different != 0 {
            return same + different.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let rest = one[same..].iter().zip(&other[same..]);
    same + rest.take_while(|(one, other)| one == other).count()
}

fn write_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn write_copy(back: usize, len: usize, out: &mut Vec<u8>) {
    let (offset, len) = (back - 1, len - 2);
    let high = (offset >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
    }
    out.push(offset as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn text(random: &mut Prng) -> Vec<u8> {
        let (mut bytes, letters) = (Vec::new(), 1 + random.below(255));
        let bits = 1 + random.below(16);
        let len = random.below(1 << bits) as usize;
        while bytes.len() < len {
            if bytes.len() > 10 && random.one_in(3) {
                let from = random.below(bytes.len() as u64) as usize;
                let len = random.below(600) as usize;
                let piece: Vec<u8> = bytes[from..].iter().copied().take(len).collect();
                bytes.extend(piece);
            }
            bytes.push(random.below(letters) as u8);
        }
        bytes
    }

    #[test]
    fn strings_come_back() {
        let mut compressor = Compressor::default();
        let mut saved = 0;
        for seed in 0..2000 {
            let mut random = Prng::from_seed(seed);
            let (bytes, mut out) = (text(&mut random), b"before".to_vec());
            if compressor.compress(&bytes, &mut out) {
                assert!(out.len() - 6 <= bytes.len() - 4, "seed {seed}");
                let back = decompress(&out[6..], bytes.len());
                assert!(back.as_ref() == Some(&bytes), "seed {seed}");
                assert_eq!(decompress(&out[6..], bytes.len() + 1), None);
                saved += 1;
            } else {
                assert_eq!(out, b"before");
            }
        }
        assert!(saved > 500, "{saved} of 2000 got smaller");
    }

    #[test]
    fn common_beginnings_are_measured_to_the_byte() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..=40 {
            let mut other = text[..len].to_vec();
            assert_eq!(same_bytes(&text, &other), len);
            other.extend_from_slice(b"different from all of it, and longer than it is");
            assert_eq!(same_bytes(&text, &other), len);
        }
    }

    #[test]
    fn the_count_of_all_strings_wraps() {
        let mut compressor = Compressor::default();
        let (bytes, mut out) = ([b'a'; 100], Vec::new());
        assert!(compressor.compress(&bytes, &mut out));
        compressor.base = u32::MAX - 100;
        let mut again = Vec::new();
        assert!(compressor.compress(&bytes, &mut again));
        assert_eq!(out, again);
        assert_eq!(compressor.base, 101);
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let mut random = Prng::from_seed(3);
        for _ in 0..50_000 {
            let mut bytes = vec![0; random.below(40) as usize];
            random.fill(&mut bytes);
            let len = random.below(400) as usize;
            if let Some(out) = decompress(&bytes, len) {
                assert_eq!(out.len(), len);
            }
        }
        assert_eq!(decompress(&[0; 10], usize::MAX), None);
        assert_eq!(
            decompress(b"\x00a\xe0\xff\x00", 265).map(|out| out.len()),
            Some(265)
        );
    }
}
