//! KEYS, SCAN, RANDOMKEY: finding keys without knowing their names.
//!
//! Each shard replies for itself. KEYS and RANDOMKEY run on all of them, SCAN on the one that its
//! cursor points at.

use crate::base::glob;
use crate::command::Args;
use crate::keyspace::{Cursor, EntryRef};
use crate::resp::{ErrorReply, Output, Writer, Written, errors};
use crate::shard::{Outcome, ShardCtx};

/// Key names as they are found, and how many there are.
#[derive(Default)]
struct Names {
    count: usize,
    output: Output,
}

impl Names {
    fn add(&mut self, name: &[u8]) {
        self.count += 1;
        Writer::new(&mut self.output, Default::default()).bulk(name);
    }

    fn reply(mut self, reply: &mut Writer<'_>) -> Written {
        reply.array(self.count);
        reply.output().append(&mut self.output);
        Written
    }
}

/// A pattern of names; a lone star also matches the empty name, which it would not as a glob.
#[derive(Clone, Copy)]
struct Pattern<'a>(&'a [u8]);

impl Pattern<'_> {
    fn matches(self, name: &[u8]) -> bool {
        self.0 == b"*" || glob::matches(self.0, name, false)
    }
}

/// KEYS: the names of all keys that match a pattern.
pub fn keys(ctx: &mut ShardCtx<'_>) -> Outcome {
    let pattern = Pattern(ctx.args.get(1));
    let mut names = Names::default();
    ctx.space.each(ctx.db, |entry| {
        if pattern.matches(entry.key()) {
            names.add(entry.key());
        }
    });
    Ok(names.reply(&mut ctx.reply))
}

/// What SCAN is asked for.
struct ScanOptions<'a> {
    count: usize,
    pattern: Pattern<'a>,
    kind: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    fn parse(args: Args<'a>) -> Result<ScanOptions<'a>, ErrorReply> {
        const COUNT: usize = 10;
        let mut options = ScanOptions {
            count: COUNT,
            pattern: Pattern(b"*"),
            kind: None,
        };
        for at in (2..args.len()).step_by(2) {
            let value = args.try_get(at + 1).ok_or(errors::SYNTAX)?;
            if args.is(at, "count") {
                let count = args.integer(at + 1)?;
                if count < 1 {
                    return Err(errors::SYNTAX.into());
                }
                options.count = count as usize;
            } else if args.is(at, "match") {
                options.pattern = Pattern(value);
            } else if args.is(at, "type") {
                options.kind = Some(value);
            } else {
                return Err(errors::SYNTAX.into());
            }
        }
        Ok(options)
    }

    fn wants(&self, entry: EntryRef<'_>, now_ms: i64) -> bool {
        let kind = || entry.kind().name().as_bytes();
        entry.is_live(now_ms)
            && self
                .kind
                .is_none_or(|name| name.eq_ignore_ascii_case(kind()))
            && self.pattern.matches(entry.key())
    }
}

/// SCAN: a page of key names, and the cursor of the next page.
pub fn scan(ctx: &mut ShardCtx<'_>) -> Outcome {
    let cursor = Cursor::parse(ctx.args.get(1)).ok_or(errors::INVALID_CURSOR)?;
    let options = ScanOptions::parse(ctx.args)?;
    let (mut names, now_ms) = (Names::default(), ctx.now_ms());
    let next = ctx.space.scan(ctx.db, cursor, options.count, |entry| {
        if options.wants(entry, now_ms) {
            names.add(entry.key());
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk(next.0.to_string().as_bytes());
    Ok(names.reply(&mut ctx.reply))
}

/// RANDOMKEY: how many keys this shard has, and one of them.
pub fn random(ctx: &mut ShardCtx<'_>) -> Outcome {
    let name = ctx.door().random_key();
    let weight = name.as_ref().map_or(0, |_| ctx.door().len());
    ctx.reply.array(2);
    ctx.reply.integer(weight as i64);
    Ok(match name {
        Some(name) => ctx.reply.bulk(&name),
        None => ctx.reply.null(),
    })
}
