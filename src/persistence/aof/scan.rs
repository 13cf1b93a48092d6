//! Reads the commands of a log as far as they are whole, in whatever pieces the file comes.
//!
//! ```text
//!   | commands, EXEC | MULTI, SET, SE
//!                    ^ safe           ^ end of what has come
//! ```
//!
//! What may run are whole commands outside of MULTI, and transactions up to their EXEC. Where a
//! checksum covers a stretch, all of it has to be there and right before any of it may run; only
//! the end of a file may be missing. The values are not looked at: that is for who runs them.

use super::frame::{Cover, LINE_BYTES_MAX, Line, read_line};
use crate::base::planted::{Bug, is_planted};
use crate::persistence::Bookmark;

/// What is wrong with a log, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the piece begins that cannot be right.
    pub offset: u64,
    pub what: String,
    /// Up to here everything is whole.
    pub safe: u64,
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// The last command is not all there.
    Short,
    /// The last transaction has no EXEC.
    InMulti,
}

/// Limits of Redis: arguments of a command, and bytes of one.
const ARGUMENTS_MAX: u64 = 1024 * 1024 * 1024;
const ARGUMENT_BYTES_MAX: u64 = 4 << 30;

/// A log being read.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// What has come and is not safe yet, without what was read before.
    buffer: Vec<u8>,
    /// The offset in the file at which the buffer begins.
    base: u64,
    /// How much of the buffer has been read.
    at: usize,
    /// Commands that may run when what they belong to is whole.
    pending: Vec<u8>,
    ready: Vec<u8>,
    /// Whole commands of a stretch that is cut off, and those that are not whole yet.
    salvaged: Vec<u8>,
    salvaged_pending: Vec<u8>,
    /// MULTI and EXEC are left out of what may run.
    flattens: bool,
    /// Up to this offset all is whole.
    safe: u64,
    is_in_multi: bool,
    cover: Option<Cover>,
    /// The end of a covered stretch that is all there, as an offset.
    covered: u64,
    commands: u64,
    is_covered: bool,
    /// Where the stretch begins that is read: its line, and what the line covers.
    stretch: (u64, u64),
    /// What was written after this second is not wanted, Unix seconds.
    until: Option<i64>,
    late: Option<u64>,
    /// The last line, if it is one.
    bookmark: Option<Bookmark>,
}

/// How reading one piece went.
enum Step {
    Read,
    /// More has to come first.
    Short,
    Bad(String),
}

impl Scanner {
    /// A log that begins at this offset of its file.
    pub fn at(offset: u64) -> Scanner {
        Scanner {
            base: offset,
            safe: offset,
            ..Scanner::default()
        }
    }

