//! BITOP: bitmaps combined into another one.
//!
//! What replays is the result: the sources may live elsewhere than where it is kept.

use crate::keyspace::{Expiry, Lookup, NewValue, StringRef};
use crate::object::bits::BitOp;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use bytes::Bytes;

/// BITOP: store the combination, or remove the key when there is nothing to combine.
pub fn bitop(ctx: &mut ShardCtx<'_>) -> Outcome {
    let operation = operation(ctx)?;
    if operation == BitOp::Not && ctx.args.len() != 4 {
        return Err("ERR BITOP NOT must be called with a single source key.".into());
    }
    let mut sources = Vec::new();
    for at in 3..ctx.args.len() {
        let key = ctx.key(at);
        let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
        sources.push(value.map_or_else(Bytes::new, StringRef::to_bytes));
    }
    let sources: Vec<&[u8]> = sources.iter().map(Bytes::as_ref).collect();
    let result = operation.apply(&sources);
    let len = result.len() as i64;
    store(ctx, result);
    Ok(ctx.reply.integer(len))
}

fn operation(ctx: &ShardCtx<'_>) -> Result<BitOp, ErrorReply> {
    let operations = [
        ("and", BitOp::And),
        ("or", BitOp::Or),
        ("xor", BitOp::Xor),
        ("not", BitOp::Not),
    ];
    let found = operations.iter().find(|(name, _)| ctx.args.is(1, name));
    found
        .map(|(_, operation)| *operation)
        .ok_or_else(|| errors::SYNTAX.into())
}

fn store(ctx: &mut ShardCtx<'_>, result: Vec<u8>) {
    let key = ctx.key(2);
    if !result.is_empty() {
        ctx.effects
            .instead(ctx.db, [&b"SET"[..], key.bytes, &result]);
        ctx.door().set(&key, NewValue::raw(result), Expiry::Clear);
        ctx.changed(Event::SET, key.bytes);
    } else if ctx.door().remove(&key) {
        ctx.effects.instead(ctx.db, [&b"DEL"[..], key.bytes]);
        ctx.changed(Event::DEL, key.bytes);
    }
}
