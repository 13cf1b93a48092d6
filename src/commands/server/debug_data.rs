//! What DEBUG needs of the shards: digests, a look at an entry, and keys to fill a keyspace with.
//!
//! Rows of DEBUG's family that run on the shards; their arguments are DEBUG's, from its name on.

use crate::command::{Args, Flags, KeyFlags, LAST, Merge, keys, one_key};
use crate::commands::row::{Row, data};
use crate::keyspace::{
    DIGEST_BYTES, DbIndex, Digest, EntryRef, Expiry, Key, Lookup, NewValue, StringRef,
};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

const READ: Flags = Flags::READONLY.and(Flags::PROTECTED);
const WRITE: Flags = Flags::WRITE.and(Flags::PROTECTED);

/// DEBUG DIGEST: one digest of everything.
pub const DIGEST: Row = data("debug|digest", 2, READ, &[], digest)
    .everywhere(Merge::Xor)
    .doc("1.0.0", "", "O(N)", "Returns a digest of all keys.");

/// DEBUG DIGEST-VALUE key [key ...]: digests of values.
pub const DIGEST_VALUE: Row = data(
    "debug|digest-value",
    -2,
    READ,
    &[keys(2, LAST, 1, KeyFlags::RO)],
    digest_value,
)
.split(Merge::InOrder)
.doc(
    "5.0.0",
    "[key [key ...]]",
    "O(N)",
    "Returns digests of values.",
);

/// DEBUG OBJECT key: how an entry is kept.
pub const OBJECT: Row = data(
    "debug|object",
    -3,
    READ,
    &[one_key(2, KeyFlags::RO)],
    object,
)
.doc(
    "1.0.0",
    "key [FAST]",
    "O(1)",
    "Returns how an entry is kept.",
);

/// DEBUG POPULATE count [prefix] [size]: make keys that do not exist yet.
pub const POPULATE: Row = data("debug|populate", -3, WRITE, &[], populate)
    .everywhere(Merge::AllOk)
    .doc(
        "1.0.0",
        "count [prefix] [size:integer]",
        "O(N)",
        "Makes keys that do not exist yet.",
    );

/// Replies with one digest for each database, behind each other; the merge makes one of them.
fn digest(ctx: &mut ShardCtx<'_>) -> Outcome {
    let databases = ctx.space.databases();
    let mut all = Vec::with_capacity(databases as usize * DIGEST_BYTES);
    for db in 0..databases {
        all.extend_from_slice(&ctx.space.digest(DbIndex(db)).0);
    }
    Ok(ctx.reply.bulk(&all))
}

fn digest_value(ctx: &mut ShardCtx<'_>) -> Outcome {
    let mut written = ctx.reply.array(ctx.args.len() - 2);
    for at in 2..ctx.args.len() {
        let key = ctx.key(at);
        let entry = ctx.space.door(ctx.db).find(&key, Lookup::Write);
        let digest = entry.map(Digest::of_value).unwrap_or_default();
        written = ctx.reply.status(&digest.hex());
    }
    Ok(written)
}

fn object(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, rule, now_ms) = (ctx.key(2), ctx.space.common.access, ctx.now_ms());
    let entry = ctx.space.door(ctx.db).find(&key, Lookup::Write);
    let entry = entry.ok_or(errors::NO_SUCH_KEY)?;
    let is_shared = matches!(entry.string(), Some(StringRef::Int(0..10_000)));
    let line = format!(
        "Value at:{:p} refcount:{} encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        if is_shared { i32::MAX } else { 1 },
        entry.encoding().name(),
        serialized_len(entry),
        entry.access(),
        rule.idle_seconds(entry.access(), now_ms),
    );
    Ok(ctx.reply.status(&line))
}

/// Bytes a string takes in a dump without compression; 0 for other types.
fn serialized_len(entry: EntryRef<'_>) -> usize {
    let prefix = |len: usize| match len {
        0..64 => 1,
        64..16_384 => 2,
        _ => 5,
    };
    match entry.string() {
        None => 0,
        Some(StringRef::Int(number)) if i8::try_from(number).is_ok() => 2,
        Some(StringRef::Int(number)) if i16::try_from(number).is_ok() => 3,
        Some(StringRef::Int(number)) if i32::try_from(number).is_ok() => 5,
        Some(string) => prefix(string.len()) + string.len(),
    }
}

fn populate(ctx: &mut ShardCtx<'_>) -> Outcome {
    const BYTES_MAX: i64 = 512 << 20;
    let args: Args<'_> = ctx.args;
    let positive = |at: usize| -> Result<i64, ErrorReply> {
        let number = args.integer(at).ok().filter(|number| *number >= 0);
        number.ok_or_else(|| errors::NOT_POSITIVE.into())
    };
    let count = positive(2)?;
    let prefix = args.try_get(3).unwrap_or(b"key");
    let size = if args.len() > 4 { positive(4)? } else { 0 };
    if size > BYTES_MAX {
        return Err(errors::STRING_TOO_LONG.into());
    }
    let mut name = Vec::new();
    for number in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        name.extend_from_slice(format!(":{number}").as_bytes());
        let key = Key::new(&name);
        if !ctx.space.owns(key.slot) || ctx.door().contains(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size as usize, 0);
        }
        ctx.door().set(&key, NewValue::text(value), Expiry::Clear);
    }
    ctx.effects.changed_databases();
    Ok(ctx.reply.ok())
}
