//! The generic family: keys whatever their type.
//!
//! Rows; the handlers are in the files beside. What a row says of categories, tips and key access
//! is what COMMAND INFO of Redis says.

use super::row::{Family, container, data, family};
use crate::command::{
    Categories, Flags, Group, KeyFlags, KeySpec, LAST, Merge, derived_keys, keys, no_keys, one_key,
    option_key,
};

mod dump;
mod expire;
mod object;
mod presence;
mod relocate;
mod sort;
mod walk;

pub(super) use dump::{dump_with_expiry, restore};

const NO_KEYS: &[KeySpec] = no_keys();
const LOOK: KeyFlags = KeyFlags::RO;
const READ: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const CHANGED: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const CHANGED_AND_READ: KeyFlags = CHANGED.and(KeyFlags::ACCESS);
const MOVED: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const OVERWRITTEN: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const ADDED: KeyFlags = KeyFlags::OW.and(KeyFlags::INSERT);
const REMOVED: &[KeySpec] = &[keys(1, LAST, 1, KeyFlags::RM.and(KeyFlags::DELETE))];
const SEEN: &[KeySpec] = &[keys(1, LAST, 1, LOOK)];

const SORTED: KeySpec = one_key(1, READ);
const MADE: KeySpec = derived_keys(READ).note(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from \
        the content of the key we sort",
);
const STORED: KeySpec = option_key(
    "store",
    2,
    &[("limit", 2), ("get", 1), ("by", 1)],
    OVERWRITTEN,
)
.note(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear \
        anywhere in the argument array",
);
const SORT_COST: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to \
    sort, and M the number of returned elements. When the elements are not sorted, complexity is \
    O(N).";
