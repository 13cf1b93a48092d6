//! ZADD and ZINCRBY: members and their scores.
//!
//! All scores are read before anything changes. What replays of an increment is its sum, so that
//! no second addition can differ.

use crate::base::number::{F64_TEXT_MAX, format_f64_shortest};
use crate::command::Args;
use crate::keyspace::Door;
use crate::object::zset::{Change, NotANumber, Rules, ZsetEdit};
use crate::object::{Kind, Packed};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// The options of ZADD, and where its scores begin.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    rules: Rules,
    counts_changes: bool,
    first: usize,
}

impl Options {
    fn parse(args: Args<'_>, is_increment: bool) -> Result<Options, ErrorReply> {
        let mut options = Options {
            first: 2,
            ..Options::default()
        };
        let rules = &mut options.rules;
        rules.is_increment = is_increment;
        while let Some(word) = args.try_get(options.first).filter(|word| word.len() <= 4) {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => rules.only_new = true,
                b"xx" => rules.only_present = true,
                b"gt" => rules.only_greater = true,
                b"lt" => rules.only_less = true,
                b"ch" => options.counts_changes = true,
                b"incr" => rules.is_increment = true,
                _ => break,
            }
            options.first += 1;
        }
        options.check(args.len() - options.first)?;
        Ok(options)
    }

    fn check(&self, left: usize) -> Result<(), ErrorReply> {
        let rules = &self.rules;
        let (greater, less) = (rules.only_greater, rules.only_less);
        let error = if left == 0 || !left.is_multiple_of(2) {
            errors::SYNTAX
        } else if rules.only_new && rules.only_present {
            "ERR XX and NX options at the same time are not compatible"
        } else if (greater && less) || (rules.only_new && (greater || less)) {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if rules.is_increment && left > 2 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(error.into())
    }
}

/// What came of all members.
#[derive(Clone, Copy, Debug)]
struct Tally {
    added: i64,
    updated: i64,
    last: Change,
}

/// ZADD: gives members scores.
pub fn zadd(ctx: &mut ShardCtx<'_>) -> Outcome {
    add(ctx, false)
}

/// ZINCRBY: adds to the score of a member.
pub fn zincrby(ctx: &mut ShardCtx<'_>) -> Outcome {
    add(ctx, true)
}

fn add(ctx: &mut ShardCtx<'_>, is_increment: bool) -> Outcome {
    let args = ctx.args;
    let options = Options::parse(args, is_increment)?;
    let score = args.float(options.first)?;
    for at in (options.first + 2..args.len()).step_by(2) {
        args.float(at)?;
    }
    let key = ctx.key(1);
    let packing = ctx.space.common.packing;
    let door: Door<'_> = ctx.space.door(ctx.db);
    let mut open = if options.rules.only_present {
        door.open(&key, Kind::Zset)?
    } else {
        Some(door.open_or_new(&key, Packed::Zset)?)
    };
    let mut tally = Tally {
        added: 0,
        updated: 0,
        last: Change::Refused,
    };
    if let Some(open) = &mut open {
        let mut edit = ZsetEdit::new(open, &packing);
        edit.expect((args.len() - options.first) / 2);
        tally.put(&mut edit, args, &options, score)?;
    }
    drop(open);
    if tally.added + tally.updated > 0 {
        tell(ctx, &options, tally.last);
    }
    let written = match tally.last.score() {
        Some(score) if options.rules.is_increment => ctx.reply.double(score),
        None if options.rules.is_increment => ctx.reply.null(),
        _ if options.counts_changes => ctx.reply.integer(tally.added + tally.updated),
        _ => ctx.reply.integer(tally.added),
    };
    Ok(written)
}

impl Tally {
    /// The first score has been read already, and that all others can be is known.
    fn put(
        &mut self,
        edit: &mut ZsetEdit<'_>,
        args: Args<'_>,
        options: &Options,
        mut score: f64,
    ) -> Result<(), ErrorReply> {
        const NAN: &str = "ERR resulting score is not a number (NaN)";
        for at in (options.first..args.len()).step_by(2) {
            if at > options.first {
                score = args.float(at)?;
            }
            let put = edit.put(args.get(at + 1), score, options.rules);
            self.last = put.map_err(|NotANumber| NAN)?;
            self.added += i64::from(matches!(self.last, Change::Added(_)));
            self.updated += i64::from(matches!(self.last, Change::Updated(_)));
        }
        Ok(())
    }
}

fn tell(ctx: &mut ShardCtx<'_>, options: &Options, last: Change) {
    let key = ctx.args.get(1);
    if !options.rules.is_increment {
        return ctx.changed(Event::ZADD, key);
    }
    let sum = last.score().unwrap_or_default();
    let mut buffer = [0; F64_TEXT_MAX];
    let text = format_f64_shortest(&mut buffer, sum);
    let member = ctx.args.get(options.first + 1);
    ctx.effects
        .instead(ctx.db, [&b"ZADD"[..], key, text, member]);
    ctx.changed(Event::ZINCR, key);
}
