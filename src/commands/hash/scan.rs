//! HSCAN: a hash page by page.
//!
//! A small hash comes whole, whatever COUNT says, as in Redis. NOVALUES is of Redis 7.4.

use super::read::{item, lookup};
use crate::base::glob;
use crate::command::Args;
use crate::keyspace::Cursor;
use crate::object::hash::Pair;
use crate::resp::{ErrorReply, Output, Writer, errors};
use crate::shard::{Outcome, ShardCtx};

/// What HSCAN is asked for.
struct Options<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    has_values: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Options<'a>, ErrorReply> {
        const COUNT: usize = 10;
        let mut options = Options {
            count: COUNT,
            pattern: None,
            has_values: true,
        };
        let mut at = 3;
        while at < args.len() {
            let value = args.try_get(at + 1);
            if args.is(at, "count") && value.is_some() {
                let count = args.integer(at + 1)?;
                if count < 1 {
                    return Err(errors::SYNTAX.into());
                }
                options.count = count as usize;
                at += 2;
            } else if args.is(at, "match") && value.is_some() {
                // A lone star also matches the empty name, which it would not as a glob.
                options.pattern = value.filter(|pattern| *pattern != b"*");
                at += 2;
            } else if args.is(at, "novalues") {
                options.has_values = false;
                at += 1;
            } else {
                return Err(errors::SYNTAX.into());
            }
        }
        Ok(options)
    }

    fn wants(&self, pair: &Pair<'_>, now_ms: i64) -> bool {
        let matches = |pattern: &[u8]| {
            let field = pair.field;
            field.with_bytes(|field| glob::matches(pattern, field, false))
        };
        pair.is_live(now_ms) && self.pattern.is_none_or(matches)
    }
}

/// HSCAN: a page of fields and values, and the cursor of the next page.
pub fn hscan(ctx: &mut ShardCtx<'_>) -> Outcome {
    let cursor = Cursor::parse(ctx.args.get(2)).ok_or(errors::INVALID_CURSOR)?;
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let Some(hash) = lookup(ctx.space, ctx.db, &key)? else {
        ctx.reply.array(2);
        ctx.reply.bulk(b"0");
        return Ok(ctx.reply.array(0));
    };
    let options = Options::parse(ctx.args)?;
    let (mut page, mut items) = (Output::default(), 0);
    let mut writer = Writer::new(&mut page, ctx.reply.protocol());
    let next = hash.scan(cursor.0, options.count, |pair| {
        if options.wants(&pair, now_ms) {
            item(&mut writer, pair.field);
            items += 1;
            if options.has_values {
                item(&mut writer, pair.value);
                items += 1;
            }
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    let written = ctx.reply.array(items);
    ctx.reply.output().append(&mut page);
    Ok(written)
}
