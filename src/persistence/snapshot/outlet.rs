//! What every scribe has of its sink: it hands over buffers, counts keys, and ends with it.
//!
//! What is in a buffer is the scribe's business, whatever the format.

use super::sink::{Chunk, Lane, Sink};
use bytes::Bytes;

/// A buffer is sent when it has so many bytes.
pub(super) const BUFFER_BYTES: usize = 128 * 1024;
/// What a buffer has room for from the beginning: the entry that fills it is seldom longer than the
/// rest. Without that, each buffer was copied once more just before it was sent.
const BUFFER_ROOM: usize = BUFFER_BYTES + 32 * 1024;
/// Texts from this length on are left to the sink: writing them takes too long here.
pub(super) const TEXT_MIN: usize = 64 * 1024;

/// A sink, and what it has not been told yet.
pub(super) struct Outlet {
    sink: Box<dyn Sink>,
    keys: u64,
    /// What is to be let go with it.
    held: Box<dyn Send>,
}

impl Outlet {
    pub fn new(sink: Box<dyn Sink>, held: Box<dyn Send>) -> Outlet {
        Outlet {
            sink,
            keys: 0,
            held,
        }
    }

    /// Gives a buffer that entries are about to be written into its room.
    pub fn prepare(&mut self, buffer: &mut Vec<u8>) {
        if buffer.capacity() < BUFFER_ROOM && buffer.is_empty() {
            *buffer = self.sink.buffer(BUFFER_ROOM);
        }
    }

    /// One key more was written.
    pub fn count(&mut self) {
        self.keys += 1;
    }

    /// Sends what is in the buffer.
    pub fn send(&mut self, lane: Lane, buffer: &mut Vec<u8>) {
        if !buffer.is_empty() {
            let bytes = std::mem::take(buffer);
            self.sink.put(lane, Chunk::Plain(bytes));
        }
        if lane == Lane::Entries {
            self.sink.advance(std::mem::take(&mut self.keys));
        }
    }

    /// Sends what is in the buffer, and a text behind it that the sink writes.
    pub fn send_with(&mut self, buffer: &mut Vec<u8>, text: Bytes) {
        let bytes = std::mem::take(buffer);
        self.sink.put(Lane::Entries, Chunk::WithText(bytes, text));
    }

    pub fn is_full(&self) -> bool {
        self.sink.is_full()
    }

    pub fn is_awaited(&self) -> bool {
        self.sink.is_awaited()
    }

    pub fn is_broken(&self) -> bool {
        self.sink.is_broken()
    }

    /// The part is over.
    pub fn end(self, is_whole: bool) {
        let Outlet { sink, held, .. } = self;
        drop(held);
        sink.end(is_whole);
    }
}
