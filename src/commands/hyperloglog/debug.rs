//! PFDEBUG and PFSELFTEST: a look inside, for those who work on it.
//!
//! Redis: GETREG makes a sparse one dense, and that is a change.

use super::count::{look, make_raw};
use crate::keyspace::{Expiry, Key, Lookup, NewValue};
use crate::object::hyperloglog::{HllRef, Maxima, runs, selftest, to_dense};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// PFDEBUG GETREG, DECODE, ENCODING, TODENSE.
pub fn pfdebug(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(2);
    let found = look((ctx.space, ctx.db), &key, Lookup::Write, |bytes| {
        Ok(bytes.to_vec())
    })?;
    let bytes = found.ok_or("ERR The specified key does not exist")?;
    // Another form of the same value is no news to those who watch it, as in Redis.
    ctx.space.common.watches.hush(true);
    let outcome = show(ctx, &key, bytes);
    ctx.space.common.watches.hush(false);
    outcome
}

fn show(ctx: &mut ShardCtx<'_>, key: &Key<'_>, bytes: Vec<u8>) -> Outcome {
    let args = ctx.args;
    let hll = HllRef::new(&bytes);
    make_raw(ctx, key);
    if args.is(1, "getreg") {
        let mut maxima = Maxima::default();
        maxima.add(hll)?;
        make_dense(ctx, key, bytes)?;
        let mut written = ctx.reply.array(maxima.values().len());
        for value in maxima.values() {
            written = ctx.reply.integer(i64::from(*value));
        }
        return Ok(written);
    }
    if args.is(1, "decode") {
        return decode(ctx, hll);
    }
    if args.is(1, "encoding") {
        let name = if hll.is_dense() { "dense" } else { "sparse" };
        return Ok(ctx.reply.status(name));
    }
    if args.is(1, "todense") {
        let was_sparse = make_dense(ctx, key, bytes)?;
        return Ok(ctx.reply.flag(was_sparse));
    }
    let before = "ERR Unknown PFDEBUG subcommand '";
    Err(errors::repeating(before, args.get(1), "'"))
}

fn make_dense(
    ctx: &mut ShardCtx<'_>,
    key: &Key<'_>,
    mut bytes: Vec<u8>,
) -> Result<bool, ErrorReply> {
    let was_sparse = to_dense(&mut bytes)?;
    if was_sparse {
        ctx.door().set(key, NewValue::raw(bytes), Expiry::Keep);
        ctx.effects.changed_quietly();
    }
    Ok(was_sparse)
}

fn decode(ctx: &mut ShardCtx<'_>, hll: HllRef<'_>) -> Outcome {
    if hll.is_dense() {
        return Err("ERR HLL encoding is not sparse".into());
    }
    let words = runs(hll.registers()).map(|run| match (run.value, run.is_long) {
        (0, false) => format!("z:{}", run.len),
        (0, true) => format!("Z:{}", run.len),
        (value, _) => format!("v:{value},{}", run.len),
    });
    let text = words.collect::<Vec<_>>().join(" ");
    Ok(ctx.reply.bulk(text.as_bytes()))
}

/// PFSELFTEST: reply with whether the arithmetic holds.
pub fn pfselftest(ctx: &mut ShardCtx<'_>) -> Outcome {
    let mut random = ctx.space.common.random.fork();
    selftest(&mut random)?;
    Ok(ctx.reply.ok())
}
