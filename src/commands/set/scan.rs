//! SSCAN: all members in pages, while the set changes.
//!
//! A packed set is one page whatever COUNT says, as in Redis.

use super::member;
use crate::base::glob;
use crate::command::Args;
use crate::keyspace::Cursor;
use crate::resp::{ErrorReply, Output, Protocol, Writer, errors};
use crate::shard::{Outcome, ShardCtx};

struct Options<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Options<'a>, ErrorReply> {
        const COUNT: usize = 10;
        let mut options = Options {
            count: COUNT,
            pattern: None,
        };
        for at in (3..args.len()).step_by(2) {
            let value = args.try_get(at + 1).ok_or(errors::SYNTAX)?;
            if args.is(at, "count") {
                let count = args.integer(at + 1)?;
                options.count = usize::try_from(count).unwrap_or(0);
                if options.count == 0 {
                    return Err(errors::SYNTAX.into());
                }
            } else if args.is(at, "match") {
                options.pattern = Some(value).filter(|pattern| *pattern != b"*");
            } else {
                return Err(errors::SYNTAX.into());
            }
        }
        Ok(options)
    }

    fn wants(&self, member: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::matches(pattern, member, false))
    }
}

/// SSCAN: reply with a page of members, and the cursor of the next page.
pub fn sscan(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let cursor = Cursor::parse(args.get(2)).ok_or(errors::INVALID_CURSOR)?;
    let (mut next, mut count, mut page) = (0, 0, Output::default());
    // Redis: options are looked at only where there is something to scan.
    if let Some(set) = member::read(ctx.space, ctx.db, &key)? {
        let options = Options::parse(args)?;
        let mut writer = Writer::new(&mut page, Protocol::default());
        next = set.scan(cursor.0, options.count, |found| {
            if found.with_bytes(|name| options.wants(name)) {
                member::reply(&mut writer, found);
                count += 1;
            }
        });
    }
    ctx.reply.array(2);
    ctx.reply.bulk(next.to_string().as_bytes());
    let written = ctx.reply.array(count);
    ctx.reply.output().append(&mut page);
    Ok(written)
}
