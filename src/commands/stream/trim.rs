//! The options of XADD and XTRIM, and XTRIM.
//!
//! An approximate trim replays as an exact one to what it left, so that whoever replays it need
//! not have its entries in the same nodes.

use super::{look, reply};
use crate::command::Args;
use crate::object::stream::{IdText, Keep, Log, NewId, Trim};
use crate::resp::{ErrorReply, errors};
use crate::shard::{Event, Outcome, ShardCtx};

/// What XADD and XTRIM are told before an id.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub trim: Option<Trim>,
    /// The position of the value of the trimming option.
    value_at: usize,
    /// The positions of LIMIT.
    limits_at: Vec<usize>,
    pub refuses_new_key: bool,
    /// XADD's id and its position.
    pub id: Option<(NewId, usize)>,
}

const BOTH: &str = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
const NO_STRATEGY: &str = "ERR syntax error, LIMIT cannot be used without specifying a trimming \
    strategy";
const NEEDS_STRATEGY: &str = "ERR syntax error, XTRIM must be called with a trimming strategy";
const NOT_APPROXIMATE: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";

impl Options {
    /// XADD's options, up to its id.
    pub fn of_xadd(args: Args<'_>, node_entries_max: u64) -> Result<Options, ErrorReply> {
        Options::parse(args, true, node_entries_max)
    }

    fn parse(args: Args<'_>, is_xadd: bool, node_entries_max: u64) -> Result<Options, ErrorReply> {
        let (mut options, mut limit, mut at) = (Options::default(), None, 2);
        while at < args.len() {
            let has_more = at + 1 < args.len();
            if is_xadd && args.get(at) == b"*" {
                options.id = Some((NewId::Auto, at));
                break;
            } else if has_more && (args.is(at, "maxlen") || args.is(at, "minid")) {
                at = options.take_trim(args, at)?;
            } else if has_more && args.is(at, "limit") {
                options.limits_at.push(at);
                at += 1;
                limit = Some(not_negative(args, at, "LIMIT")?);
            } else if is_xadd && args.is(at, "nomkstream") {
                options.refuses_new_key = true;
            } else if is_xadd {
                let id = NewId::parse(args.get(at)).ok_or(errors::INVALID_STREAM_ID)?;
                options.id = Some((id, at));
                break;
            } else {
                return Err(errors::SYNTAX.into());
            }
            at += 1;
        }
        options.set_limit(limit, is_xadd, node_entries_max)?;
        Ok(options)
    }

    /// Takes in MAXLEN or MINID at a position; returns the position of its value.
    fn take_trim(&mut self, args: Args<'_>, at: usize) -> Result<usize, ErrorReply> {
        if self.trim.is_some() {
            return Err(BOTH.into());
        }
        let has_two = at + 2 < args.len();
        let is_approximate = has_two && args.get(at + 1) == b"~";
        let is_exact = has_two && args.get(at + 1) == b"=";
        let value_at = at + 1 + usize::from(is_approximate || is_exact);
        let keep = match args.is(at, "maxlen") {
            true => Keep::Len(not_negative(args, value_at, "MAXLEN")?),
            false => Keep::From(reply::strict_id(args.get(value_at))?),
        };
        self.value_at = value_at;
        self.trim = Some(Trim {
            keep,
            is_approximate,
            limit: 0,
        });
        Ok(value_at)
    }

    fn set_limit(
        &mut self,
        limit: Option<u64>,
        is_xadd: bool,
        node_entries_max: u64,
    ) -> Result<(), ErrorReply> {
        let Some(trim) = &mut self.trim else {
            return match limit {
                Some(1..) => Err(NO_STRATEGY.into()),
                _ if !is_xadd => Err(NEEDS_STRATEGY.into()),
                Some(0) => Err(NOT_APPROXIMATE.into()),
                None => Ok(()),
            };
        };
        match limit {
            Some(_) if !trim.is_approximate => return Err(NOT_APPROXIMATE.into()),
            Some(limit) => trim.limit = limit,
            None if trim.is_approximate => trim.limit = usual_limit(node_entries_max),
            None => {}
        }
        Ok(())
    }

    /// What replays: the command with exactly what is left, and with the id that was given.
    pub fn tell(&self, ctx: &mut ShardCtx<'_>, left: Option<&[u8]>, id: Option<&IdText>) {
        let (args, value_at) = (ctx.args, self.value_at);
        let id_at = self.id.map_or(usize::MAX, |(_, at)| at);
        let word = |at: usize| -> Option<&[u8]> {
            match (left, id) {
                (Some(_), _) if at == value_at - 1 => Some(b"="),
                (Some(left), _) if at == value_at => Some(left),
                // How much may go is settled by what is left.
                (Some(_), _) if self.limits_at.contains(&at) => None,
                (Some(_), _) if at > 2 && self.limits_at.contains(&(at - 1)) => None,
                (_, Some(id)) if at == id_at => Some(id.as_bytes()),
                _ => Some(args.get(at)),
            }
        };
        ctx.effects
            .instead(ctx.db, (0..args.len()).filter_map(word));
    }

    /// What is left by an approximate trim, as an exact one would be told.
    pub fn left(&self, log: &Log) -> Option<Vec<u8>> {
        let trim = self.trim.filter(|trim| trim.is_approximate)?;
        Some(match trim.keep {
            Keep::Len(_) => log.len().to_string().into_bytes(),
            Keep::From(_) => log.first_kept().text().as_bytes().to_vec(),
        })
    }
}

/// Entries that one command may trim, so that it does not take too long.
fn usual_limit(node_entries_max: u64) -> u64 {
    const NODES: u64 = 100;
    const ENTRIES_MAX: u64 = 1_000_000;
    match node_entries_max {
        0 => 10_000,
        entries => entries.saturating_mul(NODES).min(ENTRIES_MAX),
    }
}

fn not_negative(args: Args<'_>, at: usize, option: &str) -> Result<u64, ErrorReply> {
    let number = args.integer(at)?;
    u64::try_from(number).map_err(|_| format!("ERR The {option} argument must be >= 0.").into())
}

/// XTRIM: remove the oldest entries.
pub fn xtrim(ctx: &mut ShardCtx<'_>) -> Outcome {
    let node_entries_max = ctx.space.common.packing.stream_node_entries_max;
    let options = Options::parse(ctx.args, false, node_entries_max)?;
    let key = ctx.key(1);
    let trim = options.trim.expect("XTRIM is told what to keep");
    let Some(mut held) = look::open(ctx.space, ctx.db, &key)? else {
        return Ok(ctx.reply.integer(0));
    };
    if !held.look().log.may_trim(trim) {
        return Ok(ctx.reply.integer(0));
    }
    let log = &mut held.change().log;
    let removed = log.trim(trim);
    let left = options.left(log).filter(|_| removed > 0);
    drop(held);
    if removed > 0 {
        ctx.changed(Event::XTRIM, key.bytes);
    }
    if let Some(left) = left {
        options.tell(ctx, Some(&left), None);
    }
    Ok(ctx.reply.integer(removed as i64))
}
