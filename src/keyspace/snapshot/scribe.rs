//! Who writes a shard's entries down, as the keyspace sees it.
//!
//! Small entries come whole. A large one begins, comes in pieces and ends; whole entries of others
//! may come in between, but never pieces of another large one.

use crate::keyspace::{DbIndex, EntryRef};
use crate::object::element::Item;
use crate::object::hash::Pair;
use crate::object::list::NodeRef;
use crate::object::stream::{Node, Stream, StreamId};

/// How a large value is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many nodes.
    List { nodes: u64 },
    /// So many members.
    Set { members: u64 },
    /// So many members.
    Zset { members: u64 },
    /// So many fields. No field expires before the time, if any does.
    Hash {
        fields: u64,
        earliest_ms: Option<i64>,
    },
    /// So many nodes, and the rest.
    Stream { nodes: u64 },
}

/// What is known of a large entry before its pieces.
#[derive(Clone, Debug)]
pub struct Head {
    pub key: Box<[u8]>,
    pub expires_at_ms: Option<i64>,
    pub access: u32,
    pub shape: Shape,
}

/// A piece of a large value.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    ListNode(NodeRef<'a>),
    Member(Item<'a>),
    Scored(Item<'a>, f64),
    Field(Pair<'a>),
    StreamNode(StreamId, &'a Node),
    StreamRest(&'a Stream),
}

/// Whoever writes the entries of one shard.
pub trait Scribe: Send {
    /// From so many elements on a value comes in pieces.
    fn long_min(&self) -> usize;

    /// Writes an entry; its database is that of the moment of the snapshot.
    fn entry(&mut self, db: DbIndex, entry: EntryRef<'_>);

    /// Begins a large entry.
    fn begin(&mut self, db: DbIndex, head: &Head);

    /// Writes a piece of the entry that was begun.
    fn piece(&mut self, piece: Piece<'_>);

    /// Ends the entry that was begun.
    fn end(&mut self);

    /// Whether so much waits to be written that the walk has to rest. Entries that are about to
    /// change come nevertheless.
    fn is_full(&self) -> bool;

    /// Whether somebody waits for the end, who has to keep up with changes until then.
    fn is_awaited(&self) -> bool;

    /// All entries have come; without `is_whole` something was lost.
    fn finish(self: Box<Self>, is_whole: bool);
}

/// What there is on a shard at the moment of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub keys: u64,
    /// Changes since the start.
    pub changes: u64,
}

/// Whoever knows the scribes of snapshots that are about to begin.
pub trait Press: Send {
    /// The scribe of this shard for a snapshot, if that is still wanted.
    fn scribe(&self, id: u64, size: Size) -> Option<Box<dyn Scribe>>;
}
