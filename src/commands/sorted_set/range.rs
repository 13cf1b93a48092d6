//! ZRANGE and its kin: parts of a sorted set, in either direction.
//!
//! The old names say in their name what ZRANGE says in its options; all are parsed by one parser.

use super::bounds::{Bounds, Limit};
use super::read;
use crate::command::Args;
use crate::object::zset::{ZsetEdit, ZsetRef};
use crate::object::{Collection, Holder, Packed};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use std::ops::Range;

/// What the ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What a command's name says already.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// The argument before the ends.
    source: usize,
    by: Option<By>,
    is_reverse: Option<bool>,
    stores: bool,
}

/// A part of a sorted set.
struct Query<'a> {
    bounds: Bounds<'a>,
    is_reverse: bool,
    limit: Limit,
    with_scores: bool,
}

impl<'a> Query<'a> {
    fn parse(args: Args<'a>, form: Form) -> Result<Query<'a>, ErrorReply> {
        let (mut by, mut is_reverse) = (form.by, form.is_reverse);
        let (mut limit, mut with_scores) = (Limit::NONE, false);
        let mut at = form.source + 3;
        while at < args.len() {
            if !form.stores && args.is(at, "withscores") {
                with_scores = true;
            } else if args.is(at, "limit") && at + 2 < args.len() {
                limit.offset = args.integer(at + 1)?;
                limit.count = args.integer(at + 2)?;
                at += 2;
            } else if is_reverse.is_none() && args.is(at, "rev") {
                is_reverse = Some(true);
            } else if by.is_none() && args.is(at, "bylex") {
                by = Some(By::Member);
            } else if by.is_none() && args.is(at, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        let (by, is_reverse) = (by.unwrap_or(By::Rank), is_reverse.unwrap_or(false));
        if limit.count != -1 && by == By::Rank {
            return Err(
                "ERR syntax error, LIMIT is only supported in combination with either \
                BYSCORE or BYLEX"
                    .into(),
            );
        }
        if with_scores && by == By::Member {
            return Err(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX".into(),
            );
        }
        Ok(Query {
            bounds: bounds(args, form.source, by, is_reverse)?,
            is_reverse,
            limit: if by == By::Rank { Limit::NONE } else { limit },
            with_scores,
        })
    }

    fn ranks(&self, set: ZsetRef<'_>) -> Range<usize> {
        let ranks = self.bounds.within(set, self.is_reverse);
        self.limit.of(ranks, self.is_reverse)
    }
}

fn bounds(
    args: Args<'_>,
    source: usize,
    by: By,
    is_reverse: bool,
) -> Result<Bounds<'_>, ErrorReply> {
    let (first, last) = (source + 1, source + 2);
    // A reversed range of scores or members is given from its greater end.
    let (min, max) = if is_reverse {
        (last, first)
    } else {
        (first, last)
    };
    match by {
        By::Rank => Bounds::ranks(args, first, last),
        By::Score => Bounds::scores(args, min, max),
        By::Member => Bounds::members(args, min, max),
    }
}

fn reply(ctx: &mut ShardCtx<'_>, by: Option<By>, is_reverse: Option<bool>) -> Outcome {
    let form = Form {
        source: 1,
        by,
        is_reverse,
        stores: false,
    };
    let query = Query::parse(ctx.args, form)?;
    let key = ctx.key(1);
    let Some(set) = read::zset(ctx.space, ctx.db, &key)? else {
        return Ok(ctx.reply.array(0));
    };
    let ranks = query.ranks(set);
    let count = ranks.len();
    let members = set.iter(ranks, query.is_reverse);
    Ok(read::members(
        &mut ctx.reply,
        members,
        count,
        query.with_scores,
    ))
}

/// ZRANGE: a part by rank, score or member.
pub fn zrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, None, None)
}

/// ZREVRANGE: a part by rank, counted from the highest score.
pub fn zrevrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE: members with scores in a range.
pub fn zrangebyscore(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE: the same, from the highest score.
pub fn zrevrangebyscore(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX: members in a range of members.
pub fn zrangebylex(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, Some(By::Member), Some(false))
}

/// ZREVRANGEBYLEX: the same, from the greatest member.
pub fn zrevrangebylex(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, Some(By::Member), Some(true))
}

/// ZRANGESTORE: stores a part under another key.
pub fn zrangestore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let form = Form {
        source: 2,
        by: None,
        is_reverse: None,
        stores: true,
    };
    let query = Query::parse(ctx.args, form)?;
    let key = ctx.key(2);
    let packing = ctx.space.common.packing;
    let mut part = Collection::empty(Packed::Zset);
    if let Some(set) = read::zset(ctx.space, ctx.db, &key)? {
        let mut edit = ZsetEdit::new(&mut part, &packing);
        for (member, score) in set.iter(query.ranks(set), query.is_reverse) {
            member.with_bytes(|member| edit.set(member, score));
        }
    }
    let len = ZsetRef::new(part.form()).len();
    ctx.store(1, part, len, Event::ZRANGESTORE)
}