    /// Takes more of the file in, and reads what is whole.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        self.buffer.extend_from_slice(bytes);
        let result = self.read(false);
        self.buffer.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        result
    }

    /// The file has ended: how. What was there of a covered stretch is read too.
    pub fn end(&mut self) -> Result<Ending, Damage> {
        self.read(true)?;
        Ok(
            match (
                self.at < self.buffer.len() || self.cover.is_some(),
                self.is_in_multi,
            ) {
                (_, true) => Ending::InMulti,
                (true, false) => Ending::Short,
                (false, false) => Ending::Whole,
            },
        )
    }

    /// Up to this offset all is whole.
    pub fn safe(&self) -> u64 {
        self.safe
    }

    /// Commands that were whole so far.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Whether any of it had a checksum.
    pub fn is_covered(&self) -> bool {
        self.is_covered
    }

    /// Leaves MULTI and EXEC out of what may run, for whoever runs it with nobody looking: a
    /// transaction over shards costs round trips, its commands alone do not.
    pub fn flatten(mut self) -> Scanner {
        self.flattens = true;
        self
    }

    /// Nothing is read that was written after this second.
    pub fn stop_behind(&mut self, until: Option<i64>) {
        self.until = until;
    }

    /// Where what was written too late begins.
    pub fn late(&self) -> Option<u64> {
        self.late
    }

    /// Where the dataset is in its history, if that is the last that the log says.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        self.bookmark.as_ref()
    }

    /// The commands that may run now.
    pub fn take_ready(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// Whole commands behind what is safe, of a stretch that is cut off: they hold if they are
    /// written once more.
    pub fn take_salvaged(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.salvaged)
    }

    fn read(&mut self, is_end: bool) -> Result<(), Damage> {
        loop {
            match self.step(is_end) {
                Step::Read if self.late.is_some() => return Ok(()),
                Step::Read => {}
                Step::Short => return Ok(()),
                Step::Bad(what) => {
                    return Err(Damage {
                        offset: self.base + self.at as u64,
                        what,
                        safe: self.safe,
                    });
                }
            }
        }
    }

    fn step(&mut self, is_end: bool) -> Step {
        if let Some(cover) = self.cover
            && !self.take_covered(cover, is_end)
        {
            return match self.has_all(cover) {
                true => Step::Bad("checksum of a stretch is wrong".into()),
                false => Step::Short,
            };
        }
        let rest = &self.buffer[self.at..];
        match rest.first() {
            None => Step::Short,
            Some(b'#') => self.line(),
            Some(_) => self.command(),
        }
    }

    fn has_all(&self, cover: Cover) -> bool {
        (self.buffer.len() - self.at) as u64 >= cover.bytes
    }

    /// Goes into a stretch if it is as its checksum says; at the end of the file, also if it is not
    /// all there.
    fn take_covered(&mut self, cover: Cover, is_end: bool) -> bool {
        let rest = &self.buffer[self.at..];
        if !self.has_all(cover) {
            return is_end;
        }
        let is_right = cover.holds(&rest[..cover.bytes as usize]);
        if !is_right && !is_planted(Bug::SkipsChecksum) {
            return false;
        }
        self.covered = self.base + self.at as u64 + cover.bytes;
        self.cover = None;
        self.is_covered = true;
        true
    }

    fn line(&mut self) -> Step {
        let rest = &self.buffer[self.at..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return match rest.len() > LINE_BYTES_MAX {
                true => Step::Bad("annotation is too long".into()),
                false => Step::Short,
            };
        };
        let Some(line) = rest[..end].strip_suffix(b"\r") else {
            return Step::Bad("annotation does not end with a line".into());
        };
        match read_line(line) {
            Line::Damaged => return Step::Bad("annotation is damaged".into()),
            Line::Checksum(cover) => {
                if self.base + (self.at as u64) < self.covered {
                    return Step::Bad("a checksum within what another one covers".into());
                }
                let offset = self.base + self.at as u64;
                self.stretch = (offset, offset + end as u64 + 1);
                self.cover = Some(cover);
            }
            Line::Timestamp(seconds) if self.until.is_some_and(|until| seconds > until) => {
                let offset = self.base + self.at as u64;
                let is_first = self.stretch.1 == offset;
                self.late = Some(if is_first { self.stretch.0 } else { offset });
                return Step::Read;
            }
            Line::Bookmark(bookmark) => self.bookmark = Some(bookmark),
            Line::Timestamp(_) | Line::Other => {}
        }
        self.at += end + 1;
        self.settle();
        Step::Read
    }

    fn command(&mut self) -> Step {
        let rest = &self.buffer[self.at..];
        let (end, name) = match request(rest) {
            Ok(Some((end, name))) => (end, &rest[name]),
            Ok(None) => return Step::Short,
            Err(what) => return Step::Bad(what),
        };
        let is_multi = name.eq_ignore_ascii_case(b"multi");
        let is_exec = name.eq_ignore_ascii_case(b"exec");
        if is_multi && self.is_in_multi {
            return Step::Bad("Unexpected MULTI".into());
        }
        if is_exec && !self.is_in_multi {
            return Step::Bad("Unexpected EXEC".into());
        }
        self.is_in_multi = (self.is_in_multi || is_multi) && !is_exec;
        if !self.flattens || !(is_multi || is_exec) {
            self.pending.extend_from_slice(&rest[..end]);
        }
        if self.cover.is_some() {
            self.salvaged_pending.extend_from_slice(&rest[..end]);
        }
        self.at += end;
        self.commands += 1;
        self.bookmark = None;
        self.settle();
        Step::Read
    }

    /// What has been read so far is whole, unless a transaction is open.
    fn settle(&mut self) {
        if !self.is_in_multi {
            self.ready.append(&mut self.pending);
            self.salvaged.append(&mut self.salvaged_pending);
            if self.cover.is_none() {
                self.safe = self.base + self.at as u64;
            }
        }
    }
}

