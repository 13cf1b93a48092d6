//! ACL categories: the family's own, and those that flags imply.
//!
//! The rules are Redis's: a command that is not fast is slow, an admin command is dangerous, and
//! so on; only what no rule yields is said in a row.

use super::flags::Flags;
use super::spec::Group;

/// A set of ACL categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categories(u32);

const NAMES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

impl Categories {
    pub const NONE: Categories = Categories(0);
    pub const KEYSPACE: Categories = Categories(1 << 0);
    pub const READ: Categories = Categories(1 << 1);
    pub const WRITE: Categories = Categories(1 << 2);
    pub const SET: Categories = Categories(1 << 3);
    pub const SORTED_SET: Categories = Categories(1 << 4);
    pub const LIST: Categories = Categories(1 << 5);
    pub const HASH: Categories = Categories(1 << 6);
    pub const STRING: Categories = Categories(1 << 7);
    pub const BITMAP: Categories = Categories(1 << 8);
    pub const HYPERLOGLOG: Categories = Categories(1 << 9);
    pub const GEO: Categories = Categories(1 << 10);
    pub const STREAM: Categories = Categories(1 << 11);
    pub const PUBSUB: Categories = Categories(1 << 12);
    pub const ADMIN: Categories = Categories(1 << 13);
    pub const FAST: Categories = Categories(1 << 14);
    pub const SLOW: Categories = Categories(1 << 15);
    pub const BLOCKING: Categories = Categories(1 << 16);
    pub const DANGEROUS: Categories = Categories(1 << 17);
    pub const CONNECTION: Categories = Categories(1 << 18);
    pub const TRANSACTION: Categories = Categories(1 << 19);

    /// Both sets together.
    pub const fn and(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Categories) -> bool {
        self.0 & other.0 == other.0
    }

    /// All names, in the order of ACL CAT.
    pub fn all_names() -> &'static [&'static str] {
        &NAMES
    }

    /// The category of this name, in any case.
    pub fn by_name(name: &[u8]) -> Option<Categories> {
        let is_named = |own: &&str| own.as_bytes().eq_ignore_ascii_case(name);
        let at = NAMES.iter().position(is_named)?;
        Some(Categories(1 << at))
    }

    /// The names in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(i, _)| self.0 >> i & 1 == 1)
            .map(|(_, name)| *name)
    }

    /// What flags and group imply; a container's group implies nothing.
    pub fn implied(flags: Flags, group: Option<Group>) -> Categories {
        let rules = [
            (Flags::WRITE, Categories::WRITE),
            (Flags::ADMIN, Categories::ADMIN.and(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ];
        let mut set = group.map_or(Categories::NONE, Group::category);
        for (flag, category) in rules {
            if flags.has(flag) {
                set = set.and(category);
            }
        }
        if flags.has(Flags::READONLY) && group != Some(Group::Scripting) {
            set = set.and(Categories::READ);
        }
        if flags.has(Flags::FAST) {
            set
        } else {
            set.and(Categories::SLOW)
        }
    }
}
