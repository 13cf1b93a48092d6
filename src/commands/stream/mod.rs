//! Streams: entries in the order of their ids, read by range, by many, or shared out in groups.
//!
//! Rows here, handlers in the files beside; a handler sees its shard and nothing above it.

use super::row::{Family, container, data, family};
use crate::command::{Begin, Find, Flags, Group, KeyFlags, KeySpec, no_keys, one_key};

mod add;
mod claim;
mod deliver;
mod group;
mod info;
mod look;
mod pending;
mod range;
mod read;
mod reply;
mod tell;
mod trim;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE;
const GROW: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const TALK: Flags = Flags::LOADING.and(Flags::STALE);
const WAIT: Flags = Flags::BLOCKING.and(Flags::MOVABLEKEYS);
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const UPDATE: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const INSERT: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const DELETE: KeyFlags = KeyFlags::RW.and(KeyFlags::DELETE);
const VARIES: &[&str] = &["nondeterministic_output"];

/// As many keys as ids behind the word STREAMS, which may also be the name of a group.
const STREAMS: KeySpec = KeySpec {
    flags: LOOK,
    begin: Begin::Option(
        "STREAMS",
        1,
        &[("block", 1), ("count", 1), ("group", 2), ("noack", 0)],
    ),
    find: Find::Range {
        last: -1,
        step: 1,
        limit: 2,
    },
    note: "",
};

