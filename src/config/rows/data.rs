//! Directives about encodings: up to which size a value stays compact.
//!
//! Redis's own rows; OBJECT ENCODING shows what they decide.

use crate::config::row::{Directive, INT_MAX, INT_MIN, LONG_MAX, bytes, count, number, range};

pub const ROWS: &[Directive] = &[
    number(
        "hash-max-listpack-entries",
        range(0, LONG_MAX, 512),
        "Fields up to which a hash is a listpack.",
    )
    .alias("hash-max-ziplist-entries"),
    bytes(
        "hash-max-listpack-value",
        range(0, LONG_MAX, 64),
        "Bytes per field or value up to which a hash is a listpack.",
    )
    .alias("hash-max-ziplist-value"),
    number(
        "list-max-listpack-size",
        range(INT_MIN, INT_MAX, -2),
        "Size of a list's nodes: a count of elements, or -1 to -5 for 4, 8, 16, 32, 64 kilobytes.",
    )
    .alias("list-max-ziplist-size"),
    number(
        "list-compress-depth",
        count(0),
        "Nodes at both ends of a list that stay uncompressed; 0 compresses none.",
    ),
    number(
        "set-max-intset-entries",
        range(0, LONG_MAX, 512),
        "Elements up to which a set of integers is an intset.",
    ),
    number(
        "set-max-listpack-entries",
        range(0, LONG_MAX, 128),
        "Elements up to which another set is a listpack.",
    ),
    bytes(
        "set-max-listpack-value",
        range(0, LONG_MAX, 64),
        "Bytes per element up to which a set is a listpack.",
    ),
    number(
        "zset-max-listpack-entries",
        range(0, LONG_MAX, 128),
        "Elements up to which a sorted set is a listpack.",
    )
    .alias("zset-max-ziplist-entries"),
    bytes(
        "zset-max-listpack-value",
        range(0, LONG_MAX, 64),
        "Bytes per element up to which a sorted set is a listpack.",
    )
    .alias("zset-max-ziplist-value"),
    bytes(
        "hll-sparse-max-bytes",
        range(0, LONG_MAX, 3000),
        "Bytes up to which a HyperLogLog is sparse.",
    ),
    bytes(
        "stream-node-max-bytes",
        range(0, LONG_MAX, 4096),
        "Bytes of a stream's node.",
    ),
    number(
        "stream-node-max-entries",
        range(0, LONG_MAX, 100),
        "Entries of a stream's node.",
    ),
];
