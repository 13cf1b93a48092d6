//! PFADD, PFCOUNT, PFMERGE: elements seen, counted and joined.
//!
//! A dense one is changed where it lies; a sparse one is small and written anew when it changes.

use crate::keyspace::{DbIndex, Expiry, Key, Keyspace, Lookup, NewValue, WrongKind};
use crate::object::Encoding;
use crate::object::hyperloglog::{
    Corrupt, HllRef, Maxima, empty, is_hyperloglog, raise, raise_dense, set_cached, set_stale,
    to_dense,
};
use crate::resp::ErrorReply;
use crate::shard::{Event, Outcome, ShardCtx};

impl From<Corrupt> for ErrorReply {
    fn from(_: Corrupt) -> ErrorReply {
        "INVALIDOBJ Corrupted HLL object detected".into()
    }
}

/// Lets `see` look at the HyperLogLog at a key; `None` when there is no such key.
pub(super) fn look<T>(
    (space, db): (&mut Keyspace, DbIndex),
    key: &Key<'_>,
    lookup: Lookup,
    see: impl FnOnce(&[u8]) -> Result<T, ErrorReply>,
) -> Result<Option<T>, ErrorReply> {
    const NOT_ONE: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    let Some(entry) = space.door(db).find(key, lookup) else {
        return Ok(None);
    };
    let string = entry.string().ok_or(WrongKind)?;
    let seen = string.with_bytes(|bytes| match is_hyperloglog(bytes) {
        true => see(bytes),
        false => Err(NOT_ONE.into()),
    })?;
    Ok(Some(seen))
}

/// Redis: commands that may change a string make it raw even if they leave its bytes alone.
pub(super) fn make_raw(ctx: &mut ShardCtx<'_>, key: &Key<'_>) {
    let entry = ctx.space.door(ctx.db).find(key, Lookup::Write);
    if entry.is_some_and(|entry| entry.encoding() != Encoding::Raw) {
        ctx.door().edit_string(key, |_| ());
    }
}

/// What PFADD has to do.
enum Addition {
    Nothing,
    InPlace,
    Anew(Vec<u8>),
}

/// PFADD: let it see elements and reply with whether that changed anything.
pub fn pfadd(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key, packing) = (ctx.args, ctx.key(1), ctx.space.common.packing);
    let add = |mut bytes: Vec<u8>| -> Result<Addition, ErrorReply> {
        for element in args.from(2) {
            raise(&mut bytes, element, packing.hll_sparse_bytes_max)?;
        }
        set_stale(&mut bytes);
        Ok(Addition::Anew(bytes))
    };
    let found = look((ctx.space, ctx.db), &key, Lookup::Write, |bytes| {
        let hll = HllRef::new(bytes);
        for element in args.from(2) {
            if hll.is_news(element)? {
                return match hll.is_dense() {
                    true => Ok(Addition::InPlace),
                    false => add(bytes.to_vec()),
                };
            }
        }
        Ok(Addition::Nothing)
    })?;
    match found.map_or_else(|| add(empty()), Ok)? {
        Addition::Nothing => {
            make_raw(ctx, &key);
            return Ok(ctx.reply.flag(false));
        }
        Addition::InPlace => ctx.door().edit_padded(&key, 0, |bytes| {
            for element in args.from(2) {
                raise_dense(bytes, element);
            }
            set_stale(bytes);
        }),
        Addition::Anew(bytes) => ctx.door().set(&key, NewValue::raw(bytes), Expiry::Keep),
    }
    ctx.changed(Event::PFADD, key.bytes);
    Ok(ctx.reply.flag(true))
}

/// PFCOUNT: reply with how many different elements one has seen, or several together.
pub fn pfcount(ctx: &mut ShardCtx<'_>) -> Outcome {
    if ctx.args.len() == 2 {
        return count_one(ctx);
    }
    let mut maxima = Maxima::default();
    for at in 1..ctx.args.len() {
        let key = ctx.key(at);
        look((ctx.space, ctx.db), &key, Lookup::Read, |bytes| {
            Ok(maxima.add(HllRef::new(bytes))?)
        })?;
    }
    Ok(ctx.reply.integer(maxima.count() as i64))
}

/// The count is kept in the value, which is a change that has to replay, though no event.
fn count_one(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let found = look((ctx.space, ctx.db), &key, Lookup::Read, |bytes| {
        let hll = HllRef::new(bytes);
        match hll.cached() {
            Some(count) => Ok((count, false)),
            None => Ok((hll.count()?, true)),
        }
    })?;
    let Some((count, is_new)) = found else {
        return Ok(ctx.reply.integer(0));
    };
    if is_new {
        ctx.door()
            .edit_padded(&key, 0, |bytes| set_cached(bytes, count));
        ctx.effects.changed_quietly();
    } else {
        make_raw(ctx, &key);
    }
    Ok(ctx.reply.integer(count as i64))
}

/// PFMERGE: let one have seen what it and others have seen.
pub fn pfmerge(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (mut maxima, mut is_dense) = (Maxima::default(), false);
    let mut target = None;
    for at in 1..ctx.args.len() {
        let key = ctx.key(at);
        let found = look((ctx.space, ctx.db), &key, Lookup::Read, |bytes| {
            let hll = HllRef::new(bytes);
            is_dense |= hll.is_dense();
            maxima.add(hll)?;
            Ok((at == 1).then(|| bytes.to_vec()))
        })?;
        target = target.or(found.flatten());
    }
    let mut bytes = target.unwrap_or_else(empty);
    if is_dense {
        to_dense(&mut bytes)?;
    }
    maxima.raise(&mut bytes, ctx.space.common.packing.hll_sparse_bytes_max)?;
    set_stale(&mut bytes);
    let key = ctx.key(1);
    ctx.door().set(&key, NewValue::raw(bytes), Expiry::Keep);
    ctx.changed(Event::PFADD, key.bytes);
    Ok(ctx.reply.ok())
}
