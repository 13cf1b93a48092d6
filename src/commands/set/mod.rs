//! Sets: members, each once.
//!
//! The value is `object::set`; here are the commands around it: their arguments, the keys, the
//! replies. Members that are integers are never told apart from others here.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, KeySpec, LAST, keys, keys_from, one_key};

mod combine;
mod draw;
mod member;
mod scan;

const READ: Flags = Flags::READONLY;
const FAST_READ: Flags = Flags::READONLY.and(Flags::FAST);
const FAST_WRITE: Flags = Flags::WRITE.and(Flags::FAST);
const STORE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const TAKE: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const ADD: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const SOURCES: &[KeySpec] = &[keys(1, LAST, 1, LOOK)];
const STORED: &[KeySpec] = &[one_key(1, OVERWRITE), keys(2, LAST, 1, LOOK)];
/// Redis says so of SINTERSTORE, and of no other command that stores.
const STORED_OVER: &[KeySpec] = &[
    one_key(1, KeyFlags::RW.and(KeyFlags::UPDATE)),
    keys(2, LAST, 1, LOOK),
];
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY: &[&str] = &["nondeterministic_output"];
const MANY: &[(&str, &str)] = &[("2.4.0", "Accepts multiple `member` arguments.")];
const SMALLEST: &str = "O(N*M) worst case where N is the cardinality of the smallest set and M is \
    the number of sets.";
const TOTAL: &str = "O(N) where N is the total number of elements in all given sets.";

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Set,
    &[
        data(
            "sadd",
            -3,
            STORE.and(Flags::FAST),
            &[one_key(1, ADD)],
            member::sadd,
        )
        .doc(
            "1.0.0",
            "key member [member ...]",
            "O(1) for each element added, so O(N) to add N elements when the command is \
                    called with multiple arguments.",
            "Adds one or more members to a set. Creates the key if it doesn't exist.",
        )
        .history(MANY),
        data(
            "srem",
            -3,
            FAST_WRITE,
            &[one_key(1, KeyFlags::RW.and(KeyFlags::DELETE))],
            member::srem,
        )
        .doc(
            "1.0.0",
            "key member [member ...]",
            "O(N) where N is the number of members to be removed.",
            "Removes one or more members from a set. Deletes the set if the last member was \
                removed.",
        )
        .history(MANY),
        data(
            "sismember",
            3,
            FAST_READ,
            &[one_key(1, KeyFlags::RO)],
            member::sismember,
        )
        .doc(
            "1.0.0",
            "key member",
            "O(1)",
            "Determines whether a member belongs to a set.",
        ),
        data(
            "smismember",
            -3,
            FAST_READ,
            &[one_key(1, LOOK)],
            member::smismember,
        )
        .doc(
            "6.2.0",
            "key member [member ...]",
            "O(N) where N is the number of elements being checked for membership",
            "Determines whether multiple members belong to a set.",
        ),
        data(
            "scard",
            2,
            FAST_READ,
            &[one_key(1, KeyFlags::RO)],
            member::scard,
        )
        .doc(
            "1.0.0",
            "key",
            "O(1)",
            "Returns the number of members in a set.",
        ),
        data("smembers", 2, READ, &[one_key(1, LOOK)], member::smembers)
            .tips(ANY_ORDER)
            .doc(
                "1.0.0",
                "key",
                "O(N) where N is the set cardinality.",
                "Returns all members of a set.",
            ),
        data("spop", -2, FAST_WRITE, &[one_key(1, TAKE)], draw::spop)
            .tips(ANY)
            .doc(
                "1.0.0",
                "key [count:integer@3.2.0]",
                "Without the count argument O(1), otherwise O(N) where N is the value of the \
                    passed count.",
                "Returns one or more random members from a set after removing them. Deletes the \
                    set if the last member was popped.",
            )
            .history(&[("3.2.0", "Added the `count` argument.")]),
        data(
            "srandmember",
            -2,
            READ,
            &[one_key(1, LOOK)],
            draw::srandmember,
        )
        .tips(ANY)
        .doc(
            "1.0.0",
            "key [count:integer@2.6.0]",
            "Without the count argument O(1), otherwise O(N) where N is the absolute value \
                    of the passed count.",
            "Get one or multiple random members from a set",
        )
        .history(&[("2.6.0", "Added the optional `count` argument.")]),
        data(
            "smove",
            4,
            FAST_WRITE,
            &[one_key(1, TAKE), one_key(2, ADD)],
            member::smove,
        )
        .doc(
            "1.0.0",
            "source:key destination:key member",
            "O(1)",
            "Moves a member from one set to another.",
        ),
        data("sinter", -2, READ, SOURCES, combine::sinter)
            .tips(ANY_ORDER)
            .doc(
                "1.0.0",
                "key [key ...]",
                SMALLEST,
                "Returns the intersect of multiple sets.",
            ),
        data(
            "sintercard",
            -3,
            READ.and(Flags::MOVABLEKEYS),
            &[keys_from(1, LOOK)],
            combine::sintercard,
        )
        .doc(
            "7.0.0",
            "numkeys:integer key [key ...] [LIMIT limit:integer]",
            SMALLEST,
            "Returns the number of members of the intersect of multiple sets.",
        ),
        data("sinterstore", -3, STORE, STORED_OVER, combine::sinterstore).doc(
            "1.0.0",
            "destination:key key [key ...]",
            SMALLEST,
            "Stores the intersect of multiple sets in a key.",
        ),
        data("sunion", -2, READ, SOURCES, combine::sunion)
            .tips(ANY_ORDER)
            .doc(
                "1.0.0",
                "key [key ...]",
                TOTAL,
                "Returns the union of multiple sets.",
            ),
        data("sunionstore", -3, STORE, STORED, combine::sunionstore).doc(
            "1.0.0",
            "destination:key key [key ...]",
            TOTAL,
            "Stores the union of multiple sets in a key.",
        ),
        data("sdiff", -2, READ, SOURCES, combine::sdiff)
            .tips(ANY_ORDER)
            .doc(
                "1.0.0",
                "key [key ...]",
                TOTAL,
                "Returns the difference of multiple sets.",
            ),
        data("sdiffstore", -3, STORE, STORED, combine::sdiffstore).doc(
            "1.0.0",
            "destination:key key [key ...]",
            TOTAL,
            "Stores the difference of multiple sets in a key.",
        ),
        data("sscan", -3, READ, &[one_key(1, LOOK)], scan::sscan)
            .tips(ANY)
            .doc(
                "2.8.0",
                "key cursor:integer [MATCH pattern] [COUNT count]",
                "O(1) for every call. O(N) for a complete iteration, including enough command \
                    calls for the cursor to return back to 0. N is the number of elements inside \
                    the collection..",
                "Iterates over members of a set.",
            ),
    ],
);
