//! ZUNION, ZINTER, ZDIFF, their storing forms, and ZINTERCARD.
//!
//! Sources are combined as Redis does, down to the order in which scores are added up: unions and
//! intersections go from the smallest source to the largest.

use super::read;
use super::source::{self, Members, Source};
use crate::base::number::{parse_f64, parse_i64};
use crate::command::Args;
use crate::object::element::Item;
use crate::object::zset;
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};
use ahash::RandomState;
use std::cmp::Ordering;
use std::collections::HashMap;

/// How sources are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Union,
    Inter,
    Diff,
}

/// What becomes of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Reply,
    Store,
    Count,
}

/// How scores of the same member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            _ => one,
        }
    }
}

/// Redis: an infinity times zero, or plus its opposite, counts as zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// The options behind the keys.
struct Options {
    weights: Option<usize>,
    aggregate: Aggregate,
    with_scores: bool,
    /// For counting: none when zero.
    limit: usize,
}

impl Options {
    /// `at` is the argument behind the last of so many keys.
    fn parse(
        args: Args<'_>,
        mut at: usize,
        keys: usize,
        (how, then): (How, Then),
    ) -> Result<Options, ErrorReply> {
        let mut options = Options {
            weights: None,
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        let aggregates = how != How::Diff && then != Then::Count;
        while at < args.len() {
            let left = args.len() - at;
            if aggregates && left > keys && args.is(at, "weights") {
                options.weights = Some(at + 1);
                for weight in at + 1..=at + keys {
                    let error = "ERR weight value is not a float";
                    parse_f64(args.get(weight)).ok_or(error)?;
                }
                at += keys + 1;
            } else if aggregates && left >= 2 && args.is(at, "aggregate") {
                options.aggregate = aggregate(args, at + 1)?;
                at += 2;
            } else if then == Then::Reply && args.is(at, "withscores") {
                options.with_scores = true;
                at += 1;
            } else if then == Then::Count && left >= 2 && args.is(at, "limit") {
                let limit = parse_i64(args.get(at + 1)).and_then(|n| usize::try_from(n).ok());
                options.limit = limit.ok_or("ERR LIMIT can't be negative")?;
                at += 2;
            } else {
                return Err(errors::SYNTAX.into());
            }
        }
        Ok(options)
    }
}

fn aggregate(args: Args<'_>, at: usize) -> Result<Aggregate, ErrorReply> {
    let named = [
        ("sum", Aggregate::Sum),
        ("min", Aggregate::Min),
        ("max", Aggregate::Max),
    ];
    let found = named.iter().find(|(name, _)| args.is(at, name));
    Ok(found.ok_or(errors::SYNTAX)?.1)
}

/// Members with their scores, in no order.
type Found = Vec<(f64, Box<[u8]>)>;

fn union(sources: &[Source<'_>], aggregate: Aggregate) -> Found {
    let mut scores: HashMap<Box<[u8]>, f64, RandomState> = HashMap::default();
    for source in sources {
        source.members.each(|member, score| {
            let score = number_or_zero(source.weight * score);
            match scores.get_mut(member) {
                Some(old) => *old = aggregate.join(*old, score),
                None => drop(scores.insert(member.into(), score)),
            }
            true
        });
    }
    scores
        .into_iter()
        .map(|(member, score)| (score, member))
        .collect()
}

/// Calls `visit` with what all sources have, until it says that it is enough.
fn inter(sources: &[Source<'_>], aggregate: Aggregate, mut visit: impl FnMut(&[u8], f64) -> bool) {
    let [first, others @ ..] = sources else {
        return;
    };
    first.members.each(|member, score| {
        let mut sum = number_or_zero(first.weight * score);
        for other in others {
            let Some(score) = other.members.score(member) else {
                return true;
            };
            sum = aggregate.join(sum, score * other.weight);
        }
        visit(member, sum)
    });
}

fn diff(sources: &[Source<'_>]) -> Found {
    let mut found = Found::new();
    let [first, others @ ..] = sources else {
        return found;
    };
    first.members.each(|member, score| {
        let is_elsewhere = |other: &Source<'_>| other.members.score(member).is_some();
        if !others.iter().any(is_elsewhere) {
            found.push((score, member.into()));
        }
        true
    });
    found
}

/// A request that has been read: its sources are found.
struct Request<'a> {
    sources: Vec<Source<'a>>,
    options: Options,
}

fn request<'a>(
    ctx: &'a mut ShardCtx<'_>,
    at: usize,
    (how, then): (How, Then),
) -> Result<Request<'a>, ErrorReply> {
    let args = ctx.args;
    let count = args.integer(at)?;
    if count < 1 {
        let name = ctx.spec.name;
        return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
    }
    let first = at + 1;
    let keys = usize::try_from(count).unwrap_or(usize::MAX);
    if keys > args.len() - first {
        return Err(errors::SYNTAX.into());
    }
    for at in first..first + keys {
        let key = ctx.key(at);
        source::check(ctx.space, ctx.db, &key)?;
    }
    let options = Options::parse(args, first + keys, keys, (how, then))?;
    let (ctx, mut sources) = (&*ctx, Vec::new());
    for number in 0..keys {
        let weight = options
            .weights
            .map_or(Ok(1.0), |at| args.float(at + number))?;
        let members = Members::peek(ctx.space, ctx.db, &ctx.key(first + number));
        sources.push(Source { members, weight });
    }
    if how != How::Diff {
        sources.sort_by_key(|source| source.members.len());
    }
    Ok(Request { sources, options })
}

impl Request<'_> {
    fn run(&self, how: How) -> Found {
        let aggregate = self.options.aggregate;
        match how {
            How::Union => union(&self.sources, aggregate),
            How::Diff => diff(&self.sources),
            How::Inter => {
                let mut found = Found::new();
                inter(&self.sources, aggregate, |member, score| {
                    found.push((score, member.into()));
                    true
                });
                found
            }
        }
    }
}

