//! The slow log: the latest commands that took longer than slowlog-log-slower-than.
//!
//! One log for all cores behind one lock, because only slow commands ever reach it; whether a
//! command was slow is asked without the lock. Arguments are copied and clipped when the entry is
//! made, so an entry holds at most 32 times 128 bytes and a little. Hiding passwords is the
//! caller's business, as is the reply of SLOWLOG GET.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Redis: SLOWLOG_ENTRY_MAX_ARGC, SLOWLOG_ENTRY_MAX_STRING.
const ARGUMENTS_MAX: usize = 32;
const ARGUMENT_BYTES_MAX: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub unix_seconds: u64,
    pub duration_us: u64,
    pub arguments: Vec<Vec<u8>>,
    pub client_address: String,
    pub client_name: Vec<u8>,
}

/// A command that has just finished.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    pub unix_seconds: u64,
    pub duration_us: u64,
    pub arguments: &'a [&'a [u8]],
    pub client_address: &'a str,
    pub client_name: &'a [u8],
}

#[derive(Debug)]
pub struct SlowLog {
    /// slowlog-log-slower-than; negative is off.
    slower_than_us: AtomicI64,
    /// slowlog-max-len.
    entries_max: AtomicU64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// The newest in front.
    newest_first: VecDeque<Entry>,
    next_id: u64,
}

impl SlowLog {
    pub fn new(slower_than_us: i64, entries_max: u64) -> SlowLog {
        SlowLog {
            slower_than_us: AtomicI64::new(slower_than_us),
            entries_max: AtomicU64::new(entries_max),
            entries: Mutex::default(),
        }
    }

    pub fn set_slower_than_us(&self, slower_than_us: i64) {
        self.slower_than_us.store(slower_than_us, Relaxed);
    }

    /// Redis trims when the next entry comes, not now.
    pub fn set_entries_max(&self, entries_max: u64) {
        self.entries_max.store(entries_max, Relaxed);
    }

    /// From which duration on commands belong here; none when the log is off.
    pub fn slower_than_us(&self) -> Option<u64> {
        u64::try_from(self.slower_than_us.load(Relaxed)).ok()
    }

    /// Whether a command of this duration belongs here.
    pub fn is_slow(&self, duration_us: u64) -> bool {
        self.slower_than_us()
            .is_some_and(|limit| duration_us >= limit)
    }

    pub fn push(&self, command: &Finished<'_>) {
        let arguments = clipped(command.arguments);
        let mut entries = self.entries();
        let entry = Entry {
            id: entries.next_id,
            unix_seconds: command.unix_seconds,
            duration_us: command.duration_us,
            arguments,
            client_address: command.client_address.to_owned(),
            client_name: command.client_name.to_owned(),
        };
        entries.next_id += 1;
        entries.newest_first.push_front(entry);
        let max = usize::try_from(self.entries_max.load(Relaxed)).unwrap_or(usize::MAX);
        entries.newest_first.truncate(max);
    }

    /// The newest entries, newest first; all of them without a count.
    pub fn latest(&self, count: Option<usize>) -> Vec<Entry> {
        let entries = self.entries();
        entries
            .newest_first
            .iter()
            .take(count.unwrap_or(usize::MAX))
            .cloned()
            .collect()
    }

    pub fn len(&self) -> usize {
        self.entries().newest_first.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the entries; ids go on.
    pub fn reset(&self) {
        self.entries().newest_first.clear();
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clipped(arguments: &[&[u8]]) -> Vec<Vec<u8>> {
    if arguments.len() <= ARGUMENTS_MAX {
        return arguments
            .iter()
            .map(|argument| clipped_one(argument))
            .collect();
    }
    let shown = ARGUMENTS_MAX - 1;
    let mut kept: Vec<_> = arguments[..shown]
        .iter()
        .map(|argument| clipped_one(argument))
        .collect();
    kept.push(format!("... ({} more arguments)", arguments.len() - shown).into_bytes());
    kept
}

fn clipped_one(argument: &[u8]) -> Vec<u8> {
    if argument.len() <= ARGUMENT_BYTES_MAX {
        return argument.to_owned();
    }
    let (head, rest) = argument.split_at(ARGUMENT_BYTES_MAX);
    [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(log: &SlowLog, duration_us: u64, arguments: &[&[u8]]) {
        log.push(&Finished {
            unix_seconds: 1_795_171_781,
            duration_us,
            arguments,
            client_address: "127.0.0.1:50000",
            client_name: b"reader",
        });
    }

    #[test]
    fn the_limit_is_inclusive_and_may_be_off() {
        let log = SlowLog::new(10_000, 128);
        assert!(log.is_slow(10_000) && !log.is_slow(9_999));
        log.set_slower_than_us(0);
        assert!(log.is_slow(0));
        log.set_slower_than_us(-1);
        assert!(!log.is_slow(u64::MAX));
    }

    #[test]
    fn newest_first_and_no_more_than_allowed() {
        let log = SlowLog::new(0, 3);
        (0..5).for_each(|duration_us| push(&log, duration_us, &[b"GET", b"k"]));
        let ids = |entries: Vec<Entry>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(log.latest(None)), [4, 3, 2]);
        assert_eq!(ids(log.latest(Some(1))), [4]);
        let newest = &log.latest(Some(1))[0];
        assert_eq!(newest.arguments, [b"GET".to_vec(), b"k".to_vec()]);
        assert_eq!(newest.client_address, "127.0.0.1:50000");
        log.set_entries_max(1);
        assert_eq!(log.len(), 3);
        push(&log, 9, &[]);
        assert_eq!(log.len(), 1);
    }

    #[test]
    fn ids_go_on_after_a_reset() {
        let log = SlowLog::new(0, 3);
        push(&log, 1, &[b"A"]);
        log.reset();
        assert!(log.is_empty());
        push(&log, 1, &[b"B"]);
        assert_eq!(log.latest(None)[0].id, 1);
    }

    #[test]
    fn many_and_long_arguments_are_clipped_in_redis_words() {
        let log = SlowLog::new(0, 3);
        push(&log, 1, &[b"x".as_slice(); 32]);
        assert_eq!(log.latest(Some(1))[0].arguments.len(), 32);
        push(&log, 1, &[b"x".as_slice(); 33]);
        let arguments = &log.latest(Some(1))[0].arguments;
        assert_eq!(arguments.len(), 32);
        assert_eq!(arguments[31], b"... (2 more arguments)");
        let long = [b'y'; 130];
        push(&log, 1, &[&long[..128], &long]);
        let arguments = &log.latest(Some(1))[0].arguments;
        assert_eq!(arguments[0], &long[..128]);
        assert_eq!(arguments[1], [&long[..128], b"... (2 more bytes)"].concat());
    }
}