type Range = std::ops::Range<usize>;

/// A request at the beginning of these bytes: where it ends, and where its first word is. `None`:
/// it is not all there.
fn request(bytes: &[u8]) -> Result<Option<(usize, Range)>, String> {
    let Some((count, mut at)) = number(bytes, 0, b'*')? else {
        return Ok(None);
    };
    if !(1..=ARGUMENTS_MAX).contains(&count) {
        return Err(format!("a command of {count} words"));
    }
    let mut name = 0..0;
    for word in 0..count {
        let Some((len, start)) = number(bytes, at, b'$')? else {
            return Ok(None);
        };
        if len > ARGUMENT_BYTES_MAX {
            return Err(format!("an argument of {len} bytes"));
        }
        let end = start + len as usize;
        let Some(tail) = bytes.get(end..end + 2) else {
            let is_cut = bytes.get(end).is_none_or(|byte| *byte == b'\r');
            return match is_cut {
                true => Ok(None),
                false => Err("an argument does not end with a line".into()),
            };
        };
        if tail != b"\r\n" {
            return Err("an argument does not end with a line".into());
        }
        if word == 0 {
            name = start..end;
        }
        at = end + 2;
    }
    Ok(Some((at, name)))
}

/// A number behind this mark, and where its line ends.
fn number(bytes: &[u8], at: usize, mark: u8) -> Result<Option<(u64, usize)>, String> {
    const DIGITS_MAX: usize = 20;
    let rest = &bytes[at..];
    match rest.first() {
        None => return Ok(None),
        Some(first) if *first != mark => {
            let (found, mark) = (first.escape_ascii(), char::from(mark));
            return Err(format!("Expected prefix '{mark}', got: '{found}'"));
        }
        Some(_) => {}
    }
    let Some(end) = memchr::memchr(b'\r', &rest[..rest.len().min(DIGITS_MAX + 2)]) else {
        return match rest.len() > DIGITS_MAX || !rest[1..].iter().all(u8::is_ascii_digit) {
            true => Err("a length that is no number".into()),
            false => Ok(None),
        };
    };
    let text = std::str::from_utf8(&rest[1..end]).unwrap_or_default();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(value) = text.parse().ok().filter(|_| is_plain) else {
        return Err("a length that is no number".into());
    };
    match rest.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((value, at + end + 2))),
        Some(_) => Err("a length does not end with a line".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{bookmark_line, checksum_line, timestamp_line};
    use super::*;

    fn command(words: &[&str]) -> String {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        text
    }

    /// A log of three stretches, the middle one a transaction; and where it is safe to end.
    fn log() -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut safe) = (Vec::new(), vec![0]);
        let stretches = [
            vec![command(&["SELECT", "0"]), command(&["SET", "a", "1"])],
            vec![
                [
                    command(&["MULTI"]),
                    command(&["SET", "b", "2"]),
                    command(&["EXEC"]),
                ]
                .concat(),
            ],
            vec![command(&["SET", "c", "3"]), command(&["DEL", "a"])],
        ];
        for pieces in stretches {
            bytes.extend_from_slice(checksum_line(pieces.concat().as_bytes()).as_bytes());
            for piece in pieces {
                bytes.extend_from_slice(piece.as_bytes());
                safe.push(bytes.len() as u64);
            }
        }
        (bytes, safe)
    }

    fn scan(bytes: &[u8], chunk: usize) -> Result<(Ending, u64, Vec<u8>), Damage> {
        let mut scanner = Scanner::default();
        for piece in bytes.chunks(chunk) {
            scanner.feed(piece)?;
        }
        let ending = scanner.end()?;
        Ok((ending, scanner.safe(), scanner.take_ready()))
    }

    #[test]
    fn a_whole_log_is_read_in_any_pieces() {
        let (bytes, safe) = log();
        let whole = scan(&bytes, bytes.len()).unwrap();
        assert_eq!((whole.0, whole.1), (Ending::Whole, safe[safe.len() - 1]));
        assert!(!whole.2.contains(&b'#'));
        for chunk in 1..40 {
            assert_eq!(scan(&bytes, chunk).unwrap(), whole);
        }
    }

    #[test]
    fn a_log_that_was_cut_is_read_up_to_its_last_whole_command() {
        let (bytes, safe) = log();
        for len in 0..bytes.len() {
            let (ending, found, ready) = scan(&bytes[..len], 7).unwrap();
            let expected = safe.iter().rev().find(|at| **at <= len as u64).unwrap();
            // In a stretch that is cut the line before it counts for nothing.
            assert!(found <= *expected, "cut at {len}: {found}");
            assert_eq!(ending == Ending::Whole, len as u64 == found, "cut at {len}");
            let commands = ready.iter().filter(|byte| **byte == b'*').count();
            let all = safe.iter().position(|at| at == expected).unwrap();
            let in_transaction = if all >= 3 { 2 } else { 0 };
            assert_eq!(commands, all + in_transaction, "cut at {len}");
        }
    }

    #[test]
    fn what_is_salvaged_keeps_its_transactions() {
        let (bytes, safe) = log();
        let third = safe[safe.len() - 2] as usize;
        let mut scanner = Scanner::default().flatten();
        scanner.feed(&bytes[..third + 3]).unwrap();
        assert_eq!(scanner.end(), Ok(Ending::Short));
        let expected = command(&["SET", "c", "3"]).into_bytes();
        assert_eq!(scanner.take_salvaged(), expected);
        let ready = String::from_utf8(scanner.take_ready()).unwrap();
        assert!(!ready.contains("MULTI") && !ready.contains("EXEC"));
        let transaction = [
            command(&["MULTI"]),
            command(&["INCR", "a"]),
            command(&["EXEC"]),
        ];
        let whole = [transaction.concat(), command(&["INCR", "b"])].concat();
        let line = checksum_line(whole.as_bytes());
        let mut scanner = Scanner::default().flatten();
        scanner.feed(line.as_bytes()).unwrap();
        scanner.feed(&whole.as_bytes()[..whole.len() - 1]).unwrap();
        assert_eq!(scanner.end(), Ok(Ending::Short));
        assert_eq!(scanner.take_salvaged(), transaction.concat().into_bytes());
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let (bytes, _) = log();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = scan(&flipped, 1 << 20);
            assert!(read.is_err(), "bit {bit} of byte {}: {read:?}", bit / 8);
        }
    }

    #[test]
    fn a_bookmark_holds_at_the_end_alone() {
        let (mut bytes, _) = log();
        let place = Bookmark::of(&[b'a'; 40], 17, 2).unwrap();
        bytes.extend_from_slice(bookmark_line(&place).as_bytes());
        let mut scanner = Scanner::default();
        scanner.feed(&bytes).unwrap();
        assert_eq!(scanner.end(), Ok(Ending::Whole));
        assert_eq!(scanner.bookmark(), Some(&place));
        scanner
            .feed(command(&["SET", "d", "4"]).as_bytes())
            .unwrap();
        assert_eq!(
            (scanner.end(), scanner.bookmark()),
            (Ok(Ending::Whole), None)
        );
    }

    #[test]
    fn what_stock_servers_append_needs_no_checksum() {
        let (mut bytes, _) = log();
        bytes.extend_from_slice(timestamp_line(1).as_bytes());
        bytes.extend_from_slice(command(&["SET", "d", "4"]).as_bytes());
        assert_eq!(scan(&bytes, 5).unwrap().0, Ending::Whole);
        for (text, what) in [
            ("*1\r\n$4\r\nEXEC\r\n", "Unexpected EXEC"),
            ("*0\r\n", "a command of 0 words"),
            ("set a b\r\n", "Expected prefix '*', got: 's'"),
            (
                "*1\r\n$3\r\nabcd\r\n",
                "an argument does not end with a line",
            ),
        ] {
            let damaged = [&bytes[..], text.as_bytes()].concat();
            let damage = scan(&damaged, 1 << 20).unwrap_err();
            assert_eq!(
                (damage.what.as_str(), damage.safe),
                (what, bytes.len() as u64)
            );
        }
    }
}
