//! The pieces of which RDB is made, written: the counterpart of `input`, in Redis's choices.
//!
//! A string that reads as a small integer is written as one, a long one is compressed when that is
//! wanted and pays. A value is appended piece by piece, so that whoever writes a large one may
//! stop and go on.

use super::lzf::Compressor;
use crate::base::number::parse_i64;

/// The longest text that may be a small integer: a sign and ten digits.
const INTEGER_TEXT_MAX: usize = 11;
/// Strings up to this length are not worth compressing.
const UNCOMPRESSED_MAX: usize = 20;

/// Bytes being written.
#[derive(Debug, Default)]
pub struct Output {
    pub bytes: Vec<u8>,
    /// Whether long strings are compressed (rdbcompression).
    pub compresses: bool,
    compressor: Compressor,
    packed: Vec<u8>,
}

impl Output {
    /// Nothing written yet.
    pub fn new(compresses: bool) -> Output {
        Output {
            compresses,
            ..Output::default()
        }
    }

    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A length, or another number written as one.
    pub fn length(&mut self, len: u64) {
        match len {
            0..=0x3f => self.bytes.push(len as u8),
            0x40..=0x3fff => self.raw(&(len as u16 | 0x4000).to_be_bytes()),
            0x4000..=0xffff_ffff => {
                self.bytes.push(0x80);
                self.raw(&(len as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(0x81);
                self.raw(&len.to_be_bytes());
            }
        }
    }

    /// A string.
    pub fn text(&mut self, text: &[u8]) {
        let is_short = text.len() <= INTEGER_TEXT_MAX;
        match is_short.then(|| parse_i64(text)).flatten() {
            Some(number) if self.small_integer(number) => {}
            _ if self.compresses && text.len() > UNCOMPRESSED_MAX => self.long(text),
            _ => self.plain(text),
        }
    }

    /// A string that is an integer.
    pub fn integer(&mut self, number: i64) {
        if !self.small_integer(number) {
            self.plain(itoa::Buffer::new().format(number).as_bytes());
        }
    }

    fn small_integer(&mut self, number: i64) -> bool {
        if let Ok(number) = i8::try_from(number) {
            self.byte(0xc0);
            self.raw(&number.to_le_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.byte(0xc1);
            self.raw(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.byte(0xc2);
            self.raw(&number.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    fn long(&mut self, text: &[u8]) {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        if self.compressor.compress(text, &mut packed) {
            self.byte(0xc3);
            self.length(packed.len() as u64);
            self.length(text.len() as u64);
            self.raw(&packed);
        } else {
            self.plain(text);
        }
        self.packed = packed;
    }

    fn plain(&mut self, text: &[u8]) {
        self.length(text.len() as u64);
        self.raw(text);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A time in milliseconds.
    pub fn millis(&mut self, at: i64) {
        self.raw(&at.to_le_bytes());
    }

    /// A score in binary.
    pub fn score(&mut self, score: f64) {
        self.raw(&score.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn what_is_written_is_read() {
        let mut random = Prng::from_seed(1);
        for compresses in [false, true] {
            let mut output = Output::new(compresses);
            let mut texts: Vec<Vec<u8>> = (0..64)
                .map(|bits| (random.next_u64() as i64 >> bits).to_string().into_bytes())
                .collect();
            texts.extend((0..200).map(|len| vec![b'0' + (len % 10) as u8; len * len / 9]));
            texts.extend([b"-0".to_vec(), b"01".to_vec(), b"+1".to_vec()]);
            for text in &texts {
                output.text(text);
                output.length(text.len() as u64 * 77_777);
            }
            output.length(u64::MAX);
            output.score(-0.5);
            let mut input = Input::new(&output.bytes);
            for text in &texts {
                assert_eq!(input.bytes().as_deref(), Ok(&text[..]));
                assert_eq!(input.length(), Ok(text.len() as u64 * 77_777));
            }
            assert_eq!(input.length(), Ok(u64::MAX));
            assert_eq!(input.score(), Ok(-0.5));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn redis_s_choices() {
        let written = |text: &[u8]| {
            let mut output = Output::new(true);
            output.text(text);
            output.bytes
        };
        assert_eq!(written(b"-1"), b"\xc0\xff");
        assert_eq!(written(b"128"), b"\xc1\x80\0");
        assert_eq!(written(b"-2147483648"), b"\xc2\0\0\0\x80");
        assert_eq!(written(b"2147483648"), b"\x0a2147483648");
        assert_eq!(written(&[b'a'; 20])[0], 20);
        assert_eq!(written(&[b'a'; 21])[0], 0xc3);
    }
}
