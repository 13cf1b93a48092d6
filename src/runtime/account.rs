//! What a thread has had of the CPU, and how long it was ready and had none.
//!
//! The kernel counts both for each thread (`/proc/PID/task/TID/schedstat`: nanoseconds on a CPU,
//! nanoseconds ready, times). From the second a thread learns whether others want the CPUs that it
//! runs on, which it cannot see from its own idleness. Not every kernel counts, and not every
//! sandbox has /proc; then nothing is known.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The counters of a thread.
#[derive(Debug)]
pub struct Account(File);

/// What they said at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub running: u64,
    pub ready: u64,
}

impl Account {
    /// That of the calling thread.
    pub fn of_this_thread() -> Option<Account> {
        let account = Account(File::open("/proc/thread-self/schedstat").ok()?);
        account.read().map(|_| account)
    }

    /// One short system call, which no disk is asked for.
    pub fn read(&self) -> Option<Spent> {
        let mut text = [0; 64];
        let got = self.0.read_at(&mut text, 0).ok()?;
        parse(text.get(..got)?)
    }
}

fn parse(text: &[u8]) -> Option<Spent> {
    let mut numbers = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let mut next = || numbers.next()?.parse().ok();
    Some(Spent {
        running: next()?,
        ready: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn the_kernels_line_is_read_and_nothing_else() {
        let spent = |running, ready| Some(Spent { running, ready });
        assert_eq!(parse(b"123456789 42 7\n"), spent(123_456_789, 42));
        assert_eq!(parse(b"0 0 0\n"), spent(0, 0));
        for bad in ["", "12", "a b", "1 -1 0"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_thread_that_works_has_had_more() {
        let account = Account::of_this_thread().expect("Linux counts");
        let before = account.read().expect("numbers");
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let after = account.read().expect("numbers");
        let spent = after.running - before.running + after.ready - before.ready;
        assert!(spent >= 15_000_000, "{spent} ns of 20 ms");
    }
}
