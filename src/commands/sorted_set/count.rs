//! ZCARD, ZCOUNT, ZSCORE, ZRANK and their kin: what is known of a set or of its members.
//!
//! Reads only. A rank counts from the lowest score, a reverse rank from the highest.

use super::bounds::Bounds;
use super::read;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// ZCARD: number of members.
pub fn zcard(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read::zset(ctx.space, ctx.db, &key)?;
    Ok(ctx.reply.integer(set.map_or(0, |set| set.len() as i64)))
}

/// ZCOUNT: number of members with scores in a range.
pub fn zcount(ctx: &mut ShardCtx<'_>) -> Outcome {
    let bounds = Bounds::scores(ctx.args, 2, 3)?;
    count(ctx, bounds)
}

/// ZLEXCOUNT: number of members in a range of members.
pub fn zlexcount(ctx: &mut ShardCtx<'_>) -> Outcome {
    let bounds = Bounds::members(ctx.args, 2, 3)?;
    count(ctx, bounds)
}

fn count(ctx: &mut ShardCtx<'_>, bounds: Bounds<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let count = set.map_or(0, |set| bounds.within(set, false).len());
    Ok(ctx.reply.integer(count as i64))
}

/// ZSCORE: the score of a member.
pub fn zscore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let score = set.and_then(|set| set.score(ctx.args.get(2)));
    Ok(match score {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    })
}

/// ZMSCORE: the scores of members.
pub fn zmscore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let members = ctx.args.from(2);
    let written = ctx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        };
    }
    Ok(written)
}

/// ZRANK: the rank of a member.
pub fn zrank(ctx: &mut ShardCtx<'_>) -> Outcome {
    rank(ctx, false)
}

/// ZREVRANK: the rank of a member, from the highest score.
pub fn zrevrank(ctx: &mut ShardCtx<'_>) -> Outcome {
    rank(ctx, true)
}

fn rank(ctx: &mut ShardCtx<'_>, is_reverse: bool) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let with_score = args.len() > 3;
    if args.len() > 4 {
        return Err(errors::wrong_arity(ctx.spec.name));
    }
    if with_score && !args.is(3, "withscore") {
        return Err(ErrorReply::from(errors::SYNTAX));
    }
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let found = set.and_then(|set| Some((set.len(), set.rank(args.get(2))?)));
    let Some((len, (rank, score))) = found else {
        return Ok(match with_score {
            true => ctx.reply.null_array(),
            false => ctx.reply.null(),
        });
    };
    if with_score {
        ctx.reply.array(2);
    }
    let rank = if is_reverse { len - 1 - rank } else { rank };
    let written = ctx.reply.integer(rank as i64);
    if with_score {
        ctx.reply.double(score);
    }
    Ok(written)
}