const SORT_CATEGORIES: Categories = Categories::SET
    .and(Categories::SORTED_SET)
    .and(Categories::LIST)
    .and(Categories::DANGEROUS);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Generic,
    &[
        data("del", -2, Flags::WRITE, REMOVED, presence::del)
            .split(Merge::Sum)
            .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
            .doc(
                "1.0.0",
                "key [key ...]",
                "O(N) where N is the number of keys that will be removed. When a key to \
                remove holds a value other than a string, the individual complexity \
                for this key is O(M) where M is the number of elements in the list, \
                set, sorted set or hash. Removing a single key that holds a string \
                value is O(1).",
                "Deletes one or more keys.",
            ),
        data(
            "unlink",
            -2,
            Flags::WRITE.and(Flags::FAST),
            REMOVED,
            presence::unlink,
        )
        .split(Merge::Sum)
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc(
            "4.0.0",
            "key [key ...]",
            "O(1) for each key removed regardless of its size. Then the command \
                does O(N) work in a different thread in order to reclaim memory, where \
                N is the number of allocations the deleted objects where composed of.",
            "Asynchronously deletes one or more keys.",
        ),
        data(
            "exists",
            -2,
            Flags::READONLY.and(Flags::FAST),
            SEEN,
            presence::exists,
        )
        .split(Merge::Sum)
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc(
            "1.0.0",
            "key [key ...]",
            "O(N) where N is the number of keys to check.",
            "Determines whether one or more keys exist.",
        )
        .history(&[("3.0.3", "Accepts multiple `key` arguments.")]),
        data(
            "touch",
            -2,
            Flags::READONLY.and(Flags::FAST),
            SEEN,
            presence::touch,
        )
        .split(Merge::Sum)
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc(
            "3.2.1",
            "key [key ...]",
            "O(N) where N is the number of keys that will be touched.",
            "Returns the number of existing keys out of those specified after \
                 updating the time they were last accessed.",
        ),
        data(
            "type",
            2,
            Flags::READONLY.and(Flags::FAST),
            &[one_key(1, LOOK)],
            presence::type_name,
        )
        .doc(
            "1.0.0",
            "key",
            "O(1)",
            "Determines the type of value stored at a key.",
        ),
        data("keys", 2, Flags::READONLY, NO_KEYS, walk::keys)
            .everywhere(Merge::Concat)
            .category(Categories::DANGEROUS)
            .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
            .doc(
                "1.0.0",
                "pattern",
                "O(N) with N being the number of keys in the database, under the \
                assumption that the key names in the database and the given pattern \
                have limited length.",
                "Returns all key names that match a pattern.",
            ),
        data("scan", -2, Flags::READONLY, NO_KEYS, walk::scan)
            .by_cursor(1)
            .tips(&["nondeterministic_output", "request_policy:special"])
            .doc(
                "2.8.0",
                "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
                "O(1) for every call. O(N) for a complete iteration, including enough \
                command calls for the cursor to return back to 0. N is the number of \
                elements inside the collection.",
                "Iterates over the key names in the database.",
            )
            .history(&[("6.0.0", "Added the `TYPE` subcommand.")]),
        data("randomkey", 1, Flags::READONLY, NO_KEYS, walk::random)
            .everywhere(Merge::Draw)
            .tips(&["request_policy:all_shards", "nondeterministic_output"])
            .doc(
                "1.0.0",
                "",
                "O(1)",
                "Returns a random key name from the database.",
            ),
        data(
            "rename",
            3,
            Flags::WRITE,
            &[one_key(1, MOVED), one_key(2, OVERWRITTEN)],
            relocate::rename,
        )
        .doc(
            "1.0.0",
            "key newkey",
            "O(1)",
            "Renames a key and overwrites the destination.",
        ),
        data(
            "renamenx",
            3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, MOVED), one_key(2, ADDED)],
            relocate::renamenx,
        )
        .doc(
            "1.0.0",
            "key newkey",
            "O(1)",
            "Renames a key only when the target key name doesn't exist.",
        )
        .history(&[(
            "3.2.0",
            "The command no longer returns an error when source and destination \
                names are the same.",
        )]),
        data(
            "copy",
            -3,
            Flags::WRITE.and(Flags::DENYOOM),
            &[one_key(1, READ), one_key(2, OVERWRITTEN)],
            relocate::copy,
        )
        .doc(
            "6.2.0",
            "source destination [DB destination-db:integer] [REPLACE]",
            "O(N) worst case for collections, where N is the number of nested \
                items. O(1) for string values.",
            "Copies the value of a key to a new key.",
        ),
        data("dump", 2, Flags::READONLY, &[one_key(1, READ)], dump::dump)
            .tips(&["nondeterministic_output"])
            .doc(
                "2.6.0",
                "key",
                "O(1) to access the key and additional O(N*M) to serialize it, where N is \
                the number of Redis objects composing the value and M their average size. \
                For small string values the time complexity is thus O(1)+O(1*M) where M \
                is small, so simply O(1).",
                "Returns a serialized representation of the value stored at a key.",
            ),
        data(
            "restore",
            -4,
            Flags::WRITE.and(Flags::DENYOOM),
            &[one_key(1, OVERWRITTEN)],
            dump::restore,
        )
        .category(Categories::DANGEROUS)
        .doc(
            "2.6.0",
            "key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] \
            [IDLETIME seconds:integer@5.0.0] [FREQ frequency:integer@5.0.0]",
            "O(1) to create the new key and additional O(N*M) to reconstruct the \
            serialized value, where N is the number of Redis objects composing the value \
            and M their average size. For small string values the time complexity is thus \
            O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values \
            the complexity is O(N*M*log(N)) because inserting values into sorted sets is \
            O(log(N)).",
            "Creates a key from the serialized representation of a value.",
        )
        .history(&[
            ("3.0.0", "Added the `REPLACE` modifier."),
            ("5.0.0", "Added the `ABSTTL` modifier."),
            ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
        ]),
        data(
            "move",
            3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED_AND_READ)],
            relocate::move_key,
        )
        .doc(
            "1.0.0",
            "key db",
            "O(1)",
            "Moves a key to another database.",
        ),
        data(
            "expire",
            -3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED)],
            expire::expire,
        )
        .doc(
            "1.0.0",
            "key seconds condition=[NX | XX | GT | LT]@7.0.0",
            "O(1)",
            "Sets the expiration time of a key in seconds.",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
        data(
            "pexpire",
            -3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED)],
            expire::pexpire,
        )
        .doc(
            "2.6.0",
            "key milliseconds condition=[NX | XX | GT | LT]@7.0.0",
            "O(1)",
            "Sets the expiration time of a key in milliseconds.",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
        data(
            "expireat",
            -3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED)],
            expire::expireat,
        )
        .doc(
            "1.2.0",
            "key unix-time-seconds condition=[NX | XX | GT | LT]@7.0.0",
            "O(1)",
            "Sets the expiration time of a key to a Unix timestamp.",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
        data(
            "pexpireat",
            -3,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED)],
            expire::pexpireat,
        )
        .doc(
            "2.6.0",
            "key unix-time-milliseconds condition=[NX | XX | GT | LT]@7.0.0",
            "O(1)",
            "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
        data(
            "ttl",
            2,
            Flags::READONLY.and(Flags::FAST),
            &[one_key(1, READ)],
            expire::ttl,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "1.0.0",
            "key",
            "O(1)",
            "Returns the expiration time in seconds of a key.",
        )
        .history(&[("2.8.0", "Added the -2 reply.")]),
        data(
            "pttl",
            2,
            Flags::READONLY.and(Flags::FAST),
            &[one_key(1, READ)],
            expire::pttl,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "2.6.0",
            "key",
            "O(1)",
            "Returns the expiration time in milliseconds of a key.",
        )
        .history(&[("2.8.0", "Added the -2 reply.")]),
        data(
            "expiretime",
            2,
            Flags::READONLY.and(Flags::FAST),
            &[one_key(1, READ)],
            expire::expiretime,
        )
        .doc(
            "7.0.0",
            "key",
            "O(1)",
            "Returns the expiration time of a key as a Unix timestamp.",
        ),
        data(
            "pexpiretime",
            2,
            Flags::READONLY.and(Flags::FAST),
            &[one_key(1, READ)],
            expire::pexpiretime,
        )
        .doc(
            "7.0.0",
            "key",
            "O(1)",
            "Returns the expiration time of a key as a Unix milliseconds timestamp.",
        ),
        data(
            "persist",
            2,
            Flags::WRITE.and(Flags::FAST),
            &[one_key(1, CHANGED)],
            expire::persist,
        )
        .doc(
            "2.2.0",
            "key",
            "O(1)",
            "Removes the expiration time of a key.",
        ),
        container("object", -2, Flags::NONE).doc(
            "2.2.3",
            "",
            "Depends on subcommand.",
            "A container for object introspection commands.",
        ),
        data(
            "object|encoding",
            3,
            Flags::READONLY,
            &[one_key(2, LOOK)],
            object::encoding,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "2.2.3",
            "key",
            "O(1)",
            "Returns the internal encoding of a Redis object.",
        ),
        data(
            "object|freq",
            3,
            Flags::READONLY,
            &[one_key(2, LOOK)],
            object::freq,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "4.0.0",
            "key",
            "O(1)",
            "Returns the logarithmic access frequency counter of a Redis object.",
        ),
        data(
            "object|help",
            2,
            Flags::LOADING.and(Flags::STALE),
            NO_KEYS,
            object::help,
        )
        .doc(
            "6.2.0",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        data(
            "object|idletime",
            3,
            Flags::READONLY,
            &[one_key(2, LOOK)],
            object::idletime,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "2.2.3",
            "key",
            "O(1)",
            "Returns the time since the last access to a Redis object.",
        ),
        data(
            "object|refcount",
            3,
            Flags::READONLY,
            &[one_key(2, LOOK)],
            object::refcount,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "2.2.3",
            "key",
            "O(1)",
            "Returns the reference count of a value of a key.",
        ),
        data(
            "sort",
            -2,
            Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLEKEYS),
            &[SORTED, MADE, STORED],
            sort::sort,
        )
        .derives(sort::DERIVED)
        .category_apart(SORT_CATEGORIES)
        .doc(
            "1.0.0",
            "key [BY pattern] [LIMIT offset count:integer] [GET pattern [GET pattern ...]] \
                order=[ASC|DESC] [sorting=ALPHA] [STORE destination]",
            SORT_COST,
            "Sorts the elements in a list, a set, or a sorted set, optionally storing the \
                result.",
        ),
        data(
            "sort_ro",
            -2,
            Flags::READONLY.and(Flags::MOVABLEKEYS),
            &[SORTED, MADE],
            sort::sort_ro,
        )
        .derives(sort::DERIVED)
        .category_apart(SORT_CATEGORIES)
        .doc(
            "7.0.0",
            "key [BY pattern] [LIMIT offset count:integer] [GET pattern [GET pattern ...]] \
                order=[ASC|DESC] [sorting=ALPHA]",
            SORT_COST,
            "Returns the sorted elements of a list, a set, or a sorted set.",
        ),
    ],
);
