//! Strings: the family whose shape the others copy.
//!
//! Rows here, handlers in the files beside; a handler sees its shard and nothing above it.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, LAST, Merge, keys, one_key};

mod multi;
mod value;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::String,
    &[
        data("get", 2, READ.and(FAST), &[one_key(1, LOOK)], value::get).doc(
            "1.0.0",
            "key",
            "O(1)",
            "Returns the string value of a key.",
        ),
        data(
            "mget",
            -2,
            READ.and(FAST),
            &[keys(1, LAST, 1, LOOK)],
            multi::mget,
        )
        .split(Merge::InOrder)
        .tips(&["request_policy:multi_shard"])
        .doc(
            "1.0.0",
            "key [key ...]",
            "O(N) where N is the number of keys to retrieve.",
            "Atomically returns the string values of one or more keys.",
        ),
        data(
            "mset",
            -3,
            WRITE,
            &[keys(1, LAST, 2, OVERWRITE)],
            multi::mset,
        )
        .split(Merge::AllOk)
        .tips(&[
            "request_policy:multi_shard",
            "response_policy:all_succeeded",
        ])
        .doc(
            "1.0.1",
            "key value [key value ...]",
            "O(N) where N is the number of keys to set.",
            "Atomically creates or modifies the string values of one or more keys.",
        ),
        data("set", -3, WRITE, &[one_key(1, SET_KEY)], value::set).doc(
            "1.0.0",
            "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|\
                 PXAT unix-time-milliseconds|KEEPTTL]",
            "O(1)",
            "Sets the string value of a key, ignoring its type. The key is created if it \
                 doesn't exist.",
        ),
    ],
);

/// SET may read what it overwrites (GET), so its access depends on its options.
const SET_KEY: KeyFlags = KeyFlags::RW
    .and(KeyFlags::ACCESS)
    .and(KeyFlags::UPDATE)
    .and(KeyFlags::VARIABLE_FLAGS);