fn reply(ctx: &mut ShardCtx<'_>, how: How) -> Outcome {
    let request = request(ctx, 1, (how, Then::Reply))?;
    let (mut found, with_scores) = (request.run(how), request.options.with_scores);
    found.sort_unstable_by(|(score, member), (other_score, other)| {
        let by_score = score.partial_cmp(other_score);
        by_score
            .unwrap_or(Ordering::Equal)
            .then_with(|| member.cmp(other))
    });
    let members = found
        .iter()
        .map(|(score, member)| (Item::Bytes(member), *score));
    Ok(read::members(
        &mut ctx.reply,
        members,
        found.len(),
        with_scores,
    ))
}

fn store(ctx: &mut ShardCtx<'_>, how: How, event: Event) -> Outcome {
    let found = request(ctx, 2, (how, Then::Store))?.run(how);
    let value = zset::collect(&found, &ctx.space.common.packing);
    ctx.store(1, value, found.len(), event)
}

/// ZUNION: what any of the sources has.
pub fn zunion(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, How::Union)
}

/// ZINTER: what all sources have.
pub fn zinter(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, How::Inter)
}

/// ZDIFF: what only the first source has.
pub fn zdiff(ctx: &mut ShardCtx<'_>) -> Outcome {
    reply(ctx, How::Diff)
}

/// ZUNIONSTORE: stores what any of the sources has.
pub fn zunionstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    store(ctx, How::Union, Event::ZUNIONSTORE)
}

/// ZINTERSTORE: stores what all sources have.
pub fn zinterstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    store(ctx, How::Inter, Event::ZINTERSTORE)
}

/// ZDIFFSTORE: stores what only the first source has.
pub fn zdiffstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    store(ctx, How::Diff, Event::ZDIFFSTORE)
}

/// ZINTERCARD: how much all sources have, counted up to a limit.
pub fn zintercard(ctx: &mut ShardCtx<'_>) -> Outcome {
    let request = request(ctx, 1, (How::Inter, Then::Count))?;
    let (mut count, limit) = (0, request.options.limit);
    inter(&request.sources, Aggregate::Sum, |_, _| {
        count += 1;
        count != limit
    });
    Ok(ctx.reply.integer(count as i64))
}
