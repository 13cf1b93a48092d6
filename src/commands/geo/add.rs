//! GEOADD: places as members of a sorted set.
//!
//! The score of a member is the number of its cell; the rest is ZADD's.

use super::place;
use crate::command::Args;
use crate::object::zset::{Change, Rules, ZsetEdit};
use crate::object::{Kind, Packed};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    rules: Rules,
    counts_changes: bool,
    /// Where the first longitude stands.
    first: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, ErrorReply> {
        let mut options = Options {
            first: 2,
            ..Options::default()
        };
        while options.first < args.len() {
            if args.is(options.first, "nx") {
                options.rules.only_new = true;
            } else if args.is(options.first, "xx") {
                options.rules.only_present = true;
            } else if args.is(options.first, "ch") {
                options.counts_changes = true;
            } else {
                break;
            }
            options.first += 1;
        }
        let left = args.len() - options.first;
        let is_torn = options.rules.only_new && options.rules.only_present;
        if left == 0 || !left.is_multiple_of(3) || is_torn {
            return Err(errors::SYNTAX.into());
        }
        Ok(options)
    }
}

/// GEOADD: gives members places.
pub fn geoadd(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let options = Options::parse(args)?;
    let places = (options.first..args.len()).step_by(3);
    for at in places.clone() {
        place::coordinates(args, at)?;
    }
    let packing = ctx.space.common.packing;
    let door = ctx.space.door(ctx.db);
    let mut open = if options.rules.only_present {
        door.open(&key, Kind::Zset)?
    } else {
        Some(door.open_or_new(&key, Packed::Zset)?)
    };
    let (mut added, mut updated) = (0, 0);
    if let Some(open) = &mut open {
        let mut edit = ZsetEdit::new(open, &packing);
        edit.expect(places.clone().count());
        for at in places {
            let score = place::coordinates(args, at)?.score();
            let put = edit.put(args.get(at + 2), score, options.rules);
            match put.expect("only sums can be no number") {
                Change::Added(_) => added += 1,
                Change::Updated(_) => updated += 1,
                Change::Same(_) | Change::Refused => {}
            }
        }
    }
    drop(open);
    if added + updated > 0 {
        ctx.changed(Event::ZADD, key.bytes);
    }
    let counted = if options.counts_changes {
        added + updated
    } else {
        added
    };
    Ok(ctx.reply.integer(counted))
}
