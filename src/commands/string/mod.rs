//! Strings: the family whose shape the others copy.
//!
//! Rows here, handlers in the files beside; a handler sees its shard and nothing above it.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, LAST, Merge, keys, one_key};

mod getex;
mod incr;
mod lcs;
mod multi;
mod options;
mod range;
mod value;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const MODIFY: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const CREATE: KeyFlags = KeyFlags::OW.and(KeyFlags::INSERT);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::String,
    &[
        data(
            "append",
            3,
            WRITE.and(FAST),
            &[one_key(1, KeyFlags::RW.and(KeyFlags::INSERT))],
            range::append,
        )
        .doc(
            "2.0.0",
            "key value",
            "O(1). The amortized time complexity is O(1) assuming the appended value \
                is small and the already present value is of any size, since the dynamic \
                string library used by Redis will double the free space available on \
                every reallocation.",
            "Append a value to a key",
        ),
        data(
            "decr",
            2,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::decr,
        )
        .doc(
            "1.0.0",
            "key",
            "O(1)",
            "Decrement the integer value of a key by one",
        ),
        data(
            "decrby",
            3,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::decrby,
        )
        .doc(
            "1.0.0",
            "key decrement",
            "O(1)",
            "Decrement the integer value of a key by the given number",
        ),
        data("get", 2, READ.and(FAST), &[one_key(1, LOOK)], value::get).doc(
            "1.0.0",
            "key",
            "O(1)",
            "Get the value of a key",
        ),
        data(
            "getdel",
            2,
            Flags::WRITE.and(FAST),
            &[one_key(
                1,
                KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
            )],
            getex::getdel,
        )
        .doc(
            "6.2.0",
            "key",
            "O(1)",
            "Get the value of a key and delete the key",
        ),
        data(
            "getex",
            -2,
            Flags::WRITE.and(FAST),
            &[one_key(1, MODIFY).note("RW and UPDATE because it changes the TTL")],
            getex::getex,
        )
        .doc(
            "6.2.0",
            "key expiration=[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
                unix-time-milliseconds|PERSIST]",
            "O(1)",
            "Get the value of a key and optionally set its expiration",
        ),
        data("getrange", 4, READ, &[one_key(1, LOOK)], range::getrange).doc(
            "2.4.0",
            "key start end",
            "O(N) where N is the length of the returned string. The complexity is \
                ultimately determined by the returned length, but because creating a \
                substring from an existing string is very cheap, it can be considered \
                O(1) for small strings.",
            "Get a substring of the string stored at a key",
        ),
        data(
            "getset",
            3,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            value::getset,
        )
        .doc(
            "1.0.0",
            "key value",
            "O(1)",
            "Set the string value of a key and return its old value",
        )
        .deprecated("6.2.0", "`SET` with the `!GET` argument"),
        data(
            "incr",
            2,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::incr,
        )
        .doc(
            "1.0.0",
            "key",
            "O(1)",
            "Increment the integer value of a key by one",
        ),
        data(
            "incrby",
            3,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::incrby,
        )
        .doc(
            "1.0.0",
            "key increment",
            "O(1)",
            "Increment the integer value of a key by the given amount",
        ),
        data(
            "incrbyfloat",
            3,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::incrbyfloat,
        )
        .doc(
            "2.6.0",
            "key increment:double",
            "O(1)",
            "Increment the float value of a key by the given amount",
        ),
        data("lcs", -3, READ, &[keys(1, 1, 1, LOOK)], lcs::lcs).doc(
            "7.0.0",
            "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
            "O(N*M) where N and M are the lengths of s1 and s2, respectively",
            "Find longest common substring",
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
            "Get the values of all the given keys",
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
            "key value data=[key value ...]",
            "O(N) where N is the number of keys to set.",
            "Set multiple keys to multiple values",
        ),
        data(
            "msetnx",
            -3,
            WRITE,
            &[keys(1, LAST, 2, CREATE)],
            multi::msetnx,
        )
        .tips(&["request_policy:multi_shard", "response_policy:agg_min"])
        .doc(
            "1.0.1",
            "key value data=[key value ...]",
            "O(N) where N is the number of keys to set.",
            "Set multiple keys to multiple values, only if none of the keys exist",
        ),
        data("psetex", 4, WRITE, &[one_key(1, OVERWRITE)], value::psetex).doc(
            "2.6.0",
            "key milliseconds value",
            "O(1)",
            "Set the value and expiration in milliseconds of a key",
        ),
        data(
            "set",
            -3,
            WRITE,
            &[one_key(1, MODIFY.and(KeyFlags::VARIABLE_FLAGS))
                .note("RW and ACCESS due to the optional `GET` argument")],
            value::set,
        )
        .key_use(value::set_use)
        .doc(
            "1.0.0",
            "key value condition=[NX|XX]@2.6.12 [GET@6.2.0] \
                expiration=[EX seconds@2.6.12|PX milliseconds@2.6.12|\
                EXAT unix-time-seconds@6.2.0|PXAT unix-time-milliseconds@6.2.0|KEEPTTL@6.0.0]",
            "O(1)",
            "Set the string value of a key",
        )
        .history(&[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            (
                "7.0.0",
                "Allowed the `NX` and `GET` options to be used together.",
            ),
        ]),
        data("setex", 4, WRITE, &[one_key(1, OVERWRITE)], value::setex).doc(
            "2.0.0",
            "key seconds value",
            "O(1)",
            "Set the value and expiration of a key",
        ),
        data(
            "setnx",
            3,
            WRITE.and(FAST),
            &[one_key(1, CREATE)],
            value::setnx,
        )
        .doc(
            "1.0.0",
            "key value",
            "O(1)",
            "Set the value of a key, only if the key does not exist",
        ),
        data(
            "setrange",
            4,
            WRITE,
            &[one_key(1, KeyFlags::RW.and(KeyFlags::UPDATE))],
            range::setrange,
        )
        .doc(
            "2.2.0",
            "key offset value",
            "O(1), not counting the time taken to copy the new string in place. \
                Usually, this string is very small so the amortized complexity is O(1). \
                Otherwise, complexity is O(M) with M being the length of the value \
                argument.",
            "Overwrite part of a string at key starting at the specified offset",
        ),
        data(
            "strlen",
            2,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            range::strlen,
        )
        .doc(
            "2.2.0",
            "key",
            "O(1)",
            "Get the length of the value stored in a key",
        ),
        data("substr", 4, READ, &[one_key(1, LOOK)], range::getrange)
            .doc(
                "1.0.0",
                "key start end",
                "O(N) where N is the length of the returned string. The complexity is \
                ultimately determined by the returned length, but because creating a \
                substring from an existing string is very cheap, it can be considered \
                O(1) for small strings.",
                "Get a substring of the string stored at a key",
            )
            .deprecated("2.0.0", "`GETRANGE`"),
    ],
);
