//! ZRANDMEMBER: members by chance, each equally likely.
//!
//! Ranks are drawn, then looked up. Nothing is reserved by the number a client names: distinct
//! ranks are at most as many as there are members, others are drawn one by one.

use super::read;
use crate::base::number::parse_i64;
use crate::base::prng::Prng;
use crate::object::zset::ZsetRef;
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};
use std::collections::HashSet;

/// Draws with repetition that one call makes: its reply has to fit into memory.
const DRAWS_MAX: i64 = 1 << 20;
const RANGE: &str = "ERR value is out of range, value must between -9223372036854775807 and \
    9223372036854775807";

/// ZRANDMEMBER: one member, or some of them, or many with repetitions.
pub fn zrandmember(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let count = match args.try_get(2) {
        None => None,
        Some(text) => {
            let count = parse_i64(text).ok_or(errors::NOT_AN_INTEGER)?;
            Some(
                Some(count)
                    .filter(|count| *count != i64::MIN)
                    .ok_or(RANGE)?,
            )
        }
    };
    let with_scores = args.len() > 3;
    if args.len() > 4 || (with_scores && !args.is(3, "withscores")) {
        return Err(errors::SYNTAX.into());
    }
    if with_scores && count.is_some_and(|count| count.unsigned_abs() > i64::MAX as u64 / 2) {
        return Err(ErrorReply::from(errors::OUT_OF_RANGE));
    }
    if count.is_some_and(|count| count < -DRAWS_MAX) {
        return Err(ErrorReply::from(errors::OUT_OF_RANGE));
    }
    let mut random = ctx.space.common.random.fork();
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let reply = &mut ctx.reply;
    Ok(match (set, count) {
        (None, None) => reply.null(),
        (None, Some(_)) | (_, Some(0)) => reply.array(0),
        (Some(set), None) => {
            let drawn = set.at(random.below(set.len() as u64) as usize);
            read::member(reply, drawn.expect("a rank below the length").0)
        }
        (Some(set), Some(count)) if count < 0 => repeated(
            reply,
            set,
            count.unsigned_abs() as usize,
            with_scores,
            &mut random,
        ),
        (Some(set), Some(count)) => distinct(reply, set, count as usize, with_scores, &mut random),
    })
}

fn repeated(
    reply: &mut Writer<'_>,
    set: ZsetRef<'_>,
    count: usize,
    with_scores: bool,
    random: &mut Prng,
) -> Written {
    let written = read::begin(reply, count, with_scores);
    for _ in 0..count {
        let drawn = set.at(random.below(set.len() as u64) as usize);
        let (item, score) = drawn.expect("a rank below the length");
        read::element(reply, item, score, with_scores);
    }
    written
}

fn distinct(
    reply: &mut Writer<'_>,
    set: ZsetRef<'_>,
    count: usize,
    with_scores: bool,
    random: &mut Prng,
) -> Written {
    let len = set.len();
    let count = count.min(len);
    let written = read::begin(reply, count, with_scores);
    // Few of many are drawn until they are enough; many are found on a walk over all.
    if count * 3 <= len {
        let mut drawn = HashSet::new();
        while drawn.len() < count {
            let rank = random.below(len as u64) as usize;
            if drawn.insert(rank) {
                let (item, score) = set.at(rank).expect("a rank below the length");
                read::element(reply, item, score, with_scores);
            }
        }
        return written;
    }
    let mut left = count;
    // Redis: from the highest score.
    for (rank, (item, score)) in set.iter(0..len, true).enumerate() {
        if random.below((len - rank) as u64) < left as u64 {
            read::element(reply, item, score, with_scores);
            left -= 1;
        }
    }
    written
}
