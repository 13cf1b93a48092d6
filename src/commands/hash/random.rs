//! HRANDFIELD: fields by chance, one or several, with or without repetition.
//!
//! A negative count asks for so many draws, which may repeat; a positive one for that many
//! different fields. What has expired is removed first, in a bounded number; if even then some is
//! left, the draw is among copies of the live fields.

use super::read::{item, lookup};
use crate::base::clock::is_over;
use crate::base::prng::Prng;
use crate::command::Args;
use crate::keyspace::{Key, Lookup};
use crate::object::Kind;
use crate::object::hash::{HashRef, Pair};
use crate::resp::{ErrorReply, Protocol, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};
use std::collections::HashSet;

/// Expired fields that one call removes.
const REMOVED_MAX: usize = 10_000;
/// Draws that one call makes: its reply has to fit into memory, and other clients wait for it.
const DRAWS_MAX: u64 = 1 << 20;
/// Up to this share of the fields, different ones are found by drawing again and again.
const REDRAWN_SHARE: usize = 3;

/// What HRANDFIELD is asked for.
#[derive(Clone, Copy)]
struct Request {
    count: i64,
    has_values: bool,
}

impl Request {
    fn parse(args: Args<'_>) -> Result<Request, ErrorReply> {
        let count = args.integer(2)?;
        if count == i64::MIN {
            let text = format!(
                "ERR value is out of range, value must between {} and {}",
                -i64::MAX,
                i64::MAX
            );
            return Err(text.into());
        }
        let has_values = args.len() == 4 && args.is(3, "withvalues");
        if args.len() > 3 && !has_values {
            return Err(errors::SYNTAX.into());
        }
        let is_too_large = has_values && count.unsigned_abs() > i64::MAX as u64 / 2;
        let is_too_long = count < 0 && count.unsigned_abs() > DRAWS_MAX;
        if is_too_large || is_too_long {
            return Err(errors::OUT_OF_RANGE.into());
        }
        Ok(Request { count, has_values })
    }
}

/// HRANDFIELD: random fields.
pub fn hrandfield(ctx: &mut ShardCtx<'_>) -> Outcome {
    let request = match ctx.args.len() {
        2 => None,
        _ => Some(Request::parse(ctx.args)?),
    };
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let mut random = ctx.space.common.random.fork();
    let is_due =
        lookup(ctx.space, ctx.db, &key)?.is_some_and(|hash| is_over(hash.earliest_ms(), now_ms));
    if is_due {
        remove_expired(ctx, &key)?;
    }
    let door = ctx.space.door(ctx.db);
    let hash = door.collection(&key, Kind::Hash, Lookup::Write)?;
    let draw = hash.and_then(|form| Draw::new(HashRef::new(form), now_ms));
    match (request, draw) {
        (None, None) => Ok(ctx.reply.null()),
        (None, Some(draw)) => Ok(item(&mut ctx.reply, draw.one(&mut random).field)),
        (Some(_), None) => Ok(ctx.reply.array(0)),
        (Some(request), Some(draw)) => Ok(reply(&mut ctx.reply, draw, request, &mut random)),
    }
}

fn remove_expired(ctx: &mut ShardCtx<'_>, key: &Key<'_>) -> Result<(), ErrorReply> {
    if let Some(mut open) = ctx.door().open(key, Kind::Hash)? {
        open.expire_due(REMOVED_MAX);
    }
    Ok(())
}

/// What is drawn from; it is not empty.
enum Draw<'a> {
    /// A large hash in which nothing has expired.
    Table(HashRef<'a>),
    /// The live fields.
    Pairs(Vec<Pair<'a>>),
}

impl<'a> Draw<'a> {
    fn new(hash: HashRef<'a>, now_ms: i64) -> Option<Draw<'a>> {
        if hash.is_table() && !hash.is_empty() && !is_over(hash.earliest_ms(), now_ms) {
            return Some(Draw::Table(hash));
        }
        let live = hash.iter().filter(|pair| pair.is_live(now_ms));
        let pairs: Vec<Pair<'a>> = live.collect();
        (!pairs.is_empty()).then_some(Draw::Pairs(pairs))
    }

    fn len(&self) -> usize {
        match self {
            Draw::Table(hash) => hash.len(),
            Draw::Pairs(pairs) => pairs.len(),
        }
    }

    fn one(&self, random: &mut Prng) -> Pair<'a> {
        match self {
            Draw::Table(hash) => hash.random(random).expect("it is not empty"),
            Draw::Pairs(pairs) => pairs[random.below(pairs.len() as u64) as usize],
        }
    }

    /// So many different ones, fewer than there are.
    fn several(self, count: usize, random: &mut Prng) -> Vec<Pair<'a>> {
        let mut pairs = match self {
            Draw::Table(hash) if count < hash.len() / REDRAWN_SHARE => {
                return redraw(hash, count, random);
            }
            Draw::Table(hash) => hash.iter().collect(),
            Draw::Pairs(pairs) => pairs,
        };
        for at in 0..count {
            let other = at + random.below((pairs.len() - at) as u64) as usize;
            pairs.swap(at, other);
        }
        pairs.truncate(count);
        pairs
    }
}

/// Draws until there are enough different ones.
fn redraw<'a>(hash: HashRef<'a>, count: usize, random: &mut Prng) -> Vec<Pair<'a>> {
    let (mut pairs, mut seen) = (Vec::new(), HashSet::new());
    while pairs.len() < count {
        let pair = hash.random(random).expect("it is not empty");
        if seen.insert(pair.field.to_vec()) {
            pairs.push(pair);
        }
    }
    pairs
}

fn reply(reply: &mut Writer<'_>, draw: Draw<'_>, request: Request, random: &mut Prng) -> Written {
    let asked = request.count.unsigned_abs() as usize;
    if request.count < 0 {
        let mut written = head(reply, request, asked);
        for _ in 0..asked {
            written = show(reply, request, draw.one(random));
        }
        return written;
    }
    let len = draw.len();
    let mut written = head(reply, request, asked.min(len));
    match draw {
        Draw::Table(hash) if asked >= len => {
            for pair in hash.iter() {
                written = show(reply, request, pair);
            }
        }
        Draw::Pairs(pairs) if asked >= len => {
            for pair in pairs {
                written = show(reply, request, pair);
            }
        }
        draw => {
            for pair in draw.several(asked, random) {
                written = show(reply, request, pair);
            }
        }
    }
    written
}

/// RESP3 has pairs, RESP2 a flat list.
fn head(reply: &mut Writer<'_>, request: Request, count: usize) -> Written {
    let is_flat = request.has_values && reply.protocol() == Protocol::Resp2;
    reply.array(if is_flat { 2 * count } else { count })
}

fn show(reply: &mut Writer<'_>, request: Request, pair: Pair<'_>) -> Written {
    if !request.has_values {
        return item(reply, pair.field);
    }
    if reply.protocol() == Protocol::Resp3 {
        reply.array(2);
    }
    item(reply, pair.field);
    item(reply, pair.value)
}
