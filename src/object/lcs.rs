//! The longest common subsequence of two strings: the algorithm behind LCS.
//!
//! Redis fills a table of 32-bit lengths and walks it back from the end. Which of several longest
//! subsequences it finds, and in which order it lists the matching ranges, follows from that walk
//! and is visible to clients, so the walk is kept and the table is not:
//!
//! ```text
//!               b: o  h  m  y  t  e  x  t
//!   row of a[0] 'm'  0  0  1  0  0  0  0  0     rise(i, j) = length(i, j) > length(i, j - 1)
//!   row of a[1] 'y'  0  0  1  1  0  0  0  0     a row of the table as its steps, one bit each
//! ```
//!
//! A row of steps comes out of the one before by an addition over whole words (Crochemore and
//! others, 2001; Hyyro, 2004), 64 cells at a time. Where the bytes differ, the walk goes up if
//! the step is a rise and left if not, which is the very comparison that Redis makes.
//!
//! | for the whole         | Redis      | here                                      |
//! |-----------------------|------------|-------------------------------------------|
//! | time                  | `a * b`    | `a * b / 64`                              |
//! | memory, only length   | `4 * a * b`| a row, and a row per different byte in `a` |
//! | memory, with walk     | `4 * a * b`| `a * b / 8` more                          |
//!
//! The limit on the sizes is nevertheless that of Redis, in `check_sizes`: a client that was told
//! no there is told no here. Keys, options and replies are the command's business.

use std::ops::Range;

/// Why two strings are not compared; the texts are Redis's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    /// A length does not fit the 32 bits of Redis's table.
    TooLong,
    /// Redis's table would be larger than `proto-max-bulk-len`.
    TooMuchMemory,
}

impl LcsError {
    pub const fn text(self) -> &'static str {
        match self {
            LcsError::TooLong => "String too long for LCS",
            LcsError::TooMuchMemory => {
                "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
        }
    }
}

/// Refuse what Redis refuses; `bulk_bytes_max` is `proto-max-bulk-len`.
pub fn check_sizes(a: usize, b: usize, bulk_bytes_max: u64) -> Result<(), LcsError> {
    let longest = u32::MAX as usize - 1;
    if a >= longest || b >= longest {
        return Err(LcsError::TooLong);
    }
    let cells = (a as u128 + 1) * (b as u128 + 1);
    if cells * 4 > u128::from(bulk_bytes_max) {
        return Err(LcsError::TooMuchMemory);
    }
    Ok(())
}

/// A stretch that both strings share, as byte ranges of the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub a: Range<usize>,
    pub b: Range<usize>,
}

/// The length alone (LCS LEN).
pub fn length(a: &[u8], b: &[u8]) -> usize {
    // Words run along `b`, so the longer string there makes the fewer steps.
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let masks = Masks::new(a, b);
    let mut flat = vec![u64::MAX; masks.words];
    for &byte in a {
        step(&mut flat, masks.of(byte));
    }
    rises(&flat, b.len())
}

/// Where each byte of `a` occurs in `b`: one row of bits for each different byte.
struct Masks {
    words: usize,
    /// Start of a byte's row in `bits`; bytes that `a` does not have are never asked for.
    starts: [usize; 256],
    bits: Vec<u64>,
}

impl Masks {
    fn new(a: &[u8], b: &[u8]) -> Masks {
        const NONE: usize = usize::MAX;
        let words = b.len().div_ceil(64);
        let mut starts = [NONE; 256];
        let mut next = 0;
        for &byte in a {
            let start = &mut starts[usize::from(byte)];
            if *start == NONE {
                *start = next;
                next += words;
            }
        }
        let mut bits = vec![0; next];
        for (position, &byte) in b.iter().enumerate() {
            let start = starts[usize::from(byte)];
            if start != NONE {
                bits[start + position / 64] |= 1 << (position % 64);
            }
        }
        Masks {
            words,
            starts,
            bits,
        }
    }

    fn of(&self, byte: u8) -> &[u64] {
        let start = self.starts[usize::from(byte)];
        &self.bits[start..start + self.words]
    }
}

/// Turn the row of one byte of `a` into the next; a clear bit is a rise. Bits behind the end of
/// `b` stay set: no mask has them, and a carry into them changes nothing before.
fn step(flat: &mut [u64], mask: &[u64]) {
    let mut carry = false;
    for (word, &mask) in flat.iter_mut().zip(mask) {
        let matched = *word & mask;
        let (sum, over) = word.overflowing_add(matched);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        carry = over | over_again;
        *word = sum | (*word & !mask);
    }
}

/// How many of the first `len` bits are clear.
fn rises(flat: &[u64], len: usize) -> usize {
    let set: usize = flat.iter().map(|word| word.count_ones() as usize).sum();
    let padding = flat.len() * 64 - len;
    len + padding - set
}

/// All that a walk needs to find the subsequence: every row of steps.
pub struct Lcs<'a> {
    a: &'a [u8],
    b: &'a [u8],
    words: usize,
    /// Row by row; a clear bit is a rise.
    flat: Vec<u64>,
    length: usize,
}

