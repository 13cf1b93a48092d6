//! The declaration of a command, as data.
//!
//! Built by const functions in the families' tables; everything derivable is derived from it by
//! others.

use super::args::Args;
use super::category::Categories;
use super::flags::Flags;
use super::keys::{KeyFlags, KeySpec, no_keys};
use crate::object::Form;

/// The group a command is documented under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Generic,
    String,
    Bitmap,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    HyperLogLog,
    Geo,
    Connection,
    Server,
    Scripting,
    Transactions,
    PubSub,
}

impl Group {
    /// The name COMMAND DOCS prints.
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::Bitmap => "bitmap",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Stream => "stream",
            Group::HyperLogLog => "hyperloglog",
            Group::Geo => "geo",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Transactions => "transactions",
            Group::PubSub => "pubsub",
        }
    }

    /// The category every command of the group is in.
    pub(super) fn category(self) -> Categories {
        match self {
            Group::Generic => Categories::KEYSPACE,
            Group::String => Categories::STRING,
            Group::Bitmap => Categories::BITMAP,
            Group::List => Categories::LIST,
            Group::Set => Categories::SET,
            Group::SortedSet => Categories::SORTED_SET,
            Group::Hash => Categories::HASH,
            Group::Stream => Categories::STREAM,
            Group::HyperLogLog => Categories::HYPERLOGLOG,
            Group::Geo => Categories::GEO,
            Group::Transactions => Categories::TRANSACTION,
            Group::Connection => Categories::CONNECTION,
            // The flag implies the category.
            Group::Server | Group::Scripting | Group::PubSub => Categories::NONE,
        }
    }
}

/// How the replies of several shards become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The first error, or the reply of the first shard: all say the same.
    AllOk,
    /// The sum of integers.
    Sum,
    /// One array, its elements in the order of the keys.
    InOrder,
    /// One array of all elements, in any order.
    Concat,
    /// Each shard replies `[weight, reply]`: one of the replies, drawn by weight.
    Draw,
    /// Each shard replies with the digests of its databases, joined by exclusive or: the digest of
    /// the dataset.
    Xor,
    /// Each shard replies `[cursor, elements]`: the last cursor, and all elements.
    Pages,
}

impl Merge {
    /// Whether what a shard replies is not yet a reply for a client, so that even a single shard's
    /// has to be merged.
    pub const fn unwraps(self) -> bool {
        matches!(self, Merge::Draw | Merge::Xor)
    }
}

/// Where a data command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// On the shard of its keys. With keys on several shards, all of them come together where the
    /// command arrived, and what it changed goes back.
    Gather,
    /// On the shard of its keys. With keys on several shards, each runs the command on its own.
    Split(Merge),
    /// On every shard, as one operation.
    Everywhere(Merge),
    /// On the shard that a scan cursor at this argument points at; when that one has nothing left,
    /// on the next ones.
    Cursor(u16),
    /// On any shard: it touches no keys.
    Here,
}

/// What COMMAND DOCS tells, apart from what is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doc {
    pub since: &'static str,
    /// The arguments, as the Redis documentation writes them.
    pub syntax: &'static str,
    pub complexity: &'static str,
    pub summary: &'static str,
    /// Version and change, oldest first.
    pub history: &'static [(&'static str, &'static str)],
    /// Version since which it is deprecated, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Meant for the server's own use and for its developers.
    pub is_internal: bool,
}

/// Reads off the arguments what a command would do to its keys.
pub type KeyUse = fn(Args<'_>) -> KeyFlags;

/// Keys that a command reads though they are not among its arguments: their names follow from the
/// value at its first key.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// Whether these arguments ask for any.
    pub is_asked: fn(Args<'_>) -> bool,
    /// Their names.
    pub keys: fn(Args<'_>, Form<'_>) -> Vec<Box<[u8]>>,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name in lower case, as replies spell it; a subcommand's is `container|name`.
    pub name: &'static str,
    /// Number of arguments with the name; at least so many when negative.
    pub arity: i16,
    pub flags: Flags,
    pub keys: &'static [KeySpec],
    /// What it does to its keys, where that depends on the arguments.
    pub key_use: Option<KeyUse>,
    /// Keys it reads besides.
    pub derived: Option<Derived>,
    pub plan: Plan,
    pub group: Group,
    /// It is not in the category of its group.
    pub is_apart: bool,
    /// Categories that neither flags nor group imply.
    pub extra_categories: Categories,
    pub tips: &'static [&'static str],
    /// A form of its container that Redis does not list: COMMAND does not show it.
    pub is_hidden: bool,
    /// Runs also while a client of the older protocol listens to channels.
    pub is_for_listeners: bool,
    /// Whoever asks it wants to hear that the server cannot do its duty.
    pub tells_health: bool,
    /// Has only subcommands.
    pub is_container: bool,
    pub doc: Doc,
}

impl Spec {
    /// A command with nothing said of it yet but this.
    pub const fn new(name: &'static str, arity: i16, flags: Flags, group: Group) -> Spec {
        let doc = Doc {
            since: "1.0.0",
            syntax: "",
            complexity: "",
            summary: "",
            history: &[],
            deprecated: None,
            is_internal: false,
        };
        let keys = no_keys();
        let (plan, extra_categories, tips) = (Plan::Here, Categories::NONE, &[]);
        Spec {
            name,
            arity,
            flags,
            keys,
            key_use: None,
            derived: None,
            plan,
            group,
            extra_categories,
            tips,
            is_apart: false,
            is_hidden: false,
            is_for_listeners: false,
            tells_health: false,
            is_container: false,
            doc,
        }
    }

    /// Whether so many arguments, the name included, are what the command takes.
    #[inline]
    pub fn takes(&self, arguments: usize) -> bool {
        match self.arity {
            0.. => arguments == self.arity as usize,
            _ => arguments >= -self.arity as usize,
        }
    }

    /// Whether these arguments make it read keys that are not among them.
    #[inline]
    pub fn derives_keys(&self, args: Args<'_>) -> bool {
        let derived = self.derived.as_ref();
        derived.is_some_and(|derived| (derived.is_asked)(args))
    }

    /// All its ACL categories.
    pub fn categories(&self) -> Categories {
        let group = (!self.is_container && !self.is_apart).then_some(self.group);
        Categories::implied(self.flags, group).and(self.extra_categories)
    }
}
