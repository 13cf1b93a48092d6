//! Hashes: fields with values in one key, and fields that expire.
//!
//! Rows here, handlers in the files beside. What a hash is stands in `object::hash`.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, one_key};

mod expire;
mod incr;
mod random;
mod read;
mod scan;
mod write;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const SET: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const CREATE: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const MODIFY: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const REMOVE: KeyFlags = KeyFlags::RW.and(KeyFlags::DELETE);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Hash,
    &[
        data(
            "hdel",
            -3,
            Flags::WRITE.and(FAST),
            &[one_key(1, REMOVE)],
            write::hdel,
        )
        .doc(
            "2.0.0",
            "key field [field ...]",
            "O(N) where N is the number of fields to be removed.",
            "Delete one or more hash fields",
        )
        .history(&[("2.4.0", "Accepts multiple `field` arguments.")]),
        data(
            "hexists",
            3,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            read::hexists,
        )
        .doc(
            "2.0.0",
            "key field",
            "O(1)",
            "Determine if a hash field exists",
        ),
        data(
            "hexpire",
            -6,
            WRITE.and(FAST),
            &[one_key(1, SET)],
            expire::hexpire,
        )
        .doc(
            "7.4.0",
            "key seconds condition=[NX|XX|GT|LT] FIELDS numfields field [field \
                ...]",
            "O(N) where N is the number of specified fields",
            "Set expiry for hash field using relative time to expire (seconds)",
        ),
        data(
            "hexpireat",
            -6,
            WRITE.and(FAST),
            &[one_key(1, SET)],
            expire::hexpireat,
        )
        .doc(
            "7.4.0",
            "key unix-time-seconds condition=[NX|XX|GT|LT] FIELDS numfields \
                field [field ...]",
            "O(N) where N is the number of specified fields",
            "Set expiry for hash field using an absolute Unix timestamp \
                (seconds)",
        ),
        data(
            "hexpiretime",
            -5,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            expire::hexpiretime,
        )
        .doc(
            "7.4.0",
            "key FIELDS numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Returns the expiration time of a hash field as a Unix timestamp, \
                in seconds.",
        ),
        data("hget", 3, READ.and(FAST), &[one_key(1, LOOK)], read::hget).doc(
            "2.0.0",
            "key field",
            "O(1)",
            "Get the value of a hash field",
        ),
        data("hgetall", 2, READ, &[one_key(1, LOOK)], read::hgetall)
            .doc(
                "2.0.0",
                "key",
                "O(N) where N is the size of the hash.",
                "Get all the fields and values in a hash",
            )
            .tips(&["nondeterministic_output_order"]),
        data(
            "hincrby",
            4,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::hincrby,
        )
        .doc(
            "2.0.0",
            "key field increment",
            "O(1)",
            "Increment the integer value of a hash field by the given number",
        ),
        data(
            "hincrbyfloat",
            4,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            incr::hincrbyfloat,
        )
        .doc(
            "2.6.0",
            "key field increment:double",
            "O(1)",
            "Increment the float value of a hash field by the given amount",
        ),
        data("hkeys", 2, READ, &[one_key(1, LOOK)], read::hkeys)
            .doc(
                "2.0.0",
                "key",
                "O(N) where N is the size of the hash.",
                "Get all the fields in a hash",
            )
            .tips(&["nondeterministic_output_order"]),
        data(
            "hlen",
            2,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            read::hlen,
        )
        .doc("2.0.0", "key", "O(1)", "Get the number of fields in a hash"),
        data(
            "hmget",
            -3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            read::hmget,
        )
        .doc(
            "2.0.0",
            "key field [field ...]",
            "O(N) where N is the number of fields being requested.",
            "Get the values of all the given hash fields",
        ),
        data(
            "hmset",
            -4,
            WRITE.and(FAST),
            &[one_key(1, SET)],
            write::hmset,
        )
        .doc(
            "2.0.0",
            "key field value data=[field value ...]",
            "O(N) where N is the number of fields being set.",
            "Set multiple hash fields to multiple values",
        )
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs"),
        data(
            "hpersist",
            -5,
            Flags::WRITE.and(FAST),
            &[one_key(1, SET)],
            expire::hpersist,
        )
        .doc(
            "7.4.0",
            "key FIELDS numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Removes the expiration time for each specified field",
        ),
        data(
            "hpexpire",
            -6,
            WRITE.and(FAST),
            &[one_key(1, SET)],
            expire::hpexpire,
        )
        .doc(
            "7.4.0",
            "key milliseconds condition=[NX|XX|GT|LT] FIELDS numfields field \
                [field ...]",
            "O(N) where N is the number of specified fields",
            "Set expiry for hash field using relative time to expire \
                (milliseconds)",
        ),
        data(
            "hpexpireat",
            -6,
            WRITE.and(FAST),
            &[one_key(1, SET)],
            expire::hpexpireat,
        )
        .doc(
            "7.4.0",
            "key unix-time-milliseconds condition=[NX|XX|GT|LT] FIELDS \
                numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Set expiry for hash field using an absolute Unix timestamp \
                (milliseconds)",
        ),
        data(
            "hpexpiretime",
            -5,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            expire::hpexpiretime,
        )
        .doc(
            "7.4.0",
            "key FIELDS numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Returns the expiration time of a hash field as a Unix timestamp, \
                in msec.",
        ),
        data(
            "hpttl",
            -5,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            expire::hpttl,
        )
        .doc(
            "7.4.0",
            "key FIELDS numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Returns the TTL in milliseconds of a hash field.",
        )
        .tips(&["nondeterministic_output"]),
        data(
            "hrandfield",
            -2,
            READ,
            &[one_key(1, LOOK)],
            random::hrandfield,
        )
        .doc(
            "6.2.0",
            "key options=[count [WITHVALUES]]",
            "O(N) where N is the number of fields returned",
            "Get one or multiple random fields from a hash",
        )
        .tips(&["nondeterministic_output"]),
        data("hscan", -3, READ, &[one_key(1, LOOK)], scan::hscan)
            .doc(
                "2.8.0",
                "key cursor [MATCH pattern] [COUNT count] [NOVALUES@7.4.0]",
                "O(1) for every call. O(N) for a complete iteration, including \
                enough command calls for the cursor to return back to 0. N is the \
                number of elements inside the collection..",
                "Incrementally iterate hash fields and associated values",
            )
            .tips(&["nondeterministic_output"])
            .history(&[("7.4.0", "Added the `NOVALUES` option.")]),
        data("hset", -4, WRITE.and(FAST), &[one_key(1, SET)], write::hset)
            .doc(
                "2.0.0",
                "key field value data=[field value ...]",
                "O(1) for each field/value pair added, so O(N) to add N field/value \
                pairs when the command is called with multiple field/value pairs.",
                "Set the string value of a hash field",
            )
            .history(&[("4.0.0", "Accepts multiple `field` and `value` arguments.")]),
        data(
            "hsetnx",
            4,
            WRITE.and(FAST),
            &[one_key(1, CREATE)],
            write::hsetnx,
        )
        .doc(
            "2.0.0",
            "key field value",
            "O(1)",
            "Set the value of a hash field, only if the field does not exist",
        ),
        data(
            "hstrlen",
            3,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            read::hstrlen,
        )
        .doc(
            "3.2.0",
            "key field",
            "O(1)",
            "Get the length of the value of a hash field",
        ),
        data(
            "httl",
            -5,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            expire::httl,
        )
        .doc(
            "7.4.0",
            "key FIELDS numfields field [field ...]",
            "O(N) where N is the number of specified fields",
            "Returns the TTL in seconds of a hash field.",
        )
        .tips(&["nondeterministic_output"]),
        data("hvals", 2, READ, &[one_key(1, LOOK)], read::hvals)
            .doc(
                "2.0.0",
                "key",
                "O(N) where N is the size of the hash.",
                "Get all the values in a hash",
            )
            .tips(&["nondeterministic_output_order"]),
    ],
);
