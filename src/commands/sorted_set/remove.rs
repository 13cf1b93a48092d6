//! ZREM and ZREMRANGEBY*: members that go.
//!
//! A set that is left empty takes its key along.

use super::bounds::Bounds;
use crate::object::Kind;
use crate::object::zset::ZsetEdit;
use crate::shard::{Event, Outcome, ShardCtx};

/// ZREM: takes members out.
pub fn zrem(ctx: &mut ShardCtx<'_>) -> Outcome {
    remove(ctx, Event::ZREM, |edit, ctx_members| {
        let mut removed = 0;
        for member in ctx_members {
            removed += usize::from(edit.remove(member).is_some());
            if edit.view().is_empty() {
                break;
            }
        }
        removed
    })
}

/// ZREMRANGEBYRANK: takes out the members of some ranks.
pub fn zremrangebyrank(ctx: &mut ShardCtx<'_>) -> Outcome {
    let bounds = Bounds::ranks(ctx.args, 2, 3)?;
    remove_range(ctx, bounds, Event::ZREMRANGEBYRANK)
}

/// ZREMRANGEBYSCORE: takes out the members with scores in a range.
pub fn zremrangebyscore(ctx: &mut ShardCtx<'_>) -> Outcome {
    let bounds = Bounds::scores(ctx.args, 2, 3)?;
    remove_range(ctx, bounds, Event::ZREMRANGEBYSCORE)
}

/// ZREMRANGEBYLEX: takes out the members in a range of members.
pub fn zremrangebylex(ctx: &mut ShardCtx<'_>) -> Outcome {
    let bounds = Bounds::members(ctx.args, 2, 3)?;
    remove_range(ctx, bounds, Event::ZREMRANGEBYLEX)
}

fn remove_range(ctx: &mut ShardCtx<'_>, bounds: Bounds<'_>, event: Event) -> Outcome {
    remove(ctx, event, |edit, _| {
        let ranks = bounds.within(edit.view(), false);
        let count = ranks.len();
        edit.remove_ranks(ranks);
        count
    })
}

/// Lets `take` remove from the set at argument 1, shown the arguments behind it; replies with the
/// number it returns.
fn remove(
    ctx: &mut ShardCtx<'_>,
    event: Event,
    take: impl FnOnce(&mut ZsetEdit<'_>, &mut dyn Iterator<Item = &[u8]>) -> usize,
) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let packing = ctx.space.common.packing;
    let Some(mut open) = ctx.space.door(ctx.db).open(&key, Kind::Zset)? else {
        return Ok(ctx.reply.integer(0));
    };
    let removed = take(&mut ZsetEdit::new(&mut open, &packing), &mut args.from(2));
    let is_gone = open.is_gone();
    drop(open);
    if removed > 0 {
        ctx.changed(event, key.bytes);
        if is_gone {
            ctx.changed(Event::DEL, key.bytes);
        }
    }
    Ok(ctx.reply.integer(removed as i64))
}
