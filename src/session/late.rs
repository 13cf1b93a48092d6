//! Replies that are not there yet, and those that have to wait for them.
//!
//! Replies leave in the order of the commands. As soon as one command runs on another core, the
//! replies of those behind it are parked:
//!
//! ```text
//!   output   | +OK | $3 abc |                    ready to be sent
//!   late       [ waiting ] [ parked ] [ waiting ] [ parked ]
//!   parked                | :1 :2  |             | $-1 |      bytes, in arrival order
//! ```
//!
//! An answer for the first place goes straight into the output and takes the parked ones behind it
//! along; any other is parked in its place. What has left is given up when it is the larger part:
//! a client that never stops asking never lets the places run empty.

use crate::resp::{Mark, Output};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting { is_muted: bool, is_message: bool },
    Parked { from: Mark, to: Mark },
}

/// The late replies of one client.
#[derive(Debug, Default)]
pub struct Late {
    places: VecDeque<Place>,
    first_seq: u32,
    /// How many places wait for the reply to something else than a message.
    commands: usize,
    parked: Output,
    /// Bytes of `parked` that have left.
    left_bytes: usize,
}

/// Bytes that have left are not worth moving the others for while there are fewer.
const LEFT_BYTES_MIN: usize = 16 * 1024;

impl Late {
    /// Whether all replies are out.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes that wait for earlier replies.
    pub fn parked_bytes(&self) -> usize {
        self.parked.len() - self.left_bytes
    }

    /// Whether a reply to anything but a message is still to come.
    pub fn awaits_commands(&self) -> bool {
        self.commands > 0
    }

    /// The number that the next reply will have.
    pub fn next_seq(&self) -> u32 {
        self.first_seq.wrapping_add(self.places.len() as u32)
    }

    /// Whether all replies before this number are out.
    pub fn is_out(&self, seq: u32) -> bool {
        seq.wrapping_sub(self.first_seq).cast_signed() <= 0
    }

    /// Takes a place for a reply that will arrive; a muted one will be dropped.
    pub fn wait(&mut self, is_muted: bool) -> u32 {
        self.commands += 1;
        self.take(is_muted, false)
    }

    /// The same for the reply to a message of this client: messages need not wait for each other.
    pub fn wait_for_count(&mut self, is_muted: bool) -> u32 {
        self.take(is_muted, true)
    }

    fn take(&mut self, is_muted: bool, is_message: bool) -> u32 {
        self.places.push_back(Place::Waiting {
            is_muted,
            is_message,
        });
        self.first_seq.wrapping_add(self.places.len() as u32 - 1)
    }

    /// Where a reply that is behind a late one is written; close it with [`Late::park`].
    pub fn parking(&mut self) -> &mut Output {
        &mut self.parked
    }

    /// The reply written since the mark takes its place.
    pub fn park(&mut self, from: Mark) {
        let to = self.parked.mark();
        self.places.push_back(Place::Parked { from, to });
    }

    /// Takes an answer in, and moves what is ready to the output.
    pub fn arrived(&mut self, seq: u32, reply: (&Output, Mark, Mark), output: &mut Output) {
        let (source, from, to) = reply;
        let index = seq.wrapping_sub(self.first_seq) as usize;
        let Some(Place::Waiting {
            is_muted,
            is_message,
        }) = self.places.get(index).copied()
        else {
            unreachable!("an answer comes once, for a place that waits for it");
        };
        self.commands -= usize::from(!is_message);
        if index == 0 {
            if !is_muted {
                output.append_part(source, from, to);
            }
            self.pop();
            return self.release(output);
        }
        let start = self.parked.mark();
        if !is_muted {
            self.parked.append_part(source, from, to);
        }
        self.places[index] = Place::Parked {
            from: start,
            to: self.parked.mark(),
        };
    }

    fn pop(&mut self) {
        self.places.pop_front();
        self.first_seq = self.first_seq.wrapping_add(1);
    }

    fn release(&mut self, output: &mut Output) {
        while let Some(Place::Parked { from, to }) = self.places.front().copied() {
            let before = output.len();
            output.append_part(&self.parked, from, to);
            self.left_bytes += output.len() - before;
            self.pop();
        }
        if self.places.is_empty() {
            self.parked.clear();
            self.left_bytes = 0;
        } else if self.left_bytes >= LEFT_BYTES_MIN && self.left_bytes > self.parked_bytes() {
            self.give_up_left();
        }
    }

    #[cold]
    fn give_up_left(&mut self) {
        let mut rest = Output::default();
        for place in &mut self.places {
            if let Place::Parked { from, to } = place {
                let start = rest.mark();
                rest.append_part(&self.parked, *from, *to);
                (*from, *to) = (start, rest.mark());
            }
        }
        self.parked = rest;
        self.left_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(late: &mut Late, seq: u32, text: &str, output: &mut Output) {
        let mut reply = Output::default();
        reply.buffer().extend_from_slice(text.as_bytes());
        late.arrived(seq, (&reply, Output::start(), reply.mark()), output);
    }

    fn park(late: &mut Late, text: &str) {
        let from = late.parking().mark();
        late.parking().buffer().extend_from_slice(text.as_bytes());
        late.park(from);
    }

    #[test]
    fn replies_leave_in_order() {
        let (mut late, mut output) = (Late::default(), Output::default());
        let first = late.wait(false);
        park(&mut late, "b");
        let second = late.wait(false);
        let muted = late.wait(true);
        park(&mut late, "d");
        arrive(&mut late, muted, "never", &mut output);
        arrive(&mut late, second, "c", &mut output);
        assert!(output.is_empty());
        arrive(&mut late, first, "a", &mut output);
        assert_eq!(output.to_bytes(), b"abcd");
        assert!(late.is_empty());
        let again = late.wait(false);
        arrive(&mut late, again, "e", &mut output);
        assert_eq!(output.to_bytes(), b"abcde");
    }

    #[test]
    fn what_has_left_takes_no_room_however_long_others_wait() {
        let (mut late, mut output) = (Late::default(), Output::default());
        let text = "x".repeat(1000);
        let mut waiting = late.wait(false);
        for round in 0..1000 {
            park(&mut late, &format!("{round}{text}"));
            let next = late.wait(false);
            arrive(&mut late, waiting, "+", &mut output);
            waiting = next;
            assert_eq!(output.to_bytes(), format!("+{round}{text}").as_bytes());
            output.clear();
        }
        assert_eq!(late.parked_bytes(), 0);
        assert!(late.parked.len() < 4 * LEFT_BYTES_MIN);
    }
}
