//! Where the part of one shard goes, chunk by chunk.
//!
//! There are two lanes. Chunks on the lane of entries hold whole entries and name their database
//! first, so they may stand in any order, also among those of other shards. Chunks on the lane of
//! longs are pieces: together, in order, they are whole entries. So a sink may mix the shards'
//! entries as they come, but has to keep each shard's longs behind each other.

use super::style::{Format, Style};
use crate::keyspace::Size;
use crate::rdb::Output;
use bytes::Bytes;

/// Which kind of chunk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Entries,
    Longs,
}

/// Some bytes of a shard's part.
#[derive(Clone, Debug)]
pub enum Chunk {
    Plain(Vec<u8>),
    /// Bytes, and behind them a large text that is not written as a string yet: whoever has the
    /// time compresses it. Among commands it is the last word of one, whose length stands before.
    WithText(Vec<u8>, Bytes),
}

impl Chunk {
    /// How much memory it holds on to.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Plain(bytes) => bytes.len(),
            Chunk::WithText(bytes, text) => bytes.len() + text.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, written.
    pub fn into_bytes(self, style: Style) -> Vec<u8> {
        match (self, style.format) {
            (Chunk::Plain(bytes), _) => bytes,
            (Chunk::WithText(bytes, text), Format::Rdb) => {
                let mut out = Output::new(style.compresses);
                out.bytes = bytes;
                out.text(&text);
                out.bytes
            }
            (Chunk::WithText(bytes, text), Format::Commands) => {
                [&bytes[..], &text[..], b"\r\n"].concat()
            }
        }
    }
}

/// Where the part of one shard goes.
pub trait Sink: Send {
    /// The cut has been made; so much there was on the shard.
    fn begin(&mut self, size: Size);

    /// A buffer with so much room, for entries that follow.
    fn buffer(&mut self, room: usize) -> Vec<u8> {
        Vec::with_capacity(room)
    }

    /// Takes a chunk.
    fn put(&mut self, lane: Lane, chunk: Chunk);

    /// Whether the walk should rest until chunks have gone.
    fn is_full(&self) -> bool;

    /// Whether somebody waits for the end, who has to keep up with changes until then.
    fn is_awaited(&self) -> bool;

    /// Whether nobody wants the rest any more.
    fn is_broken(&self) -> bool;

    /// So many keys more have been written.
    fn advance(&mut self, keys: u64);

    /// The part is over; without `is_whole` something is missing.
    fn end(self: Box<Self>, is_whole: bool);
}
