//! LLEN, LINDEX, LRANGE, LPOS: looking at lists.
//!
//! Replies are written as the walk goes; no number of a client's is more than a limit to it.

use super::options::{count, range, signed};
use super::reply::{element, elements};
use crate::command::Args;
use crate::keyspace::{Key, Lookup, WrongKind};
use crate::object::Kind;
use crate::object::element::Wanted;
use crate::object::list::{ListRef, Side};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Outcome, ShardCtx};

/// The list at a key.
#[inline]
fn list<'s>(ctx: &'s mut ShardCtx<'_>, key: &Key<'_>) -> Result<Option<ListRef<'s>>, WrongKind> {
    let door = ctx.space.door(ctx.db);
    let form = door.collection(key, Kind::List, Lookup::Read)?;
    Ok(form.map(ListRef::of))
}

/// LLEN: reply with the number of elements.
pub fn llen(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let len = list(ctx, &key)?.map_or(0, ListRef::len);
    Ok(ctx.reply.integer(len as i64))
}

/// LINDEX: reply with the element at an index.
pub fn lindex(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, args) = (ctx.key(1), ctx.args);
    let door = ctx.space.door(ctx.db);
    let Some(form) = door.collection(&key, Kind::List, Lookup::Read)? else {
        return Ok(ctx.reply.null());
    };
    let list = ListRef::of(form);
    let index = list.index(args.integer(2)?);
    let item = index.and_then(|index| list.walk(index, Side::Right).next());
    Ok(match item {
        Some(item) => element(&mut ctx.reply, item),
        None => ctx.reply.null(),
    })
}

/// LRANGE: reply with the elements of a range.
pub fn lrange(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (start, stop) = (ctx.args.integer(2)?, ctx.args.integer(3)?);
    let key = ctx.key(1);
    let door = ctx.space.door(ctx.db);
    let Some(form) = door.collection(&key, Kind::List, Lookup::Read)? else {
        return Ok(ctx.reply.array(0));
    };
    let list = ListRef::of(form);
    let (first, count) = range(list.len(), start, stop);
    let walk = list.walk(first, Side::Right);
    Ok(elements(&mut ctx.reply, walk, count))
}

/// LPOS's options.
struct Search {
    /// How many matches to pass over.
    passed: u64,
    from: Side,
    /// How many matches to reply with as an array; 0 for all.
    count: Option<usize>,
    /// How many elements to look at; 0 for all.
    looks_max: usize,
}

impl Search {
    fn parse(args: Args<'_>) -> Result<Search, ErrorReply> {
        let (mut rank, mut matches, mut looks_max) = (1, None, 0);
        for at in (3..args.len()).step_by(2) {
            match () {
                () if at + 1 == args.len() => return Err(errors::SYNTAX.into()),
                () if args.is(at, "rank") => rank = Search::rank(args, at + 1)?,
                () if args.is(at, "count") => {
                    matches = Some(count(args, at + 1, 0, "ERR COUNT can't be negative")?);
                }
                () if args.is(at, "maxlen") => {
                    looks_max = count(args, at + 1, 0, "ERR MAXLEN can't be negative")?;
                }
                () => return Err(errors::SYNTAX.into()),
            }
        }
        Ok(Search {
            passed: rank.unsigned_abs() - 1,
            from: if rank < 0 { Side::Right } else { Side::Left },
            count: matches,
            looks_max,
        })
    }

    fn rank(args: Args<'_>, at: usize) -> Result<i64, ErrorReply> {
        const ZERO: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from \
            the second ... or use negative to start from the end of the list";
        match signed(args, at)? {
            0 => Err(ZERO.into()),
            rank => Ok(rank),
        }
    }

    /// The indexes of what is found, in the order of the search.
    fn run(&self, list: ListRef<'_>, element: &[u8]) -> Vec<usize> {
        let (wanted, len) = (Wanted::new(element), list.len());
        let looks = match self.looks_max {
            0 => len,
            looks => looks,
        };
        let found_max = match self.count {
            None => 1,
            Some(0) => len,
            Some(count) => count,
        };
        let walk = list.walk_from(self.from).take(looks).enumerate();
        let found = walk.filter(|(_, item)| item.is(&wanted));
        let passed = usize::try_from(self.passed).unwrap_or(usize::MAX);
        let indexes = found.map(|(number, _)| match self.from {
            Side::Left => number,
            Side::Right => len - 1 - number,
        });
        indexes.skip(passed).take(found_max).collect()
    }
}

/// LPOS: reply with the index of an element, or of several.
pub fn lpos(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (key, wanted) = (ctx.key(1), ctx.args.get(2));
    let search = Search::parse(ctx.args)?;
    let found = list(ctx, &key)?.map(|list| search.run(list, wanted));
    let found = found.unwrap_or_default();
    if search.count.is_some() {
        let mut written = ctx.reply.array(found.len());
        for index in found {
            written = ctx.reply.integer(index as i64);
        }
        return Ok(written);
    }
    Ok(match found.first() {
        Some(index) => ctx.reply.integer(*index as i64),
        None => ctx.reply.null(),
    })
}
