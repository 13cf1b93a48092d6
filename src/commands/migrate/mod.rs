//! MIGRATE: keys go to another server, at one moment for everybody here.
//!
//! A control family, because it talks to the outside: the keys are locked on their shards, their
//! payloads collected, a thread beside the cores does the talking, and what the other side has
//! taken is deleted before the locks go. No core waits meanwhile. RESTORE-ASKING is how nodes of a
//! cluster receive; it is RESTORE by another name.

use super::generic;
use super::row::{Family, Row, control, data, family};
use crate::command::{Begin, Categories, Find, Flags, Group, KeyFlags, KeySpec, one_key};

mod options;
mod run;
mod transfer;

pub use run::{begin_in_exec, hear, take_transferred};

const MOVED: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const OVERWRITTEN: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);

/// Keys behind KEYS, where the third argument is empty.
const LISTED: Begin = Begin::Instead(
    "KEYS",
    -2,
    [3, 6],
    &[("copy", 0), ("replace", 0), ("auth", 1), ("auth2", 2)],
);

const MIGRATED: &[KeySpec] = &[
    KeySpec {
        begin: Begin::Unless(3, &LISTED),
        ..one_key(3, MOVED)
    },
    KeySpec {
        flags: MOVED.and(KeyFlags::INCOMPLETE),
        begin: LISTED,
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 0,
        },
        note: "",
    },
];

/// The row of the family.
pub const FAMILY: Family = family(Group::Generic, &[MIGRATE]);

/// The row for the server's own use.
pub const ASKING: Family = family(Group::Server, &[RESTORE_ASKING]);

const MIGRATE: Row = control(
    "migrate",
    -6,
    Flags::WRITE.and(Flags::MOVABLEKEYS),
    run::migrate,
)
.locks_keys(MIGRATED)
.category(Categories::DANGEROUS)
.tips(&["nondeterministic_output"])
.doc(
    "2.6.0",
    "host port:integer key-selector=<key | empty-string:pure-token> destination-db:integer \
    timeout:integer \
    [COPY@3.0.0] [REPLACE@3.0.0] \
    authentication=[AUTH password@4.0.7 | auth2=[AUTH2 username password]@6.0.0] \
    [KEYS key [key ...]@3.0.6]",
    "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the \
    target instance. See the pages of these commands for time complexity. Also an O(N) data \
    transfer between the two instances is performed.",
    "Atomically transfer a key from a Redis instance to another one.",
)
.history(&[
    ("3.0.0", "Added the `COPY` and `REPLACE` options."),
    ("3.0.6", "Added the `KEYS` option."),
    ("4.0.7", "Added the `AUTH` option."),
    ("6.0.0", "Added the `AUTH2` option."),
]);

const RESTORE_ASKING: Row = data(
    "restore-asking",
    -4,
    Flags::WRITE.and(Flags::DENYOOM).and(Flags::ASKING),
    &[one_key(1, OVERWRITTEN)],
    generic::restore,
)
.category_apart(Categories::DANGEROUS.and(Categories::KEYSPACE))
.internal()
.doc(
    "3.0.0",
    "key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] \
    [IDLETIME seconds:integer@5.0.0] [FREQ frequency:integer@5.0.0]",
    "O(1) to create the new key and additional O(N*M) to reconstruct the \
    serialized value, where N is the number of Redis objects composing the value \
    and M their average size. For small string values the time complexity is thus \
    O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values \
    the complexity is O(N*M*log(N)) because inserting values into sorted sets is \
    O(log(N)).",
    "An internal command for migrating keys in a cluster",
)
.history(&[
    ("3.0.0", "Added the `REPLACE` modifier."),
    ("5.0.0", "Added the `ABSTTL` modifier."),
    ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
]);
