//! ZSCAN: all members in pages, while the set changes.
//!
//! A packed set is one page whatever COUNT says, as in Redis.

use super::read;
use crate::base::glob;
use crate::base::number::{F64_TEXT_MAX, format_f64};
use crate::command::Args;
use crate::keyspace::Cursor;
use crate::object::element::Item;
use crate::object::zset::ZsetRef;
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
}

/// Members of a page as they are found.
struct Page<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    output: Output,
}

impl Page<'_> {
    fn add(&mut self, member: Item<'_>, score: &[u8]) {
        let pattern = self.pattern;
        let is_wanted = |name: &[u8]| pattern.is_none_or(|glob| glob::matches(glob, name, false));
        if member.with_bytes(is_wanted) {
            let mut reply = Writer::new(&mut self.output, Protocol::default());
            read::member(&mut reply, member);
            reply.bulk(score);
            self.count += 1;
        }
    }

    fn fill(&mut self, set: ZsetRef<'_>, cursor: u64, count: usize) -> u64 {
        match set {
            ZsetRef::Packed(list) => {
                let mut items = list.iter().map(|element| element.item);
                while let (Some(member), Some(score)) = (items.next(), items.next()) {
                    score.with_bytes(|score| self.add(member, score));
                }
                0
            }
            // Redis: here scores are written with 17 digits, in all versions.
            ZsetRef::Table(table) => table.scan(cursor, count, |member, score| {
                let mut buffer = [0; F64_TEXT_MAX];
                self.add(Item::Bytes(member), format_f64(&mut buffer, score));
            }),
        }
    }
}

/// ZSCAN: a page of members with their scores, and the cursor of the next one.
pub fn zscan(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let cursor = Cursor::parse(args.get(2)).ok_or(errors::INVALID_CURSOR)?;
    let set = read::zset(ctx.space, ctx.db, &key)?;
    let mut page = Page {
        pattern: None,
        count: 0,
        output: Output::default(),
    };
    let mut next = 0;
    // Redis: options are looked at only where there is something to scan.
    if let Some(set) = set {
        let options = Options::parse(args)?;
        page.pattern = options.pattern;
        next = page.fill(set, cursor.0, options.count);
    }
    ctx.reply.array(2);
    ctx.reply.bulk(next.to_string().as_bytes());
    let written = ctx.reply.array(page.count * 2);
    ctx.reply.output().append(&mut page.output);
    Ok(written)
}
