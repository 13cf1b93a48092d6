//! Sorted sets and sets as sources of ZUNION, ZINTER and ZDIFF.
//!
//! A member of a set has a score of one, as in Redis. All sources of a command are looked at side
//! by side, so they are first found one by one (which expires what is due, and counts), then
//! peeked at.

use crate::keyspace::{DbIndex, Key, Keyspace, Lookup};
use crate::object::Kind;
use crate::object::set::SetRef;
use crate::object::zset::ZsetRef;
use crate::resp::{ErrorReply, errors};

/// A key to read from, by its argument, and what its scores are multiplied with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub members: Members<'a>,
    pub weight: f64,
}

/// What lies at a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    Nothing,
    Zset(ZsetRef<'a>),
    Set(SetRef<'a>),
}

/// Checks that a key holds what can be a source, with all that a lookup does.
pub(super) fn check(space: &mut Keyspace, db: DbIndex, key: &Key<'_>) -> Result<(), ErrorReply> {
    let kind = space
        .door(db)
        .find(key, Lookup::Read)
        .map(|entry| entry.kind());
    match kind {
        None | Some(Kind::Zset | Kind::Set) => Ok(()),
        Some(_) => Err(errors::WRONG_TYPE.into()),
    }
}

impl<'a> Members<'a> {
    /// What lies at a key that was checked.
    pub fn peek(space: &'a Keyspace, db: DbIndex, key: &Key<'_>) -> Members<'a> {
        match space.peek(db, key).and_then(|entry| entry.collection()) {
            None => Members::Nothing,
            Some(form) if form.kind() == Kind::Set => Members::Set(SetRef::new(form)),
            Some(form) => Members::Zset(ZsetRef::new(form)),
        }
    }

    pub fn len(self) -> usize {
        match self {
            Members::Nothing => 0,
            Members::Zset(set) => set.len(),
            Members::Set(set) => set.len(),
        }
    }

    /// The score of a member.
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Members::Nothing => None,
            Members::Zset(set) => set.score(member),
            Members::Set(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows every member with its score, until `visit` says that it is enough.
    pub fn each(self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Members::Nothing => {}
            Members::Zset(set) => {
                for (member, score) in set.all() {
                    if !member.with_bytes(|member| visit(member, score)) {
                        return;
                    }
                }
            }
            Members::Set(set) => {
                for member in set.iter() {
                    if !member.with_bytes(|member| visit(member, 1.0)) {
                        return;
                    }
                }
            }
        }
    }
}
