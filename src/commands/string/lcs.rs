//! LCS: the longest common subsequence of two strings.
//!
//! `object::lcs` computes it; here are the options and the shapes of the reply.

use crate::command::Args;
use crate::keyspace::{Lookup, StringRef};
use crate::object::lcs::{self, Lcs, Match};
use crate::resp::{ErrorReply, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};
use bytes::Bytes;

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    replies_len: bool,
    replies_matches: bool,
    match_len_min: usize,
    with_match_len: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Options, ErrorReply> {
        let (mut options, mut at) = (Options::default(), 3);
        while at < args.len() {
            if args.is(at, "idx") {
                options.replies_matches = true;
            } else if args.is(at, "len") {
                options.replies_len = true;
            } else if args.is(at, "withmatchlen") {
                options.with_match_len = true;
            } else if args.is(at, "minmatchlen") && at + 1 < args.len() {
                at += 1;
                options.match_len_min = args.integer(at)?.max(0) as usize;
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        if options.replies_len && options.replies_matches {
            return Err("ERR If you want both the length and indexes, please just use IDX.".into());
        }
        Ok(options)
    }
}

/// LCS: reply with the subsequence, its length, or where it lies.
pub fn lcs(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (a, b) = (source(ctx, 1), source(ctx, 2));
    let (a, b) = (a?, b?);
    let options = Options::parse(ctx.args)?;
    lcs::check_sizes(a.len(), b.len(), ctx.space.common.string_bytes_max)
        .map_err(|error| ErrorReply::from(format!("ERR {}", error.text())))?;
    if options.replies_len {
        return Ok(ctx.reply.integer(lcs::length(&a, &b) as i64));
    }
    let found = Lcs::new(&a, &b);
    if options.replies_matches {
        return Ok(reply_matches(&mut ctx.reply, &found, options));
    }
    Ok(ctx.reply.bulk(&found.string()))
}

/// A string to be compared; an empty one where there is no key.
fn source(ctx: &mut ShardCtx<'_>, at: usize) -> Result<Bytes, ErrorReply> {
    let key = ctx.key(at);
    let value = ctx
        .space
        .door(ctx.db)
        .string(&key, Lookup::Read)
        .map_err(|_| "ERR The specified keys must contain string values")?;
    Ok(value.map_or_else(Bytes::new, StringRef::to_bytes))
}

fn reply_matches(reply: &mut Writer<'_>, found: &Lcs<'_>, options: Options) -> Written {
    let matches = found.matches(options.match_len_min);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(matches.len());
    for Match { a, b } in matches {
        reply.array(if options.with_match_len { 3 } else { 2 });
        for range in [&a, &b] {
            reply.array(2);
            reply.integer(range.start as i64);
            reply.integer(range.end as i64 - 1);
        }
        if options.with_match_len {
            reply.integer(a.len() as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(found.len() as i64)
}
