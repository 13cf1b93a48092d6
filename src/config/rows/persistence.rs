//! Directives about snapshots and the append-only file.
//!
//! Redis's own rows, read by the persistence part.

use crate::config::check::{is_aof_dir_name, is_aof_file_name, is_rdb_file_name};
use crate::config::choice::AppendFsync;
use crate::config::row::{
    Directive, LONG_MAX, Special, bytes, choice, count, number, range, special, text, yes_no,
};

pub const ROWS: &[Directive] = &[
    special(
        "dir",
        Special::Dir,
        "Directory for snapshots and the append-only file; the process works there. Relative paths \
         in this file are relative to it.",
    )
    .protected()
    .not_while_loading(),
    special(
        "save",
        Special::Save,
        "Takes a snapshot after so many seconds if at least so many keys changed; any number of \
         pairs. save \"\" takes none.",
    ),
    text("dbfilename", "dump.rdb", "Name of the snapshot in dir.")
        .protected()
        .check(is_rdb_file_name),
    yes_no(
        "stop-writes-on-bgsave-error",
        true,
        "Refuses writes after a failed snapshot, until one succeeds.",
    ),
    yes_no(
        "rdbcompression",
        true,
        "Compresses long strings in snapshots with LZF.",
    ),
    yes_no(
        "rdbchecksum",
        true,
        "Ends snapshots with a checksum and verifies it.",
    )
    .immutable(),
    yes_no(
        "rdb-del-sync-files",
        false,
        "Removes snapshots that only served a resynchronisation, where persistence is off.",
    ),
    yes_no(
        "rdb-save-incremental-fsync",
        true,
        "Flushes a snapshot while it is written.",
    ),
    yes_no(
        "appendonly",
        false,
        "Logs every change to the append-only file.",
    )
    .not_while_loading(),
    text(
        "appendfilename",
        "appendonly.aof",
        "Base of the names of append-only files.",
    )
    .immutable()
    .check(is_aof_file_name),
    text(
        "appenddirname",
        "appendonlydir",
        "Directory in dir for append-only files.",
    )
    .immutable()
    .check(is_aof_dir_name),
    choice(
        "appendfsync",
        AppendFsync::WORDS,
        AppendFsync::Everysec as u32,
        "When a logged change is on disk: always before its reply, everysec within a second, or \
         whenever the kernel likes.",
    ),
    yes_no(
        "no-appendfsync-on-rewrite",
        false,
        "Does not flush the append-only file while a snapshot or a rewrite runs.",
    ),
    number(
        "auto-aof-rewrite-percentage",
        count(100),
        "Growth since the last rewrite that starts the next; 0 starts none.",
    ),
    bytes(
        "auto-aof-rewrite-min-size",
        range(0, LONG_MAX, 64 << 20),
        "Size below which no rewrite starts by itself.",
    ),
    yes_no(
        "aof-load-truncated",
        true,
        "Accepts an append-only file that ends in the middle of a command.",
    ),
    yes_no(
        "aof-use-rdb-preamble",
        true,
        "Rewrites in the format of snapshots.",
    ),
    yes_no(
        "aof-rewrite-incremental-fsync",
        true,
        "Flushes a rewrite while it is written.",
    ),
    yes_no(
        "aof-timestamp-enabled",
        false,
        "Notes the time in the append-only file.",
    ),
    yes_no(
        "aof-disable-auto-gc",
        false,
        "Keeps files that a rewrite made superfluous.",
    ),
];
