//! A long: a large value on its way into a snapshot, some pieces at a time.
//!
//! A list or a stream is a sequence of counted references: the long holds a copy of the references,
//! and who changes a node copies it first. A dictionary stays where it is and saves what changes
//! before the walk has come to it (see `object::dict`), so the long only knows where that is:
//!
//! ```text
//!   at a key  --renamed--> at another key
//!      |  the key goes, its value is replaced
//!      +--> kept: the value belongs to the long now, and goes to the graveyard at its end
//! ```

use super::scribe::{Head, Piece, Scribe, Shape};
use crate::keyspace::{DbIndex, EntryRef};
use crate::object::dict::Element;
use crate::object::element::Item;
use crate::object::hash::{Pair, earliest_ms};
use crate::object::list::Quicklist;
use crate::object::stream::{Stream, StreamId};
use crate::object::{Form, Object};

/// Nodes written in one step: each may take some ten microseconds to compress.
const NODES_A_STEP: usize = 4;

/// Where a dictionary is.
#[derive(Debug)]
pub(super) enum Home {
    At(DbIndex, Box<[u8]>),
    Kept(Object),
    /// Taken out and not put back yet.
    Away,
}

#[derive(Debug)]
pub(super) enum Content {
    Dict { id: u64, home: Home, cursor: u64 },
    List(Quicklist),
    Stream(Box<Stream>, Option<StreamId>),
}

/// A large value on its way.
#[derive(Debug)]
pub(super) struct Long {
    db: DbIndex,
    head: Head,
    has_begun: bool,
    written: u64,
    pub content: Content,
}

fn shape(object: &Object) -> Option<Shape> {
    let earliest = earliest_ms(Form::Object(object));
    Some(match object {
        Object::String(_) => return None,
        Object::List(list) => Shape::List {
            nodes: list.nodes().len() as u64,
        },
        Object::Set(set) => Shape::Set {
            members: set.len() as u64,
        },
        Object::Zset(zset) => Shape::Zset {
            members: zset.len() as u64,
        },
        Object::Hash(hash) => Shape::Hash {
            fields: hash.len() as u64,
            earliest_ms: Some(earliest).filter(|at| *at < i64::MAX),
        },
        Object::Stream(stream) => Shape::Stream {
            nodes: stream.log.node_count() as u64,
        },
    })
}

impl Long {
    /// The long of an entry of database `cut` that is in database `now` at present.
    pub fn new(id: u64, (cut, now): (DbIndex, DbIndex), entry: EntryRef<'_>) -> Option<Long> {
        let Some(Form::Object(object)) = entry.collection() else {
            return None;
        };
        let content = match object {
            Object::List(list) => Content::List(list.clone()),
            Object::Stream(stream) => Content::Stream(stream.clone(), None),
            _ => Content::Dict {
                id,
                home: Home::At(now, entry.key().into()),
                cursor: 0,
            },
        };
        Some(Long {
            db: cut,
            head: Head {
                key: entry.key().into(),
                expires_at_ms: entry.expires_at_ms(),
                access: entry.access(),
                shape: shape(object)?,
            },
            has_begun: false,
            written: 0,
            content,
        })
    }

    /// The number of its walk, if it is a dictionary.
    pub fn walk_id(&self) -> Option<u64> {
        match &self.content {
            Content::Dict { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Writes some pieces; `object` is the dictionary that is at its home. Says whether it is over.
    pub fn step(
        &mut self,
        object: Option<&mut Object>,
        budget: usize,
        scribe: &mut dyn Scribe,
    ) -> bool {
        if !self.has_begun {
            self.has_begun = true;
            scribe.begin(self.db, &self.head);
        }
        let (shape, written) = (self.head.shape, &mut self.written);
        match &mut self.content {
            Content::List(list) => {
                for _ in 0..NODES_A_STEP {
                    let node = list.take_first(|node| scribe.piece(Piece::ListNode(node)));
                    *written += u64::from(node.is_some());
                }
                list.is_empty()
            }
            Content::Stream(stream, last) => {
                for _ in 0..NODES_A_STEP {
                    let Some((first, node)) = stream.log.node_behind(*last) else {
                        scribe.piece(Piece::StreamRest(stream));
                        return true;
                    };
                    scribe.piece(Piece::StreamNode(first, node));
                    *written += 1;
                    *last = Some(first);
                }
                false
            }
            Content::Dict { home, cursor, .. } => {
                let object = match home {
                    Home::Kept(object) => Some(object),
                    Home::At(..) => object,
                    Home::Away => None,
                };
                let Some(object) = object else { return true };
                *cursor = object.walk(*cursor, budget, &mut |element| {
                    *written += 1;
                    scribe.piece(piece(shape, element));
                });
                *cursor == 0
            }
        }
    }

    /// Whether all of it was written.
    pub fn is_whole(&self) -> bool {
        let (Shape::List { nodes: count }
        | Shape::Set { members: count }
        | Shape::Zset { members: count }
        | Shape::Hash { fields: count, .. }
        | Shape::Stream { nodes: count }) = self.head.shape;
        self.written == count
    }

    /// What was kept for it, to be freed.
    pub fn into_kept(self) -> Option<Object> {
        match self.content {
            Content::Dict {
                home: Home::Kept(object),
                ..
            } => Some(object),
            _ => None,
        }
    }
}

fn piece(shape: Shape, element: Element<'_>) -> Piece<'_> {
    let member = Item::Bytes(element.key());
    match shape {
        Shape::Hash { .. } => Piece::Field(Pair::from(element)),
        Shape::Zset { .. } => {
            let score = element.value().try_into();
            let score = f64::from_le_bytes(score.expect("a score takes eight bytes"));
            Piece::Scored(member, score)
        }
        _ => Piece::Member(member),
    }
}