/// The same for XREADGROUP, which notes what it has read.
const READ_STREAMS: KeySpec = KeySpec {
    flags: LOOK.and(KeyFlags::WRITTEN),
    begin: Begin::Option(
        "STREAMS",
        4,
        &[("block", 1), ("count", 1), ("group", 2), ("noack", 0)],
    ),
    ..STREAMS
};

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Stream,
    &[
        data(
            "xack",
            -4,
            WRITE.and(FAST),
            &[one_key(1, UPDATE)],
            claim::xack,
        )
        .doc(
            "5.0.0",
            "key group id [id ...]",
            "O(1) for each message ID processed.",
            "Returns the number of messages that were successfully acknowledged by the consumer \
                group member of a stream.",
        ),
        data(
            "xadd",
            -5,
            GROW.and(FAST),
            &[one_key(1, UPDATE)
                .note("UPDATE instead of INSERT because of the optional trimming feature")],
            add::xadd,
        )
        .tips(VARIES)
        .doc(
            "5.0.0",
            "key [NOMKSTREAM@6.2.0] trim=[strategy=<MAXLEN|MINID@6.2.0> \
                operator=[equal==|approximately=~] threshold [LIMIT count]@6.2.0] \
                id_or_auto=<auto_id=*|id> field_value=<field value ...>",
            "O(1) when adding a new entry, O(N) when trimming where N being the number of \
                entries evicted.",
            "Appends a new message to a stream. Creates the key if it doesn't exist.",
        )
        .history(&[
            (
                "6.2.0",
                "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
            ),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ]),
        data(
            "xautoclaim",
            -6,
            WRITE.and(FAST),
            &[one_key(1, DELETE)],
            claim::xautoclaim,
        )
        .tips(VARIES)
        .doc(
            "6.2.0",
            "key group consumer min-idle-time start:string [COUNT count] [JUSTID]",
            "O(1) if COUNT is small.",
            "Changes, or acquires, ownership of messages in a consumer group, as if the messages \
                were delivered to as consumer group member.",
        )
        .history(&[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared \
                from the PEL",
        )]),
        data(
            "xclaim",
            -6,
            WRITE.and(FAST),
            &[one_key(1, UPDATE)],
            claim::xclaim,
        )
        .tips(VARIES)
        .doc(
            "5.0.0",
            "key group consumer min-idle-time id [id ...] [IDLE ms:integer] \
                [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] \
                [LASTID id]",
            "O(log N) with N being the number of messages in the PEL of the consumer group.",
            "Changes, or acquires, ownership of a message in a consumer group, as if the message \
                was delivered a consumer group member.",
        ),
        data(
            "xdel",
            -3,
            WRITE.and(FAST),
            &[one_key(1, DELETE)],
            add::xdel,
        )
        .doc(
            "5.0.0",
            "key id [id ...]",
            "O(1) for each single item to delete in the stream, regardless of the stream size.",
            "Returns the number of messages after removing them from a stream.",
        ),
        container("xgroup", -2, Flags::NONE).doc(
            "5.0.0",
            "",
            "Depends on subcommand.",
            "A container for consumer groups commands.",
        ),
        data(
            "xgroup|create",
            -5,
            GROW,
            &[one_key(2, INSERT)],
            group::create,
        )
        .doc(
            "5.0.0",
            "key groupname id=<id|new_id=$> [MKSTREAM] [ENTRIESREAD entries_read:integer]",
            "O(1)",
            "Creates a consumer group.",
        )
        .history(&[("7.0.0", "Added the `entries_read` named argument.")]),
        data(
            "xgroup|createconsumer",
            5,
            GROW,
            &[one_key(2, INSERT)],
            group::createconsumer,
        )
        .doc(
            "6.2.0",
            "key groupname consumername",
            "O(1)",
            "Creates a consumer in a consumer group.",
        ),
        data(
            "xgroup|delconsumer",
            5,
            WRITE,
            &[one_key(2, DELETE)],
            group::delconsumer,
        )
        .doc(
            "5.0.0",
            "key groupname consumername",
            "O(1)",
            "Deletes a consumer from a consumer group.",
        ),
        data(
            "xgroup|destroy",
            4,
            WRITE,
            &[one_key(2, DELETE)],
            group::destroy,
        )
        .doc(
            "5.0.0",
            "key groupname",
            "O(N) where N is the number of entries in the group's pending entries list (PEL).",
            "Destroys a consumer group.",
        ),
        data("xgroup|help", 2, TALK, no_keys(), group::help).doc(
            "5.0.0",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        data(
            "xgroup|setid",
            -5,
            WRITE,
            &[one_key(2, UPDATE)],
            group::setid,
        )
        .doc(
            "5.0.0",
            "key groupname id=<id|new_id=$> [ENTRIESREAD entries_read:integer]",
            "O(1)",
            "Sets the last-delivered ID of a consumer group.",
        )
        .history(&[("7.0.0", "Added the optional `entries_read` argument.")]),
        container("xinfo", -2, Flags::NONE).doc(
            "5.0.0",
            "",
            "Depends on subcommand.",
            "A container for stream introspection commands.",
        ),
        data(
            "xinfo|consumers",
            4,
            READ,
            &[one_key(2, LOOK)],
            info::consumers,
        )
        .tips(VARIES)
        .doc(
            "5.0.0",
            "key groupname",
            "O(1)",
            "Returns a list of the consumers in a consumer group.",
        )
        .history(&[("7.2.0", "Added the `inactive` field.")]),
        data("xinfo|groups", 3, READ, &[one_key(2, LOOK)], info::groups)
            .doc(
                "5.0.0",
                "key",
                "O(1)",
                "Returns a list of the consumer groups of a stream.",
            )
            .history(&[("7.0.0", "Added the `entries-read` and `lag` fields")]),
        data("xinfo|help", 2, TALK, no_keys(), info::help).doc(
            "5.0.0",
            "",
            "O(1)",
            "Returns helpful text about the different subcommands.",
        ),
        data("xinfo|stream", -3, READ, &[one_key(2, LOOK)], info::stream)
            .doc(
                "5.0.0",
                "key [FULL <[COUNT count]>]",
                "O(1)",
                "Returns information about a stream.",
            )
            .history(&[
                ("6.0.0", "Added the `FULL` modifier."),
                (
                    "7.0.0",
                    "Added the `max-deleted-entry-id`, `entries-added`, \
                        `recorded-first-entry-id`, `entries-read` and `lag` fields",
                ),
                (
                    "7.2.0",
                    "Added the `active-time` field, and changed the meaning of `seen-time`.",
                ),
            ]),
        data(
            "xlen",
            2,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            range::xlen,
        )
        .doc(
            "5.0.0",
            "key",
            "O(1)",
            "Return the number of messages in a stream.",
        ),
        data("xpending", -3, READ, &[one_key(1, LOOK)], pending::xpending)
            .tips(VARIES)
            .doc(
                "5.0.0",
                "key group filters=[[IDLE min-idle-time:integer]@6.2.0 start:string end:string \
                    count [consumer]]",
                "O(N) with N being the number of elements returned, so asking for a small fixed \
                    number of entries per call is O(1). O(M), where M is the total number of \
                    entries scanned when used with the IDLE filter. When the command returns \
                    just the summary and the list of consumers is small, it runs in O(1) time; \
                    otherwise, an additional O(N) time for iterating every consumer.",
                "Returns the information and entries from a stream consumer group's pending \
                    entries list.",
            )
            .history(&[(
                "6.2.0",
                "Added the `IDLE` option and exclusive range intervals.",
            )]),
        data("xrange", -4, READ, &[one_key(1, LOOK)], range::xrange)
            .doc(
                "5.0.0",
                "key start:string end:string [COUNT count]",
                "O(N) with N being the number of elements being returned. If N is constant (e.g. \
                    always asking for the first 10 elements with COUNT), you can consider it \
                    O(1).",
                "Returns the messages from a stream within a range of IDs.",
            )
            .history(&[("6.2.0", "Added exclusive ranges.")]),
        data("xread", -4, READ.and(WAIT), &[STREAMS], read::xread)
            .blocking(read::may_wait)
            .doc(
            "5.0.0",
            "[COUNT count] [BLOCK milliseconds] STREAMS streams=<key [key ...] id [id ...]>",
            "For each stream mentioned: O(N) with N being the number of elements being returned, \
                it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK \
                option is used, XADD will pay O(M) time in order to serve the M clients blocked \
                on the stream getting new data.",
            "Returns messages from multiple streams with IDs greater than the ones requested. \
                Blocks until a message is available otherwise.",
        ),
        data(
            "xreadgroup",
            -7,
            WRITE.and(WAIT),
            &[READ_STREAMS],
            read::xreadgroup,
        )
        .blocking(read::may_wait)
        .doc(
            "5.0.0",
            "GROUP group_consumer=<group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] \
                STREAMS streams=<key [key ...] id [id ...]>",
            "For each stream mentioned: O(M) with M being the number of elements returned. If M \
                is constant (e.g. always asking for the first 10 elements with COUNT), you can \
                consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the \
                O(N) time in order to serve the N clients blocked on the stream getting new data.",
            "Returns new or historical messages from a stream for a consumer in a group. Blocks \
                until a message is available otherwise.",
        ),
        data("xrevrange", -4, READ, &[one_key(1, LOOK)], range::xrevrange)
            .doc(
                "5.0.0",
                "key end:string start:string [COUNT count]",
                "O(N) with N being the number of elements returned. If N is constant (e.g. \
                    always asking for the first 10 elements with COUNT), you can consider it \
                    O(1).",
                "Returns the messages from a stream within a range of IDs in reverse order.",
            )
            .history(&[("6.2.0", "Added exclusive ranges.")]),
        data(
            "xsetid",
            -3,
            GROW.and(FAST),
            &[one_key(1, UPDATE)],
            add::xsetid,
        )
        .doc(
            "5.0.0",
            "key last-id [ENTRIESADDED entries_added:integer]@7.0.0 \
                    [MAXDELETEDID max_deleted_entry_id]@7.0.0",
            "O(1)",
            "An internal command for replicating stream values.",
        )
        .history(&[(
            "7.0.0",
            "Added the `entries_added` and `max_deleted_entry_id` arguments.",
        )]),
        data("xtrim", -4, WRITE, &[one_key(1, DELETE)], trim::xtrim)
            .tips(VARIES)
            .doc(
                "5.0.0",
                "key trim=<strategy=<MAXLEN|MINID@6.2.0> operator=[equal==|approximately=~] \
                    threshold [LIMIT count]@6.2.0>",
                "O(N), with N being the number of evicted entries. Constant times are very small \
                    however, since entries are organized in macro nodes containing multiple \
                    entries that can be released with a single deallocation.",
                "Deletes messages from the beginning of a stream.",
            )
            .history(&[(
                "6.2.0",
                "Added the `MINID` trimming strategy and the `LIMIT` option.",
            )]),
    ],
);