impl<'a> Lcs<'a> {
    /// Compare two strings that passed `check_sizes`.
    pub fn new(a: &'a [u8], b: &'a [u8]) -> Lcs<'a> {
        let masks = Masks::new(a, b);
        let words = masks.words;
        let mut row = vec![u64::MAX; words];
        let mut flat = Vec::with_capacity(words * a.len());
        for &byte in a {
            step(&mut row, masks.of(byte));
            flat.extend_from_slice(&row);
        }
        let length = rises(&row, b.len());
        Lcs {
            a,
            b,
            words,
            flat,
            length,
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The subsequence itself.
    pub fn string(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        let mut end = self.length;
        self.walk(|a, _| {
            end -= 1;
            bytes[end] = self.a[a];
        });
        assert_eq!(end, 0, "the walk finds as many matches as the rows count");
        bytes
    }

    /// The matching ranges of at least `min_len` bytes, from the end to the start (LCS IDX).
    pub fn matches(&self, min_len: usize) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        let keep = |found: &mut Vec<Match>| {
            found.pop_if(|range| range.a.len() < min_len);
        };
        self.walk(|a, b| match found.last_mut() {
            Some(range) if range.a.start == a + 1 && range.b.start == b + 1 => {
                range.a.start = a;
                range.b.start = b;
            }
            _ => {
                keep(&mut found);
                found.push(Match {
                    a: a..a + 1,
                    b: b..b + 1,
                });
            }
        });
        keep(&mut found);
        found
    }

    /// Visit the matching positions from the last to the first, as Redis chooses them.
    fn walk(&self, mut visit: impl FnMut(usize, usize)) {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            if self.a[i - 1] == self.b[j - 1] {
                i -= 1;
                j -= 1;
                visit(i, j);
            } else if self.is_rise(i - 1, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }

    fn is_rise(&self, row: usize, column: usize) -> bool {
        self.flat[row * self.words + column / 64] >> (column % 64) & 1 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    /// Redis's way: the table of lengths, and its walk.
    fn naive(a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
        let mut table = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut pairs = Vec::new();
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
                pairs.push((i, j));
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        let string: Vec<u8> = pairs.iter().rev().map(|&(i, _)| a[i]).collect();
        assert_eq!(string.len(), table[a.len()][b.len()] as usize);
        (string, pairs)
    }

    #[test]
    fn same_walk_as_the_table() {
        for seed in 0..3000 {
            let mut prng = Prng::from_seed(seed);
            let letters = prng.below(5) + 1;
            let mut text = |most: u64| -> Vec<u8> {
                let len = prng.below(most);
                (0..len).map(|_| b'a' + prng.below(letters) as u8).collect()
            };
            let (a, b) = (text(90), text(300));
            let (a, b) = if seed % 2 == 0 { (a, b) } else { (b, a) };
            let lcs = Lcs::new(&a, &b);
            let (string, pairs) = naive(&a, &b);
            assert_eq!(lcs.string(), string, "seed {seed}");
            assert_eq!(lcs.len(), string.len(), "seed {seed}");
            assert_eq!(lcs.is_empty(), string.is_empty(), "seed {seed}");
            assert_eq!(length(&a, &b), string.len(), "seed {seed}");
            let ranges = lcs.matches(0);
            let listed: Vec<(usize, usize)> = ranges
                .iter()
                .flat_map(|m| m.a.clone().zip(m.b.clone()).rev())
                .collect();
            assert_eq!(listed, pairs, "seed {seed}");
            let long: Vec<Match> = ranges.iter().filter(|m| m.a.len() >= 3).cloned().collect();
            assert_eq!(lcs.matches(3), long, "seed {seed}");
        }
    }

    #[test]
    fn the_example_of_the_manual() {
        let lcs = Lcs::new(b"ohmytext", b"mynewtext");
        assert_eq!(lcs.string(), b"mytext");
        let expected = vec![Match { a: 4..8, b: 5..9 }, Match { a: 2..4, b: 0..2 }];
        assert_eq!(lcs.matches(0), expected);
        assert_eq!(lcs.matches(4), expected[..1]);
        assert_eq!(lcs.matches(5), []);
    }

    /// Recorded from Redis: several longest subsequences, and which of them it lists.
    #[test]
    fn ties_as_redis_decides_them() {
        let lcs = Lcs::new(b"abcbdabxyzzy", b"bdcabaxzyzyab");
        assert_eq!(lcs.string(), b"bdabxzzy");
        let expected = [
            (10..12, 9..11),
            (9..10, 7..8),
            (7..8, 6..7),
            (5..7, 3..5),
            (3..5, 0..2),
        ];
        assert_eq!(lcs.matches(0), expected.map(|(a, b)| Match { a, b }));
        let lcs = Lcs::new(b"aabbaabbab", b"babababba");
        assert_eq!(lcs.string(), b"bbaabba");
        let expected = [(5..9, 5..9), (3..5, 2..4), (2..3, 0..1)];
        assert_eq!(lcs.matches(0), expected.map(|(a, b)| Match { a, b }));
    }

    #[test]
    fn limits_are_those_of_redis() {
        let bulk = 512 << 20;
        assert_eq!(check_sizes(0, 0, bulk), Ok(()));
        assert_eq!(check_sizes((1 << 14) - 1, (1 << 13) - 1, bulk), Ok(()));
        assert_eq!(
            check_sizes(1 << 14, (1 << 13) - 1, bulk),
            Err(LcsError::TooMuchMemory)
        );
        assert_eq!(
            check_sizes(0, u32::MAX as usize - 1, u64::MAX),
            Err(LcsError::TooLong)
        );
        assert_eq!(check_sizes(0, u32::MAX as usize - 2, u64::MAX), Ok(()));
    }

    #[test]
    fn empty_strings_share_nothing() {
        assert_eq!(length(b"", b"abc"), 0);
        assert_eq!(Lcs::new(b"abc", b"").matches(0), []);
        assert_eq!(Lcs::new(b"", b"").string(), b"");
    }
}
