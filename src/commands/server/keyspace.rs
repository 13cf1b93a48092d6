//! DBSIZE, FLUSHDB, FLUSHALL, SWAPDB: whole databases.
//!
//! They run on every shard as one operation. A flush answers when the keys are gone; their memory
//! comes back in bounded steps, with ASYNC and without, because a core that frees millions of
//! values in one go serves nobody meanwhile.

use crate::command::{Categories, Flags, Group, Merge};
use crate::commands::row::{Family, data, family};
use crate::keyspace::DbIndex;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// The rows of the server group that touch data and nothing else.
pub const KEYSPACE: Family = family(
    Group::Server,
    &[
        data("dbsize", 1, Flags::READONLY.and(Flags::FAST), &[], dbsize)
            .everywhere(Merge::Sum)
            .category(Categories::KEYSPACE)
            .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
            .doc(
                "1.0.0",
                "",
                "O(1)",
                "Returns the number of keys in the database.",
            ),
        data("flushdb", -1, Flags::WRITE, &[], flushdb)
            .everywhere(Merge::AllOk)
            .category(Categories::KEYSPACE.and(Categories::DANGEROUS))
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .doc(
                "1.0.0",
                "async=[ASYNC@4.0.0 | SYNC@6.2.0]",
                "O(N) where N is the number of keys in the selected database",
                "Remove all keys from the current database.",
            )
            .history(&[
                ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
                ("6.2.0", "Added the `SYNC` flushing mode modifier."),
            ]),
        data("flushall", -1, Flags::WRITE, &[], flushall)
            .everywhere(Merge::AllOk)
            .category(Categories::KEYSPACE.and(Categories::DANGEROUS))
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .doc(
                "1.0.0",
                "async=[ASYNC@4.0.0 | SYNC@6.2.0]",
                "O(N) where N is the total number of keys in all databases",
                "Removes all keys from all databases.",
            )
            .history(&[
                ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
                ("6.2.0", "Added the `SYNC` flushing mode modifier."),
            ]),
        data("swapdb", 3, Flags::WRITE.and(Flags::FAST), &[], swapdb)
            .everywhere(Merge::AllOk)
            .category(Categories::KEYSPACE.and(Categories::DANGEROUS))
            .doc(
                "4.0.0",
                "index1 index2",
                "O(N) where N is the count of clients watching or blocking on keys from \
                both databases.",
                "Swaps two Redis databases.",
            ),
    ],
);

/// DBSIZE: how many keys this database has here.
fn dbsize(ctx: &mut ShardCtx<'_>) -> Outcome {
    let len = ctx.door().len();
    Ok(ctx.reply.integer(len as i64))
}

/// FLUSHDB: remove all keys of this database.
fn flushdb(ctx: &mut ShardCtx<'_>) -> Outcome {
    check_mode(ctx)?;
    ctx.space.flush(ctx.db);
    ctx.effects.changed_databases();
    Ok(ctx.reply.ok())
}

/// FLUSHALL: remove all keys of all databases.
fn flushall(ctx: &mut ShardCtx<'_>) -> Outcome {
    check_mode(ctx)?;
    for db in 0..ctx.space.databases() {
        ctx.space.flush(DbIndex(db));
    }
    ctx.effects.changed_databases();
    Ok(ctx.reply.ok())
}

/// ASYNC and SYNC are taken, and make no difference.
fn check_mode(ctx: &ShardCtx<'_>) -> Result<(), ErrorReply> {
    match ctx.args.len() {
        1 => Ok(()),
        2 if ctx.args.is(1, "async") || ctx.args.is(1, "sync") => Ok(()),
        _ => Err(errors::SYNTAX.into()),
    }
}

/// SWAPDB: two databases change places.
fn swapdb(ctx: &mut ShardCtx<'_>) -> Outcome {
    let one = index(ctx, 1).ok_or("ERR invalid first DB index")?;
    let other = index(ctx, 2).ok_or("ERR invalid second DB index")?;
    let count = i64::from(ctx.space.databases());
    if !(0..count).contains(&one) || !(0..count).contains(&other) {
        return Err(errors::DB_OUT_OF_RANGE.into());
    }
    ctx.space.swap(DbIndex(one as u32), DbIndex(other as u32));
    ctx.effects.changed_databases();
    Ok(ctx.reply.ok())
}

fn index(ctx: &ShardCtx<'_>, at: usize) -> Option<i64> {
    let index = ctx.args.integer(at).ok()?;
    i32::try_from(index).ok().map(i64::from)
}
