//! HyperLogLogs: strings that count different elements.
//!
//! The bytes and the arithmetic are `object::hyperloglog`; here are the commands around it: their
//! arguments, the keys, the replies.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, LAST, keys, one_key};

mod count;
mod debug;

const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const MODIFY: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::HyperLogLog,
    &[
        data(
            "pfadd",
            -2,
            WRITE.and(Flags::FAST),
            &[one_key(1, KeyFlags::RW.and(KeyFlags::INSERT))],
            count::pfadd,
        )
        .doc(
            "2.8.9",
            "key [element [element ...]]",
            "O(1) to add every element.",
            "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
        ),
        data(
            "pfcount",
            -2,
            Flags::READONLY,
            &[keys(1, LAST, 1, MODIFY).note(
                "RW because it may change the internal representation of the key, and propagate \
                    to replicas",
            )],
            count::pfcount,
        )
        .doc(
            "2.8.9",
            "key [key ...]",
            "O(1) with a very small average constant time when called with a single key. O(N) \
                with N being the number of keys, and much bigger constant times, when called \
                with multiple keys.",
            "Returns the approximated cardinality of the set(s) observed by the HyperLogLog \
                key(s).",
        ),
        data(
            "pfmerge",
            -2,
            WRITE,
            &[
                one_key(1, MODIFY.and(KeyFlags::INSERT)),
                keys(2, LAST, 1, LOOK),
            ],
            count::pfmerge,
        )
        .doc(
            "2.8.9",
            "destkey [sourcekey [sourcekey ...]]",
            "O(N) to merge N HyperLogLogs, but with high constant times.",
            "Merges one or more HyperLogLog values into a single key.",
        ),
        data(
            "pfdebug",
            3,
            WRITE.and(Flags::ADMIN),
            &[one_key(2, MODIFY)],
            debug::pfdebug,
        )
        .internal()
        .doc(
            "2.8.9",
            "subcommand key",
            "N/A",
            "Internal commands for debugging HyperLogLog values.",
        ),
        data("pfselftest", 1, Flags::ADMIN, &[], debug::pfselftest)
            .internal()
            .doc(
                "2.8.9",
                "",
                "N/A",
                "An internal command for testing HyperLogLog values.",
            ),
    ],
);
