//! One client as a line of CLIENT LIST, which CLIENT INFO and the log show too.
//!
//! Fields, their order and the letters of `flags` are Redis's. Its reply buffer has a fixed part
//! and a list behind it; ours has not, so the first bytes of what waits count as the fixed part
//! (`obl`), the rest as the list (`omem`), and `oll` is the number of replies still to come.

use super::session::{Closing, Session};
use crate::resp::Protocol;
use std::io::Write;

/// Bytes of replies that Redis keeps in the fixed part of its buffer.
const FIXED_BYTES: usize = 16 * 1024;

impl Session {
    /// Seconds since it has come.
    pub fn age_s(&self, now_ms: i64) -> i64 {
        (now_ms - self.created_ms).max(0) / 1000
    }

    /// Seconds since it has last sent a command.
    pub fn idle_s(&self, now_ms: i64) -> i64 {
        (now_ms - self.active_ms).max(0) / 1000
    }

    /// Bytes of memory that it keeps.
    pub fn memory_bytes(&self) -> usize {
        let fields = [&self.name, &self.library, &self.library_version];
        size_of::<Session>()
            + self.query_bytes()
            + self.pending.free_bytes()
            + self.output_bytes()
            + self.output.free_bytes()
            + fields.iter().map(|field| field.capacity()).sum::<usize>()
            + self.origin.address.len()
            + self.origin.local_address.len()
    }

    /// The line, without a line end.
    pub fn describe(&self, now_ms: i64) -> Vec<u8> {
        let mut line = Vec::with_capacity(400);
        self.describe_origin(&mut line, now_ms);
        self.describe_state(&mut line);
        self.describe_buffers(&mut line);
        self.describe_commands(&mut line);
        line
    }

    fn describe_origin(&self, line: &mut Vec<u8>, now_ms: i64) {
        let origin = &self.origin;
        put(line, "id", self.id);
        put(line, " addr", &origin.address);
        put(line, " laddr", &origin.local_address);
        put(line, " fd", origin.fd);
        put_bytes(line, " name", &self.name);
        put(line, " age", self.age_s(now_ms));
        put(line, " idle", self.idle_s(now_ms));
    }

    fn describe_state(&self, line: &mut Vec<u8>) {
        put(line, " flags", self.letters());
        put(line, " db", self.db.0);
        put(line, " sub", self.subscriptions.channels);
        put(line, " psub", self.subscriptions.patterns);
        put(line, " ssub", self.subscriptions.shard_channels);
        let queued = self.queue.as_ref().map(|queue| queue.commands.len());
        let queued = queued.or(self.executing.map(|executing| executing.commands));
        put(line, " multi", queued.map_or(-1, |queued| queued as i64));
        put(line, " watch", self.watched.len());
    }

    fn describe_buffers(&self, line: &mut Vec<u8>) {
        let waiting = self.output_bytes();
        let fixed = waiting.min(FIXED_BYTES);
        let queued = self.queue.as_ref().map_or(0, |queue| queue.memory_bytes());
        let arguments = self.query_bytes() - self.pending.len() - queued;
        put(line, " qbuf", self.pending.len());
        let free = self.pending.free_bytes();
        put(line, " qbuf-free", free);
        put(line, " argv-mem", arguments);
        put(line, " multi-mem", queued);
        put(line, " rbs", self.output.capacity());
        put(line, " rbp", self.output.capacity());
        put(line, " obl", fixed);
        put(line, " oll", self.late.len());
        put(line, " omem", waiting - fixed);
        put(line, " tot-mem", self.memory_bytes());
        let events = match self.sending_bytes {
            0 => "r",
            _ => "rw",
        };
        put(line, " events", events);
    }

    fn describe_commands(&self, line: &mut Vec<u8>) {
        put(
            line,
            " cmd",
            self.last_command.map_or("NULL", |spec| spec.name),
        );
        put_bytes(line, " user", self.user());
        put(line, " redir", -1);
        let version = match self.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        put(line, " resp", version);
        put_bytes(line, " lib-name", &self.library);
        put_bytes(line, " lib-ver", &self.library_version);
    }

    /// The letters of `flags`, in Redis's order.
    fn letters(&self) -> String {
        let is_blocked = self.waiting.is_some_and(|waiting| waiting.is_blocked);
        let letters = [
            (self.is_replica(), 'S'),
            (self.is_monitor, 'O'),
            (self.is_master, 'M'),
            (!self.subscriptions.is_empty(), 'P'),
            (self.queue.is_some() || self.executing.is_some(), 'x'),
            (self.is_paused || is_blocked || self.awaits_replicas, 'b'),
            (self.closing == Closing::AfterReplies, 'c'),
            (self.closing == Closing::Now, 'A'),
            (self.origin.is_unix, 'U'),
            (self.is_no_evict, 'e'),
            (self.is_no_touch, 'T'),
        ];
        let set: String = letters
            .iter()
            .filter(|(is_set, _)| *is_set)
            .map(|(_, letter)| *letter)
            .collect();
        if set.is_empty() {
            return String::from("N");
        }
        set
    }
}

fn put(line: &mut Vec<u8>, field: &str, value: impl std::fmt::Display) {
    write!(line, "{field}={value}").expect("memory takes everything");
}

fn put_bytes(line: &mut Vec<u8>, field: &str, value: &[u8]) {
    put(line, field, "");
    line.extend_from_slice(value);
}
